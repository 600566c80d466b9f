/*
 * base: what every other room uses: errors, memory, checked sizes, byte order.
 *
 * Comes in: sizes and bytes that nobody has checked yet. Goes out: status codes, memory, checked values.
 * Functions shared between rooms start with `sl_`; they are hidden from the shared library's users.
 */
#ifndef SL_BASE_H
#define SL_BASE_H

#include <scoreline.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SL_CACHE_LINE 64

#if defined(__GNUC__)
#define SL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define SL_PRINTF(fmt, args)
#endif

/* A second line of defence: a check that no input can make true, with the proof beside it. In the library it is the check.
 * Where tests run under sanitizers and fuzzers it traps, so that a wrong proof is found. Where coverage is measured
 * there is no such branch to reach. */
#if defined(SL_TRAP)
#define SL_NEVER(check) ((check) ? (__builtin_trap(), true) : false)
#elif defined(SL_COVERAGE)
#define SL_NEVER(check) (false && (check))
#else
#define SL_NEVER(check) (check)
#endif

/* ---- errors ------------------------------------------------------------------------------------- */

/* Fill `error` (NULL allowed) and return `code`, so that a check is one line: return sl_fail(…). */
score_status sl_fail(score_error *error, score_status code, const char *format, ...) SL_PRINTF(3, 4);
/* The same with a byte offset and a line of the input; -1 where unknown. */
score_status sl_fail_at(score_error *error, score_status code, int64_t offset, int64_t line, const char *format, ...)
	SL_PRINTF(5, 6);
#if defined(SL_ANALYSED)
/* Static analysers see one file at a time, and here that a failure is never SCORE_OK. */
#define SL_FAILED(call, code) ((void)(call), (code) != SCORE_OK ? (code) : SCORE_ERR_ARGUMENT)
#define sl_fail(error, code, ...) SL_FAILED(sl_fail(error, code, __VA_ARGS__), code)
#define sl_fail_at(error, code, offset, ...) SL_FAILED(sl_fail_at(error, code, offset, __VA_ARGS__), code)
#endif
void sl_note_memory(score_error *error, size_t bytes);
/* In a header, so that compilers and analysers see that it never returns SCORE_OK. */
static inline score_status sl_fail_memory(score_error *error, size_t bytes)
{
	sl_note_memory(error, bytes);
	return SCORE_ERR_MEMORY;
}
void sl_error_clear(score_error *error);

/* Copy of untrusted text for a message: at most 47 bytes of whole characters. Controls, what a reader would not see, and bytes that are
 * no UTF-8 are escaped ("\x1b"). */
typedef struct sl_quoted {
	char text[48];
} sl_quoted;
sl_quoted sl_quote(const char *text, size_t length);

/* ---- checked sizes ------------------------------------------------------------------------------ */

/* false on overflow; `*out` is then unchanged. */
static inline bool sl_mul(size_t a, size_t b, size_t *out)
{
	if (b != 0 && a > SIZE_MAX / b)
		return false;
	*out = a * b;
	return true;
}

static inline bool sl_add(size_t a, size_t b, size_t *out)
{
	if (a > SIZE_MAX - b)
		return false;
	*out = a + b;
	return true;
}

static inline size_t sl_round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

/* high:low = a * b; high is returned. */
static inline uint64_t sl_mul_wide(uint64_t a, uint64_t b, uint64_t *low)
{
#if defined(__SIZEOF_INT128__)
	__extension__ typedef unsigned __int128 u128;
	u128 product = (u128)a * b;
	*low = (uint64_t)product;
	return (uint64_t)(product >> 64);
#else
	uint64_t a0 = a & 0xffffffff, a1 = a >> 32, b0 = b & 0xffffffff, b1 = b >> 32;
	uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0;
	uint64_t middle = (p00 >> 32) + (p01 & 0xffffffff) + (p10 & 0xffffffff);
	*low = (middle << 32) | (p00 & 0xffffffff);
	return a1 * b1 + (p01 >> 32) + (p10 >> 32) + (middle >> 32);
#endif
}

/* Copy a caller's options struct, whose first member is its size_t struct_size. A shorter one (an older caller) leaves
 * the rest of `to` zero; a longer one (a newer caller) is accepted only if all it knows beyond us is zero. NULL `from`
 * gives all zero. */
