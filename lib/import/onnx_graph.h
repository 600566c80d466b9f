/*
 * What the operators of a graph share: the values that they read and make.
 *
 * onnx_graph.c walks over the operators; those on columns are in onnx_columns.c, those on categories in onnx_encoders.c
 * and onnx_dictionaries.c, those that score linearly in onnx_linear.c, those on scores in onnx_after.c.
 */
#ifndef SL_IMPORT_ONNX_GRAPH_H
#define SL_IMPORT_ONNX_GRAPH_H

#include "onnx.h"

#define ONNX_MAX_FEATURES (1u << 20)
#define ONNX_MAX_DERIVED (1u << 16)
#define ONNX_MAX_KEYS (1u << 24) /* of all encoders, each time for every column that it reads */

typedef enum onnx_kind {
	ONNX_COLUMNS,
	ONNX_ENCODED, /* columns of one OneHotEncoder, or several joined: [rows, 1, columns] */
	ONNX_PLANES,  /* of a OneHotEncoder that reads several columns: [rows, read, columns / read] */
	ONNX_CONSTANT,
	ONNX_SCORES,
	ONNX_LABEL,
} onnx_kind;

typedef struct onnx_value {
	onnx_text name;
	onnx_kind kind;
	int32_t type;         /* of its elements: ONNX_F32, … */
	bool narrowed;        /* ONNX_COLUMNS: float values, whatever the type, … */
	bool rounded;         /* … and what computes them makes them so */
	uint32_t *column;     /* ONNX_COLUMNS: inputs, and behind them derived columns */
	uint32_t n;           /* of ONNX_COLUMNS and ONNX_SCORES */
	const onnx_tensor *constant;
	score_link link;      /* ONNX_SCORES */
	double parameter;
	int32_t chosen;       /* ONNX_SCORES: only this one of them, or -1 */
	const double *base;   /* ONNX_SCORES: for each score of the model's operator, or NULL */
} onnx_value;

/* An operator that tells texts of a column apart. */
typedef struct onnx_text_use {
	struct onnx_text_use *next;
	onnx_reals known;    /* places of labels, ascending */
	bool must_be_known;  /* the operator fails at other texts */
} onnx_text_use;

typedef struct onnx_graph {
	onnx_file *file;
	onnx_model *model;
	onnx_value *values;
	size_t n_values, max_values;
	size_t columns_left;    /* derived columns that the graph may still make */
	size_t keys_left;       /* of encoders */
	const onnx_text *labels; /* all texts that encoders name, ascending; the value of a text column is a place here */
	const char **label_strings;
	size_t n_labels;
	onnx_text unknown_text; /* what encoders make of texts that they don't know, unless they say otherwise */
	uint32_t guessed_width; /* of the only input, when the file does not say */
} onnx_graph;

typedef score_status onnx_reader(onnx_graph *g, const onnx_op *op, const onnx_value *first);

const onnx_value *import_onnx_find(const onnx_graph *g, onnx_text name);
/* Input `i` of an operator. */
score_status import_onnx_input(const onnx_graph *g, const onnx_op *op, size_t i, const onnx_value **out);
/* Result `i` of an operator. Results without a name are not used. */
score_status import_onnx_add(onnx_graph *g, const onnx_op *op, size_t i, onnx_value v);
score_status import_onnx_refuse(const onnx_graph *g, const onnx_op *op, const char *what);
/* Room for `n` columns in a value. */
score_status import_onnx_new_columns(onnx_graph *g, size_t n, onnx_value *out);
/* The operator that scores is this one, on these columns. */
score_status import_onnx_take_columns(onnx_graph *g, const onnx_op *op, const onnx_value *columns);
/* All sources computed as float values, so that what follows starts from them. */
score_status import_onnx_round(onnx_graph *g, onnx_value *v);
/* A derived column; `steps` are copied. */
score_status import_onnx_derive(onnx_graph *g, const score_column_program *program, uint32_t *column);

score_status import_onnx_as_reals(const onnx_graph *g, const onnx_op *op, const onnx_ints *ints, onnx_reals *out);

/* ---- text ---- */

/* An input is text. */
score_status import_onnx_text_input(onnx_graph *g, onnx_input *in);
/* Before the operators are read: all texts that encoders name. */
score_status import_onnx_collect_labels(onnx_graph *g);
/* Places of texts among the labels. */
score_status import_onnx_places(const onnx_graph *g, const onnx_texts *texts, onnx_reals *out);
/* An encoder reads `n` columns, and knows these labels, ascending. */
score_status import_onnx_use_text(onnx_graph *g, const onnx_op *op, const onnx_value *columns, const onnx_reals *known,
	bool must_be_known);
/* After the operators were read: each text input gets a dictionary of the labels that its encoders know. */
score_status import_onnx_make_dictionaries(onnx_graph *g);

onnx_reader import_onnx_concat, import_onnx_vectorizer, import_onnx_select, import_onnx_cast, import_onnx_arithmetic,
	import_onnx_scaler, import_onnx_imputer, import_onnx_binarizer, import_onnx_normalizer;
onnx_reader import_onnx_encoder, import_onnx_mapper, import_onnx_one_hot;
onnx_reader import_onnx_linear_regressor, import_onnx_linear_classifier, import_onnx_matmul, import_onnx_bias;
onnx_reader import_onnx_reshape, import_onnx_flatten, import_onnx_same_value, import_onnx_exp, import_onnx_sigmoid, import_onnx_mul,
	import_onnx_choose, import_onnx_normalise, import_onnx_slice, import_onnx_argmax, import_onnx_name_classes, import_onnx_list_classes;

#endif
