/*
 * The kernels, written once over a vocabulary. Included by kernels_<isa>.c after isa/<isa>.h, which defines:
 *
 *   V, V_WORDS, v_load, v_store, v_select   planes, V_WORDS 64-row words at a time
 *   v_and, v_or, v_nor, v_andnot(a, b)      logic; v_andnot is (not a) and b
 *   v_xor, v_fill                           logic, and a vector of one word
 *   split8, split16                         codes → their bit planes, lowest bit first
 *   v_bytes                                 8 vectors, one per bit, lowest first → one byte per row
 *   PLANE_WORDS                             words of a plane, a multiple of V_WORDS
 *   ISA_NAME(name)                          name with the instruction set's suffix
 *   EIGHT_ROWS, EIGHT_OPERATIONS            from how many rows on a block is faster than eight that walk together, and per how many
 *                                           operations of a tree from one row more
 *
 * PLANES_ONLY leaves out what does not depend on the width of a plane: binning, transposition, contributions, linear models.
 *
 * A vocabulary may have kernels of its own; the plain C below is the reference. It says so by a macro:
 *
 *   HAVE_NARROW              a second table of narrow blocks, by which the engine then chooses: no EIGHT_ROWS, no EIGHT_OPERATIONS
 *   HAVE_SUM                 sum_f32, sum_f64
 *   HAVE_BIN8                binning to byte codes
 *   HAVE_TRANSPOSE16         transpose16
 *   HAVE_NUMBER_LEAVES       number_leaves
 *   FEW_CUTS                 above8: comparisons of codes with so many cuts, at most
 *   HAVE_TILES               F32 and F64, vectors of F32_LANES floats and F64_LANES doubles: load, fill, store, step, has_nan,
 *                            transpose, and f32_halves, which makes doubles of floats
 */

#if !defined(PLANES_ONLY) && !defined(HAVE_NARROW)
_Static_assert(EIGHT_OPERATIONS > 0, "the engine divides the operations of a tree by it");
#endif

/* Loops over the vectors of a plane are unrolled for full blocks: `vectors` is then a constant. */
#define FULL_VECTORS (PLANE_WORDS / V_WORDS)

static ALWAYS_INLINE const uint64_t *ISA_NAME(plane_at)(const uint64_t *arena, uint64_t slots, unsigned bit)
{
	return arena + (slots >> bit & 0xffffu) * PLANE_WORDS;
}

static ALWAYS_INLINE void ISA_NAME(select_vectors)(const uint64_t *pairs, size_t n, size_t vectors, uint64_t *arena)
{
	const uint32_t *seconds = (const uint32_t *)(const void *)(pairs + n);
	for (size_t i = 0; i < n; i++) {
		const uint64_t first = pairs[i];
		const uint32_t second = seconds[i];
		const uint64_t *mask1 = ISA_NAME(plane_at)(arena, first, 0), *a1 = ISA_NAME(plane_at)(arena, first, 16);
		const uint64_t *b1 = ISA_NAME(plane_at)(arena, first, 32), *mask = ISA_NAME(plane_at)(arena, first, 48);
		const uint64_t *b = ISA_NAME(plane_at)(arena, second & 0x7fffffffu, 16);
		uint64_t *dst = arena + (size_t)(second & 0xffffu) * PLANE_WORDS;
		const V flip = v_fill((uint64_t)((int64_t)((uint64_t)second << 32) >> 63));
		for (size_t w = 0; w < vectors * V_WORDS; w += V_WORDS) {
			V inner = v_select(v_load(mask1 + w), v_load(a1 + w), v_load(b1 + w));
			v_store(dst + w, v_select(v_xor(flip, v_load(mask + w)), inner, v_load(b + w)));
		}
	}
}

static void ISA_NAME(select)(const uint64_t *pairs, size_t n, size_t words, uint64_t *arena)
{
	if (words == PLANE_WORDS)
		ISA_NAME(select_vectors)(pairs, n, FULL_VECTORS, arena);
	else
		ISA_NAME(select_vectors)(pairs, n, words / V_WORDS, arena);
}

/*
 * Comparisons by bits. The codes of a column become one plane per bit; four bit planes give, for every value v of a
 * nibble, the planes "nibble > v" and "nibble == v"; then code > cut = high > h or (high == h and low > l): one load-heavy
 * operation per predicate instead of 512 byte comparisons.
 */
