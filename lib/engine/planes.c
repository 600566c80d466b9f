/*
 * A tree as a boolean function: every leaf gets a code, and each bit of the code (a plane, one bit per row) is computed by
 * selects on predicate planes.
 *
 * Path codes cost least: a split that owns plane P - 1 gives its left side the codes with that bit clear and its right side
 * those with it set; the plane is the split's predicate itself. Lower planes need a select only where both sides define
 * them. Where the path no longer fits the planes, a subtree falls back to packed codes: leaves numbered in order, every
 * plane selected at every split.
 *
 * Trees of many leaves would be packed for the most part. Their codes may be long, two bytes: the high one is the path through
 * the first eight levels, which ends in an exit, a leaf or a subtree; the low one is the code in that subtree. The codes of all
 * exits, side by side, lead to the number of the leaf.
 *
 * The tree is given in preorder, so that going through its splits forwards meets parents first and backwards children
 * first: no recursion.
 */
#include "planes.h"

#define MAX_SPLITS (MAX_CODED_LEAVES - 1)
#define MAX_MORE 4 /* planes of a subtree's low code beyond those that its leaves need */
#define UNDEFINED UINT16_MAX /* no code below a split depends on this plane */

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
	tree_code *out;
	shape shape;
	uint8_t planes_left[MAX_SPLITS]; /* planes that the split and what is below it may use */
	uint16_t code[MAX_SPLITS];       /* first code of the split's block */
	bool packed[MAX_SPLITS];
	uint16_t slots[MAX_SPLITS][LONG_PLANES];
	uint16_t *leaf_of_code;          /* of the codes that are being made */
	tree_ops ops;
	tree_pairs pairs;
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
		c->leaf_of_code[code + i] = (uint16_t)leaf;
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
	c->code[child] = (uint16_t)code;
	c->packed[child] = false;
}

static void give_packed(tree_coder *c, int32_t child, uint32_t planes, uint32_t code)
{
	if (child < 0)
		return;
	c->planes_left[child] = (uint8_t)planes;
	c->code[child] = (uint16_t)code;
	c->packed[child] = true;
}

/* A packed subtree's leaves lie next to each other: number them from its block's first code. */
static void number_leaves(tree_coder *c, uint32_t split)
{
	for (uint32_t i = 0; i < c->shape.n_leaves[split]; i++)
		set_leaf(c, c->code[split] + i, 1, c->shape.first_leaf[split] + i);
}

/* Those of splits in the high byte are known. */
static void assign_codes(tree_coder *c)
{
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		int32_t l = c->left[s], r = c->right[s];
		uint32_t planes = c->planes_left[s], half = (1u << planes) / 2;
		if (planes > MAX_PLANES)
			continue;
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

/* ---- long codes ---------------------------------------------------------------------------------------------- */

/* Where the high byte ends: a leaf or a split, the high codes that lead there, and the planes of its low codes. */
typedef struct code_exit {
	int32_t child;
	uint16_t high, n_high;
	uint8_t planes;
} code_exit;

static uint32_t planes_of_leaves(uint32_t n_leaves)
{
	uint32_t planes = 0;
	while ((1u << planes) < n_leaves)
		planes++;
	return planes;
}

/* More planes let more of a subtree have path codes. */
static uint32_t low_planes(const tree_coder *c, int32_t child, uint32_t more)
{
	uint32_t planes = planes_of_leaves(leaves_of(c, child)) + more, height = height_of(c, child);
	planes = planes < height ? planes : height;
	return planes < MAX_PLANES ? planes : MAX_PLANES;
}

static void give_high(tree_coder *c, int32_t child, uint32_t planes, uint32_t high, uint32_t more, code_exit *exits, uint32_t *n)
{
	if (child >= 0 && planes > MAX_PLANES) {
		c->planes_left[child] = (uint8_t)planes;
		c->code[child] = (uint16_t)high;
		c->packed[child] = false;
		return;
	}
	exits[(*n)++] = (code_exit){child, (uint16_t)high, (uint16_t)(1u << (planes - MAX_PLANES)), (uint8_t)low_planes(c, child, more)};
}

/* At most one for each high code. */
static uint32_t find_exits(tree_coder *c, uint32_t more, code_exit *exits)
{
	uint32_t n = 0;
	memset(c->planes_left, 0, sizeof c->planes_left);
	give_high(c, 0, LONG_PLANES, 0, more, exits, &n);
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		uint32_t planes = c->planes_left[s];
		if (planes <= MAX_PLANES)
			continue;
		give_high(c, c->left[s], planes - 1, c->code[s], more, exits, &n);
		give_high(c, c->right[s], planes - 1, c->code[s] + (1u << (planes - 1 - MAX_PLANES)), more, exits, &n);
	}
	return n;
}

