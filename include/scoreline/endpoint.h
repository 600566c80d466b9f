/*
 * Scoreline: models opened once, and endpoints: served versions of a model, traffic between them, shadows, hot swap.
 *
 * Field names are those of the serving platforms: served_entities, traffic_config.routes, traffic_percentage.
 *
 * Threads.  Everything may be used by any number of threads at once, a score_endpoint_reader by one at a time. Scoring
 *           through an endpoint never locks, waits or allocates, whatever the functions that change the endpoint do; those
 *           take a lock among themselves. Nothing runs by itself.
 * Fork.     The child may go on with everything, if no other thread was inside one of these functions at that moment.
 */
#ifndef SCORELINE_ENDPOINT_H
#define SCORELINE_ENDPOINT_H

#include <scoreline/capture.h>
#include <scoreline/statistics.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- models opened once ------------------------------------------------------------------------- */

/* Opens each model file once, for all threads, queries and tasks of a process. */
typedef struct score_model_cache score_model_cache;

/* A claim on a model of a cache: the model lives until all claims on it were released. */
typedef struct score_model_ref score_model_ref;

typedef struct score_model_cache_options {
	size_t struct_size;
	const score_allocator *allocator; /* of models and cache; must be safe in threads and outlive them; NULL: malloc */
	uint64_t max_bytes;               /* as in score_open_options                                                   */
	uint32_t open_flags;              /* SCORE_OPEN_*                                                                */
	score_isa isa;
	int32_t max_idle;                 /* models kept though nobody claims them, last used longest; 0: 16, -1: none  */
	int32_t reserved;
} score_model_cache_options;

#define SCORE_MODEL_CACHE_OPTIONS_INIT { sizeof(score_model_cache_options), NULL, 0, 0, SCORE_ISA_AUTO, 0, 0 }

/* `options` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_model_cache_new(const score_model_cache_options *options,
	score_model_cache **out, score_error *error);

/* Frees the idle models. Claimed ones, and what the cache needs for them, live on until they are released; nothing may be
 * opened any more. NULL is allowed. */
SCORE_API void score_model_cache_free(score_model_cache *cache);

/* Claim the model of a `.slm` file. The file is opened at most once: it is known by device, inode, size and both times of
 * change (nanoseconds; st_mtime and st_ctime, which nobody can set back), and by the XXH3-128 of its content, so that copies share
 * a model. A file whose content changed less than two seconds before it was looked at is read again next time, because such times
 * may not tell two contents apart. A file that was replaced by rename is a new model; claims on the old one stay good. Costs a
 * stat() and a short lock if the file is known; hosts keep the claim for a query or a connection, not for a row. */
SCORE_API SCORE_MUST_CHECK score_status score_model_cache_open(score_model_cache *cache, const char *path,
	score_model_ref **out, score_error *error);

/* The same for the bytes of a `.slm` file; `data` is not kept. */
SCORE_API SCORE_MUST_CHECK score_status score_model_cache_open_memory(score_model_cache *cache, const void *data,
	size_t size, score_model_ref **out, score_error *error);

/* Another claim on the same model, without looking at the file: one atomic addition. Returns `ref`. */
SCORE_API score_model_ref *score_model_ref_acquire(score_model_ref *ref);

/* Give up one claim; the last one makes the model idle. NULL is allowed. Has the form of a host's destructor, but for the
 * type: sqlite3_set_auxdata(…, (void (*)(void *))…) needs a function of its own around it. */
SCORE_API void score_model_ref_release(score_model_ref *ref);

/* The model, valid as long as the claim. */
SCORE_API const score_model *score_model_ref_model(const score_model_ref *ref);

