/*
 * A configuration is checked whole and built: what the host wrote comes in, an immutable deploy_configuration or the name of
 * the wrong field goes out. Relies on the endpoint's lock, and changes nothing that runs.
 */
#include "served.h"

#include <stdio.h>

typedef struct build {
	score_endpoint *endpoint;
	const deploy_configuration *running;
	const score_endpoint_config *config;
	deploy_configuration *c;
	uint8_t route_order[DEPLOY_MAX_ENTITIES];
	score_error *error;
} build;

uint32_t deploy_find_entity(const deploy_configuration *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_entities; i++) {
		if (strcmp(c->entities[i].name, name) == 0)
			return i;
	}
	return UINT32_MAX;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static score_status take_name(build *b, const char *text, size_t i, const char *field, const char **out)
{
	size_t length = text ? strlen(text) : 0;
	if (length == 0)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities[%zu].%s: expected a name, found %s", i, field,
			text ? "an empty one" : "NULL");
	if (length >= DEPLOY_NAME_BYTES || sl_utf8_prefix(text, length) != length)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities[%zu].%s: '%s' is not UTF-8 of at most %u bytes", i,
			field, sl_quote(text, length).text, DEPLOY_NAME_BYTES - 1);
	*out = sl_arena_string(&b->c->arena, text, length);
	return *out ? SCORE_OK : sl_fail_memory(b->error, length);
}

/* All texts are short: an endpoint's name too is checked when it is made. */
static score_status join_texts(build *b, deploy_entity *entity)
{
	const char *const texts[DEPLOY_CALL_TEXTS] = {b->endpoint->name, entity->name, entity->entity_name,
		entity->entity_version};
	char joined[DEPLOY_CALL_TEXTS * DEPLOY_NAME_BYTES];
	uint32_t n = 0;
	for (int i = 0; i < DEPLOY_CALL_TEXTS; i++) {
		entity->texts.bytes[i] = (uint32_t)strlen(texts[i]);
		memcpy(joined + n, texts[i], entity->texts.bytes[i]);
		n += entity->texts.bytes[i];
	}
	entity->texts.joined_bytes = n;
	entity->texts.joined = sl_arena_string(&b->c->arena, joined, n);
	return entity->texts.joined ? SCORE_OK : sl_fail_memory(b->error, n);
}

static score_status take_names(build *b, const score_served_entity *from, size_t i)
{
	deploy_entity *entity = b->c->entities + i;
	char both[2 * DEPLOY_NAME_BYTES];
	const char *name = NULL;
	score_status status = take_name(b, from->entity_name, i, "entity_name", &entity->entity_name);
	if (status == SCORE_OK)
		status = take_name(b, from->entity_version, i, "entity_version", &entity->entity_version);
	if (status != SCORE_OK)
		return status;
	snprintf(both, sizeof both, "%s-%s", entity->entity_name, entity->entity_version);
	status = take_name(b, from->name ? from->name : both, i, "name", &name);
	if (status != SCORE_OK)
		return status;
	uint32_t before = deploy_find_entity(b->c, name);
	if (before != UINT32_MAX)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities[%zu].name: '%s' is the name of served_entities[%u] "
			"too", i, sl_quote(name, strlen(name)).text, before);
	entity->name = name;
	return join_texts(b, entity);
}

/* ---- models ------------------------------------------------------------------------------------------------------ */

/* Whether a column that feeds feature `f` of one model feeds it in the other. */
static bool same_name(const score_model *model, const score_model *like, uint32_t f)
{
	const char *name = score_model_feature_name(model, f), *other = score_model_feature_name(like, f);
	uint32_t here, there;
	return (score_model_feature_find(model, other, strlen(other), &here) != SCORE_NAME_NONE && here == f) ||
		(score_model_feature_find(like, name, strlen(name), &there) != SCORE_NAME_NONE && there == f);
}

