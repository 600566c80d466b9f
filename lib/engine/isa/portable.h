/* Vocabulary of plain C: one 64-row word. The reference for every other instruction set. */
#define ISA_NAME(name) name##_portable

typedef uint64_t V;
#define V_WORDS 1
#define COMPARE_WORDS 1

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

#define LOW7 0x7f7f7f7f7f7f7f7fu
#define HIGH1 0x8080808080808080u

typedef struct codes8 {
	uint64_t bytes[8];
} codes8;

static inline codes8 load_codes8(const uint8_t *p)
{
	codes8 x;
	for (size_t i = 0; i < 8; i++)
		x.bytes[i] = sl_load_le64(p + 8 * i);
	return x;
}

/* The low seven bits of every byte are compared by an addition that carries into the eighth. */
typedef struct cut8 {
	uint64_t addend;  /* 0x7f - (cut & 0x7f) in every byte */
	uint64_t is_high; /* all ones if cut >= 128 */
} cut8;

static inline cut8 set_cut8(uint8_t cut)
{
	return (cut8){(uint64_t)(0x7f - (cut & 0x7f)) * 0x0101010101010101u, cut & 0x80 ? UINT64_MAX : 0};
}

static inline uint64_t above8(const codes8 *x, cut8 cut)
{
	uint64_t bits = 0;
	for (unsigned i = 0; i < 8; i++) {
		uint64_t v = x->bytes[i], carry = (v & LOW7) + cut.addend;
		uint64_t above = ((carry & v) | (~cut.is_high & (carry | v))) & HIGH1;
		/* The top bits of eight bytes, gathered in the top byte. */
		bits |= (above * 0x0002040810204081u >> 56) << (8 * i);
	}
	return bits;
}

typedef struct codes16 {
	const uint16_t *codes;
} codes16;

static inline codes16 load_codes16(const uint16_t *p)
{
	return (codes16){p};
}

static inline uint16_t set_cut16(uint16_t cut)
{
	return cut;
}

static inline uint64_t above16(const codes16 *x, uint16_t cut)
{
	uint64_t bits = 0;
	for (unsigned i = 0; i < 64; i++)
		bits |= (uint64_t)(x->codes[i] > cut) << i;
	return bits;
}
