/*
 * Scoreline: score rows with tree ensembles and linear models inside the host program.
 *
 * Everything a host needs to load a model and score rows. `scoreline/build.h` makes models by calls,
 * `scoreline/import.h` reads other libraries' model files, `scoreline/bins.h` bins rows once for many calls.
 *
 * Ownership.  The library frees only what it handed out through an `out` parameter. Inputs are borrowed
 *             for the duration of a call. Strings that a model returns live until score_model_free().
 * Threads.    A score_model and a score_plan never change after they were made: any number of threads may
 *             use them at once. Freeing them must be the last use. No globals, no locks, no threads of its own.
 * Allocation. Loading allocates through the caller's allocator. score_batch() allocates nothing and uses at
 *             most 8 KiB of stack; with a scratch buffer (score_scratch_bytes()) it takes the fast path.
 * Errors.     Every fallible call returns a score_status and fills an optional, caller-owned score_error.
 *             After a failure `*out` is NULL, and the content of an output buffer is unspecified.
 * Values.     NaN is missing. A cleared validity bit is missing. Categories are exact integer codes, or strings where the
 *             model has a dictionary of them.
 * Bits.       The same row gives the same margin bits whatever the batch size, layout, thread or
 *             instruction set.
 */
#ifndef SCORELINE_H
#define SCORELINE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCORE_VERSION_MAJOR 0
#define SCORE_VERSION_MINOR 1
#define SCORE_VERSION_PATCH 0
#define SCORE_VERSION_NUMBER (SCORE_VERSION_MAJOR * 10000 + SCORE_VERSION_MINOR * 100 + SCORE_VERSION_PATCH)
#define SCORE_VERSION_STRING "0.1.0"

#if defined(_WIN32) && defined(SCORE_BUILD_SHARED)
#define SCORE_API __declspec(dllexport)
#elif defined(__GNUC__)
#define SCORE_API __attribute__((visibility("default")))
#else
#define SCORE_API
#endif

#if defined(__GNUC__)
#define SCORE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define SCORE_MUST_CHECK
#endif

/* ---- status and errors ------------------------------------------------------------------------ */

/* Values are frozen: new ones are only ever added. */
typedef int32_t score_status;
#define SCORE_OK 0
#define SCORE_ERR_ARGUMENT 1    /* the call itself is wrong: null pointer, bad option, bad struct_size   */
#define SCORE_ERR_MEMORY 2      /* the allocator returned NULL                                           */
#define SCORE_ERR_IO 3          /* a file could not be opened, read or written                           */
#define SCORE_ERR_CORRUPT 4     /* the bytes are not a valid file of the format they claim               */
#define SCORE_ERR_VERSION 5     /* made for a newer library or file-format version                       */
#define SCORE_ERR_UNSUPPORTED 6 /* valid, but uses a construct that this library does not have           */
#define SCORE_ERR_SHAPE 7       /* the rows do not fit the model: columns, names, types, output length   */
#define SCORE_ERR_LIMIT 8       /* larger than a limit in the options                                    */
#define SCORE_ERR_VERIFY 9      /* the model's golden rows did not give the stored margins               */

/* Caller-owned, 256 bytes, frozen. Every function accepts NULL instead. Read it after a failure only: what it holds after SCORE_OK
 * is not said, as calls that score leave it alone. */
typedef struct score_error {
	score_status code;
	int32_t reserved;
	int64_t offset;    /* byte position in the input, -1 if there is none                    */
	int64_t line;      /* line number from 1, -1 if there is none                            */
	char message[232]; /* UTF-8, always terminated: what was expected, found, and what to do */
} score_error;

/* A constant English word for a status ("corrupt"); never NULL. */
SCORE_API const char *score_status_name(score_status status);

/* The version of the library that runs, as SCORE_VERSION_NUMBER and SCORE_VERSION_STRING. */
SCORE_API uint32_t score_version_number(void);
SCORE_API const char *score_version_string(void);

/* ---- opening a model --------------------------------------------------------------------------- */

/* A model ready to score. Immutable. */
typedef struct score_model score_model;

