/*
 * Trees as pages, for the walk through deep trees: a page holds up to 15 splits that are answered at once.
 *
 * Comes in: a forest with its columns. Goes out: a page_plan, or none if the kernels, the columns or the trees do not allow it. A
 * page grows from its root by the split that most training rows reach, or most leaves lie below, so that a row meets few pages.
 * What is left of a tree at its bottom are many small parts, which share pages: an entry says where a part's exits begin.
 */
#include "parts.h"

#define LEAST_SPLITS 256u        /* of the largest tree: smaller ones have faster regimes */
#define MOST_PAGES (PAGE_LEAF / 32)
#define MOST_CUTS UINT16_MAX     /* of a column of two bytes */
#define MOST_WIDE_COLUMNS 64u
#define OPEN_PAGES 8             /* that small parts are offered to */

/* An exit of a part that grows, and the part's splits that it is on the left of. */
typedef struct part_exit {
	forest_side side;
	double weight;
	uint16_t left_of;
} part_exit;

typedef struct part {
	uint32_t n_splits, n_exits;
	uint32_t splits[PAGE_SPLITS];
	part_exit exits[PAGE_EXITS];
} part;

/* A part to grow, and the exit that leads to it. */
typedef struct part_root {
	forest_side side;
	uint32_t page, exit;
} part_root;

typedef struct open_page {
	uint32_t page, n_splits, n_exits;
} open_page;

typedef struct page_maker {
	const engine *e;
	page_plan *plan;
	uint8_t *pages;     /* NULL: pages are only counted */
	double *weights;    /* [leaves of the tree + 1] of the leaves before each */
	sl_vector queue;    /* part_root, of the tree: few beside its splits */
	size_t refused;     /* bytes; not 0: there was no memory for the queue */
	open_page open[OPEN_PAGES];
	uint32_t n_open, n_pages; /* of the tree */
} page_maker;

/* ---- a part ------------------------------------------------------------------------------------------------- */

static void weigh_leaves(const forest *f, const forest_tree *t, double *weights)
{
	weights[0] = 0.0;
	for (uint32_t i = 0; i <= t->n_splits; i++)
		weights[i + 1] = weights[i] + (f->leaf_covers.values ? forest_weight(&f->leaf_covers, (size_t)t->first_leaf + i) : 1.0);
}

static part_exit weighed(const page_maker *m, const forest_tree *t, forest_side side, uint16_t left_of)
{
	uint32_t leaf = side.leaf - t->first_leaf;
	return (part_exit){side, m->weights[leaf + side.n_leaves] - m->weights[leaf], left_of};
}

/* The split to grow by: the exit's place, or n_exits. */
static uint32_t heaviest(const part *p)
{
	uint32_t best = p->n_exits;
	for (uint32_t i = 0; i < p->n_exits; i++) {
		if (!forest_is_leaf(&p->exits[i].side) && (best == p->n_exits || p->exits[i].weight > p->exits[best].weight))
			best = i;
	}
	return best;
}

static void grow(const page_maker *m, const forest_tree *t, const forest_side *root, part *p)
{
	const forest *f = m->e->f;
	p->n_splits = 0;
	p->n_exits = 1;
	p->exits[0] = weighed(m, t, *root, 0);
	for (uint32_t at; p->n_splits < PAGE_SPLITS && (at = heaviest(p)) < p->n_exits; p->n_splits++) {
		const part_exit from = p->exits[at];
		memmove(p->exits + at + 2, p->exits + at + 1, (p->n_exits - at - 1) * sizeof *p->exits);
		p->splits[p->n_splits] = from.side.split;
		p->exits[at] = weighed(m, t, forest_left(f, &from.side), (uint16_t)(from.left_of | 1u << p->n_splits));
		p->exits[at + 1] = weighed(m, t, forest_right(f, &from.side), from.left_of);
		p->n_exits++;
	}
}

/* ---- pages -------------------------------------------------------------------------------------------------- */

/* Nothing is above the highest code: a split that is not there answers left, and closes no exit. */
static void clear_page(uint8_t *page, page_kind kind)
{
	memset(page, 0, PAGE_BYTES);
	memset(page + PAGE_CUTS_AT(kind), UINT8_MAX, PAGE_EXITS * (size_t)(PAGE_IS_WIDE(kind) ? 2 : 1));
}

static void put_question(const page_maker *m, uint8_t *page, uint32_t at, uint32_t split)
{
	const engine *e = m->e;
	const question q = question_at(&e->questions, forest_number(&e->f->split_test, split));
	page_kind kind = m->plan->kind;
	uint32_t column = q.column, cut = q.cut;
	if (m->plan->sources) {
		column = m->plan->first_column[q.column] + q.cut / MOST_CUTS;
		cut = q.cut % MOST_CUTS;
		if (m->plan->sources[m->plan->first_column[q.column]] != q.column) { /* where missing values have the highest code */
			column |= PAGE_MISSING_LEFT;
			cut++;
		}
	}
	page[PAGE_COLUMNS_AT(kind) + at] = (uint8_t)column;
	if (PAGE_IS_WIDE(kind)) {
		uint16_t wide = (uint16_t)cut;
		memcpy(page + PAGE_CUTS_AT(PAGE_U16_32) + 2 * (size_t)at, &wide, sizeof wide);
	} else {
		page[PAGE_CUTS_AT(PAGE_U8_32) + at] = (uint8_t)cut;
	}
}

