/* Vocabulary of plain C: one 64-row word. The reference for every other instruction set. */
#define ISA_NAME(name) name##_portable

typedef uint64_t V;
#define V_WORDS 1
#define PLANE_WORDS 8
#define EIGHT_ROWS 28
#define EIGHT_OPERATIONS 5

static inline V v_load(const uint64_t *p)
{
	return *p;
}

static inline void v_store(uint64_t *p, V v)
{
	*p = v;
}

static inline V v_select(V mask, V a, V b)
{
	return a ^ (mask & (a ^ b));
}

static inline V v_and(V a, V b)
{
	return a & b;
}

static inline V v_or(V a, V b)
{
	return a | b;
}

static inline V v_nor(V a, V b)
{
	return ~(a | b);
}

static inline V v_andnot(V a, V b)
{
	return ~a & b;
}

static inline V v_xor(V a, V b)
{
	return a ^ b;
}

static inline V v_fill(uint64_t x)
{
	return x;
}

/* Bit `bit` of eight bytes, gathered by a multiplication into one byte. */
static inline uint64_t gather_bit(uint64_t bytes, unsigned bit)
{
	return ((bytes >> bit & 0x0101010101010101u) * 0x0102040810204080u) >> 56;
}

static void split8_portable(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		uint64_t planes[8] = {0};
		for (unsigned i = 0; i < 8; i++) {
			uint64_t bytes = sl_load_le64(codes + 64 * w + 8 * i);
			for (unsigned k = 0; k < 8; k++)
				planes[k] |= gather_bit(bytes, k) << (8 * i);
		}
		for (unsigned k = 0; k < 8; k++)
			bits[k * PLANE_WORDS + w] = planes[k];
	}
}

static void split16_portable(const uint16_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w++) {
		uint64_t planes[16] = {0};
		for (unsigned r = 0; r < 64; r++) {
			uint64_t code = codes[64 * w + r];
			for (unsigned k = 0; k < 16; k++)
				planes[k] |= (code >> k & 1) << r;
		}
		for (unsigned k = 0; k < 16; k++)
			bits[k * PLANE_WORDS + w] = planes[k];
	}
}

/* Swap the bits under `mask` of b with those `shift` higher of a. */
static inline void swap_bits(uint64_t *a, uint64_t *b, unsigned shift, uint64_t mask)
{
	uint64_t t = ((*a >> shift) ^ *b) & mask;
	*b ^= t;
	*a ^= t << shift;
}

/* 8 × 8 bits: bit i of byte k becomes bit k of byte i. */
static inline uint64_t transpose_bits(uint64_t x)
{
	uint64_t t = (x ^ (x >> 7)) & 0x00aa00aa00aa00aau;
	x ^= t ^ (t << 7);
	t = (x ^ (x >> 14)) & 0x0000cccc0000ccccu;
	x ^= t ^ (t << 14);
	t = (x ^ (x >> 28)) & 0x00000000f0f0f0f0u;
	return x ^ t ^ (t << 28);
}

/* First bytes across words, then bits within each 8 × 8. */
static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	uint64_t x[8];
	memcpy(x, planes, sizeof x);
	for (size_t k = 0; k < 8; k += 2)
		swap_bits(&x[k], &x[k + 1], 8, 0x00ff00ff00ff00ffu);
	for (size_t k = 0; k < 8; k += 1 + (k & 1) * 2)
		swap_bits(&x[k], &x[k + 2], 16, 0x0000ffff0000ffffu);
	for (size_t k = 0; k < 4; k++)
		swap_bits(&x[k], &x[k + 4], 32, 0x00000000ffffffffu);
	for (size_t k = 0; k < 8; k++)
		sl_store_le64(bytes + 8 * k, transpose_bits(x[k]));
}
