/*
 * From distinct tests to code columns, bin tables and questions.
 *
 * Comes in: a forest. Goes out: which columns a row is binned into, how, and what each test asks of them.
 */
#include "parts.h"

#include <math.h>

#define MAX_CATEGORY_CODE 65000u

typedef struct making {
	engine *e;
	sl_arena *arena;
	score_error *error;
	code_column *columns;
	uint32_t *used, *first_column;
	question *questions;
	uint32_t n_columns, n_tables;
} making;

static score_status no_memory(making *m)
{
	return sl_fail_memory(m->error, sizeof(code_column) * m->n_columns);
}

/* Column of the feature at `first` … that obeys the test's rule; added if new. */
static uint32_t find_column(making *m, uint32_t first, const forest_test *t)
{
	bool is_category = t->kind != FOREST_NUMERIC;
	for (uint32_t c = first; c < m->n_columns; c++) {
		const code_column *column = m->columns + c;
		if (column->is_category == is_category && (is_category || (column->zero_is_missing == t->zero_is_missing &&
			(column->missing == MISSING_HIGH) == t->missing_right)))
			return c;
	}
	m->columns[m->n_columns] = (code_column){.feature = t->feature, .is_category = is_category,
		.missing = t->missing_right && !is_category ? MISSING_HIGH : MISSING_LOW,
		.zero_is_missing = t->zero_is_missing};
	return m->n_columns++;
}

/* Tests are sorted by feature and numeric first, so that a feature's columns come out together. */
static void list_columns(making *m)
{
	const forest *f = m->e->f;
	uint32_t n_used = 0;
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		if (i == 0 || forest_test_at(f, i - 1).feature != t->feature) {
			m->used[n_used] = t->feature;
			m->first_column[n_used++] = m->n_columns;
			m->e->n_used_inputs += t->feature < f->n_features;
		}
		uint32_t c = find_column(m, m->first_column[n_used - 1], t);
		m->questions[i] = (question){c, t->kind == FOREST_NUMERIC ? t->index : m->n_tables++};
	}
	m->first_column[n_used] = m->n_columns;
	m->e->n_used_features = n_used;
}

/* ---- categories ---------------------------------------------------------------------------------------- */

static int compare_u32(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
	return a < b ? -1 : a > b;
}

/* Sorted union of the sets that tests [first, end) name. */
static score_status unite_sets(making *m, column_tables *column, uint32_t first, uint32_t end)
{
	const forest *f = m->e->f;
	sl_vector all;
	sl_vector_init(&all, &m->arena->allocator, sizeof(uint32_t));
	for (uint32_t i = first; i < end; i++) {
		uint32_t set = forest_test_at(f, i).index;
		if (i > first && forest_test_at(f, i - 1).index == set)
			continue;
		const uint32_t begin = forest_set_first(f, set), n = forest_set_first(f, set + 1) - begin;
		uint32_t *to = n ? sl_vector_grow(&all, n) : NULL;
		if (n && !to) {
			sl_vector_free(&all);
			return no_memory(m);
		}
		for (uint32_t k = 0; k < n; k++)
			to[k] = forest_set_member(f, begin + k);
	}
	uint32_t *list = all.data, kept = 0;
	if (all.length)
		sl_sort(list, all.length, sizeof *list, compare_u32);
	for (size_t i = 0; i < all.length; i++) {
		if (kept == 0 || list[kept - 1] != list[i])
			list[kept++] = list[i];
	}
	column->n_categories = kept;
	column->categories = sl_arena_copy(m->arena, list, kept, sizeof *list);
	sl_vector_free(&all);
	if (!column->categories)
		return no_memory(m);
	if (kept > MAX_CATEGORY_CODE)
		return sl_fail(m->error, SCORE_ERR_LIMIT, "feature %u has splits on %u categories, the limit is %u",
			forest_test_at(f, first).feature, kept, MAX_CATEGORY_CODE);
	return SCORE_OK;
}

/* Bytes of a column's tables: where there are blocks, at least 256 bits, so that they look byte codes up without a bound. */
static uint32_t table_bytes(const making *m, const column_tables *column)
{
	const uint32_t n_codes = column->n_categories + 2;
	return n_codes <= 256 && !m->e->small ? 256 / 8 : (n_codes + 7) / 8;
}

