/*
 * What the objects of CatBoost's JSON model files say, once they were read whole.
 *
 * Comes in: the words and numbers of an object. Goes out: features, splits, CTRs and their tables in the cb_file. What one
 * object says of another is checked by catboost_build.c and catboost_ctr.c, as they come in any order.
 */
#include "catboost_reader.h"

#include <math.h>

static score_status check_index(const reader *r, const frame *f, const char *list, size_t expected)
{
	if (r->wholes[INDEX] != (int64_t)expected)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, f->offset, -1,
			"\"%s\": feature %zu has another \"feature_index\" or none; expected %zu", list, expected, expected);
	if (r->wholes[COLUMN] < 0 || r->wholes[COLUMN] >= INT32_MAX)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, f->offset, -1,
			"\"%s\": the \"flat_feature_index\" of feature %zu is missing, negative or too large", list, expected);
	return SCORE_OK;
}

/* Where a missing value goes; false for an unknown word. */
static bool nan_goes_right(const reader *r, bool *right)
{
	const char *word = import_cb_text(r->file, r->words[NAN_TREATMENT]);
	bool as_true = strcmp(word, "AsTrue") == 0;
	*right = as_true && r->wholes[HAS_NANS] == 1;
	return as_true || !*word || strcmp(word, "AsFalse") == 0 || strcmp(word, "AsIs") == 0;
}

static score_status end_float(reader *r, const frame *f)
{
	cb_file *file = r->file;
	size_t n = file->float_features.length;
	const float *borders = file->borders.data;
	bool right;
	score_status status = check_index(r, f, "float_features", n);
	if (status != SCORE_OK)
		return status;
	if (!nan_goes_right(r, &right))
		return corrupt(r, f->offset, "nan_value_treatment", "expected AsIs, AsFalse or AsTrue");
	for (size_t i = r->first_border; i < file->borders.length; i++) {
		if (borders[i] != borders[i] || (i > r->first_border && borders[i] < borders[i - 1]))
			return corrupt(r, f->offset, "borders", "expected numbers in ascending order");
	}
	size_t name = r->words[FEATURE_NAME] ? r->words[FEATURE_NAME] : r->words[FEATURE_ID];
	cb_feature feature = {.column = r->wholes[COLUMN], .offset = f->offset, .name = name,
		.first_border = r->first_border, .n_borders = file->borders.length - r->first_border,
		.nan_right = right};
	return keep(r, &file->float_features, &feature, f->offset, "float_features");
}

static score_status end_category(reader *r, const frame *f)
{
	sl_vector *features = &r->file->cat_features;
	score_status status = check_index(r, f, "categorical_features", features->length);
	if (status != SCORE_OK)
		return status;
	size_t name = r->words[FEATURE_NAME] ? r->words[FEATURE_NAME] : r->words[FEATURE_ID];
	cb_feature feature = {.column = r->wholes[COLUMN], .offset = f->offset, .name = name, .is_category = 1,
		.first_border = r->first_value, .n_borders = r->file->values.length - r->first_value};
	return keep(r, features, &feature, f->offset, "categorical_features");
}

static score_status refuse(const reader *r, const frame *f, const char *what, const char *type, const char *known)
{
	return sl_fail_at(r->file->error, SCORE_ERR_UNSUPPORTED, f->offset, -1,
		"%s of the type \"%s\" are not supported; supported are %s", what, sl_quote(type, strlen(type)).text, known);
}

static score_status take_feature(const reader *r, const frame *f, whole_name from, const char *name, uint32_t *out)
{
	if (r->wholes[from] < 0 || r->wholes[from] > UINT32_MAX)
		return corrupt(r, f->offset, name, "missing, negative or too large");
	*out = (uint32_t)r->wholes[from];
	return SCORE_OK;
}

static score_status take_border(const reader *r, const frame *f, cb_split *split)
{
	if (r->file->borders.length != r->first_border + 1)
		return corrupt(r, f->offset, "border", "expected one number");
	split->border = ((const float *)r->file->borders.data)[r->first_border];
	return split->border == split->border ? SCORE_OK :
		corrupt(r, f->offset, "border", "expected a number, not NaN");
}

