/*
 * Rows from .npy: a two-dimensional array of float32 or float64, columns in the model's order.
 *
 * Comes in: the window over the file. Goes out: blocks of rows as doubles. C order streams from anything; Fortran
 * order keeps columns apart and needs a file that can be read at any place.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NPY_MAGIC_BYTES 8
#define NPY_HEADER_LIMIT ((uint32_t)1 << 20)

typedef struct npy_reader {
	cli_rows rows;
	cli_bytes *bytes;
	cli_npy_header header;
	uint64_t data_offset; /* of the first value in the file */
	uint64_t n_rows;
	uint64_t row;         /* next row to read */
	uint32_t n_features;
	unsigned char *raw;
	size_t raw_bytes;
} npy_reader;

static uint64_t load_bytes(const unsigned char *p, uint32_t n, bool big_endian)
{
	uint64_t v = 0;
	uint32_t i;
	for (i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * (big_endian ? n - 1 - i : i);
	return v;
}

static inline double load_value(const npy_reader *r, const unsigned char *p)
{
	uint64_t bits = load_bytes(p, r->header.value_bytes, r->header.big_endian);
	double d;
	float f;
	if (r->header.value_bytes == 4) {
		uint32_t half = (uint32_t)bits;
		memcpy(&f, &half, sizeof f);
		return (double)f;
	}
	memcpy(&d, &bits, sizeof d);
	return d;
}

static int fail_truncated(const npy_reader *r, uint64_t got)
{
	return cli_fail_at(r->bytes->name, -1, (int64_t)got, "ends too early: its header promises %llu rows of %u columns",
		(unsigned long long)r->n_rows, r->n_features);
}

static int need_raw(npy_reader *r, size_t size)
{
	unsigned char *raw;
	if (size <= r->raw_bytes)
		return CLI_OK;
	raw = realloc(r->raw, size);
	if (raw == NULL)
		return cli_fail_memory(r->bytes->name);
	r->raw = raw;
	r->raw_bytes = size;
	return CLI_OK;
}

static int read_c_order(npy_reader *r, double *out, size_t n)
{
	size_t values = n * r->n_features, size = values * r->header.value_bytes, got, i;
	if (need_raw(r, size) != CLI_OK || cli_bytes_take(r->bytes, r->raw, size, &got) != CLI_OK)
		return CLI_FAILED;
	if (got < size)
		return fail_truncated(r, r->bytes->total);
	for (i = 0; i < values; i++)
		out[i] = load_value(r, r->raw + i * r->header.value_bytes);
	return CLI_OK;
}

static int read_at(npy_reader *r, uint64_t offset, size_t size)
{
	size_t got = 0;
	while (got < size) {
		ssize_t k = pread(r->bytes->fd, r->raw + got, size - got, (off_t)(offset + got));
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return cli_fail(r->bytes->name, "cannot be read: %s", strerror(errno));
		if (k == 0)
			return fail_truncated(r, offset + got);
		got += (size_t)k;
	}
	r->bytes->total += size;
	return CLI_OK;
}

static int read_fortran_order(npy_reader *r, double *out, size_t n)
{
	size_t size = n * r->header.value_bytes, i;
	uint32_t f;
	if (need_raw(r, size) != CLI_OK)
		return CLI_FAILED;
	for (f = 0; f < r->n_features; f++) {
		uint64_t offset = r->data_offset + ((uint64_t)f * r->n_rows + r->row) * r->header.value_bytes;
		if (read_at(r, offset, size) != CLI_OK)
			return CLI_FAILED;
		for (i = 0; i < n; i++)
			out[i * r->n_features + f] = load_value(r, r->raw + i * r->header.value_bytes);
	}
	return CLI_OK;
}

static int npy_read(cli_rows *rows, double *out, size_t max_rows, size_t *n_rows)
{
	npy_reader *r = (npy_reader *)rows;
	uint64_t rest = r->n_rows - r->row;
	size_t n = rest < max_rows ? (size_t)rest : max_rows;
	int code = CLI_OK;
	if (n > 0)
		code = r->header.fortran_order ? read_fortran_order(r, out, n) : read_c_order(r, out, n);
	r->row += n;
	*n_rows = code == CLI_OK ? n : 0;
	return code;
}

static int npy_finish(cli_rows *rows)
{
	npy_reader *r = (npy_reader *)rows;
	unsigned char extra;
	size_t got = 0;
	/* The size of a regular file was checked at the start. */
	if (!r->header.fortran_order && cli_bytes_take(r->bytes, &extra, 1, &got) != CLI_OK)
		return CLI_FAILED;
	if (got != 0)
		return cli_fail(r->bytes->name, "goes on behind the array that its header describes");
	return CLI_OK;
}

static void npy_free(cli_rows *rows)
{
	npy_reader *r = (npy_reader *)rows;
	free(r->raw);
	free(r);
}

static int check_shape(npy_reader *r)
{
	const cli_npy_header *h = &r->header;
	if (h->n_dimensions != 2)
		return cli_fail(r->bytes->name, "has %u dimensions; expected 2: rows and features", h->n_dimensions);
	if (h->shape[1] != r->n_features)
		return cli_fail(r->bytes->name, "has %llu columns, but the model has %u features",
			(unsigned long long)h->shape[1], r->n_features);
	if (r->n_features != 0 && h->shape[0] > (uint64_t)INT64_MAX / 2 / h->value_bytes / r->n_features)
		return cli_fail(r->bytes->name, "has a header with an impossible number of rows");
	r->n_rows = h->shape[0];
	return CLI_OK;
}

/* Compare sizes before any row is scored, if the input is a file; needed for Fortran order. */
static int check_size(npy_reader *r)
{
	uint64_t expected = r->data_offset + r->n_rows * r->n_features * r->header.value_bytes;
	off_t here = lseek(r->bytes->fd, 0, SEEK_CUR);
	struct stat st;
	if (here < 0 || fstat(r->bytes->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (r->header.fortran_order)
			return cli_fail(r->bytes->name,
				"is in Fortran order, which cannot be read from a pipe: save numpy.ascontiguousarray(x), or give a file");
		return CLI_OK;
	}
	/* stdin may be a file that somebody has read a part of. */
	r->data_offset += (uint64_t)here - r->bytes->total;
	expected += (uint64_t)here - r->bytes->total;
	if ((uint64_t)st.st_size < expected)
		return fail_truncated(r, (uint64_t)st.st_size);
	if ((uint64_t)st.st_size > expected)
		return cli_fail_at(r->bytes->name, -1, (int64_t)expected, "goes on behind the array that its header describes");
	return CLI_OK;
}

static int read_header(npy_reader *r)
{
	unsigned char fixed[NPY_MAGIC_BYTES + 4];
	const char *wrong;
	size_t got, length_bytes, length;
	if (cli_bytes_take(r->bytes, fixed, NPY_MAGIC_BYTES, &got) != CLI_OK)
		return CLI_FAILED;
	if (got < NPY_MAGIC_BYTES || memcmp(fixed, "\x93NUMPY", 6) != 0)
		return cli_fail(r->bytes->name, "is not an .npy file");
	if (fixed[6] < 1 || fixed[6] > 3)
		return cli_fail(r->bytes->name, "has .npy version %u.%u; expected 1.0, 2.0 or 3.0", fixed[6], fixed[7]);
	length_bytes = fixed[6] == 1 ? 2 : 4;
	if (cli_bytes_take(r->bytes, fixed + NPY_MAGIC_BYTES, length_bytes, &got) != CLI_OK)
		return CLI_FAILED;
	if (got < length_bytes)
		return cli_fail(r->bytes->name, "ends inside its header");
	length = (size_t)load_bytes(fixed + NPY_MAGIC_BYTES, (uint32_t)length_bytes, false);
	if (length > NPY_HEADER_LIMIT)
		return cli_fail(r->bytes->name, "has a header of %zu bytes; expected at most %u", length, NPY_HEADER_LIMIT);
	if (need_raw(r, length + 1) != CLI_OK || cli_bytes_take(r->bytes, r->raw, length, &got) != CLI_OK)
		return CLI_FAILED;
	if (got < length)
		return cli_fail(r->bytes->name, "ends inside its header");
	wrong = cli_npy_parse_header((const char *)r->raw, length, &r->header);
	if (wrong != NULL)
		return cli_fail(r->bytes->name, "%s", wrong);
	r->data_offset = NPY_MAGIC_BYTES + length_bytes + length;
	return CLI_OK;
}

int cli_npy_open(cli_bytes *bytes, uint32_t n_features, cli_rows **out)
{
	npy_reader *r = calloc(1, sizeof *r);
	int code;
	if (r == NULL)
		return cli_fail_memory(bytes->name);
	r->rows = (cli_rows){ npy_read, npy_finish, npy_free };
	r->bytes = bytes;
	r->n_features = n_features;
	code = read_header(r);
	if (code == CLI_OK)
		code = check_shape(r);
	if (code == CLI_OK)
		code = check_size(r);
	if (code != CLI_OK)
		npy_free(&r->rows);
	else
		*out = &r->rows;
	return code;
}
