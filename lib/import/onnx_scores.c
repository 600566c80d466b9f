/*
 * From a tree ensemble's scores to a model's outputs: which class has which output, base values, the link.
 *
 * Comes in: an ensemble whose votes were checked. Goes out: outputs, bases, a link, the labels. The specification says
 * little of how one score serves two classes; docs/onnx.md has the table. Where onnxruntime departs from what it does say,
 * `like_runtime` chooses.
 */
#include "onnx.h"

#include <stdio.h>

/* ---- labels ------------------------------------------------------------------------------------------ */

static char *put(char *to, const char *text)
{
	size_t n = strlen(text);
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a piece of a longer text */
	memcpy(to, text, n);
	return to + n;
}

static char *put_text(char *to, onnx_text text)
{
	to = put(to, "\"");
	for (size_t i = 0; i < text.len; i++) {
		char escaped[8];
		unsigned char c = text.data[i];
		snprintf(escaped, sizeof escaped, c < 0x20 ? "\\u%04x" : c == '"' || c == '\\' ? "\\%c" : "%c", c);
		to = put(to, escaped);
	}
	return put(to, "\"");
}

/* As a JSON list into the file's memory; NULL: there is none. `bytes` are enough for it. */
static const char *list_labels(onnx_file *file, const onnx_ints *ints, const onnx_texts *texts, size_t bytes)
{
	char *list = sl_arena_alloc(&file->arena, bytes, 1), *to = list, number[24];
	if (!list)
		return NULL;
	to = put(to, "[");
	for (size_t i = 0; i < ints->n + texts->n; i++) {
		to = put(to, i ? ", " : "");
		if (i < ints->n) {
			snprintf(number, sizeof number, "%lld", (long long)ints->v[i]);
			to = put(to, number);
		} else {
			to = put_text(to, texts->v[i - ints->n]);
		}
	}
	memcpy(to, "]", 2);
	return list;
}

score_status import_onnx_labels(onnx_file *file, const onnx_op *op, const char *ints, const char *texts, uint32_t *n,
	const char **json)
{
	onnx_ints numbers;
	onnx_texts strings;
	size_t bytes = 3;
	score_status status = import_onnx_ints(file, op, ints, &numbers);
	if (status == SCORE_OK)
		status = import_onnx_texts(file, op, texts, &strings);
	if (status != SCORE_OK)
		return status;
	if ((numbers.n != 0) == (strings.n != 0) || numbers.n + strings.n > INT32_MAX)
		return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "%s has %zu labels and %s %zu; expected one of them", ints,
			numbers.n, texts, strings.n);
	for (size_t i = 0; i < strings.n; i++) {
		if (!import_onnx_is_text(strings.v[i]))
			return import_onnx_fail(file, op, SCORE_ERR_CORRUPT, "label %zu is no UTF-8 text", i);
		bytes += 6 * strings.v[i].len + 4; /* "\u0000" for a byte, at most */
	}
	bytes += numbers.n * 24;
	*n = (uint32_t)(numbers.n + strings.n);
	*json = list_labels(file, &numbers, &strings, bytes);
	return *json ? SCORE_OK : import_onnx_no_memory(file, bytes);
}

/* ---- links ------------------------------------------------------------------------------------------- */

score_link import_onnx_link(onnx_transform transform, bool is_f64, bool float_output)
{
	bool wide = is_f64 && !float_output;
	switch (transform) {
	case ONNX_SOFTMAX:
		return wide ? SCORE_LINK_SOFTMAX : SCORE_LINK_SOFTMAX_ONNX;
	case ONNX_LOGISTIC:
		return wide ? SCORE_LINK_SIGMOID : SCORE_LINK_SIGMOID_ONNX;
	case ONNX_SOFTMAX_ZERO:
		return SCORE_LINK_SOFTMAX_ZERO_ONNX;
	case ONNX_PROBIT:
		return SCORE_LINK_PROBIT_ONNX;
	default:
		return is_f64 && float_output ? SCORE_LINK_FLOAT : SCORE_LINK_IDENTITY;
	}
}

static score_status wrong_base(const onnx_file *file, const onnx_ensemble *e)
{
	return import_onnx_fail(file, e->op, SCORE_ERR_CORRUPT, "base_values has %zu elements for %u scores", e->base.n,
		e->n_targets);
}

/* One output per target or class. */
static score_status plain(onnx_file *file, const onnx_ensemble *e, bool is_f64, onnx_scores *out)
{
	if (e->base.n && e->base.n != e->n_targets)
		return wrong_base(file, e);
	out->n_outputs = e->n_targets;
	out->base = e->base.n ? e->base.v : NULL;
	bool narrow = e->float_output || (file->like_runtime && e->transform != ONNX_NONE);
	out->link = import_onnx_link(e->transform, is_f64, narrow);
	if (e->transform == ONNX_SOFTMAX_ZERO && !e->float_output)
		out->parameter = 2.0; /* shares are not rounded to float */
	return SCORE_OK;
}

