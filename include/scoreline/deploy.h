/*
 * Scoreline: the deployment layer. Everything is an object that the host makes and frees; nothing runs by itself.
 *
 *   call.h        one finished scoring call
 *   statistics.h  what was scored: counts, histograms, drift against a reference, Prometheus text
 *   capture.h     the log of calls: sampled, bounded, never in the way of scoring
 *   log.h         reading it
 *   features.h    feature tables and lookups by key
 *   endpoint.h    models opened once, served versions, traffic, shadows, hot swap
 */
#ifndef SCORELINE_DEPLOY_H
#define SCORELINE_DEPLOY_H

#include <scoreline/call.h>
#include <scoreline/capture.h>
#include <scoreline/endpoint.h>
#include <scoreline/features.h>
#include <scoreline/log.h>
#include <scoreline/statistics.h>

#endif
