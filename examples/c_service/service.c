/*
 * A scoring service that vendors the library: scoreline.c and scoreline.h stand beside this file, nothing of Scoreline is installed.
 *
 *     service MODEL.slm [PORT [THREADS]]     listens on 127.0.0.1; port 0 takes a free one; prints "port N" when it is ready
 *
 * POST /score            comes in: rows of float64, one after the other, NaN is missing; goes out: a float64 per value of a row
 * GET /code?feature=I&label=TEXT   what a category's label is in a row, a float64
 * Numbers are in the machine's byte order. An error is a line of text, with status 400, 404, 405 or 413.
 * Relies on: libmicrohttpd, whose threads score; they share the model. SIGTERM or SIGINT ends it.
 */
#include <scoreline.h>

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY ((size_t)64 << 20)
#define ROWS_WORTH_SCRATCH 16

typedef struct service {
	score_model *model;
	score_model_info info;
	size_t scratch_bytes;
} service;

/* The body of one request, as far as it came. */
typedef struct body {
	char *bytes;
	size_t size, capacity;
	unsigned refused; /* a status, or 0 */
} body;

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, void *bytes, size_t size,
	enum MHD_ResponseMemoryMode mode, const char *type)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(size, bytes, mode);
	enum MHD_Result result = MHD_NO;
	if (response == NULL) {
		if (mode == MHD_RESPMEM_MUST_FREE)
			free(bytes);
		return MHD_NO;
	}
	if (MHD_add_response_header(response, "Content-Type", type) == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *message)
{
	return answer(connection, status, (void *)(uintptr_t)message, strlen(message), MHD_RESPMEM_MUST_COPY, "text/plain");
}

static enum MHD_Result numbers(struct MHD_Connection *connection, double *values, size_t n)
{
	return answer(connection, MHD_HTTP_OK, values, n * sizeof *values, MHD_RESPMEM_MUST_FREE, "application/octet-stream");
}

/* ---- POST /score --------------------------------------------------------------------------------- */

static enum MHD_Result score_body(struct MHD_Connection *connection, const service *s, const body *b)
{
	size_t row_bytes = s->info.n_features * sizeof(double), n_rows = b->size / row_bytes, n = n_rows * s->info.n_predictions;
	score_options options = SCORE_OPTIONS_INIT;
	score_input rows = score_input_rows_f64((const double *)(const void *)b->bytes, (int64_t)n_rows, s->info.n_features);
	score_error error;
	score_status status;
	double *scores;
	if (b->size % row_bytes != 0) {
		snprintf(error.message, sizeof error.message, "expected rows of %u float64 values, %zu bytes each, found %zu bytes\n",
			(unsigned)s->info.n_features, row_bytes, b->size);
		return refuse(connection, MHD_HTTP_BAD_REQUEST, error.message);
	}
	scores = malloc(n ? n * sizeof *scores : 1);
	if (scores == NULL)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	if (n_rows >= ROWS_WORTH_SCRATCH)
		options.scratch = malloc(s->scratch_bytes);
	options.scratch_bytes = options.scratch != NULL ? s->scratch_bytes : 0;
	status = score_batch(s->model, &rows, scores, n, &options, &error);
	free(options.scratch);
	if (status == SCORE_OK)
		return numbers(connection, scores, n);
	free(scores);
	return refuse(connection, MHD_HTTP_BAD_REQUEST, error.message);
}

/* A piece of the body. What is too long is read to its end and forgotten, so that the client hears why. */
static void take(body *b, const char *bytes, size_t size)
{
	if (b->refused)
		return;
	if (size > MAX_BODY - b->size) {
		b->refused = MHD_HTTP_CONTENT_TOO_LARGE;
		return;
	}
	if (b->size + size > b->capacity) {
		size_t capacity = 2 * b->size > b->size + size ? 2 * b->size : b->size + size;
		char *more = realloc(b->bytes, capacity);
		if (more == NULL) {
			b->refused = MHD_HTTP_INTERNAL_SERVER_ERROR;
			return;
		}
		b->bytes = more;
		b->capacity = capacity;
	}
	memcpy(b->bytes + b->size, bytes, size);
	b->size += size;
}

/* ---- GET /code ----------------------------------------------------------------------------------- */

