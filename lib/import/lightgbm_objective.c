/*
 * LightGBM's objective line to a link.
 *
 * Comes in: what stands behind "objective=". Goes out: the function from margins to predictions that
 * LightGBM's loader would choose. Lines that its loader refuses are refused here too.
 */
#include "lightgbm.h"

typedef enum objective_kind {
	KIND_PLAIN,
	KIND_PLAIN_OR_SQRT, /* the word "sqrt" undoes the root of the labels */
	KIND_EXP,
	KIND_BINARY,
	KIND_SOFTMAX,
	KIND_ONE_VERSUS_ALL,
	KIND_SIGMOID,
	KIND_LOG1P_EXP,
	KIND_CUSTOM, /* the only plain one that may have several outputs */
} objective_kind;

static const struct {
	const char *name;
	objective_kind kind;
} objectives[] = {
	{"regression", KIND_PLAIN_OR_SQRT}, {"regression_l1", KIND_PLAIN_OR_SQRT}, {"fair", KIND_PLAIN_OR_SQRT},
	{"quantile", KIND_PLAIN_OR_SQRT}, {"mape", KIND_PLAIN_OR_SQRT}, {"huber", KIND_PLAIN},
	{"poisson", KIND_EXP}, {"gamma", KIND_EXP}, {"tweedie", KIND_EXP}, {"binary", KIND_BINARY},
	{"multiclass", KIND_SOFTMAX}, {"multiclassova", KIND_ONE_VERSUS_ALL}, {"cross_entropy", KIND_SIGMOID},
	{"cross_entropy_lambda", KIND_LOG1P_EXP}, {"lambdarank", KIND_PLAIN}, {"rank_xendcg", KIND_PLAIN},
	{"custom", KIND_CUSTOM},
};

/* LightGBM compares these with the whole line: an alias with a word behind it is unknown. */
static const struct {
	const char *alias, *name;
} aliases[] = {
	{"regression_l2", "regression"}, {"mean_squared_error", "regression"}, {"mse", "regression"},
	{"l2", "regression"}, {"l2_root", "regression"}, {"root_mean_squared_error", "regression"},
	{"rmse", "regression"}, {"mean_absolute_error", "regression_l1"}, {"l1", "regression_l1"},
	{"mae", "regression_l1"}, {"softmax", "multiclass"}, {"multiclass_ova", "multiclassova"},
	{"ova", "multiclassova"}, {"ovr", "multiclassova"}, {"xentropy", "cross_entropy"},
	{"xentlambda", "cross_entropy_lambda"}, {"mean_absolute_percentage_error", "mape"},
	{"xendcg", "rank_xendcg"}, {"xe_ndcg", "rank_xendcg"}, {"xe_ndcg_mart", "rank_xendcg"},
	{"xendcg_mart", "rank_xendcg"}, {"none", "custom"}, {"null", "custom"}, {"na", "custom"},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool find_kind(const lgbm_text *line, objective_kind *kind)
{
	lgbm_text rest = *line, name;
	if (!import_lgbm_word(&rest, ' ', &name))
		return false;
	for (size_t i = 0; i < COUNT(aliases); i++) {
		if (import_lgbm_equals(line, aliases[i].alias))
			name = (lgbm_text){aliases[i].name, strlen(aliases[i].name), line->line};
	}
	for (size_t i = 0; i < COUNT(objectives); i++) {
		if (import_lgbm_equals(&name, objectives[i].name)) {
			*kind = objectives[i].kind;
			return true;
		}
	}
	return false;
}

/* ---- words of the line ------------------------------------------------------------------------------ */

static bool has_word(lgbm_text rest, const char *wanted)
{
	lgbm_text word;
	while (import_lgbm_word(&rest, ' ', &word)) {
		if (import_lgbm_equals(&word, wanted))
			return true;
	}
	return false;
}

/* Value of the last "key:value" with this key. */
static bool find_value(lgbm_text rest, const char *key, lgbm_text *value)
{
	lgbm_text word, k, v, more;
	bool found = false;
	while (import_lgbm_word(&rest, ' ', &word)) {
		if (import_lgbm_word(&word, ':', &k) && import_lgbm_equals(&k, key) &&
			import_lgbm_word(&word, ':', &v) && !import_lgbm_word(&word, ':', &more)) {
			*value = v;
			found = true;
		}
	}
	return found;
}

/* ---- numbers as LightGBM reads them ------------------------------------------------------------------ */

static const char *take_digits(const char *p, const char *end, double *value, int *n)
{
	for (; p != end && *p >= '0' && *p <= '9'; p++) {
		*value = *value * 10.0 + (*p - '0');
		++*n;
	}
	return p;
}

/* 10^n by LightGBM's order of multiplications, which matters beyond 10^22. */
static double power_of_10(int n)
{
	double pending[64], base = 10.0, power = 1.0;
	int n_pending = 0;
	while (n > 0) {
		if (n % 2 == 0) {
			base = base * base;
			n /= 2;
		} else if (n % 3 == 0) {
			base = base * base * base;
			n /= 3;
		} else {
			pending[n_pending++] = base;
			n--;
		}
	}
	while (n_pending > 0)
		power = pending[--n_pending] * power;
	return power;
}

static double scale_of(int exponent)
{
	double scale = 1.0;
	int left = exponent < 308 ? exponent : 308;
	for (; left >= 50; left -= 50)
		scale *= 1e50;
	for (; left >= 8; left -= 8)
		scale *= 1e8;
	for (; left > 0; left--)
		scale *= 10.0;
	return scale;
}

/* LightGBM reads the sigmoid's slope with a routine that rounds after every digit; the last bit can differ
 * from the nearest double, and it is LightGBM's bit that counts. */
static bool parse_sloppy(const lgbm_text *text, double *out)
{
	const char *p = text->text, *end = p + text->length;
	double value = 0.0, fraction = 0.0, exponent = 0.0;
	int n_whole = 0, n_fraction = 0, n_exponent = 0;
	bool negative_exponent = false;

	if (text->length > 64)
		return false;
	p = take_digits(p, end, &value, &n_whole);
	if (p != end && *p == '.') {
		p = take_digits(p + 1, end, &fraction, &n_fraction);
		value += fraction / power_of_10(n_fraction);
	}
	if (n_whole + n_fraction == 0)
		return false;
	if (p != end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p != end && (*p == '-' || *p == '+'))
			negative_exponent = *p++ == '-';
		p = take_digits(p, end, &exponent, &n_exponent);
		if (n_exponent == 0 || n_exponent > 9)
			return false;
	}
	*out = negative_exponent ? value / scale_of((int)exponent) : value * scale_of((int)exponent);
	return p == end;
}

