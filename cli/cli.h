/*
 * cli: what the files of the `scoreline` command share.
 *
 * Comes in: arguments, model files, tables of rows. Goes out: text for people, files for programs.
 * Relies on: the public headers only. A function that returns int returns an exit code: 0, or CLI_FAILED after it
 * printed exactly one message, or CLI_USAGE. Functions shared between these files start with `cli_`.
 */
#ifndef SCORELINE_CLI_H
#define SCORELINE_CLI_H

#include <scoreline.h>
#include <scoreline/import.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit codes. Scripts rely on them. */
#define CLI_OK 0
#define CLI_FAILED 1 /* bad input, bad file, full disk: the work was not done */
#define CLI_USAGE 2  /* the command line itself is wrong                      */

#if defined(__GNUC__)
#define CLI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define CLI_PRINTF(fmt, args)
#endif

/* ---- messages ----------------------------------------------------------------------------------- */

/* Print "scoreline: FILE: message (line L, byte B)" to stderr; -1 leaves a position out. Returns CLI_FAILED. */
int cli_fail_at(const char *file, int64_t line, int64_t byte, const char *format, ...) CLI_PRINTF(4, 5);
int cli_fail(const char *file, const char *format, ...) CLI_PRINTF(2, 3);
/* The same from a failed library call. `hint` is added to the message, or NULL. */
int cli_fail_library(const char *file, const score_error *error, const char *hint);
int cli_fail_memory(const char *file);
#if defined(SL_ANALYSED)
/* Static analysers see one file at a time, and here that a failure is never CLI_OK. */
#define cli_fail_at(...) ((void)cli_fail_at(__VA_ARGS__), CLI_FAILED)
#define cli_fail(...) ((void)cli_fail(__VA_ARGS__), CLI_FAILED)
#define cli_fail_library(file, error, hint) ((void)cli_fail_library(file, error, hint), CLI_FAILED)
#define cli_fail_memory(file) ((void)cli_fail_memory(file), CLI_FAILED)
#endif
/* Print "scoreline COMMAND: message; see scoreline COMMAND --help". Returns CLI_USAGE. */
int cli_usage(const char *command, const char *format, ...) CLI_PRINTF(2, 3);
void cli_warn(const char *file, const char *format, ...) CLI_PRINTF(2, 3);

/* Untrusted text fit for a terminal: control bytes become '?', at most `limit` bytes, then "...". */
typedef struct cli_quoted {
	char text[84];
} cli_quoted;
cli_quoted cli_quote(const char *text, size_t length, size_t limit);
/* Print untrusted text whole, control bytes as '?'. */
void cli_print_text(FILE *to, const char *text);
/* "1.2 MB" */
typedef struct cli_size {
	char text[24];
} cli_size;
cli_size cli_format_size(uint64_t bytes);
/* CLI_OK if everything printed to stdout reached its end. */
int cli_flush_stdout(void);

/* ---- help --------------------------------------------------------------------------------------- */

/* Text of `scoreline --help` ("") or of `scoreline COMMAND --help`; NULL if there is no such command. */
const char *cli_help(const char *command);

/* ---- options ------------------------------------------------------------------------------------ */

/* "A:B" with A < B, both below 2^32. */
bool cli_parse_range(const char *text, uint32_t *begin, uint32_t *end);
/* Names as the library prints them; false if there is no such name. */
bool cli_parse_isa(const char *text, score_isa *out);
bool cli_parse_regime(const char *text, score_regime *out);
/* Report what getopt_long() did not understand; `code` is what it returned, '?' or ':'. */
int cli_bad_option(const char *command, int code, char **argv);

/* ---- commands ----------------------------------------------------------------------------------- */

int cli_convert(int argc, char **argv);
int cli_export(int argc, char **argv);
int cli_inspect(int argc, char **argv);
int cli_report(int argc, char **argv);
int cli_score(int argc, char **argv);
int cli_log(int argc, char **argv);
int cli_verify(int argc, char **argv);
int cli_table_command(int argc, char **argv);
/* `scoreline table build`, `inspect` and `get`, each with its own arguments. */
int cli_table_build(int argc, char **argv);
int cli_table_inspect(int argc, char **argv);
int cli_table_get(int argc, char **argv);

/* ---- models ------------------------------------------------------------------------------------- */

/* A model from a `.slm` file or from any file that can be imported, told apart by content. */
typedef struct cli_model {
	score_model *model;
	bool is_slm;
	score_format format; /* of an imported file */
	uint64_t file_bytes;
	score_model_info info;
} cli_model;

typedef struct cli_model_options {
	score_isa isa;
	uint32_t iteration_begin; /* importable files only; both 0: all */
	uint32_t iteration_end;
	score_onnx_compat onnx_compat;
	bool is_onnx;             /* refuse other formats: onnx_compat was asked for */
	const double *missing;    /* NULL: NaN only */
} cli_model_options;

