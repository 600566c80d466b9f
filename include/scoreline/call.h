/*
 * Scoreline: one finished scoring call, as statistics and the capture log take it.
 *
 * A host that calls score_batch() itself fills in a score_call and hands it on; an endpoint does that for every call.
 * Everything in it is borrowed for the duration of the call that it is handed to.
 */
#ifndef SCORELINE_CALL_H
#define SCORELINE_CALL_H

#include <scoreline.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct score_call {
	size_t struct_size;
	const score_model *model;
	const score_plan *plan;      /* as score_batch() got it, or NULL                             */
	const score_input *input;    /* the rows                                                     */
	const double *out;           /* [n_rows, out_width]; NULL if the call failed                 */
	size_t out_width;            /* values per row, as score_output_width() says                 */
	score_output output;         /* what `out` holds                                             */
	score_status status;         /* of the call                                                  */
	int64_t started_unix_ns;     /* UTC, nanoseconds since 1970                                  */
	int64_t latency_ns;          /* of a monotonic clock                                         */
	const char *request_id;      /* UTF-8, or NULL                                               */
	const char *endpoint;        /* name, or NULL                                                */
	const char *served_name;     /* "fraud_model-1", or NULL                                     */
	const char *entity_name;     /* the model's name, or NULL                                    */
	const char *entity_version;  /* or NULL                                                      */
	uint32_t flags;              /* SCORE_CALL_*                                                 */
	uint32_t reserved;
} score_call;

/* The outputs were computed beside those of another version and not returned to anyone. */
#define SCORE_CALL_SHADOW 1u
/* More rows of a call that was handed on before, as logs keep large calls: its rows count, but it is no call of its own. */
#define SCORE_CALL_CONTINUED 2u

#define SCORE_CALL_INIT \
	{ sizeof(score_call), NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, 0, 0 }

#ifdef __cplusplus
}
#endif
#endif