typedef struct score_model_cache_counts {
	size_t struct_size;    /* set by the caller                                       */
	uint64_t opened;       /* models decoded                                          */
	uint64_t found;        /* calls that found theirs by the file's identity          */
	uint64_t found_bytes;  /* … by content, after reading the file                    */
	uint64_t evicted;      /* idle models freed to keep the limit                     */
	uint32_t n_claimed;    /* models that someone has a claim on                      */
	uint32_t n_idle;
	uint64_t memory_bytes; /* of both                                                 */
} score_model_cache_counts;

SCORE_API SCORE_MUST_CHECK score_status score_model_cache_get_counts(score_model_cache *cache,
	score_model_cache_counts *counts);

/* ---- configuration of an endpoint --------------------------------------------------------------- */

typedef struct score_endpoint score_endpoint;

/* Is told of every finished call, shadows too. It runs in the thread that scores, must be safe in threads, should be as
 * quick as the calls, and must not use the same reader. */
typedef struct score_observer {
	void (*finished)(void *context, const score_call *call);
	void *context;
} score_observer;

/* A version of a model that an endpoint serves. Strings are copied; names have at most 127 bytes of UTF-8. */
typedef struct score_served_entity {
	const char *name;           /* NULL: "<entity_name>-<entity_version>", as in "fraud_model-1" */
	const char *entity_name;
	const char *entity_version;
	const score_model *model;   /* borrowed until `release` was called; or NULL and …            */
	score_model_ref *model_ref; /* … a model of a cache: the endpoint takes a claim of its own   */
	/* NULL, or called once when no configuration and no call uses the model any more, by the thread that then changes or
	 * frees the endpoint. Not called for a model that was refused. */
	void (*release)(void *context);
	void *release_context;
	score_statistics *statistics; /* counts the calls of this version; borrowed like the model; or NULL */
	score_observer observer;    /* of this version only; `finished` may be NULL                  */
	void *reserved[3];          /* NULL                                                          */
} score_served_entity;

typedef struct score_route {
	const char *served_model_name;
	int32_t traffic_percentage; /* 0 … 100; those of all routes sum to 100 */
	int32_t reserved;
} score_route;

/* The hundred slots of the traffic. A key has a slot, and the slot has a version. */
#define SCORE_TRAFFIC_SLOTS 100

/*
 * All that an endpoint serves. At most 255 entities. All models must have the same features (names, types, order) and as many
 * outputs, so that callers need not know who answers, and their golden rows must pass. Names are the same too where one model's
 * means the other's feature (score_model_feature_find()): XGBoost keeps the spaces that LightGBM writes as underscores.
 *
 * Slots are dealt by the smallest change: a version whose percentage shrinks gives up its last slots, those go to the
 * versions that grow, in the order of routes; all other keys stay. That makes the slots depend on the configurations before:
 * processes agree if they apply the same ones in the same order, or if one takes the `slots` of another.
 */
typedef struct score_endpoint_config {
	size_t struct_size;
	const score_served_entity *served_entities;
	size_t n_served_entities;
	const score_route *routes;         /* traffic_config.routes; none: all traffic to the only entity */
	size_t n_routes;
	const char *const *shadow_names;   /* served names that are scored beside every call              */
	size_t n_shadows;
	const uint8_t *slots;              /* [SCORE_TRAFFIC_SLOTS] numbers of entities, or NULL          */
} score_endpoint_config;

#define SCORE_ENDPOINT_CONFIG_INIT { sizeof(score_endpoint_config), NULL, 0, NULL, 0, NULL, 0, NULL }

typedef struct score_endpoint_options {
	size_t struct_size;
	const char *name;                 /* copied; NULL: "endpoint"                                              */
	const score_allocator *allocator; /* NULL: malloc and free. Safe in threads; outlives the endpoint         */
	uint64_t salt;                    /* of the hash of keys; 0: made of the name                              */
	const score_observer *observers;  /* of all versions; what they point to outlives the endpoint             */
	size_t n_observers;
	/* Logs all calls, shadows too; outlives the endpoint; or NULL. The endpoint makes its models known to it, and unknown
	 * before they go: endpoints that serve the same model object should not share a capture. */
	score_capture *capture;
	uint32_t flags;                   /* SCORE_ENDPOINT_*                                                      */
	uint32_t reserved;
} score_endpoint_options;

