/*
 * Decimal text to binary: correctly rounded, in one rounding, without the locale and without memory.
 *
 * Comes in: bytes that nobody has checked. Goes out: the nearest float or double (ties to even), ±inf on
 * overflow. Relies on the processor's default rounding (to nearest) in the exact short cuts only.
 *
 * Three ways, the cheapest first: one exact multiplication or division; an interval of 128-bit numbers around
 * the value, whose two ends nearly always round alike; whole-number comparison with the midpoint between the
 * two ends.
 */
#include "base.h"

#include <float.h>

#define MAX_W_DIGITS 19       /* that fit in 64 bits whatever they are                                    */
#define MAX_EXACT_DIGITS 800  /* no midpoint of two doubles has more; what follows only counts as "more"  */
#define MAX_EXPONENT 1000000000000000000 /* beyond any text in memory; keeps sums from overflowing */

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0
#define EXACT_SHORT_CUTS 1
#else
#define EXACT_SHORT_CUTS 0 /* the processor computes in a wider type and would round twice */
#endif

/* Number of a text: sign * w * 10^exponent, or a little more if digits were cut off. */
typedef struct decimal {
	const char *digits; /* first digit that is not zero    */
	const char *end;    /* behind the last digit           */
	uint64_t w;         /* the first 19 significant digits */
	int64_t exponent;
	bool negative;
	bool cut;           /* there are more than 19 digits   */
} decimal;

typedef struct binary_format {
	int precision;     /* bits of the mantissa, hidden one included */
	int last_exponent; /* of the last bit of a denormal             */
	uint64_t infinity;
} binary_format;

static const binary_format binary32 = { 24, -149, UINT64_C(0x7f800000) };
static const binary_format binary64 = { 53, -1074, UINT64_C(0x7ff0000000000000) };

/* (high:low) * 2^exponent, the top bit of high is set. */
typedef struct wide {
	uint64_t high, low;
	int exponent;
} wide;

/* ---- reading the text --------------------------------------------------------------------------- */

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Length of the lower-case `word` at `text` in any case, or 0. */
static size_t match_word(const char *text, const char *end, const char *word)
{
	size_t n = 0;
	while (word[n] != '\0') {
		if (text + n == end || (text[n] | 0x20) != word[n])
			return 0;
		n++;
	}
	return n;
}

/* "nan", "inf", "infinity" behind the sign: bits without sign, and the length; 0 if it is none of them. */
static size_t scan_word(const char *text, const char *end, const binary_format *format, uint64_t *bits)
{
	size_t n = match_word(text, end, "infinity");
	if (n == 0)
		n = match_word(text, end, "inf");
	*bits = format->infinity;
	if (n != 0)
		return n;
	*bits |= UINT64_C(1) << (format->precision - 2);
	return match_word(text, end, "nan");
}

/* The exponent behind the digits; leaves `at` where it is if there is none. */
static const char *scan_exponent(const char *at, const char *end, int64_t *exponent)
{
	const char *p = at;
	bool negative = false;
	int64_t value = 0;

	if (p == end || (*p | 0x20) != 'e')
		return at;
	p++;
	if (p != end && (*p == '-' || *p == '+'))
		negative = *p++ == '-';
	if (p == end || !is_digit(*p))
		return at;
	for (; p != end && is_digit(*p); p++) {
		if (value < MAX_EXPONENT / 10)
			value = value * 10 + (*p - '0');
	}
	*exponent += negative ? -value : value;
	return p;
}

/* More than 19 digits were read: take the first 19 that count. `point` is behind the whole part. */
static void cut_digits(decimal *d, const char *start, const char *point)
{
	const char *p = start;
	int taken = 0;

	while (p != d->end && (*p == '0' || *p == '.'))
		p++;
	d->digits = p;
	d->w = 0;
	for (; p != d->end && taken < MAX_W_DIGITS; p++) {
		if (*p == '.')
			continue;
		d->w = d->w * 10 + (uint64_t)(*p - '0');
		taken++;
	}
	d->exponent = p <= point ? point - p : point + 1 - p;
	d->cut = p != d->end;
}