score_status sl_take_struct(void *to, size_t size, const void *from, const char *name, score_error *error);
/* Whether a caller's struct for answers says how large it is. */
bool sl_has_size(const void *out);
/* Fill it: an older caller gets the members that it knows, a newer one zeros behind those that we know. Its struct_size stays. */
void sl_give_struct(void *out, const void *from, size_t size);

/* ---- memory ------------------------------------------------------------------------------------- */

/* The caller's allocator, or malloc and free when `given` is NULL. */
score_allocator sl_allocator(const score_allocator *given);
/* NULL when the allocator fails or `size` is 0. */
void *sl_alloc(const score_allocator *a, size_t size, size_t align);
void sl_free(const score_allocator *a, void *pointer, size_t size, size_t align);

/* Many allocations, freed together. Blocks are zeroed. `limit` bounds the sum of all blocks. */
typedef struct sl_arena_block sl_arena_block;
typedef struct sl_arena {
	score_allocator allocator;
	sl_arena_block *blocks;
	size_t used;      /* bytes handed out and reserved, including block heads */
	size_t limit;
	bool over_limit;  /* the last failure was the limit's, not the allocator's */
} sl_arena;

void sl_arena_init(sl_arena *arena, const score_allocator *allocator, size_t limit);
/* Zeroed memory, 64-byte aligned when size >= 64, else 8-byte aligned; NULL on failure, and for n * size == 0 a
 * valid, unusable pointer. */
void *sl_arena_alloc(sl_arena *arena, size_t n, size_t size);
/* Copy of `n` elements; NULL on failure. */
void *sl_arena_copy(sl_arena *arena, const void *from, size_t n, size_t size);
/* Terminated copy. */
char *sl_arena_string(sl_arena *arena, const char *text, size_t length);
void sl_arena_free(sl_arena *arena);

/* A growing array of fixed-size elements on the allocator. */
typedef struct sl_vector {
	score_allocator allocator;
	void *data;
	size_t length;   /* elements */
	size_t capacity; /* elements */
	size_t element;  /* bytes    */
} sl_vector;

void sl_vector_init(sl_vector *v, const score_allocator *allocator, size_t element);
/* Room for `n` more elements at the end, not zeroed; returns the first, or NULL. Length grows by `n`. */
void *sl_vector_grow(sl_vector *v, size_t n);
/* Append `n` elements copied from `from`. */
bool sl_vector_push(sl_vector *v, const void *from, size_t n);
/* Append a text and its end to a vector of char: all of it or nothing. */
bool sl_vector_push_text(sl_vector *v, const char *text, size_t length);
/* Bytes that the allocator was asked for, and refused, when `n` more elements found no room. */
size_t sl_vector_refused(const sl_vector *v, size_t n);
/* Element `i`, or the end. NULL of a vector that never held anything: C forbids NULL + 0. */
static inline void *sl_vector_at(const sl_vector *v, size_t i)
{
#if defined(SL_ANALYSED)
	/* Else static analysers take every element that is looked at for NULL. */
	return (char *)v->data + i * v->element;
#else
	return v->data ? (char *)v->data + i * v->element : NULL;
#endif
}
void sl_vector_free(sl_vector *v);

/* ---- bytes -------------------------------------------------------------------------------------- */

static inline uint32_t sl_load_u32(const void *p)
{
	uint32_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

static inline uint64_t sl_load_u64(const void *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof v);
	return v;
}

/* 64-bit words whose first byte in memory is the lowest, on any processor. */
static inline uint64_t sl_load_le64(const void *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	return __builtin_bswap64(sl_load_u64(p));
#else
	return sl_load_u64(p);
#endif
}

static inline void sl_store_le64(void *p, uint64_t v)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	memcpy(p, &v, sizeof v);
}

/* Number of the lowest bit that is set; one is. */
static inline uint32_t sl_lowest_bit(uint64_t word)
{
#if defined(__GNUC__)
	return (uint32_t)__builtin_ctzll(word);
#else
	uint32_t bit = 0;
	while (!(word >> bit & 1))
		bit++;
	return bit;
#endif
}