/* `alloc` returns memory aligned to `align` (a power of two) or NULL. `free` gets the same size and align.
 * Both are needed: with one of them NULL, as without an allocator, malloc() and free() serve. Called by the thread that calls the
 * library. */
typedef struct score_allocator {
	void *(*alloc)(void *context, size_t size, size_t align);
	void (*free)(void *context, void *pointer, size_t size, size_t align);
	void *context;
} score_allocator;

/* Instruction set of the kernels. AUTO takes the best one that the processor has. */
typedef int32_t score_isa;
#define SCORE_ISA_AUTO 0
#define SCORE_ISA_PORTABLE 1
#define SCORE_ISA_AVX2 2
#define SCORE_ISA_AVX512 3 /* needs AVX-512 F, BW, VL, DQ, CD, VBMI, VBMI2 and GFNI */
#define SCORE_ISA_SSE42 4
#define SCORE_ISA_NEON 5   /* every little-endian AArch64 processor */

/* How rows are walked through trees. AUTO chooses by the model's shape and the number of rows. */
typedef int32_t score_regime;
#define SCORE_REGIME_AUTO 0
#define SCORE_REGIME_BATCH 1  /* bit-sliced; needs scratch and trees of at most 256 leaves      */
#define SCORE_REGIME_WALK 2   /* interleaved walk over quantised nodes; any tree, any batch. Slow where AUTO takes ROW: such
                               * models have no nodes */
#define SCORE_REGIME_LINEAR 3 /* reported only, for linear models                               */
#define SCORE_REGIME_ROW 4    /* row by row, many splits at once; AVX-512, trees of at most 256 leaves, at most 128
                               * columns of at most 255 cuts, no categories; needs no scratch */

typedef struct score_open_options {
	size_t struct_size;               /* sizeof(score_open_options)                               */
	const score_allocator *allocator; /* NULL: malloc and free. Must outlive the model            */
	uint64_t max_bytes;               /* refuse files larger than this; 0 means 1 GiB             */
	uint32_t flags;                   /* SCORE_OPEN_*                                             */
	score_isa isa;                    /* SCORE_ISA_AUTO or a forced one (ARGUMENT if not available) */
} score_open_options;

/* Map the file while it is decoded instead of reading it into memory. The file must not be truncated meanwhile (the
 * kernel would raise SIGBUS): replace model files by rename. Nothing stays mapped after the call. */
#define SCORE_OPEN_MMAP 1u
/* Score the golden rows while opening and fail with SCORE_ERR_VERIFY if a bit differs or the model has none. */
#define SCORE_OPEN_VERIFY 2u
/* Keep a forest in less memory, without the batch regime and, where nodes take less, without the pages of large trees: a model takes a
 * tenth to a half less, most less than three times its file, and blocks of rows take longer (docs/deploy.md). Linear models have neither.
 * The bits are the same. */
#define SCORE_OPEN_SMALL 4u

#define SCORE_OPEN_OPTIONS_INIT { sizeof(score_open_options), NULL, 0, 0, SCORE_ISA_AUTO }

/* Open a `.slm` file. Everything in it is checked before the model is returned. `options` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_model_open_file(const char *path, const score_open_options *options,
	score_model **out, score_error *error);

/* The same from memory; `data` is not kept. */
SCORE_API SCORE_MUST_CHECK score_status score_model_open_memory(const void *data, size_t size,
	const score_open_options *options, score_model **out, score_error *error);

/* NULL is allowed. */
SCORE_API void score_model_free(score_model *model);

/* ---- what a model is --------------------------------------------------------------------------- */

typedef int32_t score_model_kind;
#define SCORE_KIND_TREES 1
#define SCORE_KIND_LINEAR 2

