/*
 * What the parts of the ONNX importer share: the parsed file, its memory, a tree ensemble as nodes.
 *
 *     onnx.c         all together
 *     onnx_read.c    bytes → messages, by protobuf-c; attributes and tensors as plain arrays
 *     onnx_graph.c   the graph, node by node: which columns reach the model, what becomes of its scores;
 *                    with it onnx_columns.c, onnx_encoders.c, onnx_dictionaries.c, onnx_linear.c, onnx_after.c
 *                    (onnx_graph.h)
 *     onnx_trees.c   TreeEnsembleRegressor and -Classifier → onnx_ensemble
 *     onnx_trees5.c  TreeEnsemble → onnx_ensemble
 *     onnx_scores.c  post_transform, base values and two-class forms → outputs, bases and link
 *     onnx_emit.c    onnx_ensemble → builder
 */
#ifndef SL_IMPORT_ONNX_H
#define SL_IMPORT_ONNX_H

#include "../base/base.h"

#include <scoreline/build.h>
#include <scoreline/import.h>

#include <onnx.pb-c.h>

typedef Import__Onnx__Node onnx_op;
typedef Import__Onnx__Tensor onnx_tensor;
typedef ProtobufCBinaryData onnx_text; /* `len` bytes at `data`, not terminated */

/* TensorProto.data_type */
#define ONNX_F32 1
#define ONNX_U8 2
#define ONNX_I32 6
#define ONNX_I64 7
#define ONNX_STRING 8
#define ONNX_BOOL 9
#define ONNX_F64 11

typedef struct onnx_file {
	score_allocator allocator;
	score_error *error;
	const score_import_options *options;
	bool like_runtime;      /* onnxruntime's answers where it departs from the specification */
	size_t used, limit;     /* bytes that the parsed messages take, and may take */
	bool too_large, no_memory;
	Import__Onnx__Model *model;
	Import__Onnx__Graph *graph;
	sl_arena arena;         /* all arrays below; freed at the end */
} onnx_file;

typedef struct onnx_reals {
	const double *v;
	size_t n;
	bool is_f64; /* came as a tensor of doubles */
} onnx_reals;

typedef struct onnx_ints {
	const int64_t *v;
	size_t n;
} onnx_ints;

typedef struct onnx_texts {
	const onnx_text *v;
	size_t n;
} onnx_texts;

/* ---- reading ------------------------------------------------------------------------------------- */

/* Parse; `file` is zeroed but for allocator, error and options. Give back in any case with import_onnx_free(). */
score_status import_onnx_read(onnx_file *file, const void *data, size_t size);
void import_onnx_free(onnx_file *file);

bool import_onnx_is(onnx_text text, const char *word);
/* UTF-8 without a zero byte. */
bool import_onnx_is_text(onnx_text text);
bool import_onnx_same(onnx_text a, onnx_text b);

/* An error at an operator: its name and kind, then the text. */
score_status import_onnx_fail(const onnx_file *file, const onnx_op *op, score_status code, const char *format, ...)
	SL_PRINTF(4, 5);
score_status import_onnx_no_memory(const onnx_file *file, size_t bytes);
/* A builder speaks of wrong arguments; here they come from the file. */
score_status import_onnx_from_builder(const onnx_file *file, const onnx_op *op, score_status status,
	const score_error *inner);

/* Attributes by name; absent ones are empty lists, or `otherwise`. A wrong type is an error. */
score_status import_onnx_ints(onnx_file *file, const onnx_op *op, const char *name, onnx_ints *out);
score_status import_onnx_texts(const onnx_file *file, const onnx_op *op, const char *name, onnx_texts *out);
/* `name`, or `name`_as_tensor. */
score_status import_onnx_reals(onnx_file *file, const onnx_op *op, const char *name, onnx_reals *out);
score_status import_onnx_int(const onnx_file *file, const onnx_op *op, const char *name, int64_t otherwise,
	int64_t *out);
score_status import_onnx_real(const onnx_file *file, const onnx_op *op, const char *name, float otherwise, float *out);
/* A word of `words`, by position; the first one if the attribute is absent. */
score_status import_onnx_word(const onnx_file *file, const onnx_op *op, const char *name, const char *const *words,
	size_t n_words, uint32_t *out);
/* Tensor attribute; NULL if absent. */
score_status import_onnx_tensor(const onnx_file *file, const onnx_op *op, const char *name, const onnx_tensor **out);
/* Values of a tensor of f32 or f64; of texts; of u8, bool, i32 or i64. */
score_status import_onnx_tensor_reals(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_reals *out);
score_status import_onnx_tensor_texts(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_texts *out);
score_status import_onnx_tensor_ints(onnx_file *file, const onnx_op *op, const onnx_tensor *t, onnx_ints *out);

