/*
 * Java: the native methods of Scoreline.java.
 *
 * Comes in: rows in a double[] or in a direct ByteBuffer. Goes out: scores in place, or an exception: IllegalArgumentException for
 * what the caller did wrong, OutOfMemoryError. Relies on: scoreline.h; Scoreline.java, which never passes a handle that is closed.
 */
#include <jni.h>
#include <scoreline.h>

#include <stdio.h>
#include <stdlib.h>

/* A model and what a call needs to know of it. */
typedef struct handle {
	score_model *model;
	uint32_t n_features;
	size_t scratch_bytes;
} handle;

static void throw_new(JNIEnv *env, const char *name, const char *message)
{
	jclass type = (*env)->FindClass(env, name);
	if (type != NULL)
		(*env)->ThrowNew(env, type, message);
}

static void throw_error(JNIEnv *env, score_status status, const score_error *error)
{
	throw_new(env, status == SCORE_ERR_MEMORY ? "java/lang/OutOfMemoryError" : "java/lang/IllegalArgumentException",
		error->message);
}

static handle *handle_of(jlong number)
{
	return (handle *)(intptr_t)number;
}

JNIEXPORT jlong JNICALL Java_Scoreline_open(JNIEnv *env, jclass type, jstring path)
{
	const char *name;
	score_model_info info = { .struct_size = sizeof info };
	score_error error = { 0 };
	score_status status = SCORE_OK;
	handle *h;
	(void)type;
	if (path == NULL) {
		throw_new(env, "java/lang/NullPointerException", "expected the path of a model, found null");
		return 0;
	}
	/* Java's own UTF-8, which differs from the file system's for characters beyond the first 65,536 and for NUL alone. */
	name = (*env)->GetStringUTFChars(env, path, NULL);
	if (name == NULL)
		return 0;
	h = calloc(1, sizeof *h);
	if (h == NULL) {
		status = SCORE_ERR_MEMORY;
		snprintf(error.message, sizeof error.message, "out of memory");
	}
	if (status == SCORE_OK)
		status = score_model_open_file(name, NULL, &h->model, &error);
	if (status == SCORE_OK)
		status = score_model_get_info(h->model, &info);
	(*env)->ReleaseStringUTFChars(env, path, name);
	if (status == SCORE_OK && info.n_predictions == 1 && info.n_outputs == 1) {
		h->n_features = info.n_features;
		h->scratch_bytes = score_scratch_bytes(h->model);
		return (jlong)(intptr_t)h;
	}
	if (status == SCORE_OK)
		snprintf(error.message, sizeof error.message, "expected a model with one output, found one with %u",
			(unsigned)info.n_predictions);
	throw_error(env, status, &error);
	if (h != NULL)
		score_model_free(h->model);
	free(h);
	return 0;
}

JNIEXPORT jint JNICALL Java_Scoreline_features(JNIEnv *env, jclass type, jlong number)
{
	(void)env;
	(void)type;
	return (jint)handle_of(number)->n_features;
}

JNIEXPORT void JNICALL Java_Scoreline_close(JNIEnv *env, jclass type, jlong number)
{
	handle *h = handle_of(number);
	(void)env;
	(void)type;
	score_model_free(h->model);
	free(h);
}

/* The label in UTF-8, and not in Java's own, in which models have no labels. */
JNIEXPORT jdouble JNICALL Java_Scoreline_code(JNIEnv *env, jclass type, jlong number, jint feature, jbyteArray label)
{
	const score_model *model = handle_of(number)->model;
	char message[160];
	double code;
	jbyte *text;
	(void)type;
	if (feature < 0 || (uint32_t)feature >= handle_of(number)->n_features || label == NULL ||
		!score_model_dictionary(model, (uint32_t)feature)) {
		snprintf(message, sizeof message, "expected a label of a feature that has a dictionary, found feature %d%s",
			(int)feature, label == NULL ? " and null" : "");
		throw_new(env, "java/lang/IllegalArgumentException", message);
		return 0;
	}
	text = (*env)->GetByteArrayElements(env, label, NULL);
	if (text == NULL)
		return 0;
	score_model_category_find(model, (uint32_t)feature, (const char *)text, (size_t)(*env)->GetArrayLength(env, label), &code);
	(*env)->ReleaseByteArrayElements(env, label, text, JNI_ABORT);
	if (code == SCORE_REFUSE)
		throw_new(env, "java/lang/IllegalArgumentException", "the model refuses labels that it does not know");
	return code;
}