/* Digits, point and exponent behind the sign. Returns the end of the number, NULL if there is no digit. */
static const char *scan_number(const char *text, const char *end, decimal *d)
{
	const char *p = text, *point;
	uint64_t w = 0;
	ptrdiff_t n_digits;

	for (; p != end && is_digit(*p); p++)
		w = w * 10 + (uint64_t)(*p - '0');
	point = p;
	n_digits = p - text;
	d->exponent = 0;
	if (p != end && *p == '.') {
		for (p++; p != end && is_digit(*p); p++)
			w = w * 10 + (uint64_t)(*p - '0');
		d->exponent = point + 1 - p;
		n_digits -= d->exponent;
	}
	if (n_digits == 0)
		return NULL;
	d->digits = text;
	d->end = p;
	d->w = w;
	d->cut = false;
	if (n_digits > MAX_W_DIGITS)
		cut_digits(d, text, point);
	return scan_exponent(p, end, &d->exponent);
}

/* ---- the interval of 128-bit numbers ------------------------------------------------------------ */

/* 5^(28 * (i - 13)), rounded down to 128 bits. */
static const wide big_powers[] = {
	{ 0xe1afa13afbd14d6d, 0x82189c09a3a1ec21, -973 }, { 0xe3e27a444d8d98b7, 0xfd1b1b2308169b25, -908 },
	{ 0xe61acf033d1a45df, 0x6fb92487298e33bd, -843 }, { 0xe858ad248f5c22c9, 0xd1b3400f8f9cff68, -778 },
	{ 0xea9c227723ee8bcb, 0x465e15a979c1cadc, -713 }, { 0xece53cec4a314ebd, 0xa4f8bf5635246428, -648 },
	{ 0xef340a98172aace4, 0x86fb897116c87c34, -583 }, { 0xf18899b1bc3f8ca1, 0xdc44e6c3cb279ac1, -518 },
	{ 0xf3e2f893dec3f126, 0x5a89dba3c3efccfa, -453 }, { 0xf64335bcf065d37d, 0x4d4617b5ff4a16d5, -388 },
	{ 0xf8a95fcf88747d94, 0x75a44c6397ce912a, -323 }, { 0xfb158592be068d2e, 0xeed6e2f0f0d56712, -258 },
	{ 0xfd87b5f28300ca0d, 0x8bca9d6e188853fc, -193 }, { 0x8000000000000000, 0x0000000000000000, -127 },
	{ 0x813f3978f8940984, 0x4000000000000000, -62 },  { 0x82818f1281ed449f, 0xbff8f10e7a8921a4, 3 },
	{ 0x83c7088e1aab65db, 0x792667c6da79e0fa, 68 },   { 0x850fadc09923329e, 0x03e2cf6bc604ddb0, 133 },
	{ 0x865b86925b9bc5c2, 0x0b8a2392ba45a9b2, 198 },  { 0x87aa9aff79042286, 0x90fb44d2f05d0842, 263 },
	{ 0x88fcf317f22241e2, 0x441fece3bdf81f03, 328 },  { 0x8a5296ffe33cc92f, 0x82bd6b70d99aaa6f, 393 },
	{ 0x8bab8eefb6409c1a, 0x1ad089b6c2f7548e, 458 },  { 0x8d07e33455637eb2, 0xdb0b487b6423e1e8, 523 },
	{ 0x8e679c2f5e44ff8f, 0x570f09eaa7ea7648, 588 },
};
#define BIG_POWER_STEP 28
#define BIG_POWER_ZERO 13
#define MIN_POWER (-BIG_POWER_STEP * BIG_POWER_ZERO)
#define MAX_POWER (MIN_POWER + BIG_POWER_STEP * (int)(sizeof big_powers / sizeof big_powers[0]) - 1)

static const uint64_t small_powers[BIG_POWER_STEP] = {
	1, 5, 25, 125, 625, 3125, 15625, 78125, 390625, 1953125, 9765625, 48828125, 244140625, 1220703125,
	6103515625, 30517578125, 152587890625, 762939453125, 3814697265625, 19073486328125, 95367431640625,
	476837158203125, 2384185791015625, 11920928955078125, 59604644775390625, 298023223876953125,
	1490116119384765625, 7450580596923828125,
};

