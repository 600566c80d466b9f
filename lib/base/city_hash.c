/*
 * CityHash64, version 1.0, and the category hash that CatBoost makes of it: the low 32 bits.
 *
 * Comes in: bytes, or an integer that stands for its decimal text. Goes out: the hash. The algorithm is Geoff Pike's and
 * Jyrki Alakuijala's; versions after 1.0 give other hashes. Reads little-endian words on every host.
 */
#include "base.h"

#define K0 0xc3a5c85c97cb3127u
#define K1 0xb492b66fbe98f273u
#define K2 0x9ae16a3b2f90404fu
#define K3 0xc949d7c7509e6557u
#define MULTIPLIER 0x9ddfea08eb382d69u

typedef struct pair {
	uint64_t first, second;
} pair;

static uint64_t word(const uint8_t *p)
{
	return sl_load_le64(p);
}

static uint64_t half_word(const uint8_t *p)
{
	return p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24;
}

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x >> by | x << (64 - by); /* by is 1 to 63 */
}

static uint64_t fold(uint64_t x)
{
	return x ^ x >> 47;
}

static uint64_t join(uint64_t u, uint64_t v)
{
	uint64_t a = fold((u ^ v) * MULTIPLIER);
	return fold((v ^ a) * MULTIPLIER) * MULTIPLIER;
}

static uint64_t hash_to_16(const uint8_t *s, size_t n)
{
	if (n > 8) {
		uint64_t last = word(s + n - 8);
		return join(word(s), rotate(last + n, (unsigned)n)) ^ last;
	}
	if (n >= 4)
		return join(n + (half_word(s) << 3), half_word(s + n - 4));
	if (n == 0)
		return K2;
	uint32_t y = s[0] + ((uint32_t)s[n / 2] << 8), z = (uint32_t)n + ((uint32_t)s[n - 1] << 2);
	return fold((y * K2) ^ (z * K3)) * K2;
}

static uint64_t hash_to_32(const uint8_t *s, size_t n)
{
	uint64_t a = word(s) * K1, b = word(s + 8), c = word(s + n - 8) * K2, d = word(s + n - 16) * K0;
	return join(rotate(a - b, 43) + rotate(c, 30) + d, a + rotate(b ^ K3, 20) - c + n);
}

/* Four words into two: a, two from memory, and z. */
static pair half(uint64_t a, const uint8_t *words, uint64_t z)
{
	uint64_t b = rotate(a + z, 52), c = rotate(a, 37);
	a += word(words);
	c += rotate(a, 7);
	a += word(words + 8);
	return (pair){a + z, b + rotate(a, 31) + c};
}

static uint64_t hash_to_64(const uint8_t *s, size_t n)
{
	pair v = half(word(s) + (n + word(s + n - 16)) * K0, s + 8, word(s + 24));
	pair w = half(word(s + 16) + word(s + n - 32), s + n - 24, word(s + n - 8));
	uint64_t r = fold((v.first + w.second) * K2 + (w.first + v.second) * K0);
	return fold(r * K0 + v.second) * K2;
}

static pair weak(const uint8_t *s, uint64_t a, uint64_t b)
{
	uint64_t z = word(s + 24);
	a += word(s);
	b = rotate(b + a + z, 21);
	uint64_t c = a;
	a += word(s + 8);
	a += word(s + 16);
	b += rotate(a, 44);
	return (pair){a + z, b + c};
}

static uint64_t hash_long(const uint8_t *s, size_t n)
{
	uint64_t x = word(s), y = word(s + n - 16) ^ K1, z = word(s + n - 56) ^ K0;
	pair v = weak(s + n - 64, n, y), w = weak(s + n - 32, n * K1, K0);
	z += fold(v.second) * K1;
	x = rotate(z + x, 39) * K1;
	y = rotate(y, 33) * K1;
	for (size_t blocks = (n - 1) / 64; blocks; blocks--, s += 64) {
		x = rotate(x + y + v.first + word(s + 16), 37) * K1;
		y = rotate(y + v.second + word(s + 48), 42) * K1;
		x ^= w.second;
		y ^= v.first;
		z = rotate(z ^ w.first, 33);
		v = weak(s, v.second * K1, x + w.first);
		w = weak(s + 32, z + w.second, y);
		uint64_t t = z;
		z = x;
		x = t;
	}
	return join(join(v.first, w.first) + fold(y) * K1 + z, join(v.second, w.second) + x);
}

uint32_t sl_category_hash(const void *text, size_t length)
{
	const uint8_t *s = text;
	if (length <= 16)
		return (uint32_t)hash_to_16(s, length);
	if (length <= 32)
		return (uint32_t)hash_to_32(s, length);
	return (uint32_t)(length <= 64 ? hash_to_64(s, length) : hash_long(s, length));
}

uint32_t sl_category_hash_integer(uint64_t magnitude, bool negative)
{
	char text[24];
	size_t at = sizeof text;
	do {
		text[--at] = (char)('0' + magnitude % 10);
		magnitude /= 10;
	} while (magnitude);
	if (negative)
		text[--at] = '-';
	return sl_category_hash(text + at, sizeof text - at);
}
