/*
 * The example adapters for LMDB and Redis: a plan with each gives the scores of rows that were joined here.
 *
 *   check_sources lmdb FOLDER          makes a database in the folder
 *   check_sources redis SOCKET LOCALE  fills a server that listens on a unix socket, and asks it also in that locale
 */
#include <lmdb_source.h>
#include <redis_source.h>

#include <scoreline/build.h>

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_ROWS 3000
#define N_CUSTOMERS 500

static const char *const features[] = {"avg_amount", "frequency"};

static void need(int is_good, const char *what)
{
	if (!is_good) {
		fprintf(stderr, "check_sources: %s\n", what);
		exit(1);
	}
}

/* amount, avg_amount, frequency: a linear model that gives missing values no weight. */
static score_model *make_model(void)
{
	static const char *const names[] = {"amount", "avg_amount", "frequency"};
	static const double weights[] = {1, 0.5, -0.25};
	score_contract contract = SCORE_CONTRACT_INIT(3, 1);
	score_build_options options = SCORE_BUILD_OPTIONS_INIT;
	score_builder *b;
	score_model *model;
	score_error error;
	need(score_builder_new(&contract, &options, &b, &error) == SCORE_OK, error.message);
	for (uint32_t i = 0; i < 3; i++)
		need(score_builder_set_feature(b, i, names[i], SCORE_FEATURE_NUMERIC, &error) == SCORE_OK, error.message);
	need(score_builder_set_linear(b, weights, 1, &error) == SCORE_OK, error.message);
	need(score_builder_finish(b, &model, &error) == SCORE_OK, error.message);
	score_builder_free(b);
	return model;
}

/* Every seventh customer has no frequency. */
static double feature_of(int64_t customer, int which)
{
	if (which == 1 && customer % 7 == 0)
		return (double)NAN;
	return which == 0 ? (double)customer * 0.125 : (double)(customer % 13);
}

static void fill_lmdb(lmdb_source *source, const char *folder)
{
	MDB_txn *txn;
	need(mdb_env_create(&source->env) == 0 && mdb_env_open(source->env, folder, 0, 0600) == 0, "LMDB cannot be opened");
	need(mdb_txn_begin(source->env, NULL, 0, &txn) == 0, "no transaction");
	need(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, &source->dbi) == 0, "no database");
	for (int64_t customer = 0; customer < N_CUSTOMERS; customer++) {
		double values[] = {feature_of(customer, 0), feature_of(customer, 1)};
		MDB_val key = {sizeof customer, &customer}, value = {sizeof values, values};
		need(mdb_put(txn, source->dbi, &key, &value, 0) == 0, "cannot put");
	}
	need(mdb_txn_commit(txn) == 0, "cannot commit");
}

static void fill_redis(redis_source *source, const char *socket_path)
{
	const struct timeval timeout = {60, 0};
	source->connection = redisConnectUnixWithTimeout(socket_path, timeout);
	need(source->connection && !source->connection->err, "the server cannot be reached");
	need(redisSetTimeout(source->connection, timeout) == REDIS_OK, "no timeout");
	source->prefix = "customer";
	source->features = features;
	source->n_features = 2;
	for (int64_t customer = 0; customer < N_CUSTOMERS; customer++) {
		redisReply *reply = redisCommand(source->connection, "HSET customer:%lld avg_amount %.17g", (long long)customer,
			feature_of(customer, 0));
		need(reply && reply->type == REDIS_REPLY_INTEGER, "HSET failed");
		freeReplyObject(reply);
		if (isnan(feature_of(customer, 1)))
			continue;
		reply = redisCommand(source->connection, "HSET customer:%lld frequency %.17g", (long long)customer, feature_of(customer, 1));
		need(reply && reply->type == REDIS_REPLY_INTEGER, "HSET failed");
		freeReplyObject(reply);
	}
}

