/*
 * A tree as a boolean function: every leaf gets a code, and each bit of the code (a plane, one bit per row) is computed by
 * selects on predicate planes.
 *
 * Path codes cost least: a split that owns plane P - 1 gives its left side the codes with that bit clear and its right side
 * those with it set; the plane is the split's predicate itself. Lower planes need a select only where both sides define
 * them. Where the path no longer fits the planes, a subtree falls back to packed codes: leaves numbered in order, every
 * plane selected at every split.
 *
 * The tree is given in preorder, so that going through its splits forwards meets parents first and backwards children
 * first: no recursion.
 */
#include "planes.h"

#define MAX_SPLITS (MAX_CODED_LEAVES - 1)
#define MAX_PLANES 8
#define UNDEFINED UINT16_MAX /* no code below a split depends on this plane */
#define MAX_OPS (MAX_SPLITS * MAX_PLANES)

typedef struct shape {
	uint8_t height[MAX_SPLITS];
	uint16_t n_leaves[MAX_SPLITS];
	uint16_t first_leaf[MAX_SPLITS];
	uint32_t path_ops; /* selects that path codes need, if they fit */
} shape;

struct tree_coder {
	const forest_tree *t;
	int32_t left[MAX_SPLITS + 1], right[MAX_SPLITS + 1];
	uint16_t slot_of_split[MAX_SPLITS];
	uint32_t first_scratch;
	tree_code *out;
	shape shape;
	uint8_t planes_left[MAX_SPLITS]; /* planes that the split and what is below it may use */
	uint8_t code[MAX_SPLITS];        /* first code of the split's block */
	bool packed[MAX_SPLITS];
	uint16_t slots[MAX_SPLITS][MAX_PLANES];
	select_op ops[MAX_OPS];
	uint16_t level[MAX_OPS];         /* longest chain of operations below */
	uint32_t n_ops, n_levels;
};

static uint32_t leaves_of(const tree_coder *c, int32_t child)
{
	return child < 0 ? 1 : c->shape.n_leaves[child];
}

static uint32_t height_of(const tree_coder *c, int32_t child)
{
	return child < 0 ? 0 : c->shape.height[child];
}

static void measure(tree_coder *c)
{
	c->shape.path_ops = 0;
	for (uint32_t s = c->t->n_splits; s-- > 0;) {
		int32_t l = c->left[s], r = c->right[s];
		uint32_t hl = height_of(c, l), hr = height_of(c, r);
		c->shape.height[s] = (uint8_t)(1 + (hl > hr ? hl : hr));
		c->shape.n_leaves[s] = (uint16_t)(leaves_of(c, l) + leaves_of(c, r));
		c->shape.first_leaf[s] = (uint16_t)(l < 0 ? (uint32_t)~l : c->shape.first_leaf[l]);
		c->shape.path_ops += hl < hr ? hl : hr;
	}
}

static uint32_t height_of_tree(const tree_coder *c)
{
	return c->t->n_splits ? c->shape.height[0] : 0;
}

static uint32_t fewest_planes(const tree_coder *c, uint32_t min_planes)
{
	uint32_t need = min_planes;
	while ((1u << need) < c->t->n_splits + 1)
		need++;
	return need;
}

/* More planes than levels have no use. */
static uint32_t most_planes(const tree_coder *c, uint32_t fewest)
{
	uint32_t planes = height_of_tree(c) < MAX_PLANES ? height_of_tree(c) : MAX_PLANES;
	return planes < fewest ? fewest : planes;
}

static void set_leaf(tree_coder *c, uint32_t code, uint32_t n, uint32_t leaf)
{
	for (uint32_t i = 0; i < n; i++)
		c->out->leaf_of_code[code + i] = (uint16_t)leaf;
}

/* Block of codes [code, code + 2^planes) for a child on the path side. */
static void give_block(tree_coder *c, int32_t child, uint32_t planes, uint32_t code)
{
	if (child < 0) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): a split without planes is packed */
		set_leaf(c, code, 1u << planes, (uint32_t)~child);
		return;
	}
	c->planes_left[child] = (uint8_t)planes;
	c->code[child] = (uint8_t)code;
	c->packed[child] = false;
}