/* All versions must take the same rows and give as many values. */
static score_status check_same_shape(build *b, const score_model *model, const score_model *like, uint32_t *n_features,
	size_t i)
{
	score_model_info info = {.struct_size = sizeof info}, wanted = {.struct_size = sizeof wanted};
	const score_status told = score_model_get_info(model, &info), before = score_model_get_info(like, &wanted);
	if (SL_NEVER(told != SCORE_OK || before != SCORE_OK)) /* there are models, and the structs have their size */
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities[%zu].model: not a model", i);
	if (info.n_features != wanted.n_features)
		return sl_fail(b->error, SCORE_ERR_SHAPE, "served_entities[%zu].model: has %u features, expected the %u of the "
			"other versions", i, info.n_features, wanted.n_features);
	for (uint32_t f = 0; f < info.n_features; f++) {
		const char *name = score_model_feature_name(model, f), *other = score_model_feature_name(like, f);
		if (!same_name(model, like, f))
			return sl_fail(b->error, SCORE_ERR_SHAPE, "served_entities[%zu].model: feature %u is '%s', expected '%s' as in "
				"the other versions", i, f, sl_quote(name, strlen(name)).text, sl_quote(other, strlen(other)).text);
		if (score_model_feature_type(model, f) != score_model_feature_type(like, f) ||
			!score_model_dictionary(model, f) != !score_model_dictionary(like, f))
			return sl_fail(b->error, SCORE_ERR_SHAPE, "served_entities[%zu].model: feature '%s' is of another type than in "
				"the other versions (number, category, category with labels)", i, sl_quote(name, strlen(name)).text);
	}
	if (info.n_outputs != wanted.n_outputs || info.n_predictions != wanted.n_predictions)
		return sl_fail(b->error, SCORE_ERR_SHAPE, "served_entities[%zu].model: gives %u margins and %u predictions per row, "
			"expected %u and %u as from the other versions", i, info.n_outputs, info.n_predictions, wanted.n_outputs,
			wanted.n_predictions);
	*n_features = info.n_features;
	return SCORE_OK;
}

/* Labels of one feature, in any order. */
static bool same_labels(const score_model *model, const score_model *like, uint32_t feature)
{
	uint32_t n = score_model_category_count(model, feature);
	double unknown = score_model_category_unknown(model, feature), other = score_model_category_unknown(like, feature);
	if (n != score_model_category_count(like, feature) ||
		score_model_dictionary(model, feature) != score_model_dictionary(like, feature) ||
		(unknown != other && !(unknown != unknown && other != other)))
		return false;
	for (uint32_t k = 0; k < n; k++) {
		const char *label = score_model_category_name(model, feature, k);
		double code;
		if (!score_model_category_find(like, feature, label, strlen(label), &code) ||
			code != score_model_category_code(model, feature, k))
			return false;
	}
	return true;
}

static score_status check_labels(build *b, const score_model *model, const score_model *like, size_t i)
{
	for (uint32_t f = 0; b->endpoint->flags & SCORE_ENDPOINT_SAME_LABELS && f < b->c->n_features; f++) {
		const char *name = score_model_feature_name(model, f);
		if (!same_labels(model, like, f))
			return sl_fail(b->error, SCORE_ERR_SHAPE, "served_entities[%zu].model: the labels of feature '%s' are not those of "
				"the other versions, or have other codes", i, sl_quote(name, strlen(name)).text);
	}
	return SCORE_OK;
}

static score_status verify_golden(build *b, const score_model *model, size_t i)
{
	score_error why;
	score_status status = score_model_verify(model, SCORE_ISA_AUTO, NULL, &why);
	if (status == SCORE_OK)
		return SCORE_OK;
	return sl_fail(b->error, status, "served_entities[%zu].model: its self-test fails: %.150s", i, why.message);
}

static score_status new_owner(build *b, const score_served_entity *from, const score_model *model, deploy_model **out)
{
	deploy_model *owner = sl_alloc(&b->endpoint->allocator, sizeof *owner, sizeof(max_align_t));
	if (!owner)
		return sl_fail_memory(b->error, sizeof *owner);
	*owner = (deploy_model){.model = model, .ref = score_model_ref_acquire(from->model_ref), .release = from->release,
		.release_context = from->release_context};
	*out = owner;
	return SCORE_OK;
}

static bool fits_model(const deploy_model *o, const void *model)
{
	return o->model == model;
}

typedef bool fits(const deploy_model *owner, const void *what);

