/*
 * The order of a tree's selects, and where their results stay: comes in, the operations of planes.c, goes out a program of pairs.
 *
 * An operation and the only one that uses its result become one pair, whose result in between stays in a register. Pairs are
 * ordered by level, and slots of scratch are used again when nothing reads them any more.
 */
#include "planes.h"

#define NO_PARTNER UINT16_MAX

/* The operation that goes first in a pair with operation i, which reads its result: one that has no other partner. Children come
 * before their parents, so that most of them find one. */
static void find_partners(const tree_ops *ops, uint16_t *partner, bool *joined)
{
	for (uint32_t i = 0; i < ops->n; i++) {
		const uint16_t reads[] = {ops->ops[i].a, ops->ops[i].b};
		partner[i] = NO_PARTNER;
		joined[i] = false;
		for (uint32_t k = 0; k < 2 && partner[i] == NO_PARTNER; k++) {
			uint32_t child = reads[k] >= ops->first_scratch ? reads[k] - ops->first_scratch : NO_PARTNER;
			if (child == NO_PARTNER || partner[child] != NO_PARTNER)
				continue;
			partner[i] = (uint16_t)child;
			joined[child] = true;
		}
	}
}

/* An operation without partner selects a plane beside zeros first. */
static tree_pair pair_of(const tree_ops *ops, uint32_t i, uint16_t partner)
{
	const tree_op *op = ops->ops + i;
	uint16_t dst = (uint16_t)(ops->first_scratch + i);
	if (partner == NO_PARTNER)
		return (tree_pair){{SLOT_ZERO, op->a, SLOT_ZERO, op->mask, op->b}, dst, false};
	const tree_op *first = ops->ops + partner;
	bool flip = op->a != ops->first_scratch + partner;
	return (tree_pair){{first->mask, first->a, first->b, op->mask, flip ? op->a : op->b}, dst, flip};
}

static void join_pairs(const tree_ops *ops, tree_pairs *p)
{
	uint16_t partner[MAX_OPS];
	bool joined[MAX_OPS];
	find_partners(ops, partner, joined);
	p->n = p->n_levels = 0;
	for (uint32_t i = 0; i < ops->n; i++) {
		if (joined[i])
			continue;
		tree_pair pair = pair_of(ops, i, partner[i]);
		uint32_t level = 0;
		for (uint32_t k = 0; k < 5; k++) {
			bool is_result = pair.reads[k] >= ops->first_scratch;
			uint32_t above = is_result ? p->level[pair.reads[k] - ops->first_scratch] + 1u : 0;
			level = above > level ? above : level;
		}
		p->level[i] = (uint16_t)level;
		p->n_levels = level >= p->n_levels ? level + 1 : p->n_levels;
		p->pairs[p->n++] = pair;
	}
}

/* ---- schedule ------------------------------------------------------------------------------------------------ */

static uint32_t level_of(const tree_ops *ops, const tree_pairs *p, uint32_t i)
{
	return p->level[p->pairs[i].dst - ops->first_scratch];
}

/* Level by level, so that no pair waits for the one before it. Stable within a level. */
static void sort_by_level(const tree_ops *ops, const tree_pairs *p, uint16_t *order)
{
	uint32_t counts[MAX_OPS + 1];
	memset(counts, 0, (p->n_levels + 1) * sizeof *counts);
	for (uint32_t i = 0; i < p->n; i++)
		counts[level_of(ops, p, i) + 1]++;
	for (uint32_t l = 1; l <= p->n_levels; l++)
		counts[l] += counts[l - 1];
	for (uint32_t i = 0; i < p->n; i++)
		order[counts[level_of(ops, p, i)]++] = (uint16_t)i;
}

/* Slots that are free again, oldest first, so that a slot rests long before it is written anew. */
typedef struct slot_queue {
	uint16_t slots[MAX_OPS + 1];
	uint32_t head, tail;
} slot_queue;

static void give_back(slot_queue *q, uint16_t slot)
{
	q->slots[q->tail] = slot;
	q->tail = (q->tail + 1) % (MAX_OPS + 1);
}

static bool allocate_slots(const tree_ops *ops, const tree_pairs *p, tree_code *out, const uint16_t *order, sl_vector *pairs)
{
	uint16_t slot_of[MAX_OPS];
	slot_queue q = {.head = 0, .tail = 0};
	uint32_t n_slots = 0;
	select_pair *to = sl_vector_grow(pairs, p->n);
	if (!to)
		return false;
	for (uint32_t i = 0; i < p->n; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): an order of all n pairs */
		const tree_pair *pair = p->pairs + order[i];
		uint16_t now[5];
		for (uint32_t k = 0; k < 5; k++) {
			bool is_result = pair->reads[k] >= ops->first_scratch;
			now[k] = is_result ? slot_of[pair->reads[k] - ops->first_scratch] : pair->reads[k];
			if (is_result)
				give_back(&q, now[k]);
		}
		uint32_t slot = ops->first_scratch + n_slots;
		if (q.head != q.tail) {
			slot = q.slots[q.head];
			q.head = (q.head + 1) % (MAX_OPS + 1);
		} else {
			n_slots++;
		}
		slot_of[pair->dst - ops->first_scratch] = (uint16_t)slot;
		to[i].first = (uint64_t)now[0] | (uint64_t)now[1] << 16 | (uint64_t)now[2] << 32 | (uint64_t)now[3] << 48;
		to[i].second = slot | (uint32_t)now[4] << 16 | (uint32_t)pair->flip << 31;
	}
	for (uint32_t k = 0; k < LONG_PLANES; k++) {
		if (out->planes[k] >= ops->first_scratch)
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): what is read was some pair's result */
			out->planes[k] = slot_of[out->planes[k] - ops->first_scratch];
	}
	out->n_scratch = n_slots;
	return true;
}

bool engine_schedule(const tree_ops *ops, tree_pairs *room, tree_code *out, sl_vector *pairs)
{
	uint16_t order[MAX_OPS];
	join_pairs(ops, room);
	sort_by_level(ops, room, order);
	return allocate_slots(ops, room, out, order, pairs);
}