/* Refuse models whose labels of categories have other codes than those of the versions before. Then callers may encode
 * strings once (score_encode()) for whoever answers. */
#define SCORE_ENDPOINT_SAME_LABELS 1u

#define SCORE_ENDPOINT_OPTIONS_INIT { sizeof(score_endpoint_options), NULL, NULL, 0, NULL, 0, NULL, 0, 0 }

/* `options` may be NULL. The first configuration fixes the features for the life of the endpoint. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_new(const score_endpoint_options *options,
	const score_endpoint_config *config, score_endpoint **out, score_error *error);

/* The last use; readers must have been freed. NULL is allowed. */
SCORE_API void score_endpoint_free(score_endpoint *endpoint);

/*
 * Each of the following makes a new configuration of the running one, checks it whole, and only then puts it in its place, by one
 * store: a call that runs goes on with the configuration it began with. A refused change leaves everything as it is; the
 * message begins with the field, as in "traffic_config.routes[1].served_model_name: …".
 *
 * The configuration before stays at hand for score_endpoint_rollback(). Older ones, and models that only they used, are freed
 * here as soon as no call uses them.
 */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_update(score_endpoint *endpoint,
	const score_endpoint_config *config, score_error *error);
/* One more version, without traffic. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_add(score_endpoint *endpoint, const score_served_entity *entity,
	score_error *error);
/* Another model under a served name: its traffic, keys and shadow stay; entity->name is ignored. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_replace(score_endpoint *endpoint, const char *served_name,
	const score_served_entity *entity, score_error *error);
/* A version that has no traffic. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_remove(score_endpoint *endpoint, const char *served_name,
	score_error *error);
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_set_traffic(score_endpoint *endpoint, const score_route *routes,
	size_t n_routes, score_error *error);
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_set_shadows(score_endpoint *endpoint,
	const char *const *shadow_names, size_t n_shadows, score_error *error);
/* Back to the configuration before, with its slots; once more goes forward again. ARGUMENT if there is none. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_rollback(score_endpoint *endpoint, score_error *error);

/* Give up the configuration before and free what no call uses any more. Returns how many configurations still wait for the
 * end of calls that began before they were replaced; a host that wants a model gone asks again. Never waits itself. */
SCORE_API size_t score_endpoint_settle(score_endpoint *endpoint);

/* ---- what runs ---------------------------------------------------------------------------------- */

typedef struct score_served_info {
	size_t struct_size; /* set by the caller */
	uint64_t generation; /* of the configuration; every change has the next number, a rollback the number of then */
	uint32_t n_served_entities;
	int32_t traffic_percentage;
	int32_t is_shadow;
	uint32_t reserved;
	uint8_t hash[16];   /* of the model file, or zero */
	char name[128];
	char entity_name[128];
	char entity_version[128];
} score_served_info;

/* Entity `i` of the running configuration; ARGUMENT if there is none. */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_get_served(const score_endpoint *endpoint, uint32_t i,
	score_served_info *info);

/* Which entity each slot has: what another process may give as `slots`. Returns the generation. */
SCORE_API uint64_t score_endpoint_slots(const score_endpoint *endpoint, uint8_t slots[SCORE_TRAFFIC_SLOTS]);

/* The slot of a key. */
SCORE_API uint32_t score_endpoint_slot(const score_endpoint *endpoint, const void *key, size_t key_length);

/* Bytes of scratch with which calls that ask for `output` on rows of `n_columns` reach full speed on the running configuration:
 * what score_batch() wants, and room for 512 rows of shadows and of batches with a key per row. */
SCORE_API size_t score_endpoint_scratch_bytes(const score_endpoint *endpoint, score_output output, size_t n_columns);