typedef struct score_model_info {
	size_t struct_size; /* set by the caller */
	score_model_kind kind;
	uint32_t n_features;
	uint32_t n_outputs;     /* margins per row                                     */
	uint32_t n_predictions; /* values per row after the link                       */
	uint32_t n_trees;
	uint32_t trees_per_iteration;
	uint64_t n_splits;
	uint64_t n_leaves;
	uint64_t n_tests;       /* distinct split tests                                */
	uint32_t max_leaves;    /* of one tree                                         */
	uint32_t max_depth;     /* splits on the longest path                          */
	uint32_t max_cuts;      /* distinct thresholds of one feature                  */
	uint32_t code_bytes;    /* bytes of a binned feature value: 1, 2 or 4          */
	score_isa isa;          /* chosen for this model                               */
	score_regime batch_regime; /* serves large batches when scratch is given       */
	score_regime row_regime;   /* serves single rows                               */
	uint32_t n_golden_rows;
	uint64_t memory_bytes;  /* allocated by this model                             */
	uint64_t file_bytes;    /* of the `.slm` it was opened from, or 0              */
	uint8_t hash[16];       /* XXH3-128 of the `.slm` file, or zero                */
	int32_t margin_is_f32;  /* 1: margins are float values (held in doubles)       */
	uint32_t n_categories;  /* categories named by all splits                      */
	int32_t has_covers;     /* 1: trees know the weight of their training rows     */
	uint32_t n_derived;     /* columns that the model computes from its features   */
} score_model_info;

SCORE_API SCORE_MUST_CHECK score_status score_model_get_info(const score_model *model, score_model_info *info);

/* Name of feature `i`; NULL if `i` is out of range. Never empty: unnamed features are "f0", "f1", … */
SCORE_API const char *score_model_feature_name(const score_model *model, uint32_t i);

/* How a column, field or key of a caller's table names a feature. */
typedef int32_t score_name_match;
#define SCORE_NAME_NONE 0   /* no feature is called so                                                                */
#define SCORE_NAME_SPACED 1 /* it has spaces where the feature's name has underscores, and the model is from LightGBM or
                             * skl2onnx ("source.library" is "lightgbm" or "onnx"), which write the one for the other  */
#define SCORE_NAME_OWN 2    /* the feature's own name, byte for byte                                                   */

/* Which feature the first `length` bytes of `name` (UTF-8, need not be terminated) mean: its number, or UINT32_MAX, in *i,
 * which may be NULL. At most one feature is meant: its own name first, else underscores for all spaces. Where several of a
 * caller's columns mean one feature, a larger match goes before a smaller; two of the same are ambiguous, which
 * score_bind() refuses, and so should a caller that matches names itself. The time grows with `length` and the logarithm of
 * the number of features; never allocates. SCORE_NAME_NONE if `model` or `name` is NULL. */
SCORE_API score_name_match score_model_feature_find(const score_model *model, const char *name, size_t length, uint32_t *i);

typedef int32_t score_feature_type;
#define SCORE_FEATURE_NUMERIC 0
#define SCORE_FEATURE_CATEGORY 1

SCORE_API score_feature_type score_model_feature_type(const score_model *model, uint32_t i);

/* The dictionary of feature `i`: which code each of its labels (strings) has. Numbers that a caller passes are codes
 * already; strings (SCORE_STRING columns) are labels and get their code here. 0 if the feature has none: then it takes
 * codes only. */
SCORE_API uint32_t score_model_dictionary(const score_model *model, uint32_t i);
#define SCORE_DICTIONARY 1u         /* there is one                                                               */
#define SCORE_DICTIONARY_NUMBERS 2u /* the labels were numbers where the model was trained; they stand as decimal text */
#define SCORE_DICTIONARY_HASH 4u    /* no labels are listed: every string has a code, made of its hash (CatBoost)        */

/* Code of a string that is no label: NaN: it counts as missing; -1: it is in no category set; SCORE_REFUSE: a row that
 * has one is refused (SCORE_ERR_SHAPE). NaN if the feature has no dictionary. */
SCORE_API double score_model_category_unknown(const score_model *model, uint32_t i);
#define SCORE_REFUSE ((double)HUGE_VAL) /* positive infinity */