static bool fits_entity(const deploy_model *o, const void *what)
{
	const score_served_entity *from = what;
	return o->model == (from->model ? from->model : score_model_ref_model(from->model_ref)) && o->ref == from->model_ref &&
		o->release == from->release && o->release_context == from->release_context;
}

/* Two entities of one configuration may serve one model. */
static deploy_model *find_owner_in(const deploy_configuration *c, fits *does_fit, const void *what)
{
	for (uint32_t i = 0; c && i < c->n_entities; i++) {
		deploy_model *o = c->entities[i].owner;
		if (o && o->n_users > 0 && does_fit(o, what))
			return o;
	}
	return NULL;
}

static deploy_model *find_owner(score_endpoint *e, const deploy_configuration *in_the_making, fits *does_fit,
	const void *what)
{
	deploy_model *found = find_owner_in(in_the_making, does_fit, what);
	if (!found)
		found = find_owner_in(atomic_load(&e->current), does_fit, what);
	if (!found)
		found = find_owner_in(e->previous, does_fit, what);
	for (const deploy_configuration *c = e->retired; c && !found; c = c->next)
		found = find_owner_in(c, does_fit, what);
	return found;
}

/* The log knows the models of all configurations. */
static score_status make_known(build *b, const score_model *model, size_t i)
{
	score_error why;
	score_capture *capture = b->endpoint->capture;
	score_status status = capture ? score_capture_add_model(capture, model, &why) : SCORE_OK;
	if (status != SCORE_OK)
		return sl_fail(b->error, status, "served_entities[%zu].model: the capture refuses it: %.150s", i, why.message);
	return SCORE_OK;
}

static void measure(deploy_configuration *c, deploy_entity *entity)
{
	const bool is_first = entity == c->entities;
	for (int32_t output = 0; output < DEPLOY_OUTPUTS; output++) {
		score_options o = SCORE_OPTIONS_INIT;
		o.output = output;
		size_t scratch = output == SCORE_OUTPUT_CONTRIBUTION ? score_contribution_scratch_bytes(entity->model) :
			score_scratch_bytes(entity->model);
		entity->width[output] = score_output_width(entity->model, &o);
		c->is_mixable[output] = is_first ||
			(c->is_mixable[output] && entity->width[output] == c->entities[0].width[output]);
		if (entity->width[output] > c->widest[output])
			c->widest[output] = entity->width[output];
		if (scratch > c->model_scratch[output])
			c->model_scratch[output] = scratch;
	}
}

size_t deploy_scratch_bytes(const deploy_configuration *c, score_output output, size_t n_columns)
{
	const size_t heads = sizeof(score_column) + sizeof(score_strings) + 4 * SL_CACHE_LINE;
	size_t rows, outputs, sum;
	if (output < 0 || output >= DEPLOY_OUTPUTS || !sl_mul(n_columns, 8 * DEPLOY_BLOCK_ROWS + heads, &rows) ||
		!sl_mul(c->widest[output], 2 * sizeof(double) * DEPLOY_BLOCK_ROWS, &outputs) || !sl_add(rows, outputs, &sum) ||
		!sl_add(sum, c->model_scratch[output], &sum) || !sl_add(sum, 8 * SL_CACHE_LINE, &sum))
		return 0;
	return sum;
}

static score_status take_model(build *b, const score_served_entity *from, size_t i)
{
	deploy_configuration *c = b->c;
	const score_model *model = from->model ? from->model : score_model_ref_model(from->model_ref);
	if (!model || (from->model && from->model_ref))
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities[%zu].model: expected a model or a model_ref, found %s",
			i, model ? "both" : "neither");
	const score_model *like = b->running ? b->running->entities[0].model : i ? c->entities[0].model : model;
	score_status status = check_same_shape(b, model, like, &c->n_features, i);
	if (status == SCORE_OK)
		status = check_labels(b, model, like, i);
	if (status != SCORE_OK)
		return status;
	deploy_model *owner = find_owner(b->endpoint, c, fits_entity, from);
	const bool is_new = !owner;
	if (is_new)
		status = verify_golden(b, model, i);
	if (is_new && status == SCORE_OK)
		status = new_owner(b, from, model, &owner);
	if (status != SCORE_OK)
		return status;
	owner->n_users++;
	c->entities[i].owner = owner;
	c->entities[i].model = model;
	measure(c, c->entities + i);
	/* Last, so that the log forgets the model with the owner if the configuration comes to nothing. */
	return is_new ? make_known(b, model, i) : SCORE_OK;
}

