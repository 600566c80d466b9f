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
#include "tree_coder.h"

#define MAX_MORE 4 /* planes of a subtree's low code beyond those that its leaves need */
#define NO_ROOM UINT32_MAX

static uint8_t split_of(int32_t child)
{
	return (uint8_t)(child < 0 ? (int32_t)NO_SPLIT : child);
}

static uint32_t planes_of_leaves(uint32_t n)
{
	return n > 1 ? 32u - (uint32_t)__builtin_clz(n - 1) : 0;
}

static void measure_tree(tree_coder *c)
{
	tree_shape *shape = &c->shape;
	shape->height[NO_SPLIT] = 0;
	shape->n_leaves[NO_SPLIT] = 1;
	shape->path_ops[NO_SPLIT] = shape->packed_ops[NO_SPLIT] = 0;
	for (uint32_t s = c->t->n_splits; s-- > 0;) {
		uint8_t l = c->left_split[s] = split_of(c->left[s]), r = c->right_split[s] = split_of(c->right[s]);
		uint8_t hl = shape->height[l], hr = shape->height[r], low = hl < hr ? hl : hr;
		shape->height[s] = (uint8_t)(1 + hl + hr - low);
		shape->n_leaves[s] = (uint16_t)(shape->n_leaves[l] + shape->n_leaves[r]);
		shape->first_leaf[s] = (uint16_t)(l == NO_SPLIT ? (uint32_t)~c->left[s] : shape->first_leaf[l]);
		shape->path_ops[s] = (uint16_t)(shape->path_ops[l] + shape->path_ops[r] + low);
		/* Codes of more than 2^k leaves side by side differ in plane k. */
		uint32_t n = shape->n_leaves[l] > shape->n_leaves[r] ? shape->n_leaves[l] : shape->n_leaves[r];
		shape->packed_ops[s] = (uint16_t)(shape->packed_ops[l] + shape->packed_ops[r] + planes_of_leaves(n));
	}
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
	uint32_t planes = engine_height_of_tree(c) < MAX_PLANES ? engine_height_of_tree(c) : MAX_PLANES;
	return planes < fewest ? fewest : planes;
}

/* Half of the codes of so many planes. */
static uint32_t half_block(uint32_t planes)
{
	return (1u << planes) / 2;
}

static void give_codes(tree_coder *c, uint8_t split, uint32_t planes, uint32_t code, bool packed)
{
	c->planes[split] = (uint8_t)planes;
	c->code[split] = (uint16_t)code;
	c->packed[split] = packed;
}

/* What the right side's codes come after. */
static uint32_t left_codes(const tree_coder *c, uint32_t split)
{
	return c->packed[split] ? c->shape.n_leaves[c->left_split[split]] : half_block(c->planes[split]);
}

/* One side has more leaves than half of the codes. */
static bool must_pack(const tree_coder *c, uint32_t split)
{
	const uint32_t half = half_block(c->planes[split]);
	return c->shape.n_leaves[c->left_split[split]] > half || c->shape.n_leaves[c->right_split[split]] > half;
}

/* Codes of the split's sides. */
static void assign_codes(tree_coder *c, uint32_t split)
{
	const uint8_t left = c->left_split[split], right = c->right_split[split];
	const uint32_t planes = c->planes[split], code = c->code[split];
	c->packed[split] |= c->shape.height[split] > planes && must_pack(c, split);
	const bool packed = c->packed[split];
	give_codes(c, left, planes - !packed, code, packed);
	give_codes(c, right, planes - !packed, code + left_codes(c, split), packed);
}

/* What the codes mean. A leaf on the path side has all codes of its block, a packed one a single code. */
static void list_leaves(const tree_coder *c, uint16_t *leaf_of_code)
{
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		const uint32_t n = c->packed[s] ? 1 : half_block(c->planes[s]);
		if (c->planes[s] > MAX_PLANES)
			continue;
		engine_set_leaf(c->left[s], n, leaf_of_code + c->code[s]);
		engine_set_leaf(c->right[s], n, leaf_of_code + c->code[s] + left_codes(c, s));
	}
}

/* ---- long codes ---------------------------------------------------------------------------------------------- */

static void give_high(tree_coder *c, int32_t child, uint32_t planes, uint32_t high)
{
	const uint32_t fewest = planes_of_leaves(c->shape.n_leaves[split_of(child)]), height = c->shape.height[split_of(child)];
	if (child >= 0 && planes > MAX_PLANES) {
		give_codes(c, split_of(child), planes, high, false);
		return;
	}
	c->exits[c->n_exits++] = (code_exit){.child = (int16_t)child, .high = (uint8_t)high, .n_high = (uint16_t)(1u << (planes - MAX_PLANES)),
		.fewest = (uint8_t)fewest, .most = (uint8_t)(height < MAX_PLANES ? height : MAX_PLANES)};
}