/* Label `k` of feature `i`, UTF-8, and its code; NULL and NaN when out of range. Order is the source library's. */
SCORE_API uint32_t score_model_category_count(const score_model *model, uint32_t i);
SCORE_API const char *score_model_category_name(const score_model *model, uint32_t i, uint32_t k);
SCORE_API double score_model_category_code(const score_model *model, uint32_t i, uint32_t k);

/* Code of one string: 1 if it is a label of the feature; else 0 and what score_model_category_unknown() says. */
SCORE_API int score_model_category_find(const score_model *model, uint32_t i, const char *text, size_t length,
	double *code);

/* Metadata: UTF-8 key and value of entry `i`, NULL when out of range. The library itself writes "name",
 * "source.library", "source.version", "objective"; "class_labels" and "class_rule" are explained below;
 * "reference.histograms" are those of the training data (scoreline/statistics.h). Importers keep what else a file says of its model
 * (XGBoost's attributes, such as "best_iteration"); all others are the user's. */
SCORE_API uint32_t score_model_metadata_count(const score_model *model);
SCORE_API const char *score_model_metadata_key(const score_model *model, uint32_t i);
SCORE_API const char *score_model_metadata_value(const score_model *model, uint32_t i);
/* NULL if there is no such key. */
SCORE_API const char *score_model_metadata_get(const score_model *model, const char *key);

/*
 * Classes. Metadata "class_labels", a JSON list, names the classes in the order of their numbers; "class_rule" says how
 * they follow from a row: "largest prediction", "largest margin" (the position of the first one), "prediction > B",
 * "margin > B" or "margin >= B" (0 or 1 per value). Without it the rule is the link's: prediction > 0.5 behind a sigmoid
 * or hinge, the largest prediction behind softmax or several sigmoids, margin > 0 behind binary_pair and softmax_pair.
 */

/* Number of labels; 0 if the model names none. */
SCORE_API uint32_t score_model_class_count(const score_model *model);
/* Text of a label: a string as it is, a number as the model spells it. NULL when out of range. */
SCORE_API const char *score_model_class_label(const score_model *model, uint32_t i);

/* Name of the function from margins to predictions: "identity", "sigmoid", "softmax", …, as in docs/format.md. */
SCORE_API const char *score_model_link_name(const score_model *model);

SCORE_API const char *score_isa_name(score_isa isa);
SCORE_API const char *score_regime_name(score_regime regime);
/* 1 if this processor and this build can run the instruction set, else 0. */
SCORE_API int score_isa_available(score_isa isa);

/* Score the golden rows of the model with every regime on one instruction set (AUTO: the model's own) and
 * compare all bits; SCORE_ERR_VERIFY if one differs or the model has none. `*n_checked`, if not NULL, receives the number of
 * margins compared. Allocates up to 64 MiB, or what the golden rows themselves take, for the time of the call. */
SCORE_API SCORE_MUST_CHECK score_status score_model_verify(const score_model *model, score_isa isa,
	uint64_t *n_checked, score_error *error);

/* ---- rows -------------------------------------------------------------------------------------- */

typedef int32_t score_dtype;
#define SCORE_F32 1
#define SCORE_F64 2
#define SCORE_I8 3
#define SCORE_U8 4
#define SCORE_I16 5
#define SCORE_U16 6
#define SCORE_I32 7
#define SCORE_U32 8
#define SCORE_I64 9
#define SCORE_U64 10
#define SCORE_BOOL 11       /* one byte per value, zero or not          */
#define SCORE_BOOL_BITS 12  /* one bit per value, least significant first (Arrow) */
#define SCORE_STRING 13     /* UTF-8, for features that have a dictionary; `values` is a score_strings */
#define SCORE_F16 14        /* half precision; columns only             */

typedef int32_t score_layout;
#define SCORE_ROWS 1    /* row-major, SCORE_F32 or SCORE_F64 */
#define SCORE_COLUMNS 2 /* one array per column              */
#define SCORE_CSR 3     /* compressed sparse rows            */
#define SCORE_BINNED 4  /* codes that score_bin() made       */

/* What an entry that a sparse row does not hold means. There is no default, since libraries differ: XGBoost takes it as
 * missing, LightGBM and scikit-learn as zero. */
