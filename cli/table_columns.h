/*
 * Columns of a CSV file on their way into a feature table: which type each has, and blocks of values.
 */
#ifndef CLI_TABLE_COLUMNS_H
#define CLI_TABLE_COLUMNS_H

#include "cli.h"

#include <scoreline/features.h>

#define TABLE_BLOCK_ROWS ((size_t)2048)

typedef enum table_role { ROLE_FEATURE, ROLE_KEY, ROLE_TIMESTAMP } table_role;

typedef struct table_column {
	const char *name;
	table_role role;
	score_dtype type;     /* 0: not known yet                        */
	/* What all values seen so far could be. */
	bool seen, can_be_bool, can_be_integer, can_be_number, can_be_time;
	bool is_time;         /* ROLE_TIMESTAMP: written as date and time */
	/* A block of values, in the type's own form; texts by offsets. */
	void *values;
	uint8_t *validity;
	int64_t *offsets;
	char *text;
	size_t text_capacity;
	score_strings strings;
} table_column;

/* Type of a name ("f64"), 0 if there is none; name of a type. */
score_dtype cli_table_type(const char *name);
const char *cli_table_type_name(score_dtype type);

/* Take a value into account for the type. */
void cli_table_guess(table_column *column, const cli_csv_field *field);
/* Settle the type after all values were seen. False: keys must be integers or texts, times integers or dates. */
bool cli_table_settle(table_column *column);
/* Memory for a block; false when there is none. */
bool cli_table_alloc(table_column *column);
void cli_table_free(table_column *column);
/* Put a value into row `r` of the block; NULL, or what is wrong with it. */
const char *cli_table_put(table_column *column, size_t r, const cli_csv_field *field);
/* The block as the builder takes it. */
score_column cli_table_block(table_column *column);

#endif