static inline int leading_zeros(uint64_t x) /* of x > 0 */
{
#if defined(__GNUC__)
	return __builtin_clzll(x);
#else
	int n = 0;
	for (; x >> 63 == 0; x <<= 1)
		n++;
	return n;
#endif
}

/* The upper half of the product, rounded down. */
static wide multiply_wide(wide a, wide b)
{
	uint64_t ll, lh_low, hl_low, hh_low, middle, carry;
	uint64_t ll_high = sl_mul_wide(a.low, b.low, &ll);
	uint64_t lh = sl_mul_wide(a.low, b.high, &lh_low);
	uint64_t hl = sl_mul_wide(a.high, b.low, &hl_low);
	uint64_t hh = sl_mul_wide(a.high, b.high, &hh_low);
	wide product;

	ll_high += lh_low;
	middle = ll_high < lh_low;
	ll_high += hl_low;
	middle += ll_high < hl_low;
	product.low = hh_low + lh;
	carry = product.low < lh;
	product.low += hl;
	carry += product.low < hl;
	product.low += middle;
	carry += product.low < middle;
	product.high = hh + carry;
	product.exponent = a.exponent + b.exponent + 128;
	return product;
}

static inline void normalise(wide *v)
{
	if (v->high >> 63 == 0) {
		v->high = v->high << 1 | v->low >> 63;
		v->low <<= 1;
		v->exponent--;
	}
}

/* Two numbers with w * 10^exponent between them (ends included), for w > 0 and a power in the table. */
static void enclose(uint64_t w, int exponent, wide *below, wide *above)
{
	int big = (exponent - MIN_POWER) / BIG_POWER_STEP;
	uint64_t five = small_powers[exponent - MIN_POWER - big * BIG_POWER_STEP];
	int w_shift = leading_zeros(w), five_shift = leading_zeros(five);
	wide v;

	v.high = sl_mul_wide(w << w_shift, five << five_shift, &v.low);
	v.exponent = exponent - w_shift - five_shift;
	normalise(&v);
	v = multiply_wide(v, big_powers[big]);
	*below = v;
	normalise(below);
	/* Less than one unit is lost by the table's rounding and less than one by multiply_wide(). */
	v.low += 2;
	v.high += v.low < 2;
	/* No w below 2^64 gives a number so close below a power of two: by 2^-74 of it at least, or it is one, which comes out exact. */
	if (SL_NEVER(v.high == 0)) {
		v.high = UINT64_C(1) << 63;
		v.low = 1;
		v.exponent++;
	}
	*above = v;
	normalise(above);
}

/* Bits of the nearest number of the format. */
static uint64_t round_wide(wide v, const binary_format *format)
{
	int last = v.exponent + 128 - format->precision;
	int drop;
	uint64_t kept, half, rest, bits;

	if (last < format->last_exponent)
		last = format->last_exponent;
	drop = last - v.exponent; /* low bits that the format has no room for, at least 128 - 53 */
	if (drop > 128)
		return 0;
	kept = drop < 128 ? v.high >> (drop - 64) : 0;
	half = v.high >> (drop - 65) & 1;
	rest = (v.high & ((UINT64_C(1) << (drop - 65)) - 1)) | v.low;
	if (half != 0 && (rest != 0 || (kept & 1) != 0))
		kept++;
	bits = ((uint64_t)(last - format->last_exponent) << (format->precision - 1)) + kept;
	return bits < format->infinity ? bits : format->infinity;
}

/* ---- whole numbers ------------------------------------------------------------------------------ */

/* 800 digits are 2,661 bits; 54 bits times 5^1146 (the lowest exponent of 800 digits in range) are 2,715. */
#define BIG_LIMBS 96

typedef struct whole {
	uint32_t limbs[BIG_LIMBS]; /* lowest first, without leading zeros */
	int n;
} whole;