typedef int32_t score_absent;
#define SCORE_ABSENT_ZERO 1
#define SCORE_ABSENT_MISSING 2

/* One column. `validity` is a bitmap, least significant bit first, cleared = missing, or NULL. Value and
 * validity of row r stand at element `offset` + r. `values` and stride are multiples of the size of a value (ARGUMENT). */
typedef struct score_column {
	const void *values;
	const uint8_t *validity;
	int64_t offset;
	int64_t stride_bytes; /* from one value to the next; 0 means densely packed; may be negative */
	score_dtype dtype;
	int32_t reserved;
} score_column;

/* Values of a SCORE_STRING column (Arrow's layout), which has no stride. String i of `data` are the bytes from offsets[i] up
 * to offsets[i + 1], none where these descend or are negative. Without `indices`, row r has string `offset` + r. With them
 * (dictionary-encoded) it has the string whose number is indices[`offset` + r], and an index outside [0, n_strings) is missing. */
typedef struct score_strings {
	size_t struct_size;
	const void *offsets;     /* of offset_type                                                                  */
	const char *data;
	const void *indices;     /* of index_type, or NULL                                                          */
	const double *codes;     /* with indices: what score_encode() made of the strings, once for many calls;
	                          * NULL: every row's string is looked up                                           */
	int64_t n_strings;       /* with indices                                                                    */
	score_dtype offset_type; /* SCORE_I32 or SCORE_I64                                                          */
	score_dtype index_type;  /* SCORE_I8 … SCORE_U64                                                            */
} score_strings;

#define SCORE_STRINGS_INIT { sizeof(score_strings), NULL, NULL, NULL, NULL, 0, SCORE_I32, 0 }

/* Rows that the caller owns. Make it with score_input_rows_f32(), …_f64(), score_input_columns(),
 * score_input_csr() or score_input_binned(). */
typedef struct score_input {
	size_t struct_size;
	score_layout layout;
	score_dtype dtype; /* SCORE_ROWS and SCORE_CSR */
	int64_t n_rows;
	int64_t n_columns;
	union {
		struct {
			/* Value (row 0, column 0); it and the strides are multiples of the size of a value (ARGUMENT). */
			const void *data;
			int64_t row_stride_bytes;    /* may be negative; 0: all rows are the same      */
			int64_t column_stride_bytes; /* may be negative; 0 means densely packed        */
		} rows;
		struct {
			const score_column *columns; /* n_columns of them */
		} columns;
		struct {
			/* Row r holds the entries from row_starts[r] up to row_starts[r + 1]: column numbers, which ascend strictly
			 * within a row, and values (in.dtype: SCORE_F32 or SCORE_F64). Anything else is SCORE_ERR_SHAPE. */
			const void *row_starts; /* [n_rows + 1] */
			const void *column_numbers;
			const void *values;
			score_dtype start_type;  /* SCORE_I32 or SCORE_I64 */
			score_dtype number_type; /* SCORE_I32 or SCORE_I64 */
			score_absent absent;
			int32_t reserved;
		} csr;
		struct { /* scoreline/bins.h */
			const void *codes;
			int64_t column_stride_bytes;
			uint8_t hash[16];
			uint32_t code_bytes;
			uint32_t reserved;
		} binned;
		uint64_t reserved[8];
	} u;
} score_input;

/* ---- binding by name --------------------------------------------------------------------------- */

/* Which input column feeds which feature. Immutable; share it between threads. */
typedef struct score_plan score_plan;

/* Match the model's features to the caller's columns by name, once per schema. Columns that the model does
 * not use are ignored. Missing, doubled or mistyped ones are an error (SCORE_ERR_SHAPE) that lists them; SCORE_STRING fits
 * features that have a dictionary. A column belongs to the feature that score_model_feature_find() says; one with a feature's own
 * name goes before one that has spaces for its underscores.
 * `types` may be NULL (all numeric). The plan keeps no reference to the arguments but the model's allocator. */
SCORE_API SCORE_MUST_CHECK score_status score_bind(const score_model *model, const char *const *column_names,
	const score_dtype *types, size_t n_columns, score_plan **out, score_error *error);