/* Codes for all exits, those with most first, so that each begins at a multiple of their number; returns how many codes. */
static uint32_t lay_exits(tree_coder *c, const code_exit *exits, uint32_t n)
{
	uint32_t n_codes = 0;
	for (uint32_t planes = MAX_PLANES + 1; planes-- > 0;) {
		for (uint32_t i = 0; i < n; i++) {
			if (exits[i].planes != planes)
				continue;
			if (n_codes + (1u << planes) > MAX_LONG_CODES)
				return UINT32_MAX;
			memset(c->out->long_first + exits[i].high, (uint8_t)n_codes, exits[i].n_high);
			memset(c->out->long_exits + exits[i].high, (int)(n_codes >> 8 << LONG_PAGE_SHIFT | planes), exits[i].n_high);
			give_block(c, exits[i].child, planes, n_codes);
			n_codes += 1u << planes;
		}
	}
	return n_codes;
}

/* ---- selects ------------------------------------------------------------------------------------------------ */

/* The plane `mask ? b : a`, by an operation only where nothing simpler is the same. */
static uint16_t choose(tree_coder *c, uint16_t mask, uint16_t a, uint16_t b)
{
	if (a == UNDEFINED || a == b)
		return b;
	if (b == UNDEFINED)
		return a;
	if (a == SLOT_ZERO && b == SLOT_ONES)
		return mask;
	/* A split selects at most MAX_PLANES planes in the codes of a byte, and one of the lowest splits fewer: its leaves' codes are
	 * neighbours, and differ in a bit that is the split's own answer. Long codes have fewer yet: each join of low planes above the
	 * subtrees costs a split that has none below. */
	if (SL_NEVER(c->ops.n == MAX_OPS))
		return a;
	c->ops.ops[c->ops.n++] = (tree_op){mask, a, b};
	return (uint16_t)(c->ops.first_scratch + c->ops.n - 1);
}

/* Planes of a child; a packed leaf's code is relative to its packed root, whose block is aligned. */
static void child_slots(const tree_coder *c, int32_t child, bool packed, uint32_t code, uint32_t planes, uint16_t *slots)
{
	if (child >= 0) {
		memcpy(slots, c->slots[child], sizeof c->slots[child]);
		return;
	}
	for (uint32_t k = 0; k < LONG_PLANES; k++)
		slots[k] = (uint16_t)(!packed || k >= planes ? UNDEFINED : code >> k & 1 ? SLOT_ONES : SLOT_ZERO);
}

static void build_planes(tree_coder *c)
{
	for (uint32_t s = c->t->n_splits; s-- > 0;) {
		uint16_t a[LONG_PLANES], b[LONG_PLANES], mask = c->slot_of_split[s];
		uint32_t planes = c->planes_left[s];
		bool packed = c->packed[s];
		child_slots(c, c->left[s], packed, c->code[s], planes, a);
		child_slots(c, c->right[s], packed, c->code[s] + leaves_of(c, c->left[s]), planes, b);
		uint32_t below = packed ? planes : planes - 1;
		for (uint32_t k = 0; k < below; k++)
			c->slots[s][k] = choose(c, mask, a[k], b[k]);
		memset(c->slots[s] + below, 0xff, (LONG_PLANES - below) * sizeof c->slots[s][0]); /* UNDEFINED */
		if (!packed)
			c->slots[s][below] = mask;
	}
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
	c->ops.n = 0;
	c->leaf_of_code = c->out->leaf_of_code;
	c->out->n_planes = planes;
	c->out->n_long = 0;
	give_block(c, 0, planes, 0);
	assign_codes(c);
	build_planes(c);
}

/* Fewer planes make leaf tables smaller and sums cheaper, but need packed codes and so more operations. Returns the cost. */
static uint32_t code_cheapest(tree_coder *c, uint32_t fewest, uint32_t most, const uint8_t *sum_cost)
{
	uint32_t best = most, least = UINT32_MAX;
	for (uint32_t planes = most + 1; planes-- > fewest;) {
		code_with(c, planes);
		if (c->ops.n + sum_cost[planes] < least) {
			least = c->ops.n + sum_cost[planes];
			best = planes;
		}
	}
	if (c->out->n_planes != best)
		code_with(c, best);
	return least;
}

