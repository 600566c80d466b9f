/*
 * The order of a tree's selects, and where their results stay: comes in, the operations of planes.c, goes out a program of pairs.
 *
 * An operation and the only one that uses its result become one pair, whose result in between stays in a register. Pairs are
 * ordered by level, and slots of scratch are used again when nothing reads them any more.
 */
#include "planes.h"

#define NO_PARTNER MAX_OPS

/* Number of the operation whose result a slot is, or NO_PARTNER. */
static uint32_t result_in(const tree_ops *ops, uint16_t slot)
{
	return slot < ops->first_scratch ? NO_PARTNER : slot - ops->first_scratch;
}

/* The operation that goes first in a pair with operation i, which reads its result: one that has no other partner. Children come
 * before their parents, so that most of them find one. Both arrays have room for NO_PARTNER. */
static void find_partners(const tree_ops *ops, uint16_t *partner, bool *joined)
{
	partner[NO_PARTNER] = 0; /* nobody's */
	for (uint32_t i = 0; i < ops->n; i++) {
		const uint32_t a = result_in(ops, ops->ops[i].a), b = result_in(ops, ops->ops[i].b);
		const uint32_t second = partner[b] == NO_PARTNER ? b : NO_PARTNER, child = partner[a] == NO_PARTNER ? a : second;
		partner[i] = (uint16_t)child;
		joined[i] = false;
		joined[child] = true;
	}
}

/* An operation without partner selects a plane beside zeros first. */
static tree_pair pair_of(const tree_ops *ops, uint32_t i, uint32_t partner)
{
	const tree_op *op = ops->ops + i;
	uint16_t dst = (uint16_t)(ops->first_scratch + i);
	if (partner == NO_PARTNER)
		return (tree_pair){SLOT_ZERO, op->a, SLOT_ZERO, op->mask, op->b, dst, false};
	const tree_op *first = ops->ops + partner;
	bool flip = op->a != ops->first_scratch + partner;
	return (tree_pair){first->mask, first->a, first->b, op->mask, flip ? op->a : op->b, dst, flip};
}

static void join_pairs(const tree_ops *ops, tree_pairs *p)
{
	uint16_t partner[MAX_OPS + 1], above[MAX_OPS + 1]; /* levels that what reads a result stands above */
	bool joined[MAX_OPS + 1];
	find_partners(ops, partner, joined);
	p->n = p->n_levels = 0;
	above[NO_PARTNER] = 0;
	for (uint32_t i = 0; i < ops->n; i++) {
		if (joined[i])
			continue;
		const tree_pair pair = pair_of(ops, i, partner[i]);
		/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): results are there before they are read */
		const uint16_t a1 = above[result_in(ops, pair.a1)], b1 = above[result_in(ops, pair.b1)], b = above[result_in(ops, pair.b)];
		const uint16_t first = a1 > b1 ? a1 : b1, level = first > b ? first : b;
		p->level[p->n] = (uint8_t)level;
		above[i] = (uint16_t)(level + 1);
		p->n_levels = level >= p->n_levels ? level + 1u : p->n_levels;
		p->pairs[p->n++] = pair;
	}
}

/* ---- schedule ------------------------------------------------------------------------------------------------ */

/* Level by level, so that no pair waits for the one before it. Stable within a level. */
static void sort_by_level(const tree_pairs *p, uint16_t *order)
{
	uint32_t counts[MAX_OPS + 1];
	memset(counts, 0, (p->n_levels + 1) * sizeof *counts);
	for (uint32_t i = 0; i < p->n; i++)
		counts[p->level[i] + 1]++;
	for (uint32_t l = 1; l <= p->n_levels; l++)
		counts[l] += counts[l - 1];
	for (uint32_t i = 0; i < p->n; i++)
		order[counts[p->level[i]]++] = (uint16_t)i;
}

/* Slots of results, of which those that were read are free again, oldest first, so that a slot rests long before it is written anew. */
typedef struct slot_pool {
	uint16_t slot_of[MAX_OPS];
	uint16_t free[MAX_OPS + 1]; /* a result is read once */
	uint32_t n_taken, n_given;
	uint32_t first, n_slots;
} slot_pool;

/* Where a plane stands that is read now. */
static uint16_t read_plane(slot_pool *pool, uint16_t plane)
{
	const bool is_result = plane >= pool->first;
	/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): what is read was some pair's result */
	const uint16_t slot = is_result ? pool->slot_of[plane - pool->first] : plane;
	pool->free[pool->n_given] = slot;
	pool->n_given += is_result;
	return slot;
}

static uint16_t take_slot(slot_pool *pool)
{
	const bool is_new = pool->n_taken == pool->n_given;
	const uint16_t slot = (uint16_t)(is_new ? pool->first + pool->n_slots : pool->free[pool->n_taken]);
	pool->n_slots += is_new;
	pool->n_taken += !is_new;
	return slot;
}

static bool allocate_slots(const tree_ops *ops, const tree_pairs *p, tree_code *out, const uint16_t *order, sl_vector *pairs)
{
	slot_pool pool;
	pool.n_taken = pool.n_given = pool.n_slots = 0;
	pool.first = ops->first_scratch;
	select_pair *to = sl_vector_grow(pairs, p->n);
	if (!to)
		return false;
	for (uint32_t i = 0; i < p->n; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): an order of all n pairs */
		const tree_pair *pair = p->pairs + order[i];
		const uint64_t a1 = read_plane(&pool, pair->a1), b1 = read_plane(&pool, pair->b1);
		const uint32_t b = read_plane(&pool, pair->b);
		const uint16_t slot = take_slot(&pool);
		pool.slot_of[pair->dst - pool.first] = slot;
		to[i].first = pair->mask1 | a1 << 16 | b1 << 32 | (uint64_t)pair->mask << 48;
		to[i].second = slot | b << 16 | (uint32_t)pair->flip << 31;
	}
	for (uint32_t k = 0; k < LONG_PLANES; k++) {
		if (out->planes[k] >= pool.first)
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): what is read was some pair's result */
			out->planes[k] = pool.slot_of[out->planes[k] - pool.first];
	}
	out->n_scratch = pool.n_slots;
	return true;
}

bool engine_schedule(const tree_ops *ops, tree_pairs *room, tree_code *out, sl_vector *pairs)
{
	uint16_t order[MAX_OPS];
	join_pairs(ops, room);
	sort_by_level(room, order);
	return allocate_slots(ops, room, out, order, pairs);
}