#define CLI_MODEL_OPTIONS_INIT { SCORE_ISA_AUTO, 0, 0, SCORE_ONNX_SPECIFICATION, false, NULL }

int cli_model_open(const char *path, const cli_model_options *options, cli_model *out);
/* The same from a `.slm` file whose signature is checked before anything else of it is looked at. */
int cli_model_open_signed(const char *path, const char *signature, const char *public_key, cli_model *out);
void cli_model_close(cli_model *model);
/* "Scoreline .slm", or the name of the other library's format. */
const char *cli_model_format_name(const cli_model *model);
/* `scoreline inspect --json`. */
int cli_inspect_json(const char *path, const cli_model *model);

/* ---- signatures ---------------------------------------------------------------------------------- */

/* All bytes of a file, at most `limit`; free() them. */
int cli_read_whole(const char *path, size_t limit, unsigned char **out, size_t *size);
/* CLI_OK only if the owner of the public key signed these bytes; `path` is for messages. */
int cli_check_signature(const char *path, const unsigned char *bytes, size_t size, const char *signature_path,
	const char *key_path);

/* ---- bytes of an input -------------------------------------------------------------------------- */

/* A sliding window over a file or stdin. data[end] is always 0, so that scanners may run to it. */
typedef struct cli_bytes {
	const char *name; /* for messages */
	int fd;
	bool owned;
	bool eof;         /* nothing follows data[end] */
	char *data;
	size_t begin;     /* first byte that is not consumed yet */
	size_t end;
	size_t capacity;
	uint64_t total;   /* bytes read so far */
} cli_bytes;

/* `path` "-" is stdin. */
int cli_bytes_open(const char *path, cli_bytes *out);
void cli_bytes_close(cli_bytes *bytes);
/* Read more behind the unconsumed bytes, or set `eof`. `line` is only for the message when a record is too long. */
int cli_bytes_more(cli_bytes *bytes, int64_t line);
/* True if a pipe or terminal has nothing to read just now: better score what is there than wait. */
bool cli_bytes_idle(const cli_bytes *bytes);
/* Consume exactly `size` bytes into `out`; `*got` is less only at the end of the input. */
int cli_bytes_take(cli_bytes *bytes, void *out, size_t size, size_t *got);

/* ---- rows --------------------------------------------------------------------------------------- */

/* A table being read: blocks of rows with the model's features in the model's order. */
typedef struct cli_rows {
	/* Fill at most `max_rows` rows, fewer when more would have to be waited for; 0 rows means the end. */
	int (*read)(struct cli_rows *rows, double *out, size_t max_rows, size_t *n_rows);
	/* Checks and warnings once everything was read. */
	int (*finish)(struct cli_rows *rows);
	void (*free)(struct cli_rows *rows);
} cli_rows;

typedef enum cli_table { CLI_TABLE_AUTO, CLI_TABLE_CSV, CLI_TABLE_JSONL, CLI_TABLE_NPY } cli_table;

typedef struct cli_rows_options {
	cli_table table;
	bool no_header;   /* CSV: the first line is data, columns by position */
	bool by_position; /* CSV: skip the header, columns by position        */
	bool quiet;
} cli_rows_options;

/* Open the table behind `bytes`, which is borrowed. */
int cli_rows_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out);
int cli_csv_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out);
int cli_jsonl_open(cli_bytes *bytes, const score_model *model, uint32_t n_features, const cli_rows_options *options,
	cli_rows **out);
int cli_npy_open(cli_bytes *bytes, uint32_t n_features, cli_rows **out);

/* Header of an .npy file, without the magic, version and length in front of it. */
typedef struct cli_npy_header {
	bool fortran_order;
	bool big_endian;
	uint32_t value_bytes; /* 4 or 8 */
	uint32_t n_dimensions;
	uint64_t shape[2];
} cli_npy_header;
/* NULL if it was understood, else what is wrong with it, valid until the next call. */
const char *cli_npy_parse_header(const char *text, size_t length, cli_npy_header *out);

/* One record of a CSV file. Texts stand in the window, are not terminated and valid until it moves. */
typedef struct cli_csv_field {
	char *text;
	size_t length;
	bool quoted;
} cli_csv_field;
typedef struct cli_csv_record {
	cli_csv_field *fields;
	size_t n; /* 0: the end of the file */
	size_t capacity;
	int64_t line; /* of its first byte */
} cli_csv_record;
int cli_csv_read_record(cli_bytes *bytes, int64_t *line, cli_csv_record *out);
void cli_csv_free_record(cli_csv_record *record);

/* Column names of a CSV file. */
typedef struct cli_csv_header {
	char **names;
	size_t n;
} cli_csv_header;
int cli_csv_read_header(cli_bytes *bytes, int64_t *line, cli_csv_header *out);
void cli_csv_free_header(cli_csv_header *header);