/* Long codes, whose leaf tables go by leaf numbers of `planes` bits. Returns the cost. */
static uint32_t code_long(tree_coder *c, uint32_t more, uint32_t planes, const coder_rules *rules)
{
	code_exit exits[MAX_CODED_LEAVES];
	tree_code *out = c->out;
	c->ops.n = 0;
	c->leaf_of_code = out->leaf_of_long;
	uint32_t n_codes = lay_exits(c, exits, find_exits(c, more, exits));
	if (n_codes == UINT32_MAX)
		return UINT32_MAX;
	assign_codes(c);
	build_planes(c);
	out->n_planes = planes;
	for (uint32_t i = 0; i < MAX_CODED_LEAVES; i++)
		out->leaf_of_code[i] = (uint16_t)(i < c->t->n_splits ? i : c->t->n_splits);
	uint32_t size = n_codes <= 256 ? 0 : n_codes <= 512 ? 1 : 2;
	out->n_long = 256u << size;
	return c->ops.n + rules->long_cost[size] + rules->sum_cost[planes];
}

/* Whichever codes cost less. */
static void code_splits(tree_coder *c, uint32_t fewest, uint32_t most, const coder_rules *rules)
{
	uint32_t least = code_cheapest(c, fewest, most, rules->sum_cost), best = UINT32_MAX, made = UINT32_MAX;
	uint32_t short_planes = c->out->n_planes;
	/* Long codes have no fewer operations than path codes. */
	if (height_of_tree(c) <= MAX_PLANES || c->shape.path_ops + rules->long_cost[0] + rules->sum_cost[fewest] >= least)
		return;
	/* More planes make fewer operations and more codes; of most trees it is the most for which there is room. */
	for (uint32_t more = MAX_MORE + 1; more-- > 0;) {
		uint32_t cost = code_long(c, more, fewest, rules);
		made = more;
		if (cost < least) {
			least = cost;
			best = more;
		} else if (best != UINT32_MAX) {
			break;
		}
	}
	if (best == UINT32_MAX)
		code_with(c, short_planes);
	else if (best != made)
		code_long(c, best, fewest, rules);
}

/* The tree's results: planes of its code, or of both bytes. */
static void name_planes(tree_coder *c)
{
	tree_code *out = c->out;
	const uint16_t *slots = c->slots[0];
	uint32_t n = out->n_long ? MAX_PLANES : out->n_planes, first = out->n_long ? MAX_PLANES : 0;
	for (uint32_t k = 0; k < n; k++)
		out->planes[k] = slots[first + k] == UNDEFINED ? SLOT_ZERO : slots[first + k];
	for (uint32_t k = 0; out->n_long && k < MAX_PLANES; k++) {
		out->planes[MAX_PLANES + k] = slots[k] == UNDEFINED ? SLOT_ZERO : slots[k];
		out->n_low = slots[k] == UNDEFINED ? out->n_low : k + 1;
	}
}

bool engine_code_tree(tree_coder *c, const forest *f, const forest_tree *t, const coder_rules *rules,
	const uint16_t *slot_of_test, uint32_t first_scratch, sl_vector *pairs, tree_code *out)
{
	memset(out, 0, sizeof *out);
	forest_children children = {c->left, c->right, sizeof c->left};
	c->t = t;
	forest_list_children(f, t, &children);
	for (uint32_t s = 0; s < t->n_splits; s++)
		c->slot_of_split[s] = slot_of_test[forest_number(&f->split_test, (size_t)t->first_split + s)];
	c->ops.first_scratch = first_scratch;
	c->out = out;
	c->leaf_of_code = out->leaf_of_code;
	c->ops.n = 0;
	measure(c);
	uint32_t fewest = fewest_planes(c, rules->min_planes), most = most_planes(c, fewest);
	out->n_planes = most;
	if (t->n_splits && place_splits(c)) {
		give_block(c, 0, most, 0);
		assign_codes(c);
		return true;
	}
	if (t->n_splits) {
		code_splits(c, fewest, most, rules);
		name_planes(c);
	}
	return engine_schedule(&c->ops, &c->pairs, out, pairs);
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
