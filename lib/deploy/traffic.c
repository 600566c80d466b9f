/*
 * Traffic: keys get slots by a salted hash, slots get versions by the smallest change.
 *
 * Percentages are integers, so a hundred slots hold them exactly. Which keys move when percentages change is a matter of the
 * table alone: slots that keep their version keep all their keys.
 */
#include "served.h"

#include <xxhash.h>

uint32_t deploy_slot_of(uint64_t salt, const void *key, size_t length)
{
	uint64_t hash = XXH3_64bits_withSeed(key, length, salt);
	return (uint32_t)((hash >> 32) * SCORE_TRAFFIC_SLOTS >> 32);
}

uint32_t score_endpoint_slot(const score_endpoint *endpoint, const void *key, size_t key_length)
{
	return endpoint && (key || !key_length) ? deploy_slot_of(endpoint->salt, key ? key : "", key_length) : 0;
}

void deploy_deal_slots(deploy_configuration *c, const deploy_configuration *running, const uint8_t *route_order,
	uint32_t n_routes)
{
	int32_t left[DEPLOY_MAX_ENTITIES];
	uint32_t follower[DEPLOY_MAX_ENTITIES]; /* of the running entities, in `c` */
	bool dealt[SCORE_TRAFFIC_SLOTS] = {false};
	for (uint32_t i = 0; i < c->n_entities; i++)
		left[i] = c->entities[i].traffic_percentage;
	for (uint32_t i = 0; running && i < running->n_entities; i++)
		follower[i] = deploy_find_entity(c, running->entities[i].name);
	for (uint32_t s = 0; running && s < SCORE_TRAFFIC_SLOTS; s++) {
		uint32_t entity = follower[running->slots[s]];
		if (entity == UINT32_MAX || left[entity] == 0)
			continue;
		left[entity]--;
		dealt[s] = true;
		c->slots[s] = (uint8_t)entity;
	}
	for (uint32_t s = 0, route = 0; s < SCORE_TRAFFIC_SLOTS && route < n_routes; s++) {
		if (dealt[s])
			continue;
		while (route + 1 < n_routes && left[route_order[route]] == 0)
			route++;
		left[route_order[route]]--;
		c->slots[s] = route_order[route];
	}
}