static score_status take_entities(build *b)
{
	const score_endpoint_config *config = b->config;
	deploy_configuration *c = b->c;
	size_t n = config->n_served_entities;
	if (n == 0 || n > DEPLOY_MAX_ENTITIES || !config->served_entities)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "served_entities: expected 1 to %u, found %zu", DEPLOY_MAX_ENTITIES,
			config->served_entities ? n : 0);
	c->entities = sl_arena_alloc(&c->arena, n, sizeof *c->entities);
	c->shadows = sl_arena_alloc(&c->arena, n, 1);
	if (!c->entities || !c->shadows)
		return sl_fail_memory(b->error, n * sizeof *c->entities);
	c->is_watched = b->endpoint->n_observers > 0 || b->endpoint->capture;
	for (size_t i = 0; i < n; i++) {
		const score_served_entity *from = config->served_entities + i;
		for (size_t r = 0; r < sizeof from->reserved / sizeof from->reserved[0]; r++) {
			if (from->reserved[r])
				return sl_fail(b->error, SCORE_ERR_VERSION, "served_entities[%zu].reserved: expected NULL", i);
		}
		score_status status = take_names(b, from, i);
		c->n_entities = (uint32_t)i + 1;
		if (status == SCORE_OK)
			status = take_model(b, from, i);
		if (status != SCORE_OK)
			return status;
		c->entities[i].statistics = from->statistics;
		c->entities[i].observer = from->observer;
		c->is_watched |= from->statistics || from->observer.finished;
	}
	return SCORE_OK;
}

/* ---- traffic ----------------------------------------------------------------------------------------------------- */

static score_status find_named(build *b, const char *name, const char *list, size_t i, const char *field, uint32_t *out)
{
	if (!name)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "%s[%zu]%s: expected a served name, found NULL", list, i, field);
	*out = deploy_find_entity(b->c, name);
	if (*out == UINT32_MAX)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "%s[%zu]%s: '%s' is not the name of a served entity", list, i, field,
			sl_quote(name, strlen(name)).text);
	return SCORE_OK;
}

static score_status take_routes(build *b)
{
	const score_endpoint_config *config = b->config;
	bool named[DEPLOY_MAX_ENTITIES] = {false};
	int64_t sum = 0;
	for (size_t i = 0; i < config->n_routes; i++) {
		const score_route *route = config->routes + i;
		uint32_t entity;
		score_status status = find_named(b, route->served_model_name, "traffic_config.routes", i, ".served_model_name",
			&entity);
		if (status != SCORE_OK)
			return status;
		if (named[entity])
			return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.routes[%zu].served_model_name: '%s' has a route "
				"already", i, sl_quote(route->served_model_name, strlen(route->served_model_name)).text);
		if (route->traffic_percentage < 0 || route->traffic_percentage > 100)
			return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.routes[%zu].traffic_percentage: expected 0 to 100, "
				"found %d", i, (int)route->traffic_percentage);
		named[entity] = true;
		b->route_order[i] = (uint8_t)entity; /* a route more than entities would have been a doubled name */
		b->c->entities[entity].traffic_percentage = route->traffic_percentage;
		sum += route->traffic_percentage;
	}
	if (sum != 100)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.routes: traffic_percentage sums to %lld, expected 100",
			(long long)sum);
	return SCORE_OK;
}

static score_status take_slots(build *b)
{
	deploy_configuration *c = b->c;
	int32_t n[DEPLOY_MAX_ENTITIES] = {0};
	for (uint32_t s = 0; s < SCORE_TRAFFIC_SLOTS; s++) {
		uint8_t entity = b->config->slots[s];
		if (entity >= c->n_entities)
			return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.slots[%u]: is %u, expected the number of one of %u "
				"served_entities", s, entity, c->n_entities);
		n[entity]++;
		c->slots[s] = entity;
	}
	for (uint32_t i = 0; i < c->n_entities; i++) {
		if (n[i] != c->entities[i].traffic_percentage)
			return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.slots: %d are of '%s', whose traffic_percentage is "
				"%d", (int)n[i], sl_quote(c->entities[i].name, strlen(c->entities[i].name)).text,
				(int)c->entities[i].traffic_percentage);
	}
	return SCORE_OK;
}