static ALWAYS_INLINE void ISA_NAME(expand_nibble)(const uint64_t *bits, size_t words, bool lowest, uint64_t *equal, uint64_t *above)
{
	for (size_t w = 0; w < words; w += V_WORDS) {
		V b0 = v_load(bits + w), b1 = v_load(bits + PLANE_WORDS + w);
		V b2 = v_load(bits + 2 * PLANE_WORDS + w), b3 = v_load(bits + 3 * PLANE_WORDS + w);
		V low[4] = {v_nor(b1, b0), v_andnot(b1, b0), v_andnot(b0, b1), v_and(b1, b0)};
		V high[4] = {v_nor(b3, b2), v_andnot(b3, b2), v_andnot(b2, b3), v_and(b3, b2)};
		V sum = v_andnot(b0, b0);
		for (size_t v = 16; v-- > 0;) {
			V e = v_and(high[v / 4], low[v % 4]);
			v_store(above + v * PLANE_WORDS + w, sum);
			if (!lowest)
				v_store(equal + v * PLANE_WORDS + w, e);
			sum = v_or(sum, e);
		}
	}
}

/* Nibble tables of `work`: equal planes of nibble k at 32 k, above planes at 32 k + 16; the bit planes behind them. Nobody asks
 * where the lowest nibble is equal. */
static void ISA_NAME(expand)(size_t nibbles, size_t words, uint64_t *work)
{
	const uint64_t *bits = work + nibbles * 32 * PLANE_WORDS;
	ISA_NAME(expand_nibble)(bits, words, true, work, work + 16 * PLANE_WORDS);
	for (size_t k = 1; k < nibbles; k++)
		ISA_NAME(expand_nibble)(bits + 4 * k * PLANE_WORDS, words, false, work + 32 * k * PLANE_WORDS,
			work + (32 * k + 16) * PLANE_WORDS);
}

static ALWAYS_INLINE void ISA_NAME(combine8)(const uint8_t *cuts, size_t n, size_t vectors, const uint64_t *work,
	uint64_t *planes)
{
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		__builtin_prefetch(planes + 4 * PLANE_WORDS, 1, 3);
		const uint64_t *low = work + (16 + (cuts[i] & 15u)) * PLANE_WORDS;
		const uint64_t *equal = work + (32 + (cuts[i] >> 4)) * PLANE_WORDS, *above = equal + 16 * PLANE_WORDS;
		for (size_t k = 0; k < vectors; k++) {
			size_t w = k * V_WORDS;
			v_store(planes + w, v_or(v_load(above + w), v_and(v_load(equal + w), v_load(low + w))));
		}
	}
}

static void ISA_NAME(predicates8)(const uint8_t *codes, size_t words, const uint8_t *cuts, size_t n, uint64_t *work,
	uint64_t *planes)
{
#ifdef FEW_CUTS
	if (n <= FEW_CUTS) {
		ISA_NAME(above8)(codes, words, cuts, n, planes);
		return;
	}
#endif
	ISA_NAME(split8)(codes, words, work + 64 * PLANE_WORDS);
	ISA_NAME(expand)(2, words, work);
	if (words == PLANE_WORDS)
		ISA_NAME(combine8)(cuts, n, FULL_VECTORS, work, planes);
	else
		ISA_NAME(combine8)(cuts, n, words / V_WORDS, work, planes);
}

static void ISA_NAME(predicates16)(const uint16_t *codes, size_t words, const uint16_t *cuts, size_t n, uint64_t *work,
	uint64_t *planes)
{
	ISA_NAME(split16)(codes, words, work + 128 * PLANE_WORDS);
	ISA_NAME(expand)(4, words, work);
	for (size_t i = 0; i < n; i++, planes += PLANE_WORDS) {
		for (size_t w = 0; w < words; w += V_WORDS) {
			V result = v_load(work + (16 + (cuts[i] & 15u)) * PLANE_WORDS + w);
			for (size_t k = 1; k < 4; k++) {
				const uint64_t *equal = work + (32 * k + (cuts[i] >> (4 * k) & 15u)) * PLANE_WORDS + w;
				result = v_or(v_load(equal + 16 * PLANE_WORDS), v_and(v_load(equal), result));
			}
			v_store(planes + w, result);
		}
	}
}