/* At most one for each high code. */
static void find_exits(tree_coder *c)
{
	c->n_exits = 0;
	memset(c->planes, 0, sizeof c->planes);
	give_high(c, 0, LONG_PLANES, 0);
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		if (c->planes[s] <= MAX_PLANES)
			continue;
		give_high(c, c->left[s], c->planes[s] - 1u, c->code[s]);
		give_high(c, c->right[s], c->planes[s] - 1u, c->code[s] + (half_block(c->planes[s]) >> MAX_PLANES));
	}
}

/* Codes of all exits, those with most planes first, so that each begins at a multiple of their number. `more`: planes beyond those that
 * leaves need, which let more of a subtree have path codes. */
static void place_exits(tree_coder *c, uint32_t more)
{
	uint32_t next[MAX_PLANES + 1] = {0}, n = 0; /* by planes */
	for (uint32_t i = 0; i < c->n_exits; i++) {
		code_exit *exit = c->exits + i;
		exit->planes = (uint8_t)(exit->fewest + more < exit->most ? exit->fewest + more : exit->most);
		next[exit->planes]++;
	}
	for (uint32_t planes = MAX_PLANES + 1; planes-- > 0;) {
		const uint32_t n_exits = next[planes];
		next[planes] = n;
		n += n_exits << planes;
	}
	for (uint32_t i = 0; i < c->n_exits; i++) {
		code_exit *exit = c->exits + i;
		exit->code = (uint16_t)next[exit->planes];
		next[exit->planes] += 1u << exit->planes;
		give_codes(c, split_of(exit->child), exit->planes, exit->code, false);
	}
	c->n_codes = n;
}

/* How the high byte leads there. */
static void list_exits(const tree_coder *c, tree_code *out)
{
	for (uint32_t i = 0; i < c->n_exits; i++) {
		const code_exit *exit = c->exits + i;
		for (uint32_t high = exit->high; high < exit->high + exit->n_high; high++) { /* one, mostly */
			out->long_first[high] = (uint8_t)exit->code;
			out->long_exits[high] = (uint8_t)(exit->code >> 8 << LONG_PAGE_SHIFT | exit->planes);
		}
		if (exit->child < 0)
			out->leaf_of_long[exit->code] = (uint16_t)~exit->child;
	}
}

/* ---- selects ------------------------------------------------------------------------------------------------ */

/* A leaf on the path side has all codes of its block; a packed one's code is relative to its packed root. */
static plane_values values_of_leaf(const tree_coder *c, uint32_t split, uint32_t code)
{
	const uint32_t planes = c->packed[split] ? (1u << c->planes[split]) - 1 : 0;
	return (planes & ~code) | (planes & code) << 16;
}

static plane_values values_left(const tree_coder *c, uint32_t split)
{
	const plane_values leaf = values_of_leaf(c, split, c->code[split]), below = c->values[c->left_split[split]];
	return c->left_split[split] == NO_SPLIT ? leaf : below;
}

static plane_values values_right(const tree_coder *c, uint32_t split)
{
	const plane_values leaf = values_of_leaf(c, split, c->code[split] + left_codes(c, split)), below = c->values[c->right_split[split]];
	return c->right_split[split] == NO_SPLIT ? leaf : below;
}

static plane_values join_values(const tree_coder *c, uint32_t split, plane_values a, plane_values b)
{
	const uint32_t own = c->packed[split] ? 0 : half_block(c->planes[split]);
	return a | b | own | own << 16;
}

/* Planes that codes depend on, that are 0 for all of them, that are 1, and that are neither. */
static uint32_t defined(plane_values v)
{
	return (v | v >> 16) & 0xffffu;
}

static uint32_t zeros(plane_values v)
{
	return v & ~(v >> 16) & 0xffffu;
}

static uint32_t ones(plane_values v)
{
	return v >> 16 & ~v;
}

static uint32_t varying(plane_values v)
{
	return v & v >> 16;
}

/* Of the planes `mask ? b : a`, those that take an operation unless both are the same plane: not of 0 and 0, 1 and 1, 0 and 1. */
static uint32_t selected(plane_values a, plane_values b)
{
	return defined(a) & defined(b) & ~((zeros(a) & (zeros(b) | ones(b))) | (ones(a) & ones(b)));
}

static uint32_t count_bits(uint32_t x)
{
	x = (x & 0x5555u) + (x >> 1 & 0x5555u);
	x = (x & 0x3333u) + (x >> 2 & 0x3333u);
	x = (x & 0x0f0fu) + (x >> 4 & 0x0f0fu);
	return (x & 0xffu) + (x >> 8);
}

