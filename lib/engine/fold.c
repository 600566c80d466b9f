/*
 * Folds: leaf codes of many bits as places in tables of few values.
 *
 * Comes in: which leaf each code of a tree stands for. Goes out: how a code becomes a place, and the leaf at each place. A path code
 * has more bits than leaves need because a leaf above the bottom owns all codes below it: there the low bits do not count.
 */
#include "planes.h"

#define NO_LEAF UINT16_MAX

/* Bits of the low four that tell the leaves of these 16 codes apart. */
static uint32_t bits_that_count(const uint16_t leaves[16])
{
	uint32_t mask = 0;
	for (uint32_t bit = 1; bit < 16; bit *= 2) {
		for (uint32_t i = 0; i < 16; i++)
			mask |= leaves[i] != leaves[i ^ bit] ? bit : 0;
	}
	return mask;
}

/* All places of these codes from `first` on are free, or have the same leaves already. */
static bool fits_at(const uint16_t leaves[16], uint32_t mask, uint32_t first, const uint16_t *taken)
{
	for (uint32_t i = 0; i < 16; i++) {
		uint16_t there = taken[first + (i & mask)];
		if (there != NO_LEAF && there != leaves[i])
			return false;
	}
	return true;
}

size_t engine_fold_codes(const tree_code *code, code_fold *fold, uint16_t leaf_of_place[MAX_CODED_LEAVES])
{
	uint16_t taken[MAX_CODED_LEAVES + 16];
	size_t n = 0;
	memset(fold, 0, sizeof *fold);
	for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
		taken[i] = NO_LEAF;
	const uint32_t n_high = (1u << code->n_planes) / 16;
	for (uint32_t high = 0; high < n_high; high++) {
		const uint16_t *leaves = code->leaf_of_code + (size_t)16 * high;
		uint32_t mask = bits_that_count(leaves), first = 0;
		/* The codes before have taken at most 16 places each: there is room behind them. */
		while (!fits_at(leaves, mask, first, taken))
			first++;
		for (uint32_t i = 0; i < 16; i++) {
			taken[first + (i & mask)] = leaves[i];
			n = first + (i & mask) + 1 > n ? first + (i & mask) + 1 : n;
		}
		fold->counts[high] = (uint8_t)mask;
		fold->first[high] = (uint8_t)first;
	}
	for (size_t i = 0; i < MAX_CODED_LEAVES; i++)
		leaf_of_place[i] = taken[i] == NO_LEAF ? 0 : taken[i];
	return n;
}