/* ---- tree ensembles ------------------------------------------------------------------------------ */

typedef uint8_t onnx_mode; /* as TreeEnsemble numbers them */
#define ONNX_LEQ 0
#define ONNX_LT 1
#define ONNX_GTE 2
#define ONNX_GT 3
#define ONNX_EQ 4
#define ONNX_NEQ 5
#define ONNX_MEMBER 6
#define ONNX_LEAF 7

typedef enum onnx_transform { /* as TreeEnsemble numbers them in the specification */
	ONNX_NONE,
	ONNX_SOFTMAX,
	ONNX_LOGISTIC,
	ONNX_SOFTMAX_ZERO,
	ONNX_PROBIT,
} onnx_transform;

typedef struct onnx_node {
	double value;       /* threshold */
	uint32_t feature;
	uint32_t yes, no;   /* nodes */
	uint32_t first, n;  /* leaf: into votes; ONNX_MEMBER: into members */
	uint32_t id;        /* as the file numbers it */
	onnx_mode mode;
	bool missing_is_yes;
} onnx_node;

typedef struct onnx_vote {
	uint32_t target;
	double weight;
} onnx_vote;

typedef struct onnx_ensemble {
	const onnx_op *op;
	onnx_node *nodes;
	size_t n_nodes;
	uint32_t *roots;
	size_t n_trees;
	onnx_vote *votes;      /* grouped by leaf, in listed order within */
	size_t n_votes;
	const double *members; /* of all sets */
	size_t n_members;
	uint32_t n_targets;    /* or classes */
	onnx_reals base;
	onnx_transform transform;
	bool average;
	bool is_classifier;
	bool is_f64;           /* numbers of the model and of its output (version 5) */
	bool float_output;     /* the output is rounded to float */
} onnx_ensemble;

score_status import_onnx_trees(onnx_file *file, const onnx_op *op, bool classifier, onnx_ensemble *out);
score_status import_onnx_trees5(onnx_file *file, const onnx_op *op, onnx_ensemble *out);
extern const char *const import_onnx_transforms[5];

/* ---- from scores to outputs ---------------------------------------------------------------------- */

typedef struct onnx_scores {
	uint32_t n_outputs;
	const double *base; /* [n_outputs], or NULL */
	score_link link;
	double parameter;
	const char *labels; /* JSON list, or NULL */
	const char *class_rule;
} onnx_scores;

/* May rewrite the ensemble's votes where only some of them count. */
score_status import_onnx_ensemble_scores(onnx_file *file, onnx_ensemble *e, bool is_f64, onnx_scores *out);
score_status import_onnx_labels(onnx_file *file, const onnx_op *op, const char *ints, const char *texts,
	uint32_t *n, const char **json);
/* Link of a transform over several outputs, or one output treated as such. */
score_link import_onnx_link(onnx_transform transform, bool is_f64, bool float_output);

/* ---- the graph ----------------------------------------------------------------------------------- */

/* The columns that reach the model's operator. */
typedef struct onnx_columns {
	uint32_t *column;  /* inputs of the model, and behind them its derived columns */
	uint32_t n;
	bool is_f64;       /* the operator sees doubles */
	bool narrowed;     /* … that are float values */
} onnx_columns;

/* weights[column * n_outputs + output]; NULL: no linear model. */
typedef struct onnx_linear {
	const double *weights;
	uint32_t n_outputs;
	int32_t chosen; /* only this output, or -1 */
} onnx_linear;

/* Labels of a text feature; their codes are 0, 1, 2, … */
typedef struct onnx_dictionary {
	struct onnx_text_use *uses; /* what reads the feature; NULL in the end */
	const double *places;       /* of the labels among all texts of the graph */
	const char **labels;
	size_t n;
	double unknown;             /* code of other texts */
} onnx_dictionary;

typedef struct onnx_input {
	onnx_text name;
	uint32_t first; /* of its features */
	uint32_t n;
	onnx_dictionary *dictionaries; /* [n] of text, or NULL */
} onnx_input;

/* What the graph as a whole says. */
typedef struct onnx_model {
	const onnx_op *op; /* the one that scores; NULL: none was found */
	onnx_input *inputs;
	size_t n_inputs;
	uint32_t n_features;
	sl_vector programs; /* score_column_program: derived columns, in order */
	onnx_columns columns;
	onnx_ensemble ensemble;
	onnx_linear linear;
	onnx_scores scores;
} onnx_model;

/* `out` is zeroed but for the vector of programs. */
score_status import_onnx_graph(onnx_file *file, onnx_model *out);

/* ---- to the builder ------------------------------------------------------------------------------ */

score_status import_onnx_emit(onnx_file *file, const onnx_ensemble *e, const onnx_columns *columns,
	const onnx_scores *scores, score_builder *builder);

#endif
