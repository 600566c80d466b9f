/*
 * Values into bins: how many lie above each edge. What neighbouring edges differ by is in the bin between them, so that
 * nothing is looked up and nothing branches.
 *
 * Written once over vectors of four doubles, compiled for what every processor of the target has and, on x86-64, for AVX2.
 * Counts are whole numbers and sums add four lanes in a fixed order, so that both give the same bits.
 */
#include "statistics_parts.h"

#define LANES 4
typedef double vector __attribute__((vector_size(8 * LANES)));
typedef int64_t mask __attribute__((vector_size(8 * LANES)));
typedef struct unaligned {
	vector v;
} __attribute__((packed, aligned(8))) unaligned;

#define INLINE static inline __attribute__((always_inline))

/* Vectors go by address: passing them by value would depend on what the caller's target has. */
#define LOAD(x) (((const unaligned *)(const void *)(x))->v)

INLINE uint64_t sum_mask(const mask *m)
{
	return (uint64_t)((*m)[0] + (*m)[1] + (*m)[2] + (*m)[3]);
}

/* True lanes are -1. */
INLINE void count_vectors(const double *x, size_t n, const double *edges, uint32_t n_edges, uint64_t *above)
{
	for (uint32_t k = 0; k < n_edges; k++) {
		const vector edge = { edges[k], edges[k], edges[k], edges[k] };
		mask a = { 0 }, b = { 0 };
		size_t i = 0;
		for (; i + 2 * LANES <= n; i += 2 * LANES) {
			a -= LOAD(x + i) > edge;
			b -= LOAD(x + i + LANES) > edge;
		}
		for (; i < n; i += LANES)
			a -= LOAD(x + i) > edge;
		a += b;
		above[k] = sum_mask(&a);
	}
}

INLINE uint64_t count_valid(const double *x, size_t n, double *sum)
{
	mask valid = { 0 };
	vector total = { 0 };
	for (size_t i = 0; i < n; i += LANES) {
		const vector v = LOAD(x + i);
		const mask there = v == v;
		valid -= there;
		total += (vector)((mask)v & there);
	}
	*sum += (total[0] + total[1]) + (total[2] + total[3]);
	return sum_mask(&valid);
}

INLINE void place_each(const double *x, size_t n, const double *edges, uint32_t n_edges, uint32_t *bins)
{
	for (size_t i = 0; i < n; i++) {
		const vector value = { x[i], x[i], x[i], x[i] };
		mask below = { 0 };
		for (uint32_t k = 0; k < n_edges; k += LANES)
			below -= LOAD(edges + k) < value;
		bins[i] = x[i] == x[i] ? (uint32_t)sum_mask(&below) : n_edges + 1;
	}
}

#define VARIANT(NAME, TARGET) \
	TARGET static uint64_t above_##NAME(const double *x, size_t n, const double *edges, uint32_t n_edges, uint64_t *above, \
		double *sum) \
	{ \
		count_vectors(x, n, edges, n_edges, above); \
		return count_valid(x, n, sum); \
	} \
	TARGET static void place_##NAME(const double *x, size_t n, const double *edges, uint32_t n_edges, uint32_t *bins) \
	{ \
		place_each(x, n, edges, n_edges, bins); \
	}

VARIANT(portable, )
#if defined(__x86_64__)
VARIANT(avx2, __attribute__((target("avx2"))))
#endif

deploy_bins deploy_bins_choose(void)
{
#if defined(__x86_64__)
	if (score_isa_available(SCORE_ISA_AVX2))
		return (deploy_bins){ above_avx2, place_avx2 };
#endif
	return (deploy_bins){ above_portable, place_portable };
}