static score_status fill_float_split(const reader *r, const frame *f, cb_split *split)
{
	score_status status = take_border(r, f, split);
	split->kind = CB_FLOAT;
	return status == SCORE_OK ? take_feature(r, f, SPLIT_FEATURE, "float_feature_index", &split->feature) : status;
}

static score_status fill_one_hot_split(const reader *r, const frame *f, cb_split *split)
{
	int64_t value = r->wholes[SPLIT_VALUE];
	if (value < INT32_MIN || value > INT32_MAX)
		return corrupt(r, f->offset, "value", "missing, or no number of 32 bits");
	split->kind = CB_ONE_HOT;
	split->value = (uint32_t)(int32_t)value;
	return take_feature(r, f, SPLIT_CATEGORY, "cat_feature_index", &split->feature);
}

/* Only its number says which CTR it asks. */
static score_status fill_ctr_split(const reader *r, const frame *f, cb_split *split)
{
	split->kind = CB_CTR;
	split->target = r->wholes[SPLIT_TARGET];
	return split->number < 0 ? corrupt(r, f->offset, "split_index", "missing or negative") : take_border(r, f, split);
}

/* The features may stand behind the trees: whether the border is one of theirs is checked in the end. */
static score_status end_split(reader *r, const frame *f)
{
	cb_file *file = r->file;
	const char *type = import_cb_text(file, r->words[SPLIT_TYPE]);
	if (!*type)
		return corrupt(r, f->offset, "split_type", "missing");
	cb_split split = {.number = r->wholes[SPLIT_INDEX] == ABSENT ? -1 : r->wholes[SPLIT_INDEX]};
	score_status status = strcmp(type, "FloatFeature") == 0 ? fill_float_split(r, f, &split) :
		strcmp(type, "OneHotFeature") == 0 ? fill_one_hot_split(r, f, &split) :
		strcmp(type, "OnlineCtr") == 0 ? fill_ctr_split(r, f, &split) :
		refuse(r, f, "splits", type, "FloatFeature, OneHotFeature and OnlineCtr");
	if (status != SCORE_OK)
		return status;
	if (r->wholes[SPLIT_INDEX] != ABSENT && split.number < 0)
		return corrupt(r, f->offset, "split_index", "expected a number that is not negative");
	file->borders.length = r->first_border;
	const frame *owner = &r->frames[r->depth - 2]; /* the node, or the array of a symmetric tree */
	if (owner->place == IN_NODE)
		((cb_node *)file->nodes.data)[owner->node].split = (int64_t)file->splits.length;
	return keep(r, &file->splits, &split, f->offset, "splits");
}

/* One feature of a CTR's projection: the category itself, or the answer of a split. */
static score_status end_element(reader *r, const frame *f)
{
	const char *type = import_cb_text(r->file, r->words[SPLIT_TYPE]);
	cb_split element = {.kind = CB_CATEGORY, .number = -1};
	score_status status = strcmp(type, "cat_feature_value") == 0 ?
			take_feature(r, f, SPLIT_CATEGORY, "cat_feature_index", &element.feature) :
		strcmp(type, "float_feature") == 0 ? fill_float_split(r, f, &element) :
		strcmp(type, "cat_feature_exact_value") == 0 ? fill_one_hot_split(r, f, &element) :
		refuse(r, f, "combination elements", type, "cat_feature_value, float_feature and cat_feature_exact_value");
	r->file->borders.length = r->first_border;
	if (status != SCORE_OK)
		return status;
	return keep(r, &r->file->elements, &element, f->offset, "elements");
}

static const struct {
	const char *name;
	cb_ctr_type type;
} ctr_types[] = {
	{"Borders", CB_BORDERS}, {"Buckets", CB_BUCKETS}, {"Counter", CB_COUNTER}, {"FeatureFreq", CB_COUNTER},
	{"BinarizedTargetMeanValue", CB_MEAN}, {"FloatTargetMeanValue", CB_MEAN},
};

