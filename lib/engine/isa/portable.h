/* Vocabulary of plain C: one 64-row word. The reference for every other instruction set. */
#define ISA_NAME(name) name##_portable

typedef uint64_t V;
#define V_WORDS 1

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