/* ---- scoring ------------------------------------------------------------------------------------- */

/* 1 if rows of n_rows_values fit the model and n_scores; else an exception is pending. */
static int fits(JNIEnv *env, const handle *h, int64_t n_values, int64_t n_scores)
{
	char message[160];
	if (n_values == n_scores * (int64_t)h->n_features)
		return 1;
	snprintf(message, sizeof message, "expected %lld values for %lld scores of a model with %u features, found %lld",
		(long long)n_scores * h->n_features, (long long)n_scores, (unsigned)h->n_features, (long long)n_values);
	throw_new(env, "java/lang/IllegalArgumentException", message);
	return 0;
}

/* Scratch pays for batches only, and a single row must not wait for malloc. */
#define ROWS_WORTH_SCRATCH 16

static score_status score_rows(const handle *h, const double *rows, double *scores, int64_t n_rows, jint output, void *scratch,
	score_error *error)
{
	score_options options = SCORE_OPTIONS_INIT;
	score_input input = score_input_rows_f64(rows, n_rows, (int64_t)h->n_features);
	options.output = output;
	options.scratch = scratch;
	options.scratch_bytes = scratch != NULL ? h->scratch_bytes : 0;
	return score_batch(h->model, &input, scores, (size_t)n_rows, &options, error);
}

/* Between Get… and Release… no other function of Java may be called, and nothing may block: the scratch comes before. */
JNIEXPORT void JNICALL Java_Scoreline_score(JNIEnv *env, jclass type, jlong number, jdoubleArray rows, jdoubleArray scores,
	jint output)
{
	const handle *h = handle_of(number);
	score_error error;
	score_status status = SCORE_ERR_MEMORY;
	double *in, *out = NULL;
	void *scratch = NULL;
	jsize n_rows;
	(void)type;
	if (rows == NULL || scores == NULL) {
		throw_new(env, "java/lang/NullPointerException", "expected two arrays, found null");
		return;
	}
	n_rows = (*env)->GetArrayLength(env, scores);
	if (!fits(env, h, (*env)->GetArrayLength(env, rows), n_rows))
		return;
	snprintf(error.message, sizeof error.message, "out of memory");
	if (n_rows >= ROWS_WORTH_SCRATCH)
		scratch = malloc(h->scratch_bytes);
	in = (*env)->GetPrimitiveArrayCritical(env, rows, NULL);
	if (in != NULL)
		out = (*env)->GetPrimitiveArrayCritical(env, scores, NULL);
	if (out != NULL) {
		status = score_rows(h, in, out, n_rows, output, scratch, &error);
		(*env)->ReleasePrimitiveArrayCritical(env, scores, out, 0);
	}
	if (in != NULL)
		(*env)->ReleasePrimitiveArrayCritical(env, rows, in, JNI_ABORT);
	free(scratch);
	if (status != SCORE_OK)
		throw_error(env, status, &error);
}

JNIEXPORT void JNICALL Java_Scoreline_scoreDirect(JNIEnv *env, jclass type, jlong number, jobject rows, jobject scores,
	jint output)
{
	const handle *h = handle_of(number);
	double *in = rows != NULL ? (*env)->GetDirectBufferAddress(env, rows) : NULL;
	double *out = scores != NULL ? (*env)->GetDirectBufferAddress(env, scores) : NULL;
	score_error error;
	score_status status;
	void *scratch;
	int64_t n_rows;
	(void)type;
	if (in == NULL || out == NULL || (uintptr_t)in % sizeof *in != 0 || (uintptr_t)out % sizeof *out != 0) {
		throw_new(env, "java/lang/IllegalArgumentException", "expected two direct buffers that begin at a multiple of 8");
		return;
	}
	n_rows = (*env)->GetDirectBufferCapacity(env, scores) / (int64_t)sizeof *out;
	if (!fits(env, h, (*env)->GetDirectBufferCapacity(env, rows) / (int64_t)sizeof *in, n_rows))
		return;
	scratch = n_rows >= ROWS_WORTH_SCRATCH ? malloc(h->scratch_bytes) : NULL;
	status = score_rows(h, in, out, n_rows, output, scratch, &error);
	free(scratch);
	if (status != SCORE_OK)
		throw_error(env, status, &error);
}