/* The operations of a split and all below it, and its planes' values, where they follow from its shape: that of path codes, or, roughly, of
 * packed codes, which may take some more. NO_ROOM: they do not. */
static uint32_t known_operations(tree_coder *c, uint32_t split, bool roughly)
{
	const uint32_t planes = c->planes[split], height = c->shape.height[split], all = (1u << planes) - 1;
	if (planes > MAX_PLANES || c->packed[split])
		return NO_ROOM;
	if (height <= planes) {
		const uint32_t depends = all & ~(all >> height);
		c->values[split] = depends | depends << 16;
		return c->shape.path_ops[split];
	}
	if (!roughly || !must_pack(c, split))
		return NO_ROOM;
	c->values[split] = all | ((1u << planes_of_leaves(c->shape.n_leaves[split])) - 1) << 16;
	return c->shape.packed_ops[split];
}

/* How many operations codes that begin with those of the root, or of the exits, take: roughly, at least; else at most. */
static uint32_t count_operations(tree_coder *c, bool roughly)
{
	uint8_t joined[MAX_SPLITS];
	uint32_t n = 0, n_joined = 0, step;
	for (uint32_t s = 0; s < c->t->n_splits; s += step) {
		uint32_t known = known_operations(c, s, roughly);
		if (known != NO_ROOM) {
			n += known;
			step = c->shape.n_leaves[s] - 1u;
			continue;
		}
		joined[n_joined++] = (uint8_t)s;
		step = 1;
		if (c->planes[s] <= MAX_PLANES)
			assign_codes(c, s);
	}
	while (n_joined-- > 0) {
		const uint32_t s = joined[n_joined]; /* cppcheck-suppress uninitvar ; those before n_joined are there */
		const plane_values a = values_left(c, s), b = values_right(c, s);
		c->values[s] = join_values(c, s, a, b);
		n += count_bits(selected(a, b));
	}
	return n;
}

static uint16_t slot_of(plane_values values, const uint16_t *slots, uint32_t plane)
{
	return ones(values) >> plane & 1 ? SLOT_ONES : zeros(values) >> plane & 1 ? SLOT_ZERO : slots[plane];
}

/* The planes of a split from those of its sides, by operations only where nothing simpler is the same. */
static void build_split(tree_coder *c, uint32_t split)
{
	const plane_values a = values_left(c, split), b = values_right(c, split);
	const uint16_t *left = c->slots[c->left_split[split]], *right = c->slots[c->right_split[split]];
	const uint16_t mask = c->slot_of_split[split];
	uint16_t *slots = c->slots[split];
	c->values[split] = join_values(c, split, a, b);
	for (uint32_t open = varying(a) & ~defined(b); open; open &= open - 1)
		slots[sl_lowest_bit(open)] = left[sl_lowest_bit(open)];
	for (uint32_t open = varying(b) & ~defined(a); open; open &= open - 1)
		slots[sl_lowest_bit(open)] = right[sl_lowest_bit(open)];
	for (uint32_t open = zeros(a) & ones(b); open; open &= open - 1)
		slots[sl_lowest_bit(open)] = mask;
	for (uint32_t open = selected(a, b); open; open &= open - 1) {
		const uint32_t plane = sl_lowest_bit(open);
		const tree_op op = {mask, slot_of(a, left, plane), slot_of(b, right, plane)};
		c->ops.ops[c->ops.n] = op;
		slots[plane] = op.a == op.b ? op.a : (uint16_t)(c->ops.first_scratch + c->ops.n);
		c->ops.n += op.a != op.b;
	}
	if (!c->packed[split])
		slots[c->planes[split] - 1] = mask;
}

/* ---- the choice ----------------------------------------------------------------------------------------------- */

static uint32_t long_size(uint32_t n_codes)
{
	return n_codes <= 256 ? 0 : n_codes <= 512 ? 1 : 2;
}

/* Where such codes begin: at the root, or at exits, which are known. Returns what they cost beside operations, or NO_ROOM. */
static uint32_t begin_codes(tree_coder *c, const coding *codes, const coder_rules *rules)
{
	if (!codes->is_long) {
		give_codes(c, 0, codes->planes, 0, false);
		return rules->sum_cost[codes->planes];
	}
	place_exits(c, codes->more);
	return c->n_codes > MAX_LONG_CODES ? NO_ROOM : rules->long_cost[long_size(c->n_codes)] + rules->sum_cost[codes->planes];
}

static uint32_t cost_of(tree_coder *c, const coding *codes, const coder_rules *rules, bool roughly)
{
	const uint32_t beside = begin_codes(c, codes, rules);
	if (beside == NO_ROOM)
		return NO_ROOM;
	const uint32_t n_ops = count_operations(c, roughly);
	return n_ops <= MAX_OPS ? n_ops + beside : NO_ROOM;
}

