/*
 * deploy: what an endpoint and the capture log share beside the public score_call.
 *
 * The names in an endpoint's calls are the same in every call of a version: their lengths are taken, and the names joined, when
 * a configuration is built and not in the calls.
 */
#ifndef DEPLOY_CALL_TEXTS_H
#define DEPLOY_CALL_TEXTS_H

#include "../base/base.h"

#include <scoreline/capture.h>

/* In the order of score_call: endpoint, served name, entity name, entity version. */
enum { DEPLOY_CALL_TEXTS = 4 };

typedef struct deploy_call_texts {
	const char *joined; /* one after the other, without zeros between them */
	uint32_t bytes[DEPLOY_CALL_TEXTS];
	uint32_t joined_bytes;
} deploy_call_texts;

/* As score_capture_record(); `texts` are those of the call. */
int deploy_capture_record(score_capture *capture, const score_call *call, const deploy_call_texts *texts);

#endif