static void whole_multiply_add(whole *x, uint32_t factor, uint32_t carry)
{
	uint64_t sum = carry;
	for (int i = 0; i < x->n; i++) {
		sum += (uint64_t)x->limbs[i] * factor;
		x->limbs[i] = (uint32_t)sum;
		sum >>= 32;
	}
	if (sum != 0 && !SL_NEVER(x->n == BIG_LIMBS))
		x->limbs[x->n++] = (uint32_t)sum;
}

static void whole_from_u64(whole *x, uint64_t value)
{
	x->n = 0;
	for (; value != 0; value >>= 32)
		x->limbs[x->n++] = (uint32_t)value;
}

static void whole_multiply_power_of_5(whole *x, int64_t power)
{
	for (; power >= 13; power -= 13)
		whole_multiply_add(x, 1220703125, 0);
	whole_multiply_add(x, (uint32_t)small_powers[power], 0);
}

static void whole_shift(whole *x, int64_t bits)
{
	int limbs = (int)(bits / 32);

	whole_multiply_add(x, UINT32_C(1) << (bits % 32), 0);
	if (SL_NEVER(limbs > BIG_LIMBS - x->n))
		limbs = BIG_LIMBS - x->n;
	memmove(x->limbs + limbs, x->limbs, (size_t)x->n * sizeof x->limbs[0]);
	memset(x->limbs, 0, (size_t)limbs * sizeof x->limbs[0]);
	x->n += limbs;
}

/* Of a number and a midpoint that 128-bit numbers did not tell apart: no power of two, which has one bit in all, lies between. */
static int whole_compare(const whole *a, const whole *b)
{
	if (SL_NEVER(a->n != b->n))
		return a->n < b->n ? -1 : 1;
	for (int i = a->n - 1; i >= 0; i--) {
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	}
	return 0;
}

/* All digits as a whole number, and the power of ten that belongs to it. Behind 800 digits, one digit 1
 * stands for whatever is not zero. */
static void whole_from_digits(whole *x, const decimal *d, int64_t *exponent)
{
	uint32_t chunk = 0, scale = 1; /* up to nine digits at a time */
	int n_digits = 0;
	bool more = false;

	whole_from_u64(x, d->cut ? 0 : d->w);
	*exponent = d->exponent;
	if (!d->cut)
		return;
	for (const char *p = d->digits; p != d->end && !more; p++) {
		if (*p == '.')
			continue;
		if (n_digits == MAX_EXACT_DIGITS) {
			more = *p != '0';
			continue;
		}
		chunk = chunk * 10 + (uint32_t)(*p - '0');
		scale *= 10;
		n_digits++;
		if (scale == 1000000000) {
			whole_multiply_add(x, scale, chunk);
			chunk = 0;
			scale = 1;
		}
	}
	whole_multiply_add(x, scale, chunk);
	*exponent += MAX_W_DIGITS - n_digits;
	if (more) {
		whole_multiply_add(x, 10, 1);
		--*exponent;
	}
}

/* The number lies between `below` and the next number of the format: which one is nearer? */
static uint64_t round_exactly(const decimal *d, uint64_t below, const binary_format *format)
{
	uint64_t hidden = UINT64_C(1) << (format->precision - 1);
	uint64_t mantissa = below & (hidden - 1), exponent_field = below >> (format->precision - 1);
	int64_t two = format->last_exponent - 1, ten;
	whole number, midpoint; /* number * 10^ten against midpoint * 2^two */
	int order;

	if (exponent_field != 0) {
		mantissa |= hidden;
		two += (int64_t)exponent_field - 1;
	}
	whole_from_u64(&midpoint, 2 * mantissa + 1);
	whole_from_digits(&number, d, &ten);
	if (ten >= 0)
		whole_multiply_power_of_5(&number, ten);
	else
		whole_multiply_power_of_5(&midpoint, -ten);
	if (ten >= two)
		whole_shift(&number, ten - two);
	else
		whole_shift(&midpoint, two - ten);
	order = whole_compare(&number, &midpoint);
	return below + (order > 0 || (order == 0 && (below & 1) != 0));
}

/* ---- the three ways together -------------------------------------------------------------------- */

