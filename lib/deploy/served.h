/*
 * Inside of an endpoint, shared by the files that change it and the files that score through it.
 *
 * Comes in: configurations, from hosts. Goes out: immutable deploy_configurations, one of which runs.
 *
 * How readers and the changing side meet (all atomics are sequentially consistent where no weaker order is named):
 *
 *   a call begins   slot := epoch;  c := current            one load, one store, one load: wait-free
 *   a call ends     slot := 0 (release)
 *   a change        current := new;  old.retired_at := epoch++;  later: free old if no slot is in 1 … old.retired_at
 *
 * If a call got `old`, it loaded `current` before the change stored it, so it had filled its slot before that too, with an
 * epoch that cannot be later than retired_at; whoever looks at the slots after the change sees it until the call ends. A call
 * whose slot is seen as 0, or later than retired_at, will load or has loaded something newer than `old`. Nobody waits: what
 * cannot be freed yet stays in a list and is looked at again by the next change.
 */
#ifndef DEPLOY_SERVED_H
#define DEPLOY_SERVED_H

#include "../base/base.h"
#include "reader_clock.h"
#include "call_texts.h"

#include <scoreline/endpoint.h>

#include <pthread.h>
#include <stdatomic.h>

#define DEPLOY_MAX_ENTITIES 255u
#define DEPLOY_NAME_BYTES 128u /* with the final zero */
#define DEPLOY_BLOCK_ROWS 512
#define DEPLOY_OUTPUTS 5

/* A model that was handed in, shared by the configurations that serve it. Counted under the endpoint's lock. */
typedef struct deploy_model {
	const score_model *model;
	score_model_ref *ref;
	void (*release)(void *context);
	void *release_context;
	uint32_t n_users;          /* configurations */
	struct deploy_model *next; /* while it is on its way out */
} deploy_model;

typedef struct deploy_entity {
	const score_model *model;
	deploy_model *owner;
	score_statistics *statistics;
	score_observer observer;
	const char *name, *entity_name, *entity_version;
	deploy_call_texts texts;
	int32_t traffic_percentage;
	bool is_shadow;
	size_t width[DEPLOY_OUTPUTS]; /* values per row of each output; 0: the model does not give it */
} deploy_entity;

/* Never changes while a reader can see it. Lives in its own arena. */
typedef struct deploy_configuration {
	uint64_t generation;
	deploy_entity *entities;
	uint32_t n_entities, n_shadows, n_features;
	uint8_t *shadows;                    /* numbers of entities */
	uint8_t slots[SCORE_TRAFFIC_SLOTS];  /* numbers of entities */
	size_t model_scratch[DEPLOY_OUTPUTS]; /* the most that a model wants for each output    */
	size_t widest[DEPLOY_OUTPUTS];
	bool is_mixable[DEPLOY_OUTPUTS];      /* all entities give as many values per row       */
	bool is_watched;                     /* someone wants score_calls */
	/* Of the changing side. */
	uint64_t retired_at;
	struct deploy_configuration *next;
	sl_arena arena;
} deploy_configuration;

struct score_endpoint_reader {
	_Alignas(SL_CACHE_LINE) _Atomic uint64_t slot;
	score_endpoint *endpoint;
	score_endpoint_reader *next;
	uint32_t turn;          /* of calls without a key */
	deploy_clock clock;
};

struct score_endpoint {
	_Alignas(SL_CACHE_LINE) _Atomic uint64_t epoch; /* from 1 */
	deploy_configuration *_Atomic current;
	uint64_t salt;
	const score_observer *observers;
	size_t n_observers;
	score_capture *capture;
	uint32_t flags;
	const char *name;
	/* Of the changing side, under the lock. */
	_Alignas(SL_CACHE_LINE) pthread_mutex_t lock;
	score_allocator allocator;
	sl_arena arena; /* name, observers */
	deploy_configuration *previous, *retired;
	score_endpoint_reader *readers;
	uint64_t n_generations;
	uint32_t n_readers_made;
};

/* Check `config` whole and build it as the follower of `running` (NULL: the first). On failure nothing is left. On success
 * the models' owners count one user more. */
score_status deploy_build_configuration(score_endpoint *e, const deploy_configuration *running,
	const score_endpoint_config *config, deploy_configuration **out, score_error *error);
/* Free it, and put the owners of models that nobody uses any more in front of `*gone`. It must stand in none of the endpoint's
 * places any more. */
void deploy_drop_configuration(score_endpoint *e, deploy_configuration *c, deploy_model **gone);
/* Number of an entity, or UINT32_MAX. */
uint32_t deploy_find_entity(const deploy_configuration *c, const char *name);

/* Put `config` in the place of what runs; under the lock. Models that left stand in `*gone`. */
score_status deploy_apply(score_endpoint *e, const score_endpoint_config *config, deploy_model **gone,
	score_error *error);
/* Give back the lock, then those models. */
void deploy_unlock(score_endpoint *e, deploy_model *gone);

/* Deal the slots: traffic percentages (that sum to 100) and names are filled in. `running` may be NULL. */
void deploy_deal_slots(deploy_configuration *c, const deploy_configuration *running, const uint8_t *route_order,
	uint32_t n_routes);

/* The best size of a caller's scratch. */
size_t deploy_scratch_bytes(const deploy_configuration *c, score_output output, size_t n_columns);

uint32_t deploy_slot_of(uint64_t salt, const void *key, size_t length);

/* Memory for rows that were taken together and for outputs that nobody gets. */
typedef struct deploy_room {
	char *at;
	size_t left;
} deploy_room;

static inline deploy_room deploy_room_of(void *data, size_t bytes)
{
	size_t skip = data ? (size_t)(-(uintptr_t)data & (SL_CACHE_LINE - 1)) : 0;
	return data && bytes > skip ? (deploy_room){(char *)data + skip, bytes - skip} : (deploy_room){NULL, 0};
}

/* NULL if there is not enough left. */
static inline void *deploy_take(deploy_room *room, size_t bytes)
{
	size_t whole = sl_round_up(bytes, SL_CACHE_LINE);
	if (whole < bytes || whole > room->left || !room->at)
		return NULL;
	void *taken = room->at;
	room->at += whole;
	room->left -= whole;
	return taken;
}

/* One call while it is served. */
typedef struct deploy_call {
	const score_endpoint *endpoint;
	const deploy_configuration *c;
	score_endpoint_reader *reader;
	const score_request *request;
	void *model_scratch;
	size_t model_scratch_bytes;
} deploy_call;

/* Score rows with one entity, tell observers, then the shadows, whose outputs go into `room`. */
score_status deploy_score_rows(deploy_call *call, uint32_t served, const score_input *input, double *out, size_t out_len,
	deploy_room room, score_error *error);
/* A key per row. Fills `*served` with the only entity that scored, or UINT32_MAX, and `*n_served`. */
score_status deploy_score_split(deploy_call *call, const score_input *input, double *out, size_t out_len,
	deploy_room room, uint32_t *served, uint32_t *n_served, score_error *error);

/* Rows [begin, begin + n) of an input; columns need room for their descriptors. False if there is none. */
bool deploy_slice(const score_input *input, int64_t begin, int64_t n, deploy_room *room, score_input *out);
/* The `n` rows begin + rows[i] together, copied into `room`. False if there is not enough of it or the layout has no copy. */
bool deploy_gather(const deploy_call *call, const score_input *input, int64_t begin, const uint16_t *rows, int64_t n,
	deploy_room *room, score_input *out);

#endif