SCORE_API void score_plan_free(score_plan *plan);

/* Input column of feature `i`, or -1. */
SCORE_API int64_t score_plan_column(const score_plan *plan, uint32_t i);

/* Codes of the first n_strings strings of `strings` under the dictionary of feature `i`, into codes[n_strings]; a string
 * that a row must not have gets SCORE_REFUSE. */
SCORE_API SCORE_MUST_CHECK score_status score_encode(const score_model *model, uint32_t i, const score_strings *strings,
	double *codes, score_error *error);

/* ---- scoring ----------------------------------------------------------------------------------- */

typedef int32_t score_output;
#define SCORE_OUTPUT_PREDICTION 0 /* link applied: probability, expected value, class number, … */
#define SCORE_OUTPUT_MARGIN 1     /* raw score                                                  */
#define SCORE_OUTPUT_LEAF 2       /* one leaf number per tree, as the source library numbers it */
#define SCORE_OUTPUT_CLASS 3      /* number of the class that the source library's classifier would answer; of a model
                                   * with several labels per row one number, 0 or 1, for each                      */

#define SCORE_OUTPUT_CONTRIBUTION 4 /* Shapley values in the space of margins, [n_outputs, n_features + 1]: of each feature,
                                     * then what is expected without any; their sum is the margin. See below   */

/* Rows to compare with: contributions against a background. */
typedef struct score_explainer score_explainer;

typedef struct score_options {
	size_t struct_size;
	score_output output;
	score_regime regime;   /* AUTO, or a forced one (ARGUMENT if it cannot serve the call)          */
	uint32_t tree_begin;   /* trees [tree_begin, tree_end); both 0: all trees                       */
	uint32_t tree_end;
	const score_plan *plan; /* NULL: column i is feature i, and n_columns must equal n_features     */
	void *scratch;          /* of at least scratch_bytes; one per thread; any alignment; or NULL    */
	size_t scratch_bytes;   /* 0 without scratch. Less than score_scratch_bytes() is used as far as it goes */
	const score_explainer *explainer; /* SCORE_OUTPUT_CONTRIBUTION only; NULL: compare with the training rows  */
} score_options;

#define SCORE_OPTIONS_INIT { sizeof(score_options), 0, 0, 0, 0, NULL, NULL, 0, NULL }

/* Values per row that score_batch() writes for this output and tree range; 0 if `options` is invalid. */
SCORE_API size_t score_output_width(const score_model *model, const score_options *options);

/* Bytes of scratch with which score_batch() reaches full speed on this model. Allocate it once per thread. */
SCORE_API size_t score_scratch_bytes(const score_model *model);

/*
 * Score rows. `out` is row-major, [n_rows, score_output_width()], and `out_len` its length in doubles, at
 * least that product. Margins of models that sum in float are float values. `options` may be NULL:
 * predictions by position, without scratch. Zero rows are fine and touch nothing.
 * Never allocates, locks, blocks or starts threads. A single row is a call with n_rows = 1.
 */
SCORE_API SCORE_MUST_CHECK score_status score_batch(const score_model *model, const score_input *input,
	double *out, size_t out_len, const score_options *options, score_error *error);

/* ---- between trees ----------------------------------------------------------------------------- */

/* These calls look at the sums between trees. They take `options` as score_batch() does: predictions or margins, regime AUTO,
 * BATCH or WALK, whole iterations. They serve models of trees only, and want all of score_scratch_bytes(). */

/* Stages of score_staged(): iterations / every, rounded up; 0 if the arguments are wrong. */
SCORE_API size_t score_stage_count(const score_model *model, uint32_t every, const score_options *options);

/* Scores after every `every` iterations and after the last, in one pass: `out` is [n_rows, score_stage_count(), values],
 * values as many as the output has. Stage i holds the bits that a call for the iterations up to there would give. */
SCORE_API SCORE_MUST_CHECK score_status score_staged(const score_model *model, const score_input *input, uint32_t every,
	double *out, size_t out_len, const score_options *options, score_error *error);