static void check(score_feature_callback callback, void *context)
{
	static int64_t customer[N_ROWS];
	static double amount[N_ROWS], joined[N_ROWS][3], expected[N_ROWS], found[N_ROWS];
	static uint8_t validity[N_ROWS / 8];
	static const char *const names[] = {"customer_id", "amount"}, *const key[] = {"customer_id"};
	static const score_dtype types[] = {SCORE_I64, SCORE_F64};
	score_model *model = make_model();
	score_feature_lookup lookup = SCORE_FEATURE_LOOKUP_INIT;
	score_feature_plan *plan;
	score_error error;
	for (int r = 0; r < N_ROWS; r++) {
		customer[r] = r * 7919 % (N_CUSTOMERS + 50); /* some are unknown */
		amount[r] = r * 0.01;
		const int is_known = r % 11 != 5 && customer[r] < N_CUSTOMERS;
		validity[r / 8] |= (uint8_t)((r % 11 != 5) << (r % 8));
		joined[r][0] = amount[r];
		for (int c = 0; c < 2; c++)
			joined[r][1 + c] = is_known ? feature_of(customer[r], c) : (double)NAN;
	}
	const score_column request[] = {{customer, validity, 0, 0, SCORE_I64, 0}, {amount, NULL, 0, 0, SCORE_F64, 0}};
	score_input in = score_input_columns(request, N_ROWS, 2), rows = score_input_rows_f64(&joined[0][0], N_ROWS, 3), out;
	lookup.callback = callback;
	lookup.context = context;
	lookup.lookup_key = key;
	lookup.n_lookup_key = 1;
	lookup.feature_names = features;
	lookup.n_feature_names = 2;
	need(score_feature_plan_new(model, names, types, 2, &lookup, 1, &plan, &error) == SCORE_OK, error.message);
	const size_t bytes = score_feature_scratch_bytes(plan, N_ROWS);
	void *scratch = malloc(bytes);
	need(score_feature_lookup_batch(plan, &in, scratch, bytes, &out, &error) == SCORE_OK, error.message);
	need(score_batch(model, &out, found, N_ROWS, NULL, &error) == SCORE_OK, error.message);
	need(score_batch(model, &rows, expected, N_ROWS, NULL, &error) == SCORE_OK, error.message);
	need(memcmp(found, expected, sizeof found) == 0, "scores differ from those of joined rows");
	printf("%d rows: the scores of joined rows, bit for bit\n", N_ROWS);
	free(scratch);
	score_feature_plan_free(plan);
	score_model_free(model);
}

static void say(redisContext *connection, const char *command)
{
	redisReply *reply = redisCommand(connection, command);
	need(reply && reply->type != REDIS_REPLY_ERROR, command);
	freeReplyObject(reply);
}

/* A key that holds no hash is an error, and the answers behind it are not taken for those of the next lookup. */
static void check_after_error(redis_source *source)
{
	static const int64_t customers[] = {3, 4, 5};
	const score_column key = {customers, NULL, 0, 0, SCORE_I64, 0};
	double values[2][3], *const columns[] = {values[0], values[1]};
	say(source->connection, "RENAME customer:3 kept");
	say(source->connection, "SET customer:3 text");
	need(redis_source_lookup(source, 3, &key, 1, NULL, columns, 2) == REDIS_ERR_PROTOCOL, "a text was taken for a hash");
	say(source->connection, "RENAME kept customer:3");
	check(redis_source_lookup, source);
}

int main(int argc, char **argv)
{
	const int is_lmdb = argc == 3 && strcmp(argv[1], "lmdb") == 0;
	need(is_lmdb || (argc == 4 && strcmp(argv[1], "redis") == 0), "usage: check_sources lmdb FOLDER | redis SOCKET LOCALE");
	if (is_lmdb) {
		lmdb_source source;
		fill_lmdb(&source, argv[2]);
		check(lmdb_source_lookup, &source);
		mdb_env_close(source.env);
	} else {
		redis_source source;
		fill_redis(&source, argv[2]);
		check(redis_source_lookup, &source);
		check_after_error(&source);
		need(setlocale(LC_ALL, argv[3]) != NULL && *localeconv()->decimal_point == ',', "no such locale, or no decimal comma");
		check(redis_source_lookup, &source);
		redisFree(source.connection);
	}
	return 0;
}