/* ---- planes to bytes ------------------------------------------------------------------------------------------ */

#define V_BYTES ((size_t)64 * V_WORDS)

static ALWAYS_INLINE void ISA_NAME(gather_planes)(const uint64_t *arena, const uint16_t *slots, size_t n_planes,
	size_t words, uint8_t *bytes)
{
	for (size_t w = 0; w < words; w += V_WORDS, bytes += V_BYTES) {
		V planes[8];
		for (size_t k = 0; k < 8; k++)
			planes[k] = v_load(arena + (size_t)slots[k < n_planes ? k : 0] * PLANE_WORDS + w);
		for (size_t k = n_planes; k < 8; k++)
			planes[k] = v_andnot(planes[0], planes[0]);
		v_bytes(planes, bytes);
	}
}

static void ISA_NAME(gather_bits)(const uint64_t *arena, const uint16_t *slots, size_t n_planes, size_t words,
	uint8_t *bytes)
{
	if (n_planes == 6)
		ISA_NAME(gather_planes)(arena, slots, 6, words, bytes);
	else if (n_planes == 8)
		ISA_NAME(gather_planes)(arena, slots, 8, words, bytes);
	else
		ISA_NAME(gather_planes)(arena, slots, n_planes, words, bytes);
}

#ifndef HAVE_NUMBER_LEAVES
static void ISA_NAME(number_leaves)(const long_codes *codes, const uint8_t *low, size_t words, uint8_t *high)
{
	for (size_t r = 0; r < 64 * words; r++) {
		uint32_t exit = codes->exits[high[r]], mask = (1u << (exit & 15u)) - 1;
		high[r] = codes->numbers[exit >> LONG_PAGE_SHIFT << 8 | codes->first[high[r]] | (low[r] & mask)];
	}
}
#endif

/* Answer of one of 2^k splits of a level, picked by the answers of the k levels above: p[-1] is the nearest. */
static ALWAYS_INLINE V ISA_NAME(mux1)(const uint64_t *arena, const uint16_t *slots, const V *p)
{
	(void)p;
	return v_load(arena + (size_t)slots[0] * PLANE_WORDS);
}

#define MUX(name, half, n, level) \
	static ALWAYS_INLINE V ISA_NAME(name)(const uint64_t *arena, const uint16_t *slots, const V *p) \
	{ \
		V a = ISA_NAME(half)(arena, slots, p), b = ISA_NAME(half)(arena, slots + n, p); \
		return v_select(p[-level], a, b); \
	}
MUX(mux2, mux1, 1, 1)
MUX(mux4, mux2, 2, 2)
MUX(mux8, mux4, 4, 3)
MUX(mux16, mux8, 8, 4)
MUX(mux32, mux16, 16, 5)
MUX(mux64, mux32, 32, 6)
MUX(mux128, mux64, 64, 7)

/* All levels stay in registers; only predicate numbers are read as data. */
static ALWAYS_INLINE void ISA_NAME(full_levels)(const uint64_t *arena, const uint16_t *slots, size_t depth,
	size_t n_planes, size_t words, uint8_t *bytes)
{
	for (size_t w = 0; w < words; w += V_WORDS, bytes += V_BYTES, arena += V_WORDS) {
		V level[FULL_DEPTH], planes[8], zero = v_load(arena);
		level[0] = ISA_NAME(mux1)(arena, slots, level);
		if (depth > 1)
			level[1] = ISA_NAME(mux2)(arena, slots + 1, level + 1);
		if (depth > 2)
			level[2] = ISA_NAME(mux4)(arena, slots + 3, level + 2);
		if (depth > 3)
			level[3] = ISA_NAME(mux8)(arena, slots + 7, level + 3);
		if (depth > 4)
			level[4] = ISA_NAME(mux16)(arena, slots + 15, level + 4);
		if (depth > 5)
			level[5] = ISA_NAME(mux32)(arena, slots + 31, level + 5);
		if (depth > 6)
			level[6] = ISA_NAME(mux64)(arena, slots + 63, level + 6);
		if (depth > 7)
			level[7] = ISA_NAME(mux128)(arena, slots + 127, level + 7);
		for (size_t k = 0; k < 8; k++) {
			size_t l = n_planes - 1 - k;
			planes[k] = k < n_planes && l < depth ? level[l] : zero;
		}
		v_bytes(planes, bytes);
	}
}