/* LightGBM's prediction early stopping (pred_early_stop_freq, pred_early_stop_margin): after every `every` iterations a row
 * is done when twice the magnitude of its single sum, or the distance of its two largest sums, exceeds `margin`. Same
 * decisions, same bits. LightGBM itself stops early for classification and ranking only; this call does as it is told. */
SCORE_API SCORE_MUST_CHECK score_status score_early_stop(const score_model *model, const score_input *input,
	uint32_t every, double margin, double *out, size_t out_len, const score_options *options, score_error *error);

/* Is the margin above the cut-off? out[row] is 1 if margin > cutoff, else 0: always the answer that the full sum gives.
 * Rows whose answer the remaining trees cannot change need no more of them. For models of one output. `n_trees`, if not
 * NULL, receives how many trees were walked, of n_rows * (trees of the model). The answer is
 * worth more than the trees saved: on boosted models the last trees still matter for most rows, and score_batch() with a
 * comparison is usually faster (docs/numerics.md has numbers). */
SCORE_API SCORE_MUST_CHECK score_status score_decide(const score_model *model, const score_input *input, double cutoff,
	uint8_t *out, size_t out_len, const score_options *options, uint64_t *n_trees, score_error *error);

/* ---- contributions ----------------------------------------------------------------------------- */

/*
 * SCORE_OUTPUT_CONTRIBUTION says what each feature adds to a row's margin. Without an explainer the trees are compared with
 * their training rows (path-dependent TreeSHAP, as XGBoost's pred_contribs, LightGBM's pred_contrib and CatBoost's
 * ShapValues): that needs a model with covers (score_model_info.has_covers). With an explainer they are compared with
 * its rows (interventional SHAP), at a cost per row that grows with their number. Linear models answer weight * value.
 *
 * Sums agree with the margin to rounding. Tree ranges work; regimes must be AUTO; the scratch is needed, all of it.
 */

/* Bytes of scratch that SCORE_OUTPUT_CONTRIBUTION needs: bounded by the model, whatever the number of rows. */
SCORE_API size_t score_contribution_scratch_bytes(const score_model *model);

/* Keep the rows of a table to compare with. It allocates through the model's allocator, copies what it needs, never changes
 * afterwards, and goes with this model only, which must outlive it. `plan` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_explainer_new(const score_model *model, const score_input *background,
	const score_plan *plan, score_explainer **out, score_error *error);
/* NULL is allowed. */
SCORE_API void score_explainer_free(score_explainer *explainer);

/* Why a row scores as it does. */
typedef struct score_reason {
	double contribution;
	const char *name; /* of the feature, borrowed from the model; NULL behind the last reason */
	uint32_t feature; /* UINT32_MAX behind the last reason */
	uint32_t reserved;
} score_reason;

/* Which contributions count as reasons. */
typedef int32_t score_direction;
#define SCORE_DIRECTION_BOTH 0
#define SCORE_DIRECTION_UP 1   /* those above 0, that raise the margin */
#define SCORE_DIRECTION_DOWN 2 /* those below 0                        */

/* The `k` features that contribute most to output `output` in each row, largest magnitude first, of equal ones the one with
 * the lower number first. Zeros and NaN are no reasons; places that are left over hold feature UINT32_MAX and 0.
 * `contributions` is what score_batch() wrote, [n_rows, n_outputs, n_features + 1]; `out` receives [n_rows, k]. */
SCORE_API SCORE_MUST_CHECK score_status score_top_reasons(const score_model *model, const double *contributions,
	size_t n_rows, uint32_t output, score_direction direction, size_t k, score_reason *out, score_error *error);

/* ---- saving ------------------------------------------------------------------------------------ */

typedef struct score_save_options {
	size_t struct_size;
	const double *golden_rows;    /* [n_golden_rows, n_features], or NULL: the model's own golden rows   */
	const double *golden_margins; /* [n_golden_rows, n_outputs]: what the source library itself answered */
	uint32_t n_golden_rows;
	uint32_t n_metadata;          /* extra or replaced metadata entries; a NULL value removes a key      */
	const char *const *metadata_keys;
	const char *const *metadata_values;
	uint32_t flags;               /* SCORE_SAVE_*                                                         */
	uint32_t reserved;
} score_save_options;

