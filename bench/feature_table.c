/*
 * Feature lookups by random keys: a Scoreline feature table beside LMDB and SQLite, in one process, repetitions in turn.
 *
 *   cc -O2 bench/feature_table.c $(pkg-config --cflags --libs scoreline) -llmdb -lsqlite3 -o feature_table
 *   feature_table FOLDER [KEYS] [REPETITIONS]          (10,000,000 keys, 200 repetitions)
 *
 * Comes in: a folder for the three stores; they are made if they are not there. Goes out: nanoseconds per key of a batch of
 * 1,000 keys, each key new in every repetition, medians and bests, and ratios. Every store gives the same four doubles into the same
 * arrays; sums are compared. LMDB: integer keys, one read transaction per batch, values read in place. SQLite: a prepared
 * statement on the integer primary key, memory-mapped, in one read transaction per batch. The table is mapped, and once more
 * copied into huge pages (SCORE_TABLE_COPY).
 */
#include <scoreline/features.h>

#include <lmdb.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BATCH 1000
#define COLUMNS 4
#define CHUNK 8192

static const char *const names[COLUMNS] = {"avg_amount", "frequency", "risk", "age_days"};

static void need(int is_good, const char *what)
{
	if (!is_good) {
		fprintf(stderr, "feature_table: %s\n", what);
		exit(1);
	}
}

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
	return x ^ (x >> 31);
}

/* Keys ascend with gaps, as customer numbers do. */
static int64_t key_of(uint64_t i)
{
	return (int64_t)(i * 7 + mix(i) % 7 + 1);
}

static double value_of(int64_t key, int column)
{
	return (double)(mix((uint64_t)key * 4 + (uint64_t)column) >> 11) * 0x1p-53;
}

static int exists(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0;
}

/* ---- making the stores -------------------------------------------------------------------------------- */

static void make_table(const char *path, uint64_t n)
{
	static int64_t keys[CHUNK];
	static double values[COLUMNS][CHUNK];
	score_table_field key = {"customer_id", SCORE_I64, 0}, fields[COLUMNS];
	score_column columns[1 + COLUMNS];
	score_table_schema schema = SCORE_TABLE_SCHEMA_INIT;
	score_table_builder *builder;
	score_error error;
	memset(columns, 0, sizeof columns);
	columns[0].values = keys;
	columns[0].dtype = SCORE_I64;
	for (int c = 0; c < COLUMNS; c++) {
		fields[c] = (score_table_field){names[c], SCORE_F64, 0};
		columns[1 + c].values = values[c];
		columns[1 + c].dtype = SCORE_F64;
	}
	schema.keys = &key;
	schema.n_keys = 1;
	schema.columns = fields;
	schema.n_columns = COLUMNS;
	need(score_table_builder_new(path, &schema, &builder, &error) == SCORE_OK, error.message);
	for (uint64_t i = 0; i < n;) {
		size_t k = 0;
		for (; k < CHUNK && i < n; k++, i++) {
			keys[k] = key_of(i);
			for (int c = 0; c < COLUMNS; c++)
				values[c][k] = value_of(keys[k], c);
		}
		need(score_table_builder_add(builder, columns, 1 + COLUMNS, k, NULL, &error) == SCORE_OK, error.message);
	}
	need(score_table_builder_finish(builder, &error) == SCORE_OK, error.message);
	score_table_builder_free(builder);
}

static MDB_env *open_lmdb(const char *path, uint64_t n, MDB_dbi *dbi)
{
	MDB_env *env;
	MDB_txn *txn;
	const int is_new = !exists(path);
	need(mdb_env_create(&env) == 0 && mdb_env_set_mapsize(env, (size_t)64 << 30) == 0, "LMDB: no environment");
	need(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NORDAHEAD, 0644) == 0, "LMDB: cannot open");
	need(mdb_txn_begin(env, NULL, 0, &txn) == 0, "LMDB: no transaction");
	need(mdb_dbi_open(txn, NULL, MDB_INTEGERKEY | MDB_CREATE, dbi) == 0, "LMDB: no database");
	for (uint64_t i = 0; is_new && i < n; i++) {
		int64_t key = key_of(i);
		double values[COLUMNS];
		for (int c = 0; c < COLUMNS; c++)
			values[c] = value_of(key, c);
		MDB_val k = {sizeof key, &key}, v = {sizeof values, values};
		need(mdb_put(txn, *dbi, &k, &v, MDB_APPEND) == 0, "LMDB: cannot put");
	}
	need(mdb_txn_commit(txn) == 0, "LMDB: cannot commit");
	return env;
}