static void ISA_NAME(full_tree)(const uint64_t *arena, const uint16_t *slots, size_t depth, size_t n_planes,
	size_t words, uint8_t *bytes)
{
	/* One build per common pair, so that levels and planes are constants. */
	if (depth == 8)
		ISA_NAME(full_levels)(arena, slots, 8, 8, words, bytes);
	else if (depth == 7 && n_planes == 7)
		ISA_NAME(full_levels)(arena, slots, 7, 7, words, bytes);
	else if (depth == 6 && n_planes == 6)
		ISA_NAME(full_levels)(arena, slots, 6, 6, words, bytes);
	else if (depth == 5 && n_planes == 5)
		ISA_NAME(full_levels)(arena, slots, 5, 5, words, bytes);
	else if (depth == 5 && n_planes == 6)
		ISA_NAME(full_levels)(arena, slots, 5, 6, words, bytes);
	else if (depth == 4 && n_planes == 4)
		ISA_NAME(full_levels)(arena, slots, 4, 4, words, bytes);
	else if (depth == 4 && n_planes == 6)
		ISA_NAME(full_levels)(arena, slots, 4, 6, words, bytes);
	else
		ISA_NAME(full_levels)(arena, slots, depth, n_planes, words, bytes);
}

#ifndef HAVE_SUM
#define SUM_TYPE float
#define SUM_NAME ISA_NAME(sum_f32)
#include "sum_template.h"
#define SUM_TYPE double
#define SUM_NAME ISA_NAME(sum_f64)
#include "sum_template.h"
#endif

#ifndef PLANES_ONLY
/* ---- values to codes ------------------------------------------------------------------------------------------ */

#ifndef HAVE_BIN8
#define BIN_TYPE float
#define BIN_CODE uint8_t
#define BIN_NAME(name) ISA_NAME(name##_f32_u8)
#define BIN_BUCKET bin_bucket_f32
#define BIN_CUTS(t) ((t)->narrow)
#define BIN_MAP(t) (&(t)->narrow_map)
#include "rank_template.h"
#endif
#define BIN_TYPE float
#define BIN_CODE uint16_t
#define BIN_NAME(name) ISA_NAME(name##_f32_u16)
#define BIN_BUCKET bin_bucket_f32
#define BIN_CUTS(t) ((t)->narrow)
#define BIN_MAP(t) (&(t)->narrow_map)
#include "rank_template.h"
#define BIN_TYPE float
#define BIN_CODE uint32_t
#define BIN_NAME(name) ISA_NAME(name##_f32_u32)
#define BIN_BUCKET bin_bucket_f32
#define BIN_CUTS(t) ((t)->narrow)
#define BIN_MAP(t) (&(t)->narrow_map)
#include "rank_template.h"
#ifndef HAVE_BIN8
#define BIN_TYPE double
#define BIN_CODE uint8_t
#define BIN_NAME(name) ISA_NAME(name##_f64_u8)
#define BIN_BUCKET bin_bucket_f64
#define BIN_CUTS(t) ((t)->wide->cuts)
#define BIN_MAP(t) (&(t)->wide->map)
#include "rank_template.h"
#endif
#define BIN_TYPE double
#define BIN_CODE uint16_t
#define BIN_NAME(name) ISA_NAME(name##_f64_u16)
#define BIN_BUCKET bin_bucket_f64
#define BIN_CUTS(t) ((t)->wide->cuts)
#define BIN_MAP(t) (&(t)->wide->map)
#include "rank_template.h"
#define BIN_TYPE double
#define BIN_CODE uint32_t
#define BIN_NAME(name) ISA_NAME(name##_f64_u32)
#define BIN_BUCKET bin_bucket_f64
#define BIN_CUTS(t) ((t)->wide->cuts)
#define BIN_MAP(t) (&(t)->wide->map)
#include "rank_template.h"

#ifndef HAVE_TRANSPOSE16
static void ISA_NAME(transpose16)(const char *rows, int64_t row_stride, size_t n, float *columns,
	size_t stride)
{
	for (size_t r = 0; r < n; r++, rows += row_stride) {
		for (size_t c = 0; c < 16; c++)
			memcpy(columns + c * stride + r, rows + c * sizeof(float), sizeof(float));
	}
}
#endif

/* ---- contributions --------------------------------------------------------------------------------------------- */