static void give_packed(tree_coder *c, int32_t child, uint32_t planes, uint32_t code)
{
	if (child < 0)
		return;
	c->planes_left[child] = (uint8_t)planes;
	c->code[child] = (uint8_t)code;
	c->packed[child] = true;
}

/* A packed subtree's leaves lie next to each other: number them from its block's first code. */
static void number_leaves(tree_coder *c, uint32_t split)
{
	for (uint32_t i = 0; i < c->shape.n_leaves[split]; i++)
		set_leaf(c, c->code[split] + i, 1, c->shape.first_leaf[split] + i);
}

static void assign_codes(tree_coder *c)
{
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		int32_t l = c->left[s], r = c->right[s];
		uint32_t planes = c->planes_left[s], half = planes ? 1u << (planes - 1) : 0;
		bool fits = c->shape.height[s] <= planes || (leaves_of(c, l) <= half && leaves_of(c, r) <= half);
		if (!c->packed[s] && !fits) {
			c->packed[s] = true;
			number_leaves(c, s);
		}
		if (c->packed[s]) {
			give_packed(c, l, planes, c->code[s]);
			give_packed(c, r, planes, c->code[s] + leaves_of(c, l));
		} else {
			give_block(c, l, planes - 1, c->code[s]);
			give_block(c, r, planes - 1, c->code[s] + half);
		}
	}
}

/* ---- selects ------------------------------------------------------------------------------------------------ */

static uint32_t level_of(const tree_coder *c, uint16_t slot)
{
	return slot >= c->first_scratch ? c->level[slot - c->first_scratch] + 1u : 0;
}

/* The plane `mask ? b : a`, by an operation only where nothing simpler is the same. */
static uint16_t choose(tree_coder *c, uint16_t mask, uint16_t a, uint16_t b)
{
	if (a == UNDEFINED || a == b)
		return b;
	if (b == UNDEFINED)
		return a;
	if (a == SLOT_ZERO && b == SLOT_ONES)
		return mask;
	uint32_t l = level_of(c, mask), la = level_of(c, a), lb = level_of(c, b);
	l = la > l ? la : l;
	uint16_t dst = (uint16_t)(c->first_scratch + c->n_ops);
	l = lb > l ? lb : l;
	c->level[c->n_ops] = (uint16_t)l;
	c->n_levels = l >= c->n_levels ? l + 1 : c->n_levels;
	c->ops[c->n_ops++] = (select_op){mask, a, b, dst};
	return dst;
}

/* Planes of a child; a packed leaf's code is relative to its packed root, whose block is aligned. */
static void child_slots(const tree_coder *c, int32_t child, bool packed, uint32_t code, uint32_t planes, uint16_t *slots)
{
	if (child >= 0) {
		memcpy(slots, c->slots[child], sizeof c->slots[child]);
		return;
	}
	for (uint32_t k = 0; k < MAX_PLANES; k++)
		slots[k] = (uint16_t)(!packed || k >= planes ? UNDEFINED : code >> k & 1 ? SLOT_ONES : SLOT_ZERO);
}

static void build_planes(tree_coder *c)
{
	for (uint32_t s = c->t->n_splits; s-- > 0;) {
		uint16_t a[MAX_PLANES], b[MAX_PLANES], mask = c->slot_of_split[s];
		uint32_t planes = c->planes_left[s];
		bool packed = c->packed[s];
		child_slots(c, c->left[s], packed, c->code[s], planes, a);
		child_slots(c, c->right[s], packed, c->code[s] + leaves_of(c, c->left[s]), planes, b);
		uint32_t below = packed ? planes : planes - 1;
		for (uint32_t k = 0; k < MAX_PLANES; k++)
			c->slots[s][k] = k < below ? choose(c, mask, a[k], b[k]) : UNDEFINED;
		if (!packed)
			c->slots[s][below] = mask;
	}
}

/* ---- schedule ------------------------------------------------------------------------------------------------ */

/* Level by level, so that no operation waits for the one before it. Stable within a level. */
static void sort_by_level(tree_coder *c, uint16_t *order)
{
	uint32_t counts[MAX_OPS + 1];
	memset(counts, 0, (c->n_levels + 1) * sizeof *counts);
	for (uint32_t i = 0; i < c->n_ops; i++)
		counts[c->level[i] + 1u]++;
	for (uint32_t l = 1; l <= c->n_levels; l++)
		counts[l] += counts[l - 1];
	for (uint32_t i = 0; i < c->n_ops; i++)
		order[counts[c->level[i]]++] = (uint16_t)i;
}

