/*
 * AVX-512 instructions computed in plain C (SIMD Everywhere, package libsimde-dev), so that the kernels' logic is tested on
 * processors without them. Never part of a shipped build.
 */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx512.h>
#include <simde/x86/gfni.h>

/* What the library of Debian 12 lacks. */
#define __mmask8 simde__mmask8
#define __mmask16 simde__mmask16

/* A bit per lane: whether `answer` holds for x[i] and y[i]. */
#define SIMULATED_MASK(name, vector, lane, n, answer) \
	static inline uint64_t simulated_##name(vector a, vector b) \
	{ \
		lane x[n], y[n]; \
		uint64_t mask = 0; \
		memcpy(x, &a, sizeof x); \
		memcpy(y, &b, sizeof y); \
		for (unsigned i = 0; i < n; i++) \
			mask |= (uint64_t)(answer) << i; \
		return mask; \
	}

SIMULATED_MASK(cmpgt_epu16, simde__m512i, uint16_t, 32, x[i] > y[i])
SIMULATED_MASK(cmpge_epu8, simde__m512i, uint8_t, 64, x[i] >= y[i])
SIMULATED_MASK(cmpeq_epu8, simde__m512i, uint8_t, 64, x[i] == y[i])
SIMULATED_MASK(half_cmpgt_epu16, simde__m256i, uint16_t, 16, x[i] > y[i])
SIMULATED_MASK(half_testn_epi16, simde__m256i, uint16_t, 16, (x[i] & y[i]) == 0)
#undef _mm512_cmpgt_epu16_mask
#undef _mm512_mask_cmpge_epu8_mask
#undef _mm512_mask_cmpeq_epu8_mask
#undef _mm512_cmpeq_epu8_mask
#undef _mm256_cmpgt_epu16_mask
#undef _mm256_testn_epi16_mask
#define _mm512_cmpgt_epu16_mask(a, b) ((uint32_t)simulated_cmpgt_epu16(a, b))
#define _mm512_mask_cmpge_epu8_mask(among, a, b) ((among) & simulated_cmpge_epu8(a, b))
#define _mm512_mask_cmpeq_epu8_mask(among, a, b) ((among) & simulated_cmpeq_epu8(a, b))
#define _mm512_cmpeq_epu8_mask simulated_cmpeq_epu8
#define _mm256_cmpgt_epu16_mask(a, b) ((uint32_t)simulated_half_cmpgt_epu16(a, b))
#define _mm256_broadcastmw_epi32(mask) _mm256_set1_epi32((uint16_t)(mask))
#define _mm256_testn_epi16_mask(a, b) ((uint32_t)simulated_half_testn_epi16(a, b))

/* 128-bit lanes: two of a, then two of b. */
static inline simde__m512 simulated_shuffle_f32x4(simde__m512 a, simde__m512 b, unsigned select)
{
	float x[16], y[16], z[16];
	simde__m512 result;
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	for (unsigned lane = 0; lane < 4; lane++)
		memcpy(z + 4 * lane, (lane < 2 ? x : y) + 4 * (select >> (2 * lane) & 3), 4 * sizeof(float));
	memcpy(&result, z, sizeof result);
	return result;
}
#undef _mm512_shuffle_f32x4
#define _mm512_shuffle_f32x4 simulated_shuffle_f32x4

static inline simde__m128i simulated_cvtepi32_epi8(simde__m512i a)
{
	uint32_t x[16];
	uint8_t y[16];
	simde__m128i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 16; i++)
		y[i] = (uint8_t)x[i];
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_cvtepi32_epi8
#define _mm512_cvtepi32_epi8 simulated_cvtepi32_epi8

/* What does not fit, NaN among it, becomes the lowest number. */
static inline simde__m512i simulated_cvttps_epi32(simde__m512 a)
{
	float x[16];
	int32_t y[16];
	simde__m512i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 16; i++)
		y[i] = x[i] >= -2147483648.0f && x[i] < 2147483648.0f ? (int32_t)x[i] : INT32_MIN;
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_cvttps_epi32
#define _mm512_cvttps_epi32 simulated_cvttps_epi32

static inline simde__m512i simulated_cvttpd_epi64(simde__m512d a)
{
	double x[8];
	int64_t y[8];
	simde__m512i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 8; i++)
		y[i] = x[i] >= -9223372036854775808.0 && x[i] < 9223372036854775808.0 ? (int64_t)x[i] : INT64_MIN;
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_cvttpd_epi64
#define _mm512_cvttpd_epi64 simulated_cvttpd_epi64