static void put_exit(const page_maker *m, uint8_t *page, uint32_t at, uint32_t exit)
{
	if (PAGE_IS_WIDE(m->plan->kind)) {
		uint8_t *to = page + 3 * (size_t)at;
		to[0] = (uint8_t)exit;
		to[1] = (uint8_t)(exit >> 8);
		to[2] = (uint8_t)(exit >> 16);
	} else {
		memcpy(page + 4 * (size_t)at, &exit, sizeof exit);
	}
}

/* Where a part goes: beside others if it fits, else on a page of its own, which is offered to others instead of the fullest. */
static open_page place_part(page_maker *m, const part *p)
{
	for (uint32_t i = 0; i < m->n_open; i++) {
		open_page *o = m->open + i, found = *o;
		if (o->n_exits + p->n_exits <= PAGE_EXITS) { /* of which each part has one more than splits */
			o->n_exits += p->n_exits;
			o->n_splits += p->n_splits;
			return found;
		}
	}
	open_page mine = {m->n_pages++, p->n_splits, p->n_exits};
	uint32_t fullest = 0;
	for (uint32_t i = 1; i < m->n_open; i++)
		fullest = m->open[i].n_exits > m->open[fullest].n_exits ? i : fullest;
	if (p->n_exits < PAGE_EXITS)
		m->open[m->n_open < OPEN_PAGES ? m->n_open++ : fullest] = mine;
	return (open_page){mine.page, 0, 0};
}

static void put_part(page_maker *m, uint8_t *tree, const forest_tree *t, const part *p, const open_page *at)
{
	uint8_t *page = tree + PAGE_BYTES * (size_t)at->page;
	if (at->n_exits == 0)
		clear_page(page, m->plan->kind);
	for (uint32_t i = 0; i < p->n_splits; i++)
		put_question(m, page, at->n_splits + i, p->splits[i]);
	for (uint32_t i = 0; i < p->n_exits; i++) {
		uint16_t mask = (uint16_t)(p->exits[i].left_of << at->n_splits);
		memcpy(page + PAGE_MASKS_AT + 2 * (size_t)(at->n_exits + i), &mask, sizeof mask);
		if (forest_is_leaf(&p->exits[i].side))
			put_exit(m, page, at->n_exits + i, PAGE_LEAF | (p->exits[i].side.leaf - t->first_leaf));
	}
}

static void queue_part(page_maker *m, const forest_side *side, uint32_t page, uint32_t exit)
{
	const part_root root = {*side, page, exit};
	if (!sl_vector_push(&m->queue, &root, 1))
		m->refused = sl_vector_refused(&m->queue, 1);
}

/* Pages of a tree from its `first` on; the root's part is the first and stays alone on its page. Without memory they are fewer. */
static void make_tree(page_maker *m, const forest_tree *t, size_t first)
{
	uint8_t *tree = m->pages ? m->pages + PAGE_BYTES * first : NULL;
	const forest_side whole = forest_whole(t);
	m->n_pages = m->n_open = 0;
	m->queue.length = 0;
	queue_part(m, &whole, 0, 0);
	weigh_leaves(m->e->f, t, m->weights);
	for (size_t i = 0; i < m->queue.length; i++) {
		const part_root root = ((const part_root *)m->queue.data)[i];
		part p;
		grow(m, t, &root.side, &p);
		open_page at = place_part(m, &p);
		if (tree) {
			put_part(m, tree, t, &p, &at);
			if (i > 0)
				put_exit(m, tree + PAGE_BYTES * (size_t)root.page, root.exit, at.page << 5 | at.n_exits);
		}
		for (uint32_t x = 0; x < p.n_exits; x++) {
			if (!forest_is_leaf(&p.exits[x].side))
				queue_part(m, &p.exits[x].side, at.page, at.n_exits + x);
		}
	}
}

/* ---- columns ------------------------------------------------------------------------------------------------ */

/* Columns of two bytes, of which a row has n at most: pages tell whether there is room. */
typedef struct column_list {
	uint32_t n, *sources, *bases;
} column_list;

static void list_column(column_list *l, uint32_t source, uint32_t base)
{
	if (l->n < MOST_WIDE_COLUMNS) {
		l->sources[l->n] = source;
		l->bases[l->n] = base;
	}
	l->n++;
}

/* The columns of a feature that differ in where missing values go have the same codes for all others. One is enough: that of the
 * highest code for missing values, which no other value has if there are fewer cuts than codes. The first of a column's kind. */