/* Position of the last operation that reads each result; results of the tree are read last of all. */
static void find_last_uses(const tree_coder *c, const uint16_t *order, uint16_t *last)
{
	memset(last, 0, c->n_ops * sizeof *last);
	for (uint32_t i = 0; i < c->n_ops; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): an order of all n_ops */
		const select_op *op = c->ops + order[i];
		const uint16_t reads[] = {op->mask, op->a, op->b};
		for (uint32_t k = 0; k < 3; k++) {
			if (reads[k] >= c->first_scratch)
				last[reads[k] - c->first_scratch] = (uint16_t)i;
		}
	}
	for (uint32_t k = 0; k < c->out->n_planes; k++) {
		if (c->out->planes[k] >= c->first_scratch)
			last[c->out->planes[k] - c->first_scratch] = UINT16_MAX;
	}
}

/* Give results slots that are free again, oldest first, so that a slot rests long before it is written anew. */
static bool allocate_slots(tree_coder *c, const uint16_t *order, const uint16_t *last, sl_vector *ops)
{
	uint16_t slot_of[MAX_OPS], queue[MAX_OPS + 1];
	uint32_t head = 0, tail = 0, n_slots = 0;
	select_op *to = sl_vector_grow(ops, c->n_ops);
	if (!to)
		return false;
	for (uint32_t i = 0; i < c->n_ops; i++) {
		const select_op *op = c->ops + order[i];
		const uint16_t reads[] = {op->mask, op->a, op->b};
		uint16_t now[3];
		for (uint32_t k = 0; k < 3; k++)
			now[k] = reads[k] < c->first_scratch ? reads[k] : slot_of[reads[k] - c->first_scratch];
		for (uint32_t k = 0; k < 3; k++) {
			bool repeated = (k > 0 && reads[k] == reads[0]) || (k > 1 && reads[k] == reads[1]);
			if (reads[k] >= c->first_scratch && last[reads[k] - c->first_scratch] == i && !repeated) {
				queue[tail] = now[k];
				tail = (tail + 1) % (MAX_OPS + 1);
			}
		}
		uint16_t slot;
		if (head != tail) {
			slot = queue[head];
			head = (head + 1) % (MAX_OPS + 1);
		} else {
			slot = (uint16_t)(c->first_scratch + n_slots++);
		}
		slot_of[op->dst - c->first_scratch] = slot;
		to[i] = (select_op){now[0], now[1], now[2], slot};
	}
	for (uint32_t k = 0; k < c->out->n_planes; k++) {
		if (c->out->planes[k] >= c->first_scratch)
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): what is read was some operation's result */
			c->out->planes[k] = slot_of[c->out->planes[k] - c->first_scratch];
	}
	c->out->n_scratch = n_slots;
	return true;
}

static bool schedule(tree_coder *c, sl_vector *ops)
{
	uint16_t order[MAX_OPS], last[MAX_OPS];
	sort_by_level(c, order);
	find_last_uses(c, order, last);
	return allocate_slots(c, order, last, ops);
}

/* ---- full trees ------------------------------------------------------------------------------------------------ */

/* The fixed program has a select for every place of a full tree, but keeps all of them in registers: one of its places
 * costs about two fifths of a listed operation. A tree whose levels each ask one question needs no selects at all. */
static bool prefers_full(const tree_coder *c)
{
	uint32_t height = height_of_tree(c);
	return height >= 3 && height <= FULL_DEPTH && 2u << height < 5 * c->shape.path_ops;
}

/* Path codes are what the fixed program computes: place i's children are at 2 i + 1 and 2 i + 2. */
static void find_places(const tree_coder *c, uint16_t *place)
{
	place[0] = 0;
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		if (c->left[s] >= 0)
			place[c->left[s]] = (uint16_t)(2 * place[s] + 1);
		if (c->right[s] >= 0)
			place[c->right[s]] = (uint16_t)(2 * place[s] + 2);
	}
}

