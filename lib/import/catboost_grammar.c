/*
 * The grammar of CatBoost's JSON model files.
 *
 * Comes in: the events of a document. Goes out: the parts that scoring needs, in a cb_file. Keys that are not
 * in the table are skipped with all they hold; a key of the table may come once in its object; null is the
 * same as an absent key. Nesting is bounded by the reader of the document, and nothing here recurses.
 */
#include "catboost_reader.h"

#include <math.h>
#include <stdio.h>

static const key keys[] = {
	{IN_ROOT, "model_info", OBJECT, IN_INFO},
	{IN_ROOT, "features_info", OBJECT, IN_FEATURES},
	{IN_ROOT, "oblivious_trees", OBJECTS, IN_SYMMETRIC},
	{IN_ROOT, "trees", OBJECTS, IN_NODE},
	{IN_ROOT, "scale_and_bias", NUMBERS, SCALE},
	{IN_ROOT, "ctr_data", OBJECT, IN_TABLES},
	{IN_INFO, "params", OBJECT, IN_PARAMS},
	{IN_INFO, "class_params", OBJECT, IN_CLASSES},
	{IN_INFO, "catboost_version_info", WORD, VERSION},
	{IN_INFO, "binclass_probability_threshold", WORD, THRESHOLD},
	{IN_PARAMS, "loss_function", OBJECT, IN_LOSS},
	{IN_LOSS, "type", WORD, LOSS},
	{IN_CLASSES, "class_names", LABELS, 0},
	{IN_CLASSES, "class_to_label", NUMBERS, CLASS_NUMBERS},
	{IN_CLASSES, "classes_count", WHOLE, CLASSES_COUNT},
	{IN_FEATURES, "float_features", OBJECTS, IN_FLOAT},
	{IN_FEATURES, "categorical_features", OBJECTS, IN_CATEGORY},
	{IN_FEATURES, "ctrs", OBJECTS, IN_CTR},
	{IN_FEATURES, "text_features", REFUSED, 0},
	{IN_FEATURES, "embedding_features", REFUSED, 0},
	{IN_FLOAT, "feature_index", WHOLE, INDEX},
	{IN_FLOAT, "flat_feature_index", WHOLE, COLUMN},
	{IN_FLOAT, "has_nans", WHOLE, HAS_NANS},
	{IN_FLOAT, "nan_value_treatment", WORD, NAN_TREATMENT},
	{IN_FLOAT, "borders", NUMBERS, BORDERS},
	{IN_FLOAT, "feature_id", WORD, FEATURE_ID},
	{IN_FLOAT, "feature_name", WORD, FEATURE_NAME},
	{IN_CATEGORY, "feature_index", WHOLE, INDEX},
	{IN_CATEGORY, "flat_feature_index", WHOLE, COLUMN},
	{IN_CATEGORY, "feature_id", WORD, FEATURE_ID},
	{IN_CATEGORY, "feature_name", WORD, FEATURE_NAME},
	{IN_CATEGORY, "values", NUMBERS, HASHES},
	{IN_CTR, "borders", NUMBERS, BORDERS},
	{IN_CTR, "ctr_type", WORD, CTR_TYPE},
	{IN_CTR, "elements", OBJECTS, IN_ELEMENT},
	{IN_CTR, "identifier", WORD, CTR_IDENTIFIER},
	{IN_CTR, "prior_numerator", NUMBER, PRIOR_NUMERATOR},
	{IN_CTR, "prior_denomerator", NUMBER, PRIOR_DENOMINATOR}, /* spelled so */
	{IN_CTR, "shift", NUMBER, SHIFT},
	{IN_CTR, "scale", NUMBER, SCALE_FACTOR},
	{IN_CTR, "target_border_idx", WHOLE, CTR_TARGET},
	{IN_ELEMENT, "combination_element", WORD, SPLIT_TYPE},
	{IN_ELEMENT, "cat_feature_index", WHOLE, SPLIT_CATEGORY},
	{IN_ELEMENT, "float_feature_index", WHOLE, SPLIT_FEATURE},
	{IN_ELEMENT, "value", WHOLE, SPLIT_VALUE},
	{IN_ELEMENT, "border", NUMBERS, BORDERS},
	{IN_TABLE, "hash_map", BUCKETS, 0},
	{IN_TABLE, "hash_stride", WHOLE, TABLE_STRIDE},
	{IN_TABLE, "counter_denominator", WHOLE, TABLE_DENOMINATOR},
	{IN_SYMMETRIC, "splits", OBJECTS, IN_SPLIT},
	{IN_SYMMETRIC, "leaf_values", NUMBERS, SYMMETRIC_VALUES},
	{IN_SYMMETRIC, "leaf_weights", NUMBERS, SYMMETRIC_COVERS},
	{IN_NODE, "split", OBJECT, IN_SPLIT},
	{IN_NODE, "left", OBJECT, IN_NODE},
	{IN_NODE, "right", OBJECT, IN_NODE},
	{IN_NODE, "value", NUMBERS, NODE_VALUES},
	{IN_NODE, "weight", NUMBERS, NODE_COVER},
	{IN_SPLIT, "split_type", WORD, SPLIT_TYPE},
	{IN_SPLIT, "float_feature_index", WHOLE, SPLIT_FEATURE},
	{IN_SPLIT, "cat_feature_index", WHOLE, SPLIT_CATEGORY},
	{IN_SPLIT, "value", WHOLE, SPLIT_VALUE},
	{IN_SPLIT, "split_index", WHOLE, SPLIT_INDEX},
	{IN_SPLIT, "border", NUMBERS, BORDERS},
	{IN_SPLIT, "ctr_target_border_idx", WHOLE, SPLIT_TARGET},
};
#define N_KEYS (sizeof keys / sizeof keys[0])
_Static_assert(N_KEYS <= 64, "`seen` has a bit for every key");
static const key any_table = {IN_TABLES, "ctr_data", OBJECT, IN_TABLE};

