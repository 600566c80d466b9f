/*
 * Changes of one part of the running configuration, and what a host may ask about it.
 *
 * A change copies the running configuration into the host's terms, alters the copy, and goes the way of every update.
 */
#include "served.h"

/* The running configuration as a host would write it. */
typedef struct draft {
	score_allocator allocator;
	size_t room; /* entities, routes, names */
	score_served_entity *entities;
	score_route *routes;
	const char **shadow_names;
	score_endpoint_config config;
} draft;

static void free_draft(draft *d)
{
	sl_free(&d->allocator, d->entities, d->room * sizeof *d->entities, sizeof(max_align_t));
	sl_free(&d->allocator, d->routes, d->room * sizeof *d->routes, sizeof(max_align_t));
	sl_free(&d->allocator, d->shadow_names, d->room * sizeof *d->shadow_names, sizeof(max_align_t));
}

static score_status begin_draft(const score_endpoint *e, const deploy_configuration *c, draft *d, score_error *error)
{
	*d = (draft){.allocator = e->allocator, .room = c->n_entities + 1, .config = SCORE_ENDPOINT_CONFIG_INIT};
	d->entities = sl_alloc(&d->allocator, d->room * sizeof *d->entities, sizeof(max_align_t));
	d->routes = sl_alloc(&d->allocator, d->room * sizeof *d->routes, sizeof(max_align_t));
	d->shadow_names = sl_alloc(&d->allocator, d->room * sizeof *d->shadow_names, sizeof(max_align_t));
	if (!d->entities || !d->routes || !d->shadow_names) {
		free_draft(d);
		return sl_fail_memory(error, d->room * sizeof *d->entities);
	}
	for (uint32_t i = 0; i < c->n_entities; i++) {
		const deploy_entity *from = c->entities + i;
		const deploy_model *owner = from->owner;
		d->entities[i] = (score_served_entity){.name = from->name, .entity_name = from->entity_name,
			.entity_version = from->entity_version, .model = owner->ref ? NULL : owner->model, .model_ref = owner->ref,
			.release = owner->release, .release_context = owner->release_context,
			.statistics = from->statistics, .observer = from->observer};
		d->routes[i] = (score_route){from->name, from->traffic_percentage, 0};
	}
	for (uint32_t i = 0; i < c->n_shadows; i++)
		d->shadow_names[i] = c->entities[c->shadows[i]].name;
	d->config.served_entities = d->entities;
	d->config.routes = d->routes;
	d->config.shadow_names = d->shadow_names;
	d->config.n_served_entities = d->config.n_routes = c->n_entities;
	d->config.n_shadows = c->n_shadows;
	return SCORE_OK;
}

/* What is to be altered; each function finds its own members. */
typedef struct alteration {
	const score_served_entity *entity;
	const char *name;
	const score_route *routes;
	const char *const *shadow_names;
	size_t n;
} alteration;

typedef score_status alter(draft *d, const alteration *how, score_error *error);

static score_status change(score_endpoint *e, alter *altered, const alteration *how, score_error *error)
{
	draft d;
	sl_error_clear(error);
	if (!e)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "the endpoint is NULL");
	deploy_model *gone = NULL;
	pthread_mutex_lock(&e->lock);
	score_status status = begin_draft(e, atomic_load(&e->current), &d, error);
	if (status == SCORE_OK) {
		status = altered(&d, how, error);
		if (status == SCORE_OK)
			status = deploy_apply(e, &d.config, &gone, error);
		free_draft(&d);
	}
	deploy_unlock(e, gone);
	return status;
}

/* Number of a served name in the draft, or an error that begins with `field`. */
static score_status find(const draft *d, const char *name, const char *field, size_t *out, score_error *error)
{
	if (!name)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: expected a served name, found NULL", field);
	for (size_t i = 0; i < d->config.n_served_entities; i++) {
		if (strcmp(d->entities[i].name, name) == 0) {
			*out = i;
			return SCORE_OK;
		}
	}
	return sl_fail(error, SCORE_ERR_ARGUMENT, "%s: '%s' is not the name of a served entity", field,
		sl_quote(name, strlen(name)).text);
}

static score_status add(draft *d, const alteration *how, score_error *error)
{
	(void)error;
	d->entities[d->config.n_served_entities++] = *how->entity;
	return SCORE_OK;
}

score_status score_endpoint_add(score_endpoint *e, const score_served_entity *entity, score_error *error)
{
	if (!entity)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_add: entity is NULL");
	return change(e, add, &(alteration){.entity = entity}, error);
}

static score_status replace(draft *d, const alteration *how, score_error *error)
{
	size_t at = 0;
	score_status status = find(d, how->name, "name", &at, error);
	if (status == SCORE_OK) {
		const char *name = d->entities[at].name;
		d->entities[at] = *how->entity;
		d->entities[at].name = name;
	}
	return status;
}

score_status score_endpoint_replace(score_endpoint *e, const char *served_name, const score_served_entity *entity,
	score_error *error)
{
	if (!entity)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_replace: entity is NULL");
	return change(e, replace, &(alteration){.entity = entity, .name = served_name}, error);
}