static inline uint16_t simulated_cmpgt_epu8_mask(simde__m128i a, simde__m128i b)
{
	uint8_t x[16], y[16];
	unsigned mask = 0;
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	for (unsigned i = 0; i < 16; i++)
		mask |= (unsigned)(x[i] > y[i]) << i;
	return (uint16_t)mask;
}
#undef _mm_cmpgt_epu8_mask
#define _mm_cmpgt_epu8_mask simulated_cmpgt_epu8_mask

static inline uint32_t simulated_cmpgt_epu8_mask32(simde__m256i a, simde__m256i b)
{
	uint8_t x[32], y[32];
	uint32_t mask = 0;
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	for (unsigned i = 0; i < 32; i++)
		mask |= (uint32_t)(x[i] > y[i]) << i;
	return mask;
}
#undef _mm256_cmpgt_epu8_mask
#define _mm256_cmpgt_epu8_mask simulated_cmpgt_epu8_mask32

static inline simde__m256i simulated_mask_add_epi8(simde__m256i from, uint32_t mask, simde__m256i a, simde__m256i b)
{
	uint8_t x[32], y[32], to[32];
	simde__m256i result;
	memcpy(x, &a, sizeof x);
	memcpy(y, &b, sizeof y);
	memcpy(to, &from, sizeof to);
	for (unsigned i = 0; i < 32; i++)
		to[i] = mask >> i & 1 ? (uint8_t)(x[i] + y[i]) : to[i];
	memcpy(&result, to, sizeof result);
	return result;
}
#undef _mm256_mask_add_epi8
#define _mm256_mask_add_epi8 simulated_mask_add_epi8

/* Unsigned lanes of `a` as `n` wider ones. */
#define SIMULATED_WIDEN(name, vector, narrow, wide, n) \
	static inline simde__m512i simulated_##name(vector a) \
	{ \
		narrow x[sizeof a / sizeof(narrow)]; \
		wide y[n]; \
		simde__m512i result; \
		memcpy(x, &a, sizeof x); \
		for (unsigned i = 0; i < (n); i++) \
			y[i] = x[i]; \
		memcpy(&result, y, sizeof result); \
		return result; \
	}
SIMULATED_WIDEN(cvtepu8_epi16, simde__m256i, uint8_t, uint16_t, 32)
SIMULATED_WIDEN(cvtepu8_epi64, simde__m128i, uint8_t, uint64_t, 8)
SIMULATED_WIDEN(cvtepu32_epi64, simde__m256i, uint32_t, uint64_t, 8)
#undef _mm512_cvtepu8_epi16
#undef _mm512_cvtepu8_epi64
#undef _mm512_cvtepu32_epi64
#define _mm512_cvtepu8_epi16 simulated_cvtepu8_epi16
#define _mm512_cvtepu8_epi64 simulated_cvtepu8_epi64
#define _mm512_cvtepu32_epi64 simulated_cvtepu32_epi64

/* The processor faults on a misaligned aligned access; so does the simulation. */
static inline const void *simulated_aligned(const void *p)
{
	if ((uintptr_t)p % 64)
		__builtin_trap();
	return p;
}
#undef _mm512_load_si512
#undef _mm512_load_ps
#undef _mm512_load_pd
#undef _mm512_store_si512
#undef _mm512_store_ps
#undef _mm512_store_pd
#define _mm512_load_si512(p) simde_mm512_loadu_si512(simulated_aligned(p))
#define _mm512_load_ps(p) simde_mm512_loadu_ps(simulated_aligned(p))
#define _mm512_load_pd(p) simde_mm512_loadu_pd(simulated_aligned(p))
#define _mm512_store_si512(p, v) simde_mm512_storeu_si512((void *)(uintptr_t)simulated_aligned(p), v)
#define _mm512_store_ps(p, v) simde_mm512_storeu_ps((void *)(uintptr_t)simulated_aligned(p), v)
#define _mm512_store_pd(p, v) simde_mm512_storeu_pd((void *)(uintptr_t)simulated_aligned(p), v)