static enum MHD_Result code_of_label(struct MHD_Connection *connection, const service *s)
{
	const char *number = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "feature");
	const char *label = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "label");
	char *end = NULL;
	unsigned long feature = number != NULL ? strtoul(number, &end, 10) : 0;
	double *code;
	if (label == NULL || end == number || *end != '\0' || feature >= s->info.n_features ||
		!score_model_dictionary(s->model, (uint32_t)feature))
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "expected ?feature=I&label=TEXT, I the number of a feature with labels\n");
	code = malloc(sizeof *code);
	if (code == NULL)
		return refuse(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory\n");
	score_model_category_find(s->model, (uint32_t)feature, label, strlen(label), code);
	if (*code != SCORE_REFUSE)
		return numbers(connection, code, 1);
	free(code);
	return refuse(connection, MHD_HTTP_BAD_REQUEST, "the model refuses labels that it does not know\n");
}

/* ---- requests ------------------------------------------------------------------------------------ */

/* libmicrohttpd calls it when the headers are there, for each piece of the body, and once more at the end. */
static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
	const char *version, const char *upload, size_t *upload_size, void **request)
{
	const service *s = context;
	body *b = *request;
	(void)version;
	if (b == NULL) {
		*request = calloc(1, sizeof *b);
		return *request != NULL ? MHD_YES : MHD_NO;
	}
	if (*upload_size != 0) {
		take(b, upload, *upload_size);
		*upload_size = 0;
		return MHD_YES;
	}
	if (b->refused == MHD_HTTP_CONTENT_TOO_LARGE)
		return refuse(connection, b->refused, "expected at most 64 MiB\n");
	if (b->refused)
		return refuse(connection, b->refused, "out of memory\n");
	if (strcmp(url, "/score") == 0)
		return strcmp(method, "POST") == 0 ? score_body(connection, s, b)
										   : refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected POST\n");
	if (strcmp(url, "/code") == 0)
		return strcmp(method, "GET") == 0 ? code_of_label(connection, s)
										  : refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET\n");
	return refuse(connection, MHD_HTTP_NOT_FOUND, "expected /score or /code\n");
}

static void forget(void *context, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode why)
{
	body *b = *request;
	(void)context;
	(void)connection;
	(void)why;
	if (b != NULL)
		free(b->bytes);
	free(b);
	*request = NULL;
}

/* Open the model. The file is not trusted: everything in it is checked, and its self-test is scored. */
static int open_model(service *s, const char *path)
{
	score_open_options options = SCORE_OPEN_OPTIONS_INIT;
	score_error error;
	options.flags = SCORE_OPEN_VERIFY;
	s->info.struct_size = sizeof s->info;
	if (score_model_open_file(path, &options, &s->model, &error) != SCORE_OK) {
		fprintf(stderr, "service: %s\n", error.message);
		return 0;
	}
	s->scratch_bytes = score_scratch_bytes(s->model);
	return score_model_get_info(s->model, &s->info) == SCORE_OK;
}

static int serve(service *s, uint16_t port, unsigned n_threads)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const union MHD_DaemonInfo *info;
	struct MHD_Daemon *daemon;
	sigset_t ends;
	int number;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL); /* before there are threads: they inherit it */
	daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_USE_ERROR_LOG, port, NULL, NULL, handle, s,
		MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, n_threads, MHD_OPTION_CONNECTION_TIMEOUT, 30u,
		MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_END);
	if (daemon == NULL) {
		fprintf(stderr, "service: cannot listen on 127.0.0.1:%u\n", (unsigned)port);
		return 1;
	}
	info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT);
	printf("port %u\n", info != NULL ? (unsigned)info->port : (unsigned)port);
	fflush(stdout);
	sigwait(&ends, &number);
	MHD_stop_daemon(daemon);
	return 0;
}

int main(int n, char **arguments)
{
	long port = n > 2 ? strtol(arguments[2], NULL, 10) : 8080, n_threads = n > 3 ? strtol(arguments[3], NULL, 10) : 2;
	service s;
	int code;
	memset(&s, 0, sizeof s);
	if (n < 2 || port < 0 || port > 65535 || n_threads < 2 || n_threads > 1024) {
		fprintf(stderr, "usage: service MODEL.slm [PORT [THREADS]]    THREADS: 2 to 1024\n");
		return 2;
	}
	if (!open_model(&s, arguments[1]))
		return 1;
	code = serve(&s, (uint16_t)port, (unsigned)n_threads);
	score_model_free(s.model);
	return code;
}