static inline uint32_t sl_f32_bits(float x)
{
	uint32_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static inline uint64_t sl_f64_bits(double x)
{
	uint64_t u;
	memcpy(&u, &x, sizeof u);
	return u;
}

static inline float sl_f32_from_bits(uint32_t u)
{
	float x;
	memcpy(&x, &u, sizeof x);
	return x;
}

static inline double sl_f64_from_bits(uint64_t u)
{
	double x;
	memcpy(&x, &u, sizeof x);
	return x;
}

/* ---- floating point ----------------------------------------------------------------------------- */

/* Whatever compares or computes with a model's numbers stands between these two: denormals count, rounding is to nearest.
 * The first returns the host's control word, the second restores it. */
unsigned sl_enter_default_float(void);
void sl_leave_default_float(unsigned host);

/* ---- sorting ------------------------------------------------------------------------------------ */

/* As qsort() does, but without memory, and in n log n steps at worst. */
void sl_sort(void *elements, size_t n, size_t size, int (*compare)(const void *, const void *));

/* ---- hashes ------------------------------------------------------------------------------------- */

/* The low 32 bits of the text's CityHash64, version 1.0: CatBoost's hash of a category. */
uint32_t sl_category_hash(const void *text, size_t length);
/* The same of an integer's decimal text. */
uint32_t sl_category_hash_integer(uint64_t magnitude, bool negative);

/* ---- text ----------------------------------------------------------------------------------------- */

/* Bytes at the start of the text that are valid UTF-8: `length` if all are. */
size_t sl_utf8_prefix(const char *text, size_t length);

#define SL_INTEGER_CASE(TYPE, C) \
	case TYPE: { \
		C v; \
		memcpy(&v, (const char *)values + i * (int64_t)sizeof v, sizeof v); \
		return (int64_t)v; \
	}

/* Element `i` of integers that lie densely, anywhere: `type` is SCORE_I8 … SCORE_U64, whose numbers beyond int64_t come out negative. */
static inline int64_t sl_integer_at(const void *values, score_dtype type, int64_t i)
{
	switch (type) {
		SL_INTEGER_CASE(SCORE_I8, int8_t)
		SL_INTEGER_CASE(SCORE_U8, uint8_t)
		SL_INTEGER_CASE(SCORE_I16, int16_t)
		SL_INTEGER_CASE(SCORE_U16, uint16_t)
		SL_INTEGER_CASE(SCORE_I32, int32_t)
		SL_INTEGER_CASE(SCORE_U32, uint32_t)
		SL_INTEGER_CASE(SCORE_I64, int64_t)
	}
	uint64_t v;
	memcpy(&v, (const char *)values + i * (int64_t)sizeof v, sizeof v);
	return (int64_t)v;
}
#undef SL_INTEGER_CASE

/* Check what stands behind `values` of a SCORE_STRING column, or, without rows, the strings alone; `what` is for messages. */
score_status sl_check_strings(const score_strings *given, bool has_no_rows, const char *what, score_error *error);
/* String `i` of a column: empty if its offsets descend or are negative. Offsets may stand anywhere, and some producers leave `data`
 * NULL when all strings are empty. */
static inline const char *sl_string_at(const score_strings *s, int64_t i, size_t *length)
{
	int64_t pair[2];
	if (s->offset_type == SCORE_I32) {
		int32_t narrow[2];
		memcpy(narrow, (const char *)s->offsets + i * (int64_t)sizeof *narrow, sizeof narrow);
		pair[0] = narrow[0];
		pair[1] = narrow[1];
	} else {
		memcpy(pair, (const char *)s->offsets + i * (int64_t)sizeof *pair, sizeof pair);
	}
	*length = s->data && pair[0] >= 0 && pair[1] > pair[0] ? (size_t)(pair[1] - pair[0]) : 0;
	return *length ? s->data + pair[0] : "";
}

/* ---- decimal text ------------------------------------------------------------------------------- */

/* Correctly rounded, locale-independent decimal text to binary in one rounding. Accepts an optional sign, digits with
 * an optional point and exponent, and, in any case, "nan", "inf", "infinity". Returns the number of bytes that form the
 * number, 0 if the text does not start with one (leading white space is not skipped). Overflow gives ±inf. */
size_t sl_parse_f64(const char *text, size_t length, double *out);
size_t sl_parse_f32(const char *text, size_t length, float *out);
/* Decimal integer with optional '-'; 0 if none or out of range. */
size_t sl_parse_i64(const char *text, size_t length, int64_t *out);

#endif