#define SIMULATED_SHLDI(bits) \
	static inline simde__m512i simulated_shldi_epi##bits(simde__m512i a, simde__m512i b, unsigned count) \
	{ \
		uint##bits##_t x[512 / bits], y[512 / bits]; \
		simde__m512i result; \
		memcpy(x, &a, sizeof x); \
		memcpy(y, &b, sizeof y); \
		for (unsigned i = 0; i < 512 / bits; i++) \
			x[i] = (uint##bits##_t)(x[i] << count | y[i] >> (bits - count)); \
		memcpy(&result, x, sizeof result); \
		return result; \
	}

SIMULATED_SHLDI(16)
SIMULATED_SHLDI(32)
SIMULATED_SHLDI(64)
#undef _mm512_shldi_epi16
#undef _mm512_shldi_epi32
#undef _mm512_shldi_epi64
#define _mm512_shldi_epi16 simulated_shldi_epi16
#define _mm512_shldi_epi32 simulated_shldi_epi32
#define _mm512_shldi_epi64 simulated_shldi_epi64

static inline simde__m512 simulated_maskz_loadu_ps(uint16_t mask, const float *from)
{
	float x[16];
	simde__m512 result;
	for (unsigned i = 0; i < 16; i++)
		x[i] = mask >> i & 1 ? from[i] : 0.0f;
	memcpy(&result, x, sizeof result);
	return result;
}
#undef _mm512_maskz_loadu_ps
#define _mm512_maskz_loadu_ps simulated_maskz_loadu_ps

static inline simde__m512d simulated_maskz_loadu_pd(uint8_t mask, const double *from)
{
	double x[8];
	simde__m512d result;
	for (unsigned i = 0; i < 8; i++)
		x[i] = mask >> i & 1 ? from[i] : 0.0;
	memcpy(&result, x, sizeof result);
	return result;
}
#undef _mm512_maskz_loadu_pd
#define _mm512_maskz_loadu_pd simulated_maskz_loadu_pd

static inline void simulated_mask_storeu_epi8(void *to, uint64_t mask, simde__m512i a)
{
	uint8_t x[64];
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 64; i++) {
		if (mask >> i & 1)
			((uint8_t *)to)[i] = x[i];
	}
}
#undef _mm512_mask_storeu_epi8
#define _mm512_mask_storeu_epi8 simulated_mask_storeu_epi8

static inline simde__m512d simulated_cvtps_pd(simde__m256 a)
{
	float x[8];
	double y[8];
	simde__m512d result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 8; i++)
		y[i] = x[i];
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_cvtps_pd
#define _mm512_cvtps_pd simulated_cvtps_pd

static inline simde__m256i simulated_cvtepi64_epi32(simde__m512i a)
{
	uint64_t x[8];
	uint32_t y[8];
	simde__m256i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 8; i++)
		y[i] = (uint32_t)x[i];
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_cvtepi64_epi32
#define _mm512_cvtepi64_epi32 simulated_cvtepi64_epi32

static inline simde__m512i simulated_maskz_compress_epi32(uint16_t mask, simde__m512i a)
{
	uint32_t x[16], y[16] = {0};
	simde__m512i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0, to = 0; i < 16; i++) {
		if (mask >> i & 1)
			y[to++] = x[i];
	}
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_maskz_compress_epi32
#define _mm512_maskz_compress_epi32 simulated_maskz_compress_epi32

static inline simde__m512i simulated_mask_expand_epi32(simde__m512i from, uint16_t mask, simde__m512i a)
{
	uint32_t x[16], y[16];
	simde__m512i result;
	memcpy(x, &a, sizeof x);
	memcpy(y, &from, sizeof y);
	for (unsigned i = 0, at = 0; i < 16; i++) {
		if (mask >> i & 1)
			y[i] = x[at++];
	}
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm512_mask_expand_epi32
#define _mm512_mask_expand_epi32 simulated_mask_expand_epi32

static inline simde__m512i simulated_lzcnt_epi32(simde__m512i a)
{
	uint32_t x[16];
	simde__m512i result;
	memcpy(x, &a, sizeof x);
	for (unsigned i = 0; i < 16; i++)
		x[i] = x[i] ? (uint32_t)__builtin_clz(x[i]) : 32;
	memcpy(&result, x, sizeof result);
	return result;
}
#undef _mm512_lzcnt_epi32
#define _mm512_lzcnt_epi32 simulated_lzcnt_epi32

static inline simde__m256i simulated_mask_slli_epi32(simde__m256i from, uint8_t mask, simde__m256i a, unsigned count)
{
	uint32_t x[8], y[8];
	simde__m256i result;
	memcpy(x, &a, sizeof x);
	memcpy(y, &from, sizeof y);
	for (unsigned i = 0; i < 8; i++)
		y[i] = mask >> i & 1 ? x[i] << count : y[i];
	memcpy(&result, y, sizeof result);
	return result;
}
#undef _mm256_mask_slli_epi32
#define _mm256_mask_slli_epi32 simulated_mask_slli_epi32
