/* Vocabulary of AArch64's NEON, which every such processor has: 128 rows per vector. */
#define ISA_NAME(name) name##_neon

typedef uint64x2_t V;
#define V_WORDS 2
#define PLANE_WORDS 4
#define EIGHT_ROWS 22
#define EIGHT_OPERATIONS 17

static inline V v_load(const uint64_t *p)
{
	return vld1q_u64(p);
}

static inline void v_store(uint64_t *p, V v)
{
	vst1q_u64(p, v);
}

static inline V v_select(V mask, V a, V b)
{
	return vbslq_u64(mask, b, a);
}

static inline V v_and(V a, V b)
{
	return vandq_u64(a, b);
}

static inline V v_or(V a, V b)
{
	return vorrq_u64(a, b);
}

static inline V v_nor(V a, V b)
{
	return vbicq_u64(vdupq_n_u64(UINT64_MAX), vorrq_u64(a, b));
}

static inline V v_andnot(V a, V b)
{
	return vbicq_u64(b, a);
}

static inline V v_xor(V a, V b)
{
	return veorq_u64(a, b);
}

static inline V v_fill(uint64_t x)
{
	return vdupq_n_u64(x);
}

/* ---- bits across vectors ---------------------------------------------------------------------------------- */

/* Shifts want constants that are written down: a macro. The bits that a shift moves into other bytes are masked out. */
#define V_EXCHANGE(a, b, shift, mask) \
	do { \
		const V low = vreinterpretq_u64_u8(vdupq_n_u8(mask)); \
		V down = vshrq_n_u64(*(a), shift), up = vshlq_n_u64(*(b), shift); \
		*(a) = vbslq_u64(low, *(a), up); \
		*(b) = vbslq_u64(low, down, *(b)); \
	} while (0)
#include "transpose_bits.h"

static inline void v_bytes(const V planes[8], uint8_t *bytes)
{
	V p[8];
	for (size_t k = 0; k < 8; k++)
		p[k] = planes[k];
	transpose_planes(p);
	for (size_t k = 0; k < 8; k++)
		vst1q_u8(bytes + 16 * k, vreinterpretq_u8_u64(p[k]));
}

DEFINE_ORDER(order_f32_neon, float)
DEFINE_ORDER(order_f64_neon, double)

/* ---- codes to bit planes -------------------------------------------------------------------------------- */

/* There is no movemask. Every eighth code together, then the exchanges that make bytes of planes make planes of bytes.
 * x[2 i], x[2 i + 1]: codes of rows i, i + 4, i + 8 … of the first and of the second 64 rows. */
static inline void split_bytes(const uint8x16_t x[8], uint64_t *bits)
{
	V p[8];
	for (size_t i = 0; i < 4; i++) {
		p[i] = vreinterpretq_u64_u8(vuzp1q_u8(x[2 * i], x[2 * i + 1]));
		p[i + 4] = vreinterpretq_u64_u8(vuzp2q_u8(x[2 * i], x[2 * i + 1]));
	}
	transpose_planes(p);
	for (size_t k = 0; k < 8; k++)
		v_store(bits + k * PLANE_WORDS, p[k]);
}

static void split8_neon(const uint8_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w += V_WORDS) {
		uint8x16x4_t a = vld4q_u8(codes + 64 * w), b = vld4q_u8(codes + 64 * w + 64);
		uint8x16_t x[8];
		for (size_t i = 0; i < 4; i++) {
			x[2 * i] = a.val[i];
			x[2 * i + 1] = b.val[i];
		}
		split_bytes(x, bits + w);
	}
}

static void split16_neon(const uint16_t *codes, size_t words, uint64_t *bits)
{
	for (size_t w = 0; w < words; w += V_WORDS) {
		uint8x16_t low[8], high[8];
		for (size_t half = 0; half < 2; half++) {
			uint16x8x4_t a = vld4q_u16(codes + 64 * (w + half)), b = vld4q_u16(codes + 64 * (w + half) + 32);
			for (size_t i = 0; i < 4; i++) {
				uint8x16_t first = vreinterpretq_u8_u16(a.val[i]), second = vreinterpretq_u8_u16(b.val[i]);
				low[2 * i + half] = vuzp1q_u8(first, second);
				high[2 * i + half] = vuzp2q_u8(first, second);
			}
		}
		split_bytes(low, bits + w);
		split_bytes(high, bits + 8 * PLANE_WORDS + w);
	}
}

/* ---- sum ------------------------------------------------------------------------------------------------- */

#define HAVE_SUM

static void fold_codes_neon(const code_fold *fold, size_t words, uint8_t *bytes)
{
	const uint8x16_t counts = vld1q_u8(fold->counts), first = vld1q_u8(fold->first);
	for (size_t i = 0; i < 64 * words; i += 16) {
		uint8x16_t code = vld1q_u8(bytes + i), high = vshrq_n_u8(code, 4);
		vst1q_u8(bytes + i, vaddq_u8(vandq_u8(code, vqtbl1q_u8(counts, high)), vqtbl1q_u8(first, high)));
	}
}

/* Larger tables and doubles: plain C. */
#define SUM_TYPE float
#define SUM_NAME sum_values_f32
#include "../sum_template.h"
#define SUM_TYPE double
#define SUM_NAME sum_f64_neon
#include "../sum_template.h"

/* One byte of 16 leaf values: 16, 32 or 64 entries in one, two or four registers. */
typedef struct byte_table {
	uint8x16x4_t parts;
} byte_table;