/* ---- parameters -------------------------------------------------------------------------------------- */

static score_status read_sigmoid(lgbm_reader *in, const lgbm_text *line, double *slope)
{
	lgbm_text value = *line;
	if (!find_value(*line, "sigmoid", &value))
		return LGBM_FAIL(in, line, SCORE_ERR_CORRUPT, "the objective \"%s\" needs \"sigmoid:\" with a number",
			sl_quote(line->text, line->length).text);
	if (!parse_sloppy(&value, slope) || !(*slope > 0.0) || *slope > 1e308)
		return LGBM_FAIL(in, &value, SCORE_ERR_CORRUPT, "sigmoid is \"%s\", expected a number above 0",
			sl_quote(value.text, value.length).text);
	return SCORE_OK;
}

static score_status check_num_class(lgbm_reader *in, const lgbm_text *line, uint32_t n_outputs)
{
	lgbm_text value = *line;
	int64_t n = 0;
	if (!find_value(*line, "num_class", &value))
		return LGBM_FAIL(in, line, SCORE_ERR_CORRUPT,
			"the objective \"%s\" needs \"num_class:\" with a number",
			sl_quote(line->text, line->length).text);
	if (sl_parse_i64(value.text, value.length, &n) != value.length || n != (int64_t)n_outputs)
		return LGBM_FAIL(in, &value, SCORE_ERR_CORRUPT,
			"the objective's num_class is \"%s\", but trees make %u outputs",
			sl_quote(value.text, value.length).text, n_outputs);
	return SCORE_OK;
}

score_status import_lgbm_objective(lgbm_reader *in, const lgbm_text *line, uint32_t n_outputs,
	score_link *link, double *parameter)
{
	static const score_link links[] = {
		[KIND_PLAIN] = SCORE_LINK_IDENTITY, [KIND_PLAIN_OR_SQRT] = SCORE_LINK_IDENTITY,
		[KIND_EXP] = SCORE_LINK_EXP, [KIND_BINARY] = SCORE_LINK_SIGMOID, [KIND_SOFTMAX] = SCORE_LINK_SOFTMAX,
		[KIND_ONE_VERSUS_ALL] = SCORE_LINK_SIGMOID, [KIND_SIGMOID] = SCORE_LINK_SIGMOID,
		[KIND_LOG1P_EXP] = SCORE_LINK_LOG1P_EXP, [KIND_CUSTOM] = SCORE_LINK_IDENTITY,
	};
	objective_kind kind;
	score_status status = SCORE_OK;

	if (!find_kind(line, &kind))
		return LGBM_FAIL(in, line, SCORE_ERR_UNSUPPORTED,
			"unknown objective \"%s\"; supported are those of LightGBM up to 4.6, and \"custom\", which predicts margins",
			sl_quote(line->text, line->length).text);
	*link = links[kind];
	*parameter = 1.0;
	if (kind == KIND_PLAIN_OR_SQRT && has_word(*line, "sqrt"))
		*link = SCORE_LINK_SIGNED_SQUARE;
	if (kind == KIND_SOFTMAX || kind == KIND_ONE_VERSUS_ALL)
		status = check_num_class(in, line, n_outputs);
	else if (kind != KIND_CUSTOM && n_outputs != 1)
		return LGBM_FAIL(in, line, SCORE_ERR_CORRUPT,
			"the objective \"%s\" has one output, but trees make %u", sl_quote(line->text, line->length).text,
			n_outputs);
	if (status == SCORE_OK && (kind == KIND_BINARY || kind == KIND_ONE_VERSUS_ALL))
		status = read_sigmoid(in, line, parameter);
	return status;
}