/* Bit c of the table, which is zero, answers "right" for code c. */
static void fill_table(const making *m, const column_tables *column, const forest_test *t, uint8_t *table)
{
	const forest *f = m->e->f;
	uint32_t n_codes = column->n_categories + 2;
	bool in_is_right = t->kind == FOREST_CATEGORY;
	uint32_t member = forest_set_first(f, t->index);
	const uint32_t end = forest_set_first(f, t->index + 1);
	for (uint32_t i = 0; i < column->n_categories; i++) {
		while (member < end && forest_set_member(f, member) < column->categories[i])
			member++;
		bool in = member < end && forest_set_member(f, member) == column->categories[i];
		table[(i + 1) / 8] |= (uint8_t)((in == in_is_right) << ((i + 1) % 8));
	}
	table[0] |= (uint8_t)!in_is_right;
	table[(n_codes - 1) / 8] |= (uint8_t)(t->missing_right << ((n_codes - 1) % 8));
}

/* Of the set tests about the feature of test `first`, if it is one. */
static uint32_t end_of_sets(const forest *f, uint32_t first)
{
	const uint32_t feature = forest_test_at(f, first).feature;
	uint32_t end = first;
	while (end < f->n_tests && forest_test_at(f, end).feature == feature && forest_test_at(f, end).kind != FOREST_NUMERIC)
		end++;
	return end;
}

/* Of a column whose tests are [first, end). */
static score_status make_column_tables(making *m, uint32_t first, uint32_t end, column_tables *of_column)
{
	score_status status = unite_sets(m, of_column, first, end);
	if (status != SCORE_OK)
		return status;
	const uint32_t bytes = table_bytes(m, of_column);
	uint8_t *bits = sl_arena_alloc(m->arena, end - first, bytes);
	if (!bits)
		return no_memory(m);
	for (uint32_t i = first; i < end; i++) {
		const forest_test test = forest_test_at(m->e->f, i);
		fill_table(m, of_column, &test, bits + (size_t)(i - first) * bytes);
	}
	of_column->bits = bits;
	of_column->first = m->questions[first].cut;
	of_column->bytes = bytes;
	return SCORE_OK;
}

static score_status make_tables(making *m)
{
	const forest *f = m->e->f;
	column_tables *tables = m->n_tables ? sl_arena_alloc(m->arena, m->n_columns, sizeof *tables) : NULL;
	score_status status = m->n_tables && !tables ? no_memory(m) : SCORE_OK;
	for (uint32_t i = 0, end; i < f->n_tests && status == SCORE_OK && tables; i = end) {
		end = end_of_sets(f, i);
		if (end == i)
			end++;
		else
			status = make_column_tables(m, i, end, tables + m->questions[i].column);
	}
	m->e->n_tables = m->n_tables;
	m->e->tables = tables;
	return status;
}

/* ---- bin tables ------------------------------------------------------------------------------------------ */

/* x >= cut for a float x is x >= the smallest float that is not below the cut. */
static float round_up(double cut)
{
	float x = (float)cut;
	return (double)x < cut ? nextafterf(x, INFINITY) : x;
}

/* Room for the cuts of one feature after the other, while their maps are made. */
typedef struct cut_room {
	float *narrow;
	double *wide; /* NULL: the model compares in float */
	size_t n;
} cut_room;

static void fill_cuts(const cut_room *room, const forest *f, const forest_feature *feature)
{
	const uint32_t n = feature->n_cuts;
	for (size_t i = 0; i < bin_padded(n); i++) {
		const double cut = i < n ? forest_real(&f->cuts, feature->first_cut + i) : (double)NAN;
		room->narrow[i] = i < n ? round_up(cut) : NAN;
		if (room->wide)
			room->wide[i] = cut;
	}
}

/* `n` of a feature's cuts and NaN from the room: the forest's own if they are as wide and no NaN is wanted. */
static const void *keep_cuts(making *m, const forest_feature *feature, const void *room, size_t n, uint32_t bytes)
{
	const forest_reals *cuts = &m->e->f->cuts;
	if (cuts->bytes == bytes && n == feature->n_cuts)
		return (const char *)cuts->values + (size_t)feature->first_cut * bytes;
	return sl_arena_copy(m->arena, room, n, bytes);
}

/* So many cuts and NaN does a search look at: in a register of 16 those behind the last pivot, else as far as a map's steps reach. */
static size_t cuts_to_keep(const engine *e, uint32_t n, const bin_map *map)
{
	size_t reach = ((size_t)1 << map->steps) - 1;
	if (e->k->look_up_cuts && e->code_bytes == 1)
		return sl_round_up((size_t)n + 1, 16);
	return reach > n ? reach : n;
}