/* score_bind() for all versions that the endpoint has or will have. Free it with score_plan_free(). */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_bind(const score_endpoint *endpoint,
	const char *const *column_names, const score_dtype *types, size_t n_columns, score_plan **out, score_error *error);

/* ---- scoring ------------------------------------------------------------------------------------ */

/* What a thread scores through: its announcement that it is inside a call. Make one per thread, or take them from a pool. */
typedef struct score_endpoint_reader score_endpoint_reader;

SCORE_API SCORE_MUST_CHECK score_status score_endpoint_reader_new(score_endpoint *endpoint,
	score_endpoint_reader **out, score_error *error);
/* NULL is allowed. */
SCORE_API void score_endpoint_reader_free(score_endpoint_reader *reader);

/*
 * Who answers is, in this order: the version `served_name`; per row the version of its key in `row_keys`; the version of `key`;
 * with SCORE_REQUEST_BY_ID the version of `request_id` as a key; else the version whose turn it is: any 100 such calls
 * in a row through a reader are dealt exactly by the percentages.
 */
typedef struct score_request {
	size_t struct_size;
	score_output output;
	uint32_t flags;             /* SCORE_REQUEST_*                                                        */
	const score_plan *plan;     /* of score_endpoint_bind(), or NULL                                      */
	void *scratch;              /* as in score_options; see score_endpoint_scratch_bytes()                */
	size_t scratch_bytes;
	const char *request_id;     /* for the log and observers; or NULL                                     */
	const char *served_name;
	const void *key;            /* sticky assignment; NULL: none                                          */
	size_t key_length;
	/* A key for each row: SCORE_STRING, or integers, which are hashed as 8 bytes, lowest first; a missing one is an empty
	 * key. Rows keep their order in `out`. Observers see the rows of a version together, 512 at most. */
	const score_column *row_keys;
	uint32_t *row_served;       /* [n_rows], receives the number of the entity that scored each row; or NULL */
} score_request;

#define SCORE_REQUEST_BY_ID 1u

#define SCORE_REQUEST_INIT { sizeof(score_request), 0, 0, NULL, NULL, 0, NULL, NULL, NULL, 0, NULL, NULL }

/* Who answered. */
typedef struct score_answer {
	size_t struct_size;   /* set by the caller                                                                  */
	uint64_t generation;  /* of the configuration that served the whole call                                    */
	uint32_t served;      /* number of the entity in it; UINT32_MAX if row keys chose several                   */
	uint32_t n_served;    /* entities that scored rows                                                          */
	size_t out_width;     /* values per row                                                                     */
	size_t scratch_bytes; /* what score_endpoint_scratch_bytes() would have said: a new version may want more   */
	char served_name[128]; /* empty if there were several                                                       */
} score_answer;

#define SCORE_ANSWER_INIT { sizeof(score_answer), 0, 0, 0, 0, 0, "" }

/*
 * score_batch() through an endpoint. One call is served by one configuration from start to end, and by one version unless
 * `row_keys` says otherwise. `out` is as for score_batch(); with outputs whose width differs between versions (leaves), the
 * widest must fit. `request` and `answer` may be NULL. String columns may carry `codes` only with
 * SCORE_ENDPOINT_SAME_LABELS.
 *
 * Statistics, capture and observers are told next. Shadows are scored afterwards, in this call, into scratch (or 2 KiB of
 * stack, a few rows at a time), if there is anyone to tell; their failures are told, too, and fail nothing.
 * Never allocates, locks, blocks or starts threads, unless an observer does; uses at most 16 KiB of stack.
 */
SCORE_API SCORE_MUST_CHECK score_status score_endpoint_batch(score_endpoint_reader *reader, const score_input *input,
	double *out, size_t out_len, const score_request *request, score_answer *answer, score_error *error);

#ifdef __cplusplus
}
#endif
#endif