/* Bits without the sign. */
static uint64_t round_decimal(const decimal *d, const binary_format *format)
{
	wide below, above, unused;
	uint64_t low, high;

	/* Beyond the table everything is 0 or infinity: w has at most 19 digits, and 19 when digits were cut. */
	if (d->w == 0 || d->exponent < MIN_POWER)
		return 0;
	if (d->exponent > MAX_POWER)
		return format->infinity;
	enclose(d->w, (int)d->exponent, &below, &above);
	if (d->cut)
		enclose(d->w + 1, (int)d->exponent, &unused, &above);
	low = round_wide(below, format);
	high = round_wide(above, format);
	return low == high ? low : round_exactly(d, low, format);
}

/* The way every entry starts: sign and words. Returns where the digits start, or NULL if `*length` and
 * `*bits` are already the answer. */
static const char *scan_start(const char *text, const char *end, const binary_format *format, bool *negative,
	size_t *length, uint64_t *bits)
{
	const char *p = text;
	size_t n;

	*negative = p != end && *p == '-';
	if (p != end && (*p == '-' || *p == '+'))
		p++;
	if (p != end && (is_digit(*p) || *p == '.'))
		return p;
	n = scan_word(p, end, format, bits);
	*length = n == 0 ? 0 : (size_t)(p - text) + n;
	return NULL;
}

#if EXACT_SHORT_CUTS
/* One operation on two exact numbers rounds once. */
static inline bool divide_or_multiply(const decimal *d, double *out)
{
	static const double powers[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13,
		1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

	/* Where digits were cut, w has 19, which are more than 2^53. */
	if (d->w > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22)
		return false;
	if (d->exponent < 0)
		*out = (double)d->w / powers[-d->exponent];
	else
		*out = (double)d->w * powers[d->exponent];
	return true;
}
#else
static inline bool divide_or_multiply(const decimal *d, double *out)
{
	(void)d;
	(void)out;
	return false;
}
#endif

size_t sl_parse_f64(const char *text, size_t length, double *out)
{
	const char *end = text + length, *p;
	size_t used = 0;
	uint64_t bits = 0;
	bool negative;
	decimal d;

	p = scan_start(text, end, &binary64, &negative, &used, &bits);
	if (p != NULL) {
		double x;
		p = scan_number(p, end, &d);
		if (p == NULL)
			return 0;
		used = (size_t)(p - text);
		bits = divide_or_multiply(&d, &x) ? sl_f64_bits(x) : round_decimal(&d, &binary64);
	}
	if (used != 0)
		*out = sl_f64_from_bits(bits | (uint64_t)negative << 63);
	return used;
}

/* Rounding to double first gives the wrong float only if the double fell on the middle of two floats, and
 * only normal floats have their middle at this bit; quotients of the short cut are never that small. */
static inline bool is_float_midpoint(double x)
{
	return (sl_f64_bits(x) & 0x1fffffff) == 0x10000000;
}

size_t sl_parse_f32(const char *text, size_t length, float *out)
{
	const char *end = text + length, *p;
	size_t used = 0;
	uint64_t bits = 0;
	bool negative;
	decimal d;

	p = scan_start(text, end, &binary32, &negative, &used, &bits);
	if (p != NULL) {
		double x;
		p = scan_number(p, end, &d);
		if (p == NULL)
			return 0;
		used = (size_t)(p - text);
		if (divide_or_multiply(&d, &x) && !is_float_midpoint(x))
			bits = sl_f32_bits((float)x);
		else
			bits = round_decimal(&d, &binary32);
	}
	if (used != 0)
		*out = sl_f32_from_bits((uint32_t)bits | (uint32_t)negative << 31);
	return used;
}

size_t sl_parse_i64(const char *text, size_t length, int64_t *out)
{
	const char *end = text + length, *p = text;
	bool negative = p != end && *p == '-';
	uint64_t limit = (uint64_t)INT64_MAX + negative, value = 0;

	if (negative)
		p++;
	if (p == end || !is_digit(*p))
		return 0;
	for (; p != end && is_digit(*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		if (value > (limit - digit) / 10)
			return 0;
		value = value * 10 + digit;
	}
	*out = negative ? (int64_t)(0 - value) : (int64_t)value;
	return (size_t)(p - text);
}