/* ---- numbers as text ---------------------------------------------------------------------------- */

/* Decimal number at `p`, in text that ends in a byte which cannot belong to a number. Returns the first byte behind
 * it, or NULL. Correctly rounded; overflow gives infinity. No hexadecimal, no words, no white space. */
const char *cli_scan_number(const char *p, double *out);
/* A whole field: number, inf, a spelling of missing (NaN), true or false; surrounded by blanks or not. The byte
 * behind the field must be readable and not belong to a number. */
bool cli_field_value(const char *text, size_t length, double *out);

/* Code of a label under a feature that has a dictionary, or NaN for a spelling of missing. False: the model refuses it. */
bool cli_label_code(const score_model *model, uint32_t feature, const char *text, size_t length, double *out);

#define CLI_NUMBER_TEXT 32
/* Shortest text that reads back as the same double, or, with `single`, the same float. Returns its length. */
size_t cli_format_number(double value, bool single, char text[CLI_NUMBER_TEXT]);

/* A whole number as it is usually written: no sign but '-', no leading zeros, within int64. */
bool cli_parse_integer(const char *text, size_t length, int64_t *out);
/* "2024-01-15", "2024-01-15T10:30:00.25Z" or with a blank and "+02:00": microseconds since 1970 UTC. */
bool cli_parse_time(const char *text, size_t length, int64_t *microseconds);

/* ---- output ------------------------------------------------------------------------------------- */

/* A file that appears under its name only when it is complete, or stdout. */
typedef struct cli_output {
	const char *name;
	char *target;    /* path that appears at the end; NULL: written in place (stdout, device, pipe) */
	char *temporary; /* path beside it                                                              */
	int fd;
	bool owned;
	bool started;    /* some bytes are out                                                          */
	bool failed;     /* a write did not work, and was reported                                      */
	char *buffer;
	size_t used;
} cli_output;

#define CLI_OUTPUT_BUFFER 65536

/* `path` NULL or "-" is stdout. */
int cli_output_open(const char *path, cli_output *out);
int cli_output_write(cli_output *out, const void *data, size_t size);
/* A field of CSV, quoted where RFC 4180 asks for it, and where it is empty: no reader takes that for an empty line or for null. */
int cli_output_write_field(cli_output *out, const char *text);
/* Written in place: let the reader at the other end have what there is. */
int cli_output_flush(cli_output *out);
/* Overwrite bytes at the start of a file that is not yet complete. */
int cli_output_patch(cli_output *out, const void *data, size_t size);
/* Everything was written: flush, sync, rename. */
int cli_output_commit(cli_output *out);
/* Free; removes what was not committed. In place: what nobody has seen is dropped, else the last line is completed. */
void cli_output_close(cli_output *out);
/* Path to write to instead of `path`: symbolic links followed. NULL after a message, also where something else than a file is. */
char *cli_output_resolve(const char *path);
/* A new file beside `target`, which a signal that ends the command removes. NULL after a message. */
char *cli_output_create(const char *name, const char *target, int *fd);
/* It is complete: sync and close it, give it its name, and sync its folder. After a failure it is still to be removed. */
int cli_output_place(const char *name, char *temporary, const char *target, int fd);
/* Remove what is not to be, and free its name. */
void cli_output_remove(char *temporary);
/* CLI_USAGE after a message if `out` is the file `in`, under whatever name; an `in` of "-" is what stdin reads from. An `out` of NULL or
 * "-" is no file. */
int cli_check_overwrite(const char *command, const char *out, const char *in);

/* Scores as CSV or .npy. */
typedef struct cli_writer {
	cli_output output;
	bool npy;
	bool single;       /* values are floats  */
	bool leaf;         /* values are leaf numbers */
	bool integer;      /* leaf or class numbers   */
	const score_model *labels; /* text of class numbers in CSV, or NULL */
	size_t width;
	uint64_t n_rows;
} cli_writer;

/* Class numbers become the model's labels in CSV, if it has any. */
int cli_writer_open(const char *path, score_output output, size_t width, const score_model_info *info,
	const score_model *model, cli_writer *out);
int cli_writer_write(cli_writer *writer, const double *values, size_t n_rows);
int cli_writer_commit(cli_writer *writer);
void cli_writer_close(cli_writer *writer);

/* ---- progress ----------------------------------------------------------------------------------- */

/* A line on stderr that is rewritten in place, only if stderr is a terminal. */
typedef struct cli_progress {
	bool shown;
	double start;
	double last;
} cli_progress;

void cli_progress_start(cli_progress *progress, bool quiet);
void cli_progress_update(cli_progress *progress, uint64_t n_rows, uint64_t n_bytes);
/* Take the line away before a message, and at the end. */
void cli_progress_hide(void);

#endif