#define WITHOUT "; train with numeric and categorical features only"

/* ---- beginnings --------------------------------------------------------------------------------- */

static score_status begin_tree(reader *r, const frame *f)
{
	const cb_file *file = r->file;
	cb_tree tree = {.offset = f->offset, .first_split = file->splits.length,
		.first_value = file->leaf_values.length, .first_node = file->nodes.length,
		.first_cover = file->covers.length};
	return keep(r, &r->file->trees, &tree, f->offset, f->place == IN_NODE ? "trees" : "oblivious_trees");
}

static score_status begin_node(reader *r, frame *f)
{
	cb_file *file = r->file;
	cb_node node = {.left = -1, .right = -1, .split = -1, .cover = -1};
	f->node = file->nodes.length;
	score_status status = f->key ? SCORE_OK : begin_tree(r, f);
	if (status != SCORE_OK)
		return status;
	size_t number = f->node - ((const cb_tree *)file->trees.data)[file->trees.length - 1].first_node;
	if (f->key) {
		cb_node *parent = sl_vector_at(&file->nodes, r->frames[r->depth - 2].node);
		*(f->key->name[0] == 'l' ? &parent->left : &parent->right) = (int64_t)number;
	}
	return keep(r, &file->nodes, &node, f->offset, f->key ? f->key->name : "trees");
}

/* Forget what the object before it said. An element stands inside a CTR. */
static void begin_words(reader *r, place where)
{
	if (where != IN_FLOAT && where != IN_CATEGORY && where != IN_SPLIT && where != IN_CTR && where != IN_ELEMENT &&
		where != IN_TABLE)
		return;
	for (int i = where == IN_CTR ? CTR_TYPE : FEATURE_ID; i < WORDS; i++)
		r->words[i] = 0;
	for (int i = where == IN_CTR ? CTR_TARGET : INDEX; i < WHOLES; i++)
		r->wholes[i] = ABSENT;
	for (int i = 0; i < FLOATS && where == IN_CTR; i++)
		r->numbers[i] = NAN;
	r->first_border = r->file->borders.length;
	r->first_value = r->file->values.length;
}

static score_status begin_object(reader *r, place where, const key *k, int64_t offset)
{
	r->frames[r->depth++] = (frame){.place = where, .key = k, .offset = offset};
	r->next = NULL;
	begin_words(r, where);
	if (where == IN_CTR)
		r->ctr = (cb_ctr){.offset = offset, .first_element = r->file->elements.length,
			.first_border = r->file->borders.length};
	if (where == IN_TABLE) {
		r->table.first_hash = r->file->hashes.length;
		r->table.first_count = r->file->counts.length;
	}
	if (where == IN_SYMMETRIC)
		return begin_tree(r, top(r));
	return where == IN_NODE ? begin_node(r, top(r)) : SCORE_OK;
}