/* Every 16th cut, for kernels that rank values by them. */
static bool make_pivots(making *m, bin_table *t, wide_cuts *wide)
{
	static const float none_f32[16] = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
	static const double none_f64[16] = {(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN,
		(double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN, (double)NAN};
	t->narrow_pivots = none_f32;
	if (wide)
		wide->pivots = none_f64;
	if (t->n < 16 || m->e->code_bytes > 1 || !m->e->k->rank_f32)
		return true;
	float *f32 = sl_arena_alloc(m->arena, 16, sizeof *f32);
	double *f64 = wide ? sl_arena_alloc(m->arena, 16, sizeof *f64) : NULL;
	for (size_t i = 0; i < 16 && f32; i++)
		f32[i] = 16 * i + 15 < t->n ? t->narrow[16 * i + 15] : NAN;
	for (size_t i = 0; i < 16 && f64; i++)
		f64[i] = 16 * i + 15 < t->n ? wide->cuts[16 * i + 15] : (double)NAN;
	t->narrow_pivots = f32;
	if (wide)
		wide->pivots = f64;
	return f32 && (f64 || !wide);
}

static bool make_bin(making *m, const cut_room *room, bin_table *t, wide_cuts *wide, const forest_feature *feature)
{
	t->n = feature->n_cuts;
	fill_cuts(room, m->e->f, feature);
	t->narrow = room->narrow;
	t->wide = wide;
	if (wide)
		wide->cuts = room->wide;
	if (!engine_make_bin_maps(m->e, m->arena, t, wide))
		return false;
	t->narrow = keep_cuts(m, feature, room->narrow, cuts_to_keep(m->e, t->n, &t->narrow_map), sizeof *t->narrow);
	if (wide)
		wide->cuts = keep_cuts(m, feature, room->wide, cuts_to_keep(m->e, t->n, &wide->map), sizeof *wide->cuts);
	return t->narrow && (!wide || wide->cuts) && make_pivots(m, t, wide);
}

static score_status make_bins(making *m)
{
	const forest *f = m->e->f;
	const score_allocator *a = &m->arena->allocator;
	bin_table *bins = sl_arena_alloc(m->arena, m->e->n_used_features, sizeof *bins);
	wide_cuts *wide = f->contract.compare == SCORE_F64 ? sl_arena_alloc(m->arena, m->e->n_used_features, sizeof *wide) : NULL;
	cut_room room = {.n = 0};
	for (uint32_t u = 0; u < m->e->n_used_features; u++) {
		size_t n = bin_padded(f->features[m->used[u]].n_cuts);
		room.n = n > room.n ? n : room.n;
	}
	room.narrow = sl_alloc(a, room.n * sizeof *room.narrow, SL_CACHE_LINE);
	room.wide = wide ? sl_alloc(a, room.n * sizeof *room.wide, SL_CACHE_LINE) : NULL;
	bool done = bins && (wide || f->contract.compare != SCORE_F64) && (!room.n || (room.narrow && (room.wide || !wide)));
	for (uint32_t u = 0; u < m->e->n_used_features && done; u++) {
		done = make_bin(m, &room, bins + u, wide ? wide + u : NULL, f->features + m->used[u]);
	}
	sl_free(a, room.narrow, room.n * sizeof *room.narrow, SL_CACHE_LINE);
	sl_free(a, room.wide, room.n * sizeof *room.wide, SL_CACHE_LINE);
	m->e->bins = bins;
	return done ? SCORE_OK : no_memory(m);
}

/* The narrowest code that holds every column's codes and the high missing code above all cuts. */
static uint32_t code_bytes(const making *m)
{
	const forest *f = m->e->f;
	/* Nodes of the walk count some codes behind those of the columns, too. */
	const uint64_t numbers = (uint64_t)m->n_columns + (forest_most_splits(f) >> 16);
	uint32_t most = numbers > UINT16_MAX || m->n_tables > UINT16_MAX ? UINT32_MAX : 0;
	for (uint32_t c = 0; c < m->n_columns; c++) {
		const code_column *column = m->columns + c;
		/* codes 0 … n_cuts, or 0 … n_categories + 1 */
		uint32_t highest = column->is_category ? m->e->tables[c].n_categories + 1 : f->features[column->feature].n_cuts;
		most = highest > most ? highest : most;
	}
	return most <= UINT8_MAX ? 1 : most <= UINT16_MAX ? 2 : 4;
}

/* How many features tests are about, and how many columns those make. */
static void count_columns(const forest *f, size_t *n_features, size_t *n_columns)
{
	uint32_t seen = 0;
	*n_features = *n_columns = 0;
	for (uint32_t i = 0; i < f->n_tests; i++) {
		const forest_test test = forest_test_at(f, i), *t = &test;
		const uint32_t rule = t->kind == FOREST_NUMERIC ? 1u << (4 * t->missing_right + t->zero_is_missing) : 1u << 16;
		if (i == 0 || forest_test_at(f, i - 1).feature != t->feature) {
			seen = 0;
			(*n_features)++;
		}
		*n_columns += (seen & rule) == 0;
		seen |= rule;
	}
}

/* What the rules of short tests ask; NULL: no memory. */
static const rule_question *list_rule_questions(const making *m)
{
	const forest *f = m->e->f;
	size_t n = 0;
	for (uint32_t i = 0; i < f->n_tests; i++)
		n = f->tests.narrow[i].rule >= n ? (size_t)f->tests.narrow[i].rule + 1 : n;
	rule_question *rules = sl_arena_alloc(m->arena, n, sizeof *rules);
	for (uint32_t i = 0; i < f->n_tests && rules; i++) {
		const question *q = m->questions + i;
		const bool is_set = m->columns[q->column].is_category;
		rules[f->tests.narrow[i].rule] = (rule_question){q->column, is_set ? i - q->cut : RULE_OF_NUMBERS};
	}
	return rules;
}

/* Short tests of the forest are questions; others are kept, those whose numbers are codes of up to two bytes as short ones. */
static bool keep_questions(making *m)
{
	uint32_t n = m->e->f->n_tests;
	question_list *list = &m->e->questions;
	if (m->e->f->tests.narrow) {
		list->narrow = m->e->f->tests.narrow;
		list->rules = m->n_tables ? list_rule_questions(m) : NULL;
		return list->rules || !m->n_tables;
	}
	list->wide = m->e->code_bytes > 2 ? sl_arena_copy(m->arena, m->questions, n, sizeof *list->wide) : NULL;
	forest_short_test *narrow = m->e->code_bytes > 2 ? NULL : sl_arena_alloc(m->arena, n, sizeof *narrow);
	for (uint32_t i = 0; narrow && i < n; i++)
		narrow[i] = (forest_short_test){(uint16_t)m->questions[i].column, (uint16_t)m->questions[i].cut};
	list->narrow = narrow;
	return list->wide || list->narrow;
}

score_status engine_make_columns(engine *e, sl_arena *arena, score_error *error)
{
	const forest *f = e->f;
	making m = {.e = e, .arena = arena, .error = error};
	size_t n_features, n_columns, bytes = f->n_tests * sizeof *m.questions;
	count_columns(f, &n_features, &n_columns);
	m.columns = sl_arena_alloc(arena, n_columns, sizeof *m.columns);
	m.used = sl_arena_alloc(arena, n_features, sizeof *m.used);
	m.first_column = sl_arena_alloc(arena, n_features + 1, sizeof *m.first_column);
	m.questions = sl_alloc(&arena->allocator, bytes, SL_CACHE_LINE);
	if (!m.columns || !m.used || !m.first_column || (bytes && !m.questions)) {
		sl_free(&arena->allocator, m.questions, bytes, SL_CACHE_LINE);
		return no_memory(&m);
	}
	list_columns(&m);
	e->n_columns = m.n_columns;
	e->used_features = m.used;
	e->first_column = m.first_column;
	e->columns = m.columns;
	e->plain_columns = e->n_columns == e->n_used_features;
	for (uint32_t c = 0; c < e->n_columns; c++)
		e->plain_columns &= !e->columns[c].is_category && !e->columns[c].zero_is_missing;
	score_status status = make_tables(&m);
	if (status == SCORE_OK) {
		e->code_bytes = code_bytes(&m);
		status = keep_questions(&m) ? SCORE_OK : no_memory(&m);
	}
	sl_free(&arena->allocator, m.questions, bytes, SL_CACHE_LINE);
	return status == SCORE_OK ? make_bins(&m) : status;
}

/* Planes of the codes of n cuts; 0: they are bytes. */
static uint32_t slices_of(uint32_t n)
{
	if (n == 0 || n >= 1u << SLICE_MOST_PLANES)
		return 0;
	return n < 16 ? 4 : SLICE_MOST_PLANES;
}

score_status engine_make_places(engine *e, sl_arena *arena, score_error *error)
{
	const size_t n = (size_t)e->n_columns + 1;
	uint32_t n_sliced = 0, place = 0;
	if (!e->k->slice || e->code_bytes > 1)
		return SCORE_OK;
	uint32_t *places = sl_arena_alloc(arena, n, sizeof *places);
	if (!places)
		return sl_fail_memory(error, n * sizeof *places);
	for (uint32_t u = 0; u < e->n_used_features; u++) {
		const uint32_t end = e->first_column[u + 1];
		const uint32_t planes = e->columns[end - 1].is_category ? 0 : slices_of(e->bins[u].n);
		for (uint32_t c = e->first_column[u]; c < end; c++, place += planes ? planes : 8) {
			places[c] = place;
			n_sliced += planes > 0;
		}
		places[end] = place;
	}
	e->places = n_sliced ? places : NULL;
	return SCORE_OK;
}