static ALWAYS_INLINE byte_table load_table(const uint8_t *t, unsigned planes)
{
	byte_table table;
	for (unsigned i = 0; i < 4; i++)
		table.parts.val[i] = vld1q_u8(t + 16 * (i & ((1u << (planes - 4)) - 1)));
	return table;
}

static ALWAYS_INLINE uint8x16_t look_up128(byte_table t, uint8x16_t code, unsigned planes)
{
	if (planes == 4)
		return vqtbl1q_u8(t.parts.val[0], code);
	if (planes == 5)
		return vqtbl2q_u8((uint8x16x2_t){{t.parts.val[0], t.parts.val[1]}}, code);
	return vqtbl4q_u8(t.parts, code);
}

static inline float32x4_t add_bits(float32x4_t sum, uint16x8_t bits)
{
	return vaddq_f32(sum, vreinterpretq_f32_u16(bits));
}

/* 32 rows, so that a table is loaded for two vectors of codes. Trees [0, n) have tables of the same number of planes. */
static ALWAYS_INLINE void sum_bytes128(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which,
	const leaf_table *tables, size_t n, unsigned planes, float *sums, size_t row)
{
	float32x4_t s[8];
	for (size_t k = 0; k < 8; k++)
		s[k] = vld1q_f32(sums + 4 * k);
	for (size_t t = 0; t < n; t++) {
		byte_table b[4];
		for (size_t k = 0; k < 4; k++)
			b[k] = load_table((const uint8_t *)tables[t].values + (k << planes), planes);
		for (size_t half = 0; half < 2; half++) {
			uint8x16_t code = vld1q_u8(codes[which[t]] + row + 16 * half);
			uint8x16_t b0 = look_up128(b[0], code, planes), b1 = look_up128(b[1], code, planes);
			uint8x16_t b2 = look_up128(b[2], code, planes), b3 = look_up128(b[3], code, planes);
			uint16x8_t low01 = vreinterpretq_u16_u8(vzip1q_u8(b0, b1)), high01 = vreinterpretq_u16_u8(vzip2q_u8(b0, b1));
			uint16x8_t low23 = vreinterpretq_u16_u8(vzip1q_u8(b2, b3)), high23 = vreinterpretq_u16_u8(vzip2q_u8(b2, b3));
			s[4 * half] = add_bits(s[4 * half], vzip1q_u16(low01, low23));
			s[4 * half + 1] = add_bits(s[4 * half + 1], vzip2q_u16(low01, low23));
			s[4 * half + 2] = add_bits(s[4 * half + 2], vzip1q_u16(high01, high23));
			s[4 * half + 3] = add_bits(s[4 * half + 3], vzip2q_u16(high01, high23));
		}
	}
	for (size_t k = 0; k < 8; k++)
		vst1q_f32(sums + 4 * k, s[k]);
}

/* Trees whose tables have the same size are summed together, in their order. */
static void sum_f32_neon(const uint8_t (*codes)[BLOCK_ROWS], const uint8_t *which, const leaf_table *tables, size_t n,
	size_t words, float *sums)
{
	for (size_t t = 0, run; t < n; t += run) {
		uint32_t planes = tables[t].n_planes;
		run = equal_tables(tables + t, n - t);
		if (planes > 6)
			sum_values_f32(codes, which + t, tables + t, run, words, sums);
		for (size_t row = 0; row < 64 * words && planes <= 6; row += 32) {
			if (planes == 6)
				sum_bytes128(codes, which + t, tables + t, run, 6, sums + row, row);
			else if (planes == 5)
				sum_bytes128(codes, which + t, tables + t, run, 5, sums + row, row);
			else
				sum_bytes128(codes, which + t, tables + t, run, 4, sums + row, row);
		}
	}
}

/* ---- rows to columns ---------------------------------------------------------------------------------------- */

#define HAVE_TRANSPOSE16

static inline float32x4_t load4(const char *from)
{
	return vreinterpretq_f32_u8(vld1q_u8((const uint8_t *)from));
}

static inline float32x4_t halves(float64x2_t x)
{
	return vreinterpretq_f32_f64(x);
}

static inline void transpose4(const char *rows, int64_t row_stride, float *columns, size_t stride)
{
	float32x4_t r0 = load4(rows), r1 = load4(rows + row_stride);
	float32x4_t r2 = load4(rows + 2 * row_stride), r3 = load4(rows + 3 * row_stride);
	float64x2_t a = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1)), b = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
	float64x2_t c = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3)), d = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
	vst1q_f32(columns, halves(vtrn1q_f64(a, c)));
	vst1q_f32(columns + stride, halves(vtrn1q_f64(b, d)));
	vst1q_f32(columns + 2 * stride, halves(vtrn2q_f64(a, c)));
	vst1q_f32(columns + 3 * stride, halves(vtrn2q_f64(b, d)));
}

static void transpose16_neon(const char *rows, int64_t row_stride, size_t n, float *columns,
	size_t stride)
{
	size_t r = 0;
	for (; r + 4 <= n; r += 4) {
		const char *from = rows + (int64_t)r * row_stride;
		for (size_t c = 0; c < 16; c += 4)
			transpose4(from + c * sizeof(float), row_stride, columns + c * stride + r, stride);
	}
	for (; r < n; r++) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * stride + r, rows + (int64_t)r * row_stride + (int64_t)(c * sizeof(float)),
				sizeof(float));
	}
}