/* The cheapest codes so far. */
typedef struct choice {
	coding codes;
	uint32_t cost;
} choice;

/* More planes make fewer operations and more codes; of most trees it is the most for which there is room. Costs of `enough` and more are
 * not to be had. */
static choice choose_long(tree_coder *c, uint32_t planes, const coder_rules *rules, uint32_t enough)
{
	choice best = {.cost = NO_ROOM};
	find_exits(c);
	for (uint32_t more = MAX_MORE + 1; more-- > 0;) {
		const coding codes = {.planes = planes, .is_long = true, .more = more};
		const uint32_t cost = cost_of(c, &codes, rules, false);
		if (cost < best.cost)
			best = (choice){codes, cost};
		else if (best.cost < enough)
			break;
	}
	return best;
}

/* Whichever codes cost least. Most short ones of tall trees are packed, and known to cost too much without looking into them. */
static coding choose_codes(tree_coder *c, uint32_t fewest, uint32_t most, const coder_rules *rules)
{
	const bool is_tall = engine_height_of_tree(c) > MAX_PLANES;
	uint32_t rough[MAX_PLANES + 1], least = NO_ROOM;
	choice best = {{.planes = most}, NO_ROOM};
	if (fewest == most && !is_tall)
		return best.codes;
	for (uint32_t planes = fewest; planes <= most; planes++) {
		rough[planes] = cost_of(c, &(coding){.planes = planes}, rules, true);
		least = rough[planes] < least ? rough[planes] : least;
	}
	if (is_tall)
		best = choose_long(c, fewest, rules, least);
	/* Fewer planes make leaf tables smaller and sums cheaper, but need packed codes and so more operations. */
	for (uint32_t planes = most + 1; planes-- > fewest;) {
		const coding codes = {.planes = planes};
		const uint32_t limit = best.cost + best.codes.is_long; /* which short codes are preferred to */
		const uint32_t cost = rough[planes] < limit ? cost_of(c, &codes, rules, false) : NO_ROOM;
		if (cost < limit)
			best = (choice){codes, cost};
	}
	return best.codes;
}

static uint16_t result_slot(const tree_coder *c, uint32_t plane)
{
	return defined(c->values[0]) >> plane & 1 ? slot_of(c->values[0], c->slots[0], plane) : SLOT_ZERO;
}

/* Codes of splits: planes, of both bytes if there are two, and what they mean. */
static void keep_codes(tree_coder *c, const coding *codes, tree_code *out)
{
	uint32_t first = codes->is_long ? MAX_PLANES : 0;
	out->n_planes = codes->planes;
	for (uint32_t k = 0; k < (codes->is_long ? MAX_PLANES : codes->planes); k++)
		out->planes[k] = result_slot(c, first + k);
	if (!codes->is_long) {
		list_leaves(c, out->leaf_of_code);
		return;
	}
	for (uint32_t k = 0; k < MAX_PLANES; k++) {
		out->planes[MAX_PLANES + k] = result_slot(c, k);
		out->n_low = defined(c->values[0]) >> k & 1 ? k + 1 : out->n_low;
	}
	for (uint32_t i = 0; i < MAX_CODED_LEAVES; i++)
		out->leaf_of_code[i] = (uint16_t)(i < c->t->n_splits ? i : c->t->n_splits);
	out->n_long = 256u << long_size(c->n_codes);
	list_exits(c, out);
	list_leaves(c, out->leaf_of_long);
}

static void code_splits(tree_coder *c, uint32_t fewest, uint32_t most, const coder_rules *rules, tree_code *out)
{
	const coding codes = choose_codes(c, fewest, most, rules);
	if (codes.is_long)
		find_exits(c);
	begin_codes(c, &codes, rules);
	for (uint32_t s = 0; s < c->t->n_splits; s++) {
		if (c->planes[s] <= MAX_PLANES)
			assign_codes(c, s);
	}
	for (uint32_t s = c->t->n_splits; s-- > 0;)
		build_split(c, s);
	keep_codes(c, &codes, out);
}

tree_coder *engine_coder_new(const score_allocator *allocator)
{
	return sl_alloc(allocator, sizeof(tree_coder), 64);
}

void engine_coder_free(const score_allocator *allocator, tree_coder *coder)
{
	sl_free(allocator, coder, sizeof *coder, 64);
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
	c->ops.n = 0;
	measure_tree(c);
	uint32_t fewest = fewest_planes(c, rules->min_planes), most = most_planes(c, fewest);
	out->n_planes = most;
	if (t->n_splits && engine_code_full(c, most, out))
		return true;
	if (t->n_splits)
		code_splits(c, fewest, most, rules, out);
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