static uint32_t first_alike(const engine *e, uint32_t column)
{
	const code_column *c = e->columns + column;
	if (e->code_bytes != 2 || e->f->features[c->feature].n_cuts >= MOST_CUTS)
		return column;
	for (uint32_t i = column; i-- > 0 && e->columns[i].feature == c->feature;) {
		if (e->columns[i].zero_is_missing == c->zero_is_missing)
			return i;
	}
	return column;
}

/* Codes of four bytes become columns that share their cuts. */
static bool list_columns(const engine *e, sl_arena *arena, page_plan *plan)
{
	uint32_t *first = sl_arena_alloc(arena, e->n_columns, sizeof *first);
	column_list l = {0, sl_arena_alloc(arena, MOST_WIDE_COLUMNS, sizeof *l.sources), sl_arena_alloc(arena, MOST_WIDE_COLUMNS, sizeof *l.bases)};
	if (!first || !l.sources || !l.bases)
		return false;
	for (uint32_t c = 0; c < e->n_columns && l.n <= MOST_WIDE_COLUMNS; c++) {
		uint32_t n_cuts = e->f->features[e->columns[c].feature].n_cuts, alike = first_alike(e, c);
		if (alike != c) {
			first[c] = first[alike];
			if (e->columns[c].missing == MISSING_HIGH)
				l.sources[first[c]] = c;
			continue;
		}
		first[c] = l.n;
		for (uint32_t base = 0; base == 0 || base < n_cuts; base += MOST_CUTS)
			list_column(&l, c, base);
	}
	plan->n_columns = l.n;
	plan->first_column = first;
	plan->sources = l.sources;
	plan->bases = l.bases;
	return true;
}

static page_kind kind_of(const engine *e, uint32_t n_columns)
{
	if (e->code_bytes > 1)
		return n_columns <= 32 ? PAGE_U16_32 : n_columns <= MOST_WIDE_COLUMNS ? PAGE_U16_64 : PAGE_NONE;
	if (n_columns > e->k->page_columns8)
		return PAGE_NONE;
	return n_columns <= 32 ? PAGE_U8_32 : n_columns <= 64 ? PAGE_U8_64 : PAGE_U8_128;
}

static bool may_serve(const engine *e, uint32_t most_splits)
{
	if (!e->k->page_leaves || e->batch.usable || e->tables || most_splits < LEAST_SPLITS || most_splits >= PAGE_LEAF)
		return false;
	if (e->small && engine_has_small_nodes(e, most_splits)) /* which take four fifths of the room */
		return false;
	return e->code_bytes > 1 || kind_of(e, e->n_columns) != PAGE_NONE;
}

/* ---- the plan ----------------------------------------------------------------------------------------------- */

/* Where each tree begins; the number of pages, or 0 if a tree has too many. */
static size_t count_pages(page_maker *m, uint32_t *first_page)
{
	const forest *f = m->e->f;
	size_t n = 0;
	for (uint32_t t = 0; t < f->n_trees; t++) {
		make_tree(m, f->trees + t, 0);
		first_page[t] = (uint32_t)n;
		n += m->n_pages;
		if (m->n_pages > MOST_PAGES)
			return 0;
	}
	first_page[f->n_trees] = (uint32_t)n; /* there are not more than leaves */
	return n;
}

static bool lay_pages(page_maker *m, sl_arena *arena)
{
	const forest *f = m->e->f;
	uint32_t *first_page = sl_arena_alloc(arena, (size_t)f->n_trees + 1, sizeof *first_page);
	size_t n = first_page ? count_pages(m, first_page) : 0;
	if (n == 0) { /* nodes serve the model */
		m->plan->kind = PAGE_NONE;
		return first_page && !m->refused;
	}
	m->pages = m->refused ? NULL : sl_arena_alloc(arena, n, PAGE_BYTES);
	if (!m->pages)
		return false;
	for (uint32_t t = 0; t < f->n_trees; t++)
		make_tree(m, f->trees + t, first_page[t]);
	m->plan->first_page = first_page;
	m->plan->pages = m->pages;
	return !m->refused;
}

score_status engine_make_pages(engine *e, sl_arena *arena, score_error *error)
{
	const score_allocator *a = &arena->allocator;
	uint32_t most = forest_most_splits(e->f);
	page_plan plan = {.n_columns = e->n_columns};
	if (!may_serve(e, most))
		return SCORE_OK;
	bool done = e->code_bytes == 1 || list_columns(e, arena, &plan);
	plan.kind = kind_of(e, plan.n_columns);
	if (done && plan.kind == PAGE_NONE)
		return SCORE_OK;
	size_t weight_bytes = ((size_t)most + 2) * sizeof(double);
	page_maker m = {.e = e, .plan = &plan, .weights = sl_alloc(a, weight_bytes, 64)};
	sl_vector_init(&m.queue, a, sizeof(part_root));
	done = done && m.weights && lay_pages(&m, arena);
	sl_free(a, m.weights, weight_bytes, 64);
	sl_vector_free(&m.queue);
	if (!done)
		return sl_fail_memory(error, m.refused ? m.refused : weight_bytes);
	e->pages = plan;
	return SCORE_OK;
}
