/*
 * 8 × 8 bits transposed across eight vectors, for every byte of them at once: bit i of a byte of vector k changes places
 * with bit k of the same byte of vector i. Included by a vocabulary that defines V_EXCHANGE(a, b, shift, mask): exchange
 * the bits of *b under `mask` with those `shift` higher of *a, in each byte.
 *
 * With byte b of vector j as the code of row 8 b + j it leads from codes to planes, and back from planes to codes; leaf
 * codes and sums keep that order, and order_sums puts sums right once per block.
 */
static ALWAYS_INLINE void transpose_planes(V p[8])
{
	for (size_t k = 0; k < 8; k += 2)
		V_EXCHANGE(&p[k], &p[k + 1], 1, 0x55);
	for (size_t k = 0; k < 8; k += 1 + (k & 1) * 2)
		V_EXCHANGE(&p[k], &p[k + 2], 2, 0x33);
	for (size_t k = 0; k < 4; k++)
		V_EXCHANGE(&p[k], &p[k + 4], 4, 0x0f);
}

/* From the order of codes to that of rows, one vector's rows after the other. */
#define VECTOR_ROWS ((size_t)64 * V_WORDS)
#define DEFINE_ORDER(name, type) \
	static void name(type *sums) \
	{ \
		type rows[64 * V_WORDS]; \
		for (size_t v = 0; v < PLANE_WORDS / V_WORDS; v++, sums += VECTOR_ROWS) { \
			for (size_t i = 0; i < VECTOR_ROWS; i++) \
				rows[8 * (i % (VECTOR_ROWS / 8)) + i / (VECTOR_ROWS / 8)] = sums[i]; \
			memcpy(sums, rows, sizeof rows); \
		} \
	}