static score_status on_object_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return begin_object(r, IN_ROOT, NULL, e->offset);
	const frame *f = top(r);
	const key *k = f->place == IN_ARRAY ? f->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	if (f->place == IN_ARRAY && k->kind == OBJECTS)
		return begin_object(r, (place)k->slot, NULL, e->offset);
	if (f->place == IN_ARRAY || k->kind != OBJECT)
		return corrupt(r, e->offset, k->name, "expected no object here");
	return begin_object(r, (place)k->slot, k, e->offset);
}

/* A list of numbers, or a single one that may stand for it. */
static void begin_numbers(reader *r, const key *k, int64_t offset)
{
	cb_file *file = r->file;
	if (k->slot == SCALE)
		file->scale_offset = offset;
	if (k->slot == NODE_VALUES)
		((cb_node *)file->nodes.data)[top(r)->node].first_value = file->leaf_values.length;
}

static score_status begin_array(reader *r, const key *k, int64_t offset)
{
	if (k->kind == NUMBERS)
		begin_numbers(r, k, offset);
	if (k->kind != OBJECTS || (k->slot != IN_SYMMETRIC && k->slot != IN_NODE))
		return SCORE_OK;
	if (r->has_trees)
		return corrupt(r, offset, k->name, "the model has both \"trees\" and \"oblivious_trees\"");
	r->has_trees = true;
	return SCORE_OK;
}

static score_status on_array_begin(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1,
			"a CatBoost model is an object, not an array");
	frame *f = top(r);
	if (f->place == IN_ARRAY && f->key->kind == NUMBERS && f->key->slot == SCALE && !f->nested) {
		f->nested++;
		return SCORE_OK;
	}
	const key *k = f->place == IN_ARRAY ? f->key : r->next;
	if (!k) {
		r->skip = 1;
		return SCORE_OK;
	}
	if (f->place == IN_ARRAY || k->kind == OBJECT || k->kind == WORD || k->kind == WHOLE ||
		k->kind == NUMBER || (k->kind == NUMBERS && (f->place == IN_SPLIT || f->place == IN_ELEMENT)))
		return corrupt(r, e->offset, k->name, "expected no array here");
	score_status status = begin_array(r, k, e->offset);
	r->frames[r->depth++] = (frame){.place = IN_ARRAY, .key = k, .offset = e->offset};
	r->next = NULL;
	return status;
}

static score_status on_key(reader *r, const import_event *e)
{
	frame *f = top(r);
	r->next = NULL;
	if (f->place == IN_TABLES) {
		r->next = &any_table;
		r->table = (cb_table){.offset = e->offset, .name = r->file->text.length};
		return import_keep_text(&r->file->text, e, "ctr_data", r->file->error);
	}
	for (size_t i = 0; i < N_KEYS; i++) {
		const key *k = &keys[i];
		if (k->place != f->place || strlen(k->name) != e->length || memcmp(k->name, e->text, e->length) != 0)
			continue;
		if (f->seen & (uint64_t)1 << i)
			return corrupt(r, e->offset, k->name, "the key is there twice");
		f->seen |= (uint64_t)1 << i;
		r->next = k;
	}
	return SCORE_OK;
}

/* ---- single values ------------------------------------------------------------------------------ */

static score_status add_hash(reader *r, const import_event *e)
{
	int64_t value;
	if (sl_parse_i64(e->text, e->length, &value) != e->length || value < INT32_MIN || value > INT32_MAX)
		return corrupt(r, e->offset, "values", "expected whole numbers of 32 bits");
	uint32_t hash = (uint32_t)(int32_t)value;
	return keep(r, &r->file->values, &hash, e->offset, "values");
}

/* What is a number to JSON, and NaN and infinities, are numbers here too. */
static bool take_number(const import_event *e, double *x)
{
	return e->kind == IMPORT_DECIMAL && sl_parse_f64(e->text, e->length, x) == e->length;
}

