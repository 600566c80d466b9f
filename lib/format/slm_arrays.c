/*
 * Arrays as bytes: bit-packed unsigned integers and little-endian floats.
 *
 * Comes in: values, or bytes whose length was checked against count and width. Goes out: the other.
 * No host byte order, rounding mode or flush-to-zero setting decides about a bit, and NaN payloads survive.
 */
#include "slm_layout.h"

bool slm_array_bytes(uint64_t count, uint32_t bits, uint64_t *out)
{
	if (count > (UINT64_MAX - 7) / bits)
		return false;
	*out = (count * bits + 7) / 8;
	return true;
}

uint32_t slm_width(const uint32_t *values, size_t n)
{
	uint32_t all = 0;
	uint32_t bits = 1;
	for (size_t i = 0; i < n; i++)
		all |= values[i];
	while (bits < 32 && all >> bits != 0)
		bits++;
	return bits;
}

void slm_pack(const uint32_t *values, size_t n, uint32_t bits, uint8_t *out)
{
	uint64_t window = 0;
	uint32_t held = 0;
	for (size_t i = 0; i < n; i++) {
		window |= (uint64_t)values[i] << held;
		for (held += bits; held >= 8; held -= 8) {
			*out++ = (uint8_t)window;
			window >>= 8;
		}
	}
	if (held > 0)
		*out = (uint8_t)window;
}

/* The fewer than eight bytes from `at` on; past the end there are zeros. */
uint64_t slm_tail_u64(const uint8_t *bytes, size_t size, size_t at)
{
	uint64_t v = 0;
	for (uint32_t k = 0; at + k < size; k++)
		v |= (uint64_t)bytes[at + k] << (8 * k);
	return v;
}

void slm_unpack(const uint8_t *bytes, size_t size, uint32_t bits, uint32_t *out, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = slm_unpack_one(bytes, size, bits, i);
}

/* The bits of a float as those of the same double. */
static uint64_t widen(uint32_t u)
{
	const uint64_t sign = (uint64_t)(u & 0x80000000u) << 32;
	uint64_t exponent = u >> 23 & 0xff;
	uint64_t fraction = u & 0x007fffffu;
	if (exponent == 0xff)
		return sign | (uint64_t)0x7ff << 52 | fraction << 29;
	if (exponent == 0) {
		if (fraction == 0)
			return sign;
		for (exponent = 1; (fraction & 0x00800000u) == 0; exponent--)
			fraction <<= 1;
		fraction &= 0x007fffffu;
	}
	return sign | (exponent + 896) << 52 | fraction << 29;
}

/* The reverse for doubles that are floats; others give some bits that widen() does not turn back. */
static uint32_t narrow(uint64_t u)
{
	const uint32_t sign = (uint32_t)(u >> 32) & 0x80000000u;
	const uint32_t exponent = (uint32_t)(u >> 52) & 0x7ff;
	const uint64_t fraction = u & (((uint64_t)1 << 52) - 1);
	if (exponent == 0x7ff)
		return sign | 0x7f800000u | (uint32_t)(fraction >> 29);
	if (exponent > 896 && exponent < 1151)
		return sign | (exponent - 896) << 23 | (uint32_t)(fraction >> 29);
	if (exponent > 873 && exponent <= 896)
		return sign | (uint32_t)((fraction | (uint64_t)1 << 52) >> (926 - exponent));
	return sign;
}

bool slm_all_f32(const double *values, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t u = sl_f64_bits(values[i]);
		if (widen(narrow(u)) != u)
			return false;
	}
	return true;
}

void slm_floats_to_bytes(const double *values, size_t n, uint32_t bits, uint8_t *out)
{
	if (bits == 32) {
		for (size_t i = 0; i < n; i++)
			slm_put_u32(out + 4 * i, narrow(sl_f64_bits(values[i])));
		return;
	}
	for (size_t i = 0; i < n; i++)
		slm_put_u64(out + 8 * i, sl_f64_bits(values[i]));
}

void slm_floats_from_bytes(const uint8_t *bytes, uint32_t bits, double *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint64_t u = bits == 32 ? widen(slm_get_u32(bytes + 4 * i)) : slm_get_u64(bytes + 8 * i);
		memcpy(out + i, &u, sizeof u);
	}
}

void slm_narrow_floats_from_bytes(const uint8_t *bytes, float *out, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const uint32_t u = slm_get_u32(bytes + 4 * i);
		memcpy(out + i, &u, sizeof u);
	}
}