static sqlite3 *open_sqlite(const char *path, uint64_t n)
{
	sqlite3 *db;
	sqlite3_stmt *insert;
	const int is_new = !exists(path);
	need(sqlite3_open(path, &db) == SQLITE_OK, "SQLite: cannot open");
	sqlite3_exec(db, "PRAGMA mmap_size=68719476736; PRAGMA cache_size=-262144", NULL, NULL, NULL);
	if (!is_new)
		return db;
	need(sqlite3_exec(db, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; CREATE TABLE profile (customer_id INTEGER PRIMARY KEY, "
		"avg_amount REAL, frequency REAL, risk REAL, age_days REAL); BEGIN", NULL, NULL, NULL) == SQLITE_OK, "SQLite: no table");
	need(sqlite3_prepare_v2(db, "INSERT INTO profile VALUES (?,?,?,?,?)", -1, &insert, NULL) == SQLITE_OK, "SQLite: insert");
	for (uint64_t i = 0; i < n; i++) {
		sqlite3_bind_int64(insert, 1, key_of(i));
		for (int c = 0; c < COLUMNS; c++)
			sqlite3_bind_double(insert, 2 + c, value_of(key_of(i), c));
		need(sqlite3_step(insert) == SQLITE_DONE, "SQLite: cannot insert");
		sqlite3_reset(insert);
	}
	sqlite3_finalize(insert);
	need(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK, "SQLite: cannot commit");
	return db;
}

/* ---- lookups ------------------------------------------------------------------------------------------ */

enum { N_STORES = 4 };

typedef struct stores {
	score_table *table;
	score_table *copy;
	MDB_env *env;
	MDB_dbi dbi;
	MDB_txn *txn;
	sqlite3 *db;
	sqlite3_stmt *select;
} stores;

static double values[COLUMNS][BATCH];

static void look_up_in(const score_table *table, const int64_t *keys)
{
	score_column key = {keys, NULL, 0, 0, SCORE_I64, 0};
	score_table_query query = SCORE_TABLE_QUERY_INIT;
	score_table_output outputs[COLUMNS];
	score_error error;
	query.keys = &key;
	query.n_keys = 1;
	for (uint32_t c = 0; c < COLUMNS; c++)
		outputs[c] = (score_table_output){c, 0, values[c], NULL};
	need(score_table_lookup(table, &query, BATCH, outputs, COLUMNS, NULL, &error) == SCORE_OK, error.message);
}

static void look_up_table(stores *s, const int64_t *keys)
{
	look_up_in(s->table, keys);
}

static void look_up_copy(stores *s, const int64_t *keys)
{
	look_up_in(s->copy, keys);
}

static void look_up_lmdb(stores *s, const int64_t *keys)
{
	need(mdb_txn_renew(s->txn) == 0, "LMDB: no transaction");
	for (int i = 0; i < BATCH; i++) {
		MDB_val k = {sizeof keys[i], (void *)(uintptr_t)(keys + i)}, v;
		need(mdb_get(s->txn, s->dbi, &k, &v) == 0, "LMDB: key not found");
		for (int c = 0; c < COLUMNS; c++)
			memcpy(&values[c][i], (char *)v.mv_data + 8 * c, 8);
	}
	mdb_txn_reset(s->txn);
}

static void look_up_sqlite(stores *s, const int64_t *keys)
{
	sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	for (int i = 0; i < BATCH; i++) {
		sqlite3_bind_int64(s->select, 1, keys[i]);
		need(sqlite3_step(s->select) == SQLITE_ROW, "SQLite: key not found");
		for (int c = 0; c < COLUMNS; c++)
			values[c][i] = sqlite3_column_double(s->select, c);
		sqlite3_reset(s->select);
	}
	sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
}

static int compare_doubles(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double checksum(void)
{
	double sum = 0;
	for (int c = 0; c < COLUMNS; c++)
		for (int i = 0; i < BATCH; i++)
			sum += values[c][i] * (c + 1);
	return sum;
}

static void measure(stores *s, uint64_t n, int repetitions)
{
	static void (*const look_up[N_STORES])(stores *, const int64_t *) = {look_up_table, look_up_copy, look_up_lmdb, look_up_sqlite};
	static const char *const store_names[N_STORES] = {"table", "table, copied", "LMDB", "SQLite"};
	static int64_t keys[BATCH];
	double *times[N_STORES], wanted = 0;
	uint64_t state = 42;
	for (int k = 0; k < N_STORES; k++)
		need((times[k] = malloc((size_t)repetitions * sizeof(double))) != NULL, "out of memory");
	for (int r = 0; r < repetitions; r++) {
		for (int k = 0; k < N_STORES; k++) {
			/* Other keys for each store, so that none finds what another has brought into the cache. */
			double expected = 0;
			for (int i = 0; i < BATCH; i++) {
				keys[i] = key_of(mix(++state) % n);
				for (int c = 0; c < COLUMNS; c++)
					values[c][i] = value_of(keys[i], c);
			}
			expected = checksum();
			const double start = now_ns();
			look_up[k](s, keys);
			times[k][r] = (now_ns() - start) / BATCH;
			need(checksum() == expected, "a store gives other values");
			wanted += expected;
		}
	}
	printf("%llu keys, batches of %d random keys, %d repetitions in turn; ns per key\n%-16s %8s %8s  %8s %8s\n",
		(unsigned long long)n, BATCH, repetitions, "", "median", "", "best", "");
	for (int k = 0; k < N_STORES; k++) {
		qsort(times[k], (size_t)repetitions, sizeof(double), compare_doubles);
		const double median = times[k][repetitions / 2], best = times[k][0];
		printf("%-16s %8.1f %6.1f x  %8.1f %6.1f x\n", store_names[k], median, median / times[0][repetitions / 2], best,
			best / times[0][0]);
	}
	for (int k = 0; k < N_STORES; k++)
		free(times[k]);
	need(wanted != 0, "nothing was looked up");
}

int main(int argc, char **argv)
{
	const uint64_t n = argc > 2 ? strtoull(argv[2], NULL, 10) : 10000000;
	const int repetitions = argc > 3 ? atoi(argv[3]) : 200;
	char path[3][4096];
	stores s;
	score_error error;
	score_table_options options = SCORE_TABLE_OPTIONS_INIT;
	need(argc > 1 && n > 0 && repetitions > 0, "usage: feature_table FOLDER [KEYS] [REPETITIONS]");
	snprintf(path[0], sizeof path[0], "%s/profile-%llu.sft", argv[1], (unsigned long long)n);
	snprintf(path[1], sizeof path[1], "%s/profile-%llu.mdb", argv[1], (unsigned long long)n);
	snprintf(path[2], sizeof path[2], "%s/profile-%llu.db", argv[1], (unsigned long long)n);
	double start = now_ns();
	if (!exists(path[0])) {
		make_table(path[0], n);
		printf("table built in %.1f s\n", (now_ns() - start) * 1e-9);
	}
	options.flags = SCORE_TABLE_PRELOAD;
	need(score_table_open(path[0], &options, &s.table, &error) == SCORE_OK, error.message);
	options.flags = SCORE_TABLE_COPY;
	need(score_table_open(path[0], &options, &s.copy, &error) == SCORE_OK, error.message);
	s.env = open_lmdb(path[1], n, &s.dbi);
	s.db = open_sqlite(path[2], n);
	need(mdb_txn_begin(s.env, NULL, MDB_RDONLY, &s.txn) == 0, "LMDB: no transaction");
	mdb_txn_reset(s.txn);
	need(sqlite3_prepare_v2(s.db, "SELECT avg_amount, frequency, risk, age_days FROM profile WHERE customer_id = ?", -1, &s.select,
		NULL) == SQLITE_OK, "SQLite: cannot prepare");
	measure(&s, n, repetitions / 4 + 1); /* brings the pages of all stores into memory */
	measure(&s, n, repetitions);
	sqlite3_finalize(s.select);
	sqlite3_close(s.db);
	mdb_txn_abort(s.txn);
	mdb_env_close(s.env);
	score_table_close(s.table);
	score_table_close(s.copy);
	return 0;
}