static score_status add_number(reader *r, const import_event *e, const key *k, size_t node)
{
	cb_file *file = r->file;
	double x;
	if (!take_number(e, &x))
		return corrupt(r, e->offset, k->name, "expected numbers");
	float narrow = (float)x;
	if (k->slot == HASHES)
		return add_hash(r, e);
	if (k->slot == BORDERS)
		return keep(r, &file->borders, &narrow, e->offset, k->name);
	if (k->slot == NODE_COVER) {
		((cb_node *)file->nodes.data)[node].cover = x;
		return SCORE_OK;
	}
	if (k->slot == NODE_VALUES)
		((cb_node *)file->nodes.data)[node].n_values++;
	sl_vector *values = k->slot == SCALE ? &file->scale_and_bias : k->slot == CLASS_NUMBERS ? &file->class_numbers :
		k->slot == SYMMETRIC_COVERS ? &file->covers : &file->leaf_values;
	return keep(r, values, &x, e->offset, k->name);
}

static score_status add_word(reader *r, const import_event *e, const key *k)
{
	if (e->kind != IMPORT_STRING || (e->length && memchr(e->text, 0, e->length)))
		return corrupt(r, e->offset, k->name, "expected a string without zero bytes");
	if (k->slot == LOSS)
		r->file->loss_offset = e->offset;
	r->words[k->slot] = e->length ? r->file->text.length : 0;
	return import_keep_text(&r->file->text, e, k->name, r->file->error);
}

static score_status add_float(reader *r, const import_event *e, const key *k)
{
	double x;
	if (!take_number(e, &x))
		return corrupt(r, e->offset, k->name, "expected a number");
	r->numbers[k->slot] = (float)x;
	return SCORE_OK;
}

/* Decimal digits to 64 bits; false if they are none or too many. */
static bool parse_hash(const char *text, size_t length, uint64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < length; i++) {
		uint64_t digit = (uint64_t)(text[i] - '0');
		if (digit > 9 || *out > (UINT64_MAX - digit) / 10)
			return false;
		*out = *out * 10 + digit;
	}
	return length > 0;
}

/* A hash, or one of the numbers behind it; every hash has as many as the first one. */
static score_status add_bucket(reader *r, const import_event *e)
{
	cb_file *file = r->file;
	uint64_t hash;
	double count;
	size_t n_hashes = file->hashes.length - r->table.first_hash, n = file->counts.length - r->table.first_count;
	if (e->kind == IMPORT_STRING) {
		if (!parse_hash(e->text, e->length, &hash))
			return corrupt(r, e->offset, "hash_map", "expected a hash as a decimal number of 64 bits in quotes");
		if (n_hashes == 1)
			r->table.stride = n;
		if (n_hashes && n != n_hashes * r->table.stride)
			return corrupt(r, e->offset, "hash_map", "expected as many numbers behind every hash");
		return keep(r, &file->hashes, &hash, e->offset, "hash_map");
	}
	if (!n_hashes || !take_number(e, &count))
		return corrupt(r, e->offset, "hash_map", "expected hashes in quotes, each followed by numbers");
	return keep(r, &file->counts, &count, e->offset, "hash_map");
}

static score_status add_whole(reader *r, const import_event *e, const key *k)
{
	int64_t value = e->integer;
	bool good = e->kind == IMPORT_INTEGER ||
		(e->kind == IMPORT_DECIMAL && sl_parse_i64(e->text, e->length, &value) == e->length);
	if (!good)
		return corrupt(r, e->offset, k->name, "expected a whole number, true or false");
	r->wholes[k->slot] = value;
	return SCORE_OK;
}

/* A label behind the others, as JSON text: its characters may be six each, and there are quotes and a comma. */
static score_status add_label(reader *r, const import_event *e)
{
	sl_vector *out = &r->file->classes;
	bool is_word = e->kind == IMPORT_INTEGER, is_text = e->kind == IMPORT_STRING;
	const char *text = is_word ? (e->integer ? "true" : "false") : e->text;
	size_t length = is_word ? strlen(text) : e->length;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): bytes, not a string */
	if ((!is_word && !is_text && e->kind != IMPORT_DECIMAL) || (length && memchr(text, 0, length)))
		return corrupt(r, e->offset, "class_names", "expected numbers or strings without zero bytes");
	char *begin = sl_vector_grow(out, 6 * length + 4), *to = begin;
	if (!to)
		return import_no_room(out, 6 * length + 4, e->offset, "class_names", r->file->error);
	*to++ = begin == out->data ? '[' : ',';
	if (is_text)
		*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)text[i];
		to += snprintf(to, 7, c < 0x20 ? "\\u%04x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
	}
	if (is_text)
		*to++ = '"';
	out->length = (size_t)(to - (char *)out->data);
	r->file->n_class_names++;
	return SCORE_OK;
}