/* Leave out the covers of trees, as if they were unknown: a smaller file, whose model has no contributions. */
#define SCORE_SAVE_NO_COVERS 1u

#define SCORE_SAVE_OPTIONS_INIT { sizeof(score_save_options), NULL, NULL, 0, 0, NULL, NULL, 0, 0 }

/* Write the model as `.slm`. The same model gives the same bytes. The file appears under its name only when
 * complete: it is written beside it, synced and renamed, and the folder is synced too, so that it survives a loss of power. Symbolic
 * links are followed, a file that is replaced passes its permissions on, and only files are replaced, no devices or pipes. If only
 * syncing the folder fails (SCORE_ERR_IO), the new file stands there already. `options` may be NULL. */
SCORE_API SCORE_MUST_CHECK score_status score_model_save_file(const score_model *model, const char *path,
	const score_save_options *options, score_error *error);

/* The same into memory from the model's allocator; give it back with score_model_free_bytes(). */
SCORE_API SCORE_MUST_CHECK score_status score_model_save_memory(const score_model *model,
	const score_save_options *options, void **out, size_t *out_size, score_error *error);
SCORE_API void score_model_free_bytes(const score_model *model, void *bytes, size_t size);

/* The rows that stand in the model as a self-test: values [n_rows, n_features] and margins
 * [n_rows, n_outputs], borrowed. Returns the number of rows. */
SCORE_API uint32_t score_model_golden(const score_model *model, const double **rows, const double **margins);

/* ---- descriptors ------------------------------------------------------------------------------- */

/* Rows one after the other, densely packed. */
static inline score_input score_input_rows_f32(const float *data, int64_t n_rows, int64_t n_columns)
{
	const int64_t size = sizeof(float);
	score_input in;
	int i;
	in.struct_size = sizeof in;
	in.layout = SCORE_ROWS;
	in.dtype = SCORE_F32;
	in.n_rows = n_rows;
	in.n_columns = n_columns;
	for (i = 0; i < 8; i++)
		in.u.reserved[i] = 0;
	in.u.rows.data = data;
	in.u.rows.row_stride_bytes = n_columns * size;
	in.u.rows.column_stride_bytes = size;
	return in;
}

static inline score_input score_input_rows_f64(const double *data, int64_t n_rows, int64_t n_columns)
{
	const int64_t size = sizeof(double);
	score_input in = score_input_rows_f32(NULL, n_rows, n_columns);
	in.dtype = SCORE_F64;
	in.u.rows.data = data;
	in.u.rows.row_stride_bytes = n_columns * size;
	in.u.rows.column_stride_bytes = size;
	return in;
}

static inline score_input score_input_columns(const score_column *columns, int64_t n_rows, int64_t n_columns)
{
	score_input in = score_input_rows_f32(NULL, n_rows, n_columns);
	in.layout = SCORE_COLUMNS;
	in.dtype = 0;
	in.u.rows.row_stride_bytes = 0;
	in.u.rows.column_stride_bytes = 0;
	in.u.columns.columns = columns;
	return in;
}

/* SciPy's csr_matrix: indptr, indices and data with their types. */
static inline score_input score_input_csr(const void *row_starts, score_dtype start_type, const void *column_numbers,
	score_dtype number_type, const void *values, score_dtype dtype, int64_t n_rows, int64_t n_columns,
	score_absent absent)
{
	score_input in = score_input_columns(NULL, n_rows, n_columns);
	in.layout = SCORE_CSR;
	in.dtype = dtype;
	in.u.csr.row_starts = row_starts;
	in.u.csr.column_numbers = column_numbers;
	in.u.csr.values = values;
	in.u.csr.start_type = start_type;
	in.u.csr.number_type = number_type;
	in.u.csr.absent = absent;
	return in;
}

#ifdef __cplusplus
}
#endif
#endif