static score_status take_traffic(build *b)
{
	const score_endpoint_config *config = b->config;
	uint32_t n_routes = (uint32_t)config->n_routes;
	score_status status = SCORE_OK;
	if (config->n_routes && !config->routes)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.routes: NULL, but n_routes is %zu", config->n_routes);
	if (config->n_routes == 0 && b->c->n_entities > 1)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "traffic_config.routes: expected percentages for %u served_entities, "
			"found no route", b->c->n_entities);
	if (config->n_routes) {
		status = take_routes(b);
	} else {
		b->c->entities[0].traffic_percentage = 100;
		b->route_order[0] = 0;
		n_routes = 1;
	}
	if (status != SCORE_OK || config->slots)
		return status != SCORE_OK ? status : take_slots(b);
	deploy_deal_slots(b->c, b->running, b->route_order, n_routes);
	return SCORE_OK;
}

static score_status take_shadows(build *b)
{
	deploy_configuration *c = b->c;
	if (b->config->n_shadows && !b->config->shadow_names)
		return sl_fail(b->error, SCORE_ERR_ARGUMENT, "shadow_names: NULL, but n_shadows is %zu", b->config->n_shadows);
	for (size_t i = 0; i < b->config->n_shadows; i++) {
		const char *name = b->config->shadow_names[i];
		uint32_t entity;
		score_status status = find_named(b, name, "shadow_names", i, "", &entity);
		if (status != SCORE_OK)
			return status;
		if (c->entities[entity].is_shadow)
			return sl_fail(b->error, SCORE_ERR_ARGUMENT, "shadow_names[%zu]: '%s' stands there twice", i,
				sl_quote(name, strlen(name)).text);
		c->entities[entity].is_shadow = true;
		c->shadows[c->n_shadows++] = (uint8_t)entity;
	}
	return SCORE_OK;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

score_status deploy_build_configuration(score_endpoint *e, const deploy_configuration *running,
	const score_endpoint_config *config, deploy_configuration **out, score_error *error)
{
	score_endpoint_config given;
	sl_arena arena;
	*out = NULL;
	score_status status = sl_take_struct(&given, sizeof given, config, "score_endpoint_config", error);
	if (status != SCORE_OK)
		return status;
	sl_arena_init(&arena, &e->allocator, 0);
	deploy_configuration *c = sl_arena_alloc(&arena, 1, sizeof *c);
	if (!c) {
		sl_arena_free(&arena);
		return sl_fail_memory(error, sizeof *c);
	}
	c->arena = arena;
	build b = {.endpoint = e, .running = running, .config = &given, .c = c, .error = error};
	status = take_entities(&b);
	if (status == SCORE_OK)
		status = take_traffic(&b);
	if (status == SCORE_OK)
		status = take_shadows(&b);
	if (status == SCORE_OK) {
		*out = c;
		return SCORE_OK;
	}
	/* Refused models stay the host's: their owners leave without a word. */
	deploy_model *gone = NULL;
	deploy_drop_configuration(e, c, &gone);
	for (deploy_model *next; gone; gone = next) {
		next = gone->next;
		score_model_ref_release(gone->ref);
		sl_free(&e->allocator, gone, sizeof *gone, sizeof(max_align_t));
	}
	return status;
}

void deploy_drop_configuration(score_endpoint *e, deploy_configuration *c, deploy_model **gone)
{
	for (uint32_t i = 0; i < c->n_entities; i++) {
		deploy_model *owner = c->entities[i].owner;
		if (!owner || --owner->n_users > 0)
			continue;
		owner->next = *gone;
		*gone = owner;
		/* The same model may have been handed in another time. */
		if (e->capture && !find_owner(e, c, fits_model, owner->model))
			score_capture_remove_model(e->capture, owner->model);
	}
	sl_arena arena = c->arena; /* it holds `c` too */
	sl_arena_free(&arena);
}