#ifdef F64_LANES
#define LANES F64_LANES
#else
#define LANES 2
#endif
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef lanes lanes_in_memory __attribute__((may_alias));
#define LOAD(from) ((lanes)*(const lanes_in_memory *)(const void *)(from))
#define STORE(to, v) (*(lanes_in_memory *)(void *)(to) = (v))
#define CONTRIBUTION_LANES CONTRIBUTION_ROWS
#define CONTRIBUTION_NAME(name) ISA_NAME(contribution_##name)
#include "contribution_template.h"
#define CONTRIBUTION_LANES CONTRIBUTION_FEW_ROWS
#define CONTRIBUTION_NAME(name) ISA_NAME(contribution_few_##name)
#include "contribution_template.h"

/* ---- linear models --------------------------------------------------------------------------------------------- */

#ifdef HAVE_TILES
#define KEEP_IN_REGISTER(pointer) __asm__("" : "+r"(pointer))
/* Compilers would finish one of two sums first and keep what the other needs, more than there are registers. */
#ifdef SL_SIMULATED_AVX512
#define KEEP_IN_STEP(a, b) ((void)0)
#else
#define KEEP_IN_STEP(a, b) __asm__("" : "+v"(a), "+v"(b))
#endif

static inline void f32_widen(double *to, F32 x)
{
	F64 low, high;
	f32_halves(x, &low, &high);
	f64_store(to, low);
	f64_store(to + F64_LANES, high);
}

/* Sums in double of as many rows as there are floats in a vector. */
typedef struct wide_sums {
	F64 low, high;
} wide_sums;

static ALWAYS_INLINE wide_sums wide_fill(double x)
{
	return (wide_sums){f64_fill(x), f64_fill(x)};
}

static ALWAYS_INLINE wide_sums wide_load(const double *from)
{
	return (wide_sums){f64_load(from), f64_load(from + F64_LANES)};
}

static ALWAYS_INLINE void wide_store(double *to, wide_sums sums)
{
	f64_store(to, sums.low);
	f64_store(to + F64_LANES, sums.high);
}

static ALWAYS_INLINE wide_sums wide_step(wide_sums sums, F32 x, double weight, bool skip_missing)
{
	F64 low, high;
	f32_halves(x, &low, &high);
	sums = (wide_sums){f64_step(sums.low, low, weight, skip_missing), f64_step(sums.high, high, weight, skip_missing)};
	KEEP_IN_STEP(sums.low, sums.high);
	return sums;
}

static ALWAYS_INLINE bool wide_has_nan(wide_sums sums)
{
	return f64_has_nan(sums.low) || f64_has_nan(sums.high);
}

#define f64_widen f64_store
#define wide_widen wide_store

#define TILE_VALUE float
#define TILE_VECTOR F32
#define TILE_LANES F32_LANES
#define TILE(name) f32_##name
#define TILE_SUM float
#define TILE_SUMS F32
#define TILE_ADD(name) f32_##name
#define TILE_NAME(name) ISA_NAME(name##_f32)
#include "linear_tiles_template.h"
#define TILE_VALUE float
#define TILE_VECTOR F32
#define TILE_LANES F32_LANES
#define TILE(name) f32_##name
#define TILE_SUM double
#define TILE_SUMS wide_sums
#define TILE_ADD(name) wide_##name
#define TILE_NAME(name) ISA_NAME(name##_mixed)
#include "linear_tiles_template.h"
#define TILE_VALUE double
#define TILE_VECTOR F64
#define TILE_LANES F64_LANES
#define TILE(name) f64_##name
#define TILE_SUM double
#define TILE_SUMS F64
#define TILE_ADD(name) f64_##name
#define TILE_NAME(name) ISA_NAME(name##_f64)
#include "linear_tiles_template.h"
#endif

#define LINEAR_VALUE float
#define LINEAR_SUM float
#define LINEAR_NAME(name) ISA_NAME(name##_f32)
#include "linear_template.h"
#define LINEAR_VALUE float
#define LINEAR_SUM double
#define LINEAR_NAME(name) ISA_NAME(name##_mixed)
#include "linear_template.h"
#define LINEAR_VALUE double
#define LINEAR_SUM double
#define LINEAR_NAME(name) ISA_NAME(name##_f64)
#include "linear_template.h"
#endif