/* Targets for which some tree votes in all its leaves. */
static score_status find_sure_targets(onnx_file *file, const onnx_ensemble *e, uint8_t **is_sure)
{
	uint32_t *leaves = sl_arena_alloc(&file->arena, e->n_targets, sizeof *leaves);
	*is_sure = sl_arena_alloc(&file->arena, e->n_targets, 1);
	if (!leaves || !*is_sure)
		return import_onnx_no_memory(file, e->n_targets * sizeof *leaves);
	for (size_t t = 0; t < e->n_trees; t++) {
		size_t begin = e->roots[t], end = t + 1 < e->n_trees ? e->roots[t + 1] : e->n_nodes, n_leaves = 0;
		for (size_t i = begin; i < end; i++)
			n_leaves += e->nodes[i].mode == ONNX_LEAF;
		for (size_t k = 0, i = begin; i < end; k = 0, i++) {
			for (const onnx_vote *v = e->votes + e->nodes[i].first; k < e->nodes[i].n; k++)
				(*is_sure)[v[k].target] |= ++leaves[v[k].target] == n_leaves;
		}
		for (size_t k = 0, i = begin; i < end; k = 0, i++) {
			for (const onnx_vote *v = e->votes + e->nodes[i].first; k < e->nodes[i].n; k++)
				leaves[v[k].target] = 0;
		}
	}
	return SCORE_OK;
}

/* In rows where no leaf votes for a target onnxruntime leaves its base value out, and takes a first class alone for a single
 * score. That cannot be had here; so it must not happen. */
static score_status check_votes(onnx_file *file, const onnx_ensemble *e)
{
	uint8_t *is_sure;
	score_status status = find_sure_targets(file, e, &is_sure);
	if (status != SCORE_OK)
		return status;
	for (uint32_t i = e->is_classifier ? 1 : 0; i < e->n_targets; i++) {
		if (!is_sure[i])
			return import_onnx_fail(file, e->op, SCORE_ERR_UNSUPPORTED,
				"onnxruntime answers otherwise in rows where no leaf votes for target %u; convert with the specification's answers (the default)", i);
	}
	return SCORE_OK;
}

/* ---- two classes ------------------------------------------------------------------------------------- */

/* Only class 0 has votes, and one base value at most: the score is the second class's. */
static score_status one_score(onnx_file *file, const onnx_ensemble *e, bool is_f64, onnx_scores *out)
{
	bool positive = true;
	onnx_transform transform = e->transform;
	for (size_t i = 0; i < e->n_votes; i++)
		positive = positive && e->votes[i].weight >= 0.0;
	out->n_outputs = 1;
	out->base = e->base.n ? e->base.v : NULL;
	if (file->like_runtime)
		out->class_rule = positive ? "margin > 0.5" : "margin > 0";
	if (file->like_runtime && (transform == ONNX_SOFTMAX || transform == ONNX_SOFTMAX_ZERO))
		transform = ONNX_NONE;
	switch (transform) {
	case ONNX_NONE:
		out->link = positive ? SCORE_LINK_COMPLEMENT_ONNX : SCORE_LINK_OPPOSITE_ONNX;
		return SCORE_OK;
	case ONNX_LOGISTIC:
		out->link = SCORE_LINK_SIGMOID_PAIR_ONNX;
		return SCORE_OK;
	case ONNX_SOFTMAX:
		if (!is_f64) {
			out->link = SCORE_LINK_SOFTMAX_PAIR;
			return SCORE_OK;
		}
		break;
	default:
		break;
	}
	return import_onnx_fail(file, e->op, SCORE_ERR_UNSUPPORTED,
		"post_transform %s of one score for two classes is not supported; give both classes weights",
		import_onnx_transforms[transform]);
}

score_status import_onnx_ensemble_scores(onnx_file *file, onnx_ensemble *e, bool is_f64, onnx_scores *out)
{
	bool used[2] = {false, false};
	*out = (onnx_scores){.parameter = 1.0};
	if (!e->is_classifier) {
		if (file->like_runtime && e->n_targets == 1 && e->transform != ONNX_PROBIT)
			e->transform = ONNX_NONE; /* onnxruntime applies no other one to a single target */
		score_status status = plain(file, e, is_f64, out);
		bool departs = file->like_runtime && e->base.n > 1;
		return status == SCORE_OK && departs ? check_votes(file, e) : status;
	}
	score_status status = import_onnx_labels(file, e->op, "classlabels_int64s", "classlabels_strings", &e->n_targets,
		&out->labels);
	if (status != SCORE_OK)
		return status;
	if (e->n_targets == 1)
		out->labels = NULL; /* what the other class would be called is not said */
	else
		out->class_rule = file->like_runtime && e->n_targets > 2 ? "largest margin" : "largest prediction";
	if (e->n_targets != 2)
		return plain(file, e, is_f64, out);
	for (size_t i = 0; i < e->n_votes; i++)
		used[e->votes[i].target] = true;
	if (e->base.n == 2 && file->like_runtime)
		return import_onnx_fail(file, e->op, SCORE_ERR_UNSUPPORTED,
			"onnxruntime mixes up the base values of two classes; convert with the specification's answers (the default)");
	if (used[1] && used[0] && file->like_runtime)
		status = check_votes(file, e);
	if (status != SCORE_OK)
		return status;
	return used[1] || e->base.n == 2 ? plain(file, e, is_f64, out) : one_score(file, e, is_f64, out);
}
