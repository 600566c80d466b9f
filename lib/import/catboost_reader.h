/*
 * What the files of the JSON grammar share: the state of reading, and what becomes of a whole object.
 */
#ifndef SL_IMPORT_CATBOOST_READER_H
#define SL_IMPORT_CATBOOST_READER_H

#include "catboost.h"

typedef enum place {
	IN_ROOT,
	IN_INFO,
	IN_PARAMS,
	IN_LOSS,
	IN_CLASSES,
	IN_FEATURES,
	IN_FLOAT,
	IN_CATEGORY,
	IN_CTR,
	IN_ELEMENT, /* of a CTR's projection */
	IN_TABLES,  /* by a name of their own */
	IN_TABLE,
	IN_SYMMETRIC,
	IN_NODE,
	IN_SPLIT,
	IN_ARRAY /* of the values of a key */
} place;

typedef enum kind {
	OBJECT,  /* `slot` is a place */
	OBJECTS, /* array of them */
	NUMBERS, /* array, nested arrays and a single number too; `slot` is a target */
	LABELS,
	WORD,    /* `slot` is a word_name */
	WHOLE,   /* `slot` is a whole_name; true and false are 1 and 0 */
	NUMBER,  /* one; `slot` is a number_name */
	BUCKETS, /* array of hashes as text, each followed by numbers */
	REFUSED  /* array that must be empty */
} kind;

typedef enum target {
	BORDERS,
	HASHES,
	SYMMETRIC_VALUES,
	SYMMETRIC_COVERS,
	NODE_VALUES,
	NODE_COVER,
	SCALE,
	CLASS_NUMBERS
} target;
typedef enum word_name {
	LOSS,
	VERSION,
	THRESHOLD,
	CTR_TYPE, /* from here on words of the object that is being read */
	CTR_IDENTIFIER,
	FEATURE_ID, /* from here on those of a feature, split or element */
	FEATURE_NAME,
	NAN_TREATMENT,
	SPLIT_TYPE,
	WORDS
} word_name;
typedef enum whole_name {
	CLASSES_COUNT,
	CTR_TARGET,
	INDEX, /* as above */
	COLUMN,
	HAS_NANS,
	SPLIT_FEATURE,
	SPLIT_CATEGORY,
	SPLIT_VALUE,
	SPLIT_INDEX,
	SPLIT_TARGET,
	TABLE_STRIDE,
	TABLE_DENOMINATOR,
	WHOLES
} whole_name;
typedef enum number_name { PRIOR_NUMERATOR, PRIOR_DENOMINATOR, SHIFT, SCALE_FACTOR, FLOATS } number_name;

typedef struct key {
	place place;
	const char *name;
	kind kind;
	int slot;
} key;

/* An open object, or an array of the table. */
typedef struct frame {
	place place;
	const key *key;   /* that it is the value of */
	uint64_t seen;    /* keys that came, by number in the table */
	int64_t offset;
	size_t node;      /* of a non-symmetric tree */
	size_t nested;    /* open arrays inside an array of numbers */
} frame;

#define ABSENT INT64_MIN

typedef struct reader {
	cb_file *file;
	frame frames[IMPORT_MAX_NESTING + 1];
	size_t depth;
	size_t skip;     /* open objects and arrays that nobody wants */
	const key *next; /* of the value that follows; NULL to skip it */
	size_t words[WORDS];    /* into text; of the object that is being read */
	int64_t wholes[WHOLES]; /* ABSENT, or what the object says */
	float numbers[FLOATS];  /* of the CTR; NaN: absent */
	size_t first_border;    /* of the feature or the split that is being read */
	size_t first_value;     /* of the category */
	cb_ctr ctr;             /* begun */
	cb_table table;         /* begun */
	bool has_trees;
} reader;

static inline frame *top(reader *r)
{
	return &r->frames[r->depth - 1];
}

static inline score_status corrupt(const reader *r, int64_t offset, const char *name, const char *what)
{
	return sl_fail_at(r->file->error, SCORE_ERR_CORRUPT, offset, -1, "\"%s\": %s", name, what);
}

static inline score_status keep(const reader *r, sl_vector *to, const void *from, int64_t offset, const char *name)
{
	return import_keep(to, from, offset, name, r->file->error);
}

/* Take the object on top, which is whole, into the file, and drop its frame. (catboost_objects.c) */
score_status import_cb_end_object(reader *r);

#endif