static score_status drop(draft *d, const alteration *how, score_error *error)
{
	size_t at = 0, n = d->config.n_served_entities;
	score_status status = find(d, how->name, "name", &at, error);
	if (status != SCORE_OK)
		return status;
	if (d->routes[at].traffic_percentage > 0)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "name: '%s' has %d %% of the traffic: give it to others first",
			sl_quote(how->name, strlen(how->name)).text, (int)d->routes[at].traffic_percentage);
	for (size_t i = 0; i < d->config.n_shadows; i++) {
		if (strcmp(d->shadow_names[i], how->name) == 0) {
			memmove(d->shadow_names + i, d->shadow_names + i + 1,
				(d->config.n_shadows - i - 1) * sizeof *d->shadow_names);
			d->config.n_shadows--;
		}
	}
	memmove(d->entities + at, d->entities + at + 1, (n - at - 1) * sizeof *d->entities);
	memmove(d->routes + at, d->routes + at + 1, (n - at - 1) * sizeof *d->routes);
	d->config.n_served_entities--;
	d->config.n_routes--;
	return SCORE_OK;
}

score_status score_endpoint_remove(score_endpoint *e, const char *served_name, score_error *error)
{
	return change(e, drop, &(alteration){.name = served_name}, error);
}

static score_status set_traffic(draft *d, const alteration *how, score_error *error)
{
	(void)error;
	d->config.routes = how->routes;
	d->config.n_routes = how->n;
	return SCORE_OK;
}

score_status score_endpoint_set_traffic(score_endpoint *e, const score_route *routes, size_t n_routes, score_error *error)
{
	return change(e, set_traffic, &(alteration){.routes = routes, .n = n_routes}, error);
}

static score_status set_shadows(draft *d, const alteration *how, score_error *error)
{
	(void)error;
	d->config.shadow_names = how->shadow_names;
	d->config.n_shadows = how->n;
	return SCORE_OK;
}

score_status score_endpoint_set_shadows(score_endpoint *e, const char *const *shadow_names, size_t n_shadows,
	score_error *error)
{
	return change(e, set_shadows, &(alteration){.shadow_names = shadow_names, .n = n_shadows}, error);
}

/* ---- what runs --------------------------------------------------------------------------------------------------- */

/* A host that only looks may hold a constant endpoint; the lock is not part of what it sees. */
static const deploy_configuration *look(const score_endpoint *e)
{
	pthread_mutex_lock((pthread_mutex_t *)(uintptr_t)&e->lock);
	return atomic_load(&e->current);
}

static void look_away(const score_endpoint *e)
{
	pthread_mutex_unlock((pthread_mutex_t *)(uintptr_t)&e->lock);
}

static void copy_name(char to[DEPLOY_NAME_BYTES], const char *from)
{
	memcpy(to, from, strlen(from) + 1);
}

score_status score_endpoint_get_served(const score_endpoint *e, uint32_t i, score_served_info *info)
{
	score_served_info found = {0};
	score_model_info model = {.struct_size = sizeof model};
	if (!e || !sl_has_size(info))
		return SCORE_ERR_ARGUMENT;
	const deploy_configuration *c = look(e);
	score_status status = i < c->n_entities ? score_model_get_info(c->entities[i].model, &model) : SCORE_ERR_ARGUMENT;
	if (status == SCORE_OK) {
		const deploy_entity *entity = c->entities + i;
		found.generation = c->generation;
		found.n_served_entities = c->n_entities;
		found.traffic_percentage = entity->traffic_percentage;
		found.is_shadow = entity->is_shadow;
		memcpy(found.hash, model.hash, sizeof found.hash);
		copy_name(found.name, entity->name);
		copy_name(found.entity_name, entity->entity_name);
		copy_name(found.entity_version, entity->entity_version);
	}
	look_away(e);
	if (status == SCORE_OK)
		sl_give_struct(info, &found, sizeof found);
	return status;
}

uint64_t score_endpoint_slots(const score_endpoint *e, uint8_t slots[SCORE_TRAFFIC_SLOTS])
{
	if (!e || !slots)
		return 0;
	const deploy_configuration *c = look(e);
	uint64_t generation = c->generation;
	memcpy(slots, c->slots, sizeof c->slots);
	look_away(e);
	return generation;
}

size_t score_endpoint_scratch_bytes(const score_endpoint *e, score_output output, size_t n_columns)
{
	if (!e)
		return 0;
	const deploy_configuration *c = look(e);
	size_t bytes = deploy_scratch_bytes(c, output, n_columns);
	look_away(e);
	return bytes;
}

score_status score_endpoint_bind(const score_endpoint *e, const char *const *column_names, const score_dtype *types,
	size_t n_columns, score_plan **out, score_error *error)
{
	sl_error_clear(error);
	if (!out)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_bind: out is NULL");
	*out = NULL;
	if (!e)
		return sl_fail(error, SCORE_ERR_ARGUMENT, "score_endpoint_bind: endpoint is NULL");
	const deploy_configuration *c = look(e);
	score_status status = score_bind(c->entities[0].model, column_names, types, n_columns, out, error);
	look_away(e);
	return status;
}