static score_status end_ctr(reader *r, const frame *f)
{
	const char *type = import_cb_text(r->file, r->words[CTR_TYPE]);
	const float *borders = r->file->borders.data;
	cb_ctr ctr = r->ctr;
	size_t i = 0;
	while (i < sizeof ctr_types / sizeof ctr_types[0] && strcmp(ctr_types[i].name, type) != 0)
		i++;
	if (i == sizeof ctr_types / sizeof ctr_types[0])
		return refuse(r, f, "CTRs", type, "Borders, Buckets, Counter, FeatureFreq and target means");
	ctr.type = ctr_types[i].type;
	ctr.identifier = r->words[CTR_IDENTIFIER];
	ctr.target = r->wholes[CTR_TARGET] == ABSENT ? 0 : r->wholes[CTR_TARGET];
	ctr.prior_numerator = r->numbers[PRIOR_NUMERATOR];
	ctr.prior_denominator = r->numbers[PRIOR_DENOMINATOR];
	ctr.shift = r->numbers[SHIFT];
	ctr.scale = r->numbers[SCALE_FACTOR];
	for (int k = 0; k < FLOATS; k++) {
		if (!isfinite(r->numbers[k]))
			return corrupt(r, f->offset, "ctrs", "expected finite priors, shift and scale");
	}
	ctr.n_elements = r->file->elements.length - ctr.first_element;
	ctr.n_borders = r->file->borders.length - ctr.first_border;
	for (size_t k = 0; k < ctr.n_borders; k++) {
		if (borders[ctr.first_border + k] != borders[ctr.first_border + k])
			return corrupt(r, f->offset, "borders", "expected numbers");
	}
	if (ctr.n_elements == 0)
		return corrupt(r, f->offset, "elements", "a CTR needs at least one");
	return keep(r, &r->file->ctrs, &ctr, f->offset, "ctrs");
}

static score_status end_table(reader *r, const frame *f)
{
	cb_table table = r->table;
	int64_t stride = r->wholes[TABLE_STRIDE];
	table.n_hashes = r->file->hashes.length - table.first_hash;
	size_t n_values = r->file->counts.length - table.first_count;
	if (table.n_hashes && (stride < 2 || (uint64_t)stride - 1 != n_values / table.n_hashes ||
		n_values % table.n_hashes))
		return corrupt(r, f->offset, "hash_map", "expected \"hash_stride\" entries for each hash, one of them the hash");
	table.stride = table.n_hashes ? (size_t)stride - 1 : 0;
	table.denominator = r->wholes[TABLE_DENOMINATOR] == ABSENT ? 0 : r->wholes[TABLE_DENOMINATOR];
	if (table.denominator < INT32_MIN || table.denominator > INT32_MAX)
		return corrupt(r, f->offset, "counter_denominator", "expected a number of 32 bits");
	return keep(r, &r->file->tables, &table, f->offset, "ctr_data");
}

static score_status end_node(reader *r, const frame *f)
{
	const cb_node *node = sl_vector_at(&r->file->nodes, f->node);
	bool is_split = node->split >= 0 && node->left >= 0 && node->right >= 0;
	bool is_bare = node->split < 0 && node->left < 0 && node->right < 0;
	if (node->n_values ? !is_bare : !is_split)
		return corrupt(r, f->offset, "trees", "a node needs either \"value\", or \"split\", \"left\" and \"right\"");
	return SCORE_OK;
}

score_status import_cb_end_object(reader *r)
{
	const frame *f = top(r);
	cb_file *file = r->file;
	score_status status = SCORE_OK;
	if (f->place == IN_FLOAT)
		status = end_float(r, f);
	else if (f->place == IN_CATEGORY)
		status = end_category(r, f);
	else if (f->place == IN_SPLIT)
		status = end_split(r, f);
	else if (f->place == IN_NODE)
		status = end_node(r, f);
	else if (f->place == IN_ELEMENT)
		status = end_element(r, f);
	else if (f->place == IN_CTR)
		status = end_ctr(r, f);
	else if (f->place == IN_TABLE)
		status = end_table(r, f);
	if (status == SCORE_OK && (f->place == IN_SYMMETRIC || (f->place == IN_NODE && !f->key))) {
		cb_tree *tree = sl_vector_at(&file->trees, file->trees.length - 1);
		tree->n_splits = file->splits.length - tree->first_split;
		tree->n_values = file->leaf_values.length - tree->first_value;
		tree->n_nodes = file->nodes.length - tree->first_node;
		tree->n_covers = file->covers.length - tree->first_cover;
	}
	r->depth--;
	return status;
}