static bool is_oblivious(const tree_coder *c, const uint16_t *place)
{
	uint32_t of_level[FULL_DEPTH];
	if (c->t->n_splits != (1u << height_of_tree(c)) - 1)
		return false;
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		uint32_t level = 31u - (uint32_t)__builtin_clz(place[s] + 1u);
		/* The leftmost place of a level comes first in preorder. */
		if (place[s] + 1u == 1u << level)
			of_level[level] = c->slot_of_split[s];
		else if (c->slot_of_split[s] != of_level[level])
			return false;
	}
	return true;
}

static bool place_splits(tree_coder *c)
{
	uint16_t place[MAX_SPLITS];
	if (!prefers_full(c))
		return false;
	find_places(c, place);
	if (is_oblivious(c, place))
		return false;
	for (uint32_t s = 0; s < c->t->n_splits; s++)
		c->out->full_slots[place[s]] = c->slot_of_split[s];
	c->out->full_depth = height_of_tree(c);
	return true;
}

tree_coder *engine_coder_new(const score_allocator *allocator)
{
	return sl_alloc(allocator, sizeof(tree_coder), 64);
}

void engine_coder_free(const score_allocator *allocator, tree_coder *coder)
{
	sl_free(allocator, coder, sizeof *coder, 64);
}

/* Codes of `planes` bits and the operations that compute them. */
static void code_with(tree_coder *c, uint32_t planes)
{
	c->n_ops = c->n_levels = 0;
	c->out->n_planes = planes;
	give_block(c, 0, planes, 0);
	assign_codes(c);
	build_planes(c);
}

/* Fewer planes make leaf tables smaller and sums cheaper, but need packed codes and so more operations. */
static void code_cheapest(tree_coder *c, uint32_t fewest, uint32_t most, const uint8_t *sum_cost)
{
	uint32_t best = most, least = UINT32_MAX;
	for (uint32_t planes = most + 1; planes-- > fewest && most > fewest;) {
		code_with(c, planes);
		if (c->n_ops + sum_cost[planes] < least) {
			least = c->n_ops + sum_cost[planes];
			best = planes;
		}
	}
	if (c->out->n_planes != best)
		code_with(c, best);
}

bool engine_code_tree(tree_coder *c, const forest *f, const forest_tree *t, const coder_rules *rules,
	const uint16_t *slot_of_test, uint32_t first_scratch, sl_vector *ops, tree_code *out)
{
	memset(out, 0, sizeof *out);
	forest_children children = {c->left, c->right, sizeof c->left};
	c->t = t;
	forest_list_children(f, t, &children);
	for (uint32_t s = 0; s < t->n_splits; s++)
		c->slot_of_split[s] = slot_of_test[forest_number(&f->split_test, (size_t)t->first_split + s)];
	c->first_scratch = first_scratch;
	c->out = out;
	c->n_ops = c->n_levels = 0;
	measure(c);
	uint32_t fewest = fewest_planes(c, rules->min_planes), most = most_planes(c, fewest);
	out->n_planes = most;
	if (t->n_splits && place_splits(c)) {
		give_block(c, 0, most, 0);
		assign_codes(c);
		return true;
	}
	if (t->n_splits) {
		out->n_planes = UNDEFINED;
		code_cheapest(c, fewest, most, rules->sum_cost);
	}
	for (uint32_t k = 0; k < out->n_planes; k++) {
		uint16_t slot = t->n_splits ? c->slots[0][k] : UNDEFINED;
		out->planes[k] = slot == UNDEFINED ? SLOT_ZERO : slot;
	}
	return schedule(c, ops);
}

/* ---- cursors ----------------------------------------------------------------------------------------------------- */

bool engine_code_steps(const tree_coder *c, const tree_code *out, sl_vector *steps, uint8_t *start)
{
	uint8_t code_of_leaf[MAX_CODED_LEAVES];
	cursor_step *to = sl_vector_grow(steps, c->t->n_splits);
	if (!to)
		return false;
	memset(code_of_leaf, 0, sizeof code_of_leaf);
	for (uint32_t code = 0; code < 1u << out->n_planes; code++)
		code_of_leaf[out->leaf_of_code[code]] = (uint8_t)code;
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		int32_t r = c->right[s];
		uint32_t first_right = r < 0 ? (uint32_t)~r : c->shape.first_leaf[r];
		to[s] = (cursor_step){c->slot_of_split[s], code_of_leaf[c->shape.first_leaf[s]], code_of_leaf[first_right]};
	}
	*start = code_of_leaf[c->shape.first_leaf[0]];
	return true;
}