static score_status on_element(reader *r, const import_event *e, const frame *f)
{
	if (f->key->kind == NUMBERS)
		return add_number(r, e, f->key, r->frames[r->depth - 2].node);
	if (f->key->kind == LABELS)
		return add_label(r, e);
	if (f->key->kind == BUCKETS)
		return add_bucket(r, e);
	return corrupt(r, e->offset, f->key->name, "expected objects");
}

static score_status on_scalar(reader *r, const import_event *e)
{
	if (r->depth == 0)
		return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, e->offset, -1,
			"a CatBoost model is an object, not a single value");
	const frame *f = top(r);
	if (f->place == IN_ARRAY)
		return on_element(r, e, f);
	const key *k = r->next;
	r->next = NULL;
	if (!k || e->kind == IMPORT_NULL)
		return SCORE_OK;
	if (k->kind == WORD)
		return add_word(r, e, k);
	if (k->kind == WHOLE)
		return add_whole(r, e, k);
	if (k->kind == NUMBER)
		return add_float(r, e, k);
	if (k->kind == NUMBERS && (f->place == IN_SPLIT || f->place == IN_ELEMENT || f->place == IN_NODE)) {
		begin_numbers(r, k, e->offset);
		return add_number(r, e, k, f->node);
	}
	return corrupt(r, e->offset, k->name, "expected an object or an array");
}

static score_status on_array_end(reader *r, const import_event *e)
{
	frame *f = top(r);
	if (f->nested) {
		f->nested--;
		return SCORE_OK;
	}
	r->depth--;
	if (f->key->kind == NUMBERS && f->key->slot == NODE_VALUES &&
		((const cb_node *)r->file->nodes.data)[top(r)->node].n_values == 0)
		return corrupt(r, e->offset, "value", "expected at least one number");
	return SCORE_OK;
}

static score_status on_event(void *context, const import_event *e)
{
	reader *r = context;
	bool begins = e->kind == IMPORT_OBJECT_BEGIN || e->kind == IMPORT_ARRAY_BEGIN;
	bool ends = e->kind == IMPORT_OBJECT_END || e->kind == IMPORT_ARRAY_END;
	if (r->skip) {
		r->skip = begins ? r->skip + 1 : ends ? r->skip - 1 : r->skip;
		return SCORE_OK;
	}
	if (r->depth && top(r)->place == IN_ARRAY && top(r)->key->kind == REFUSED && !ends)
		return sl_fail_at(r->file->error, SCORE_ERR_UNSUPPORTED, e->offset, -1,
			"models with \"%s\" are not supported" WITHOUT, top(r)->key->name);
	switch (e->kind) {
	case IMPORT_OBJECT_BEGIN:
		return on_object_begin(r, e);
	case IMPORT_OBJECT_END:
		return import_cb_end_object(r);
	case IMPORT_ARRAY_BEGIN:
		return on_array_begin(r, e);
	case IMPORT_ARRAY_END:
		return on_array_end(r, e);
	case IMPORT_KEY:
		return on_key(r, e);
	default:
		return on_scalar(r, e);
	}
}

/* ---- the whole file ----------------------------------------------------------------------------- */

score_status import_cb_read(cb_file *f, const void *data, size_t size)
{
	reader r = {.file = f};
	if (!sl_vector_push(&f->text, "", 1)) /* position 0 is the empty string */
		return sl_fail_memory(f->error, sl_vector_refused(&f->text, 1));
	score_status status = import_read_json(data, size, &f->allocator, on_event, &r, f->error);
	f->loss = r.words[LOSS];
	f->version = r.words[VERSION];
	f->threshold = r.words[THRESHOLD];
	f->classes_count = r.wholes[CLASSES_COUNT];
	if (status == SCORE_OK && !r.has_trees)
		return sl_fail(f->error, SCORE_ERR_CORRUPT,
			"not a CatBoost model: there is neither \"oblivious_trees\" nor \"trees\"");
	return status;
}
