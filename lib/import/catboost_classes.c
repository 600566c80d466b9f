/*
 * Classes that no training row had.
 *
 * Comes in: a file whose leaves hold a value for each class that training saw, and what the file says of classes. Goes out: the
 * same file as if its leaves held one for each class of the model. CatBoost's margin of a class that training did not see is
 * minus infinity: its values are 0, its bias is that.
 */
#include "catboost.h"

#include <math.h>

#define MOST_GROWTH 64 /* so that a small file asks for little memory */

static score_status bad_classes(const cb_file *file, uint32_t n_values, size_t n_classes)
{
	return sl_fail(file->error, SCORE_ERR_CORRUPT,
		"\"class_to_label\" must give each of the %u values of a leaf a class of its own, in ascending order, of %zu", n_values,
		n_classes);
}

static score_status check_numbers(const cb_file *file, uint32_t n_values, size_t n_classes)
{
	const double *number = file->class_numbers.data;
	double least = 0.0;
	if (file->class_numbers.length != n_values)
		return bad_classes(file, n_values, n_classes);
	for (uint32_t i = 0; i < n_values; i++) {
		if (!(number[i] >= least && number[i] < (double)n_classes && number[i] == floor(number[i])))
			return bad_classes(file, n_values, n_classes);
		least = number[i] + 1.0;
	}
	return SCORE_OK;
}

/* `from` is an array of groups of as many values as there are class numbers. */
static bool spread(const cb_file *file, sl_vector *values, size_t n_classes)
{
	const double *number = file->class_numbers.data, *from = values->data;
	size_t n_values = file->class_numbers.length, n_groups = values->length / n_values;
	sl_vector out;
	sl_vector_init(&out, &file->allocator, sizeof(double));
	double *to = sl_vector_grow(&out, n_groups * n_classes);
	if (!to)
		return false;
	memset(to, 0, n_groups * n_classes * sizeof *to);
	for (size_t i = 0; i < n_groups; i++) {
		for (size_t k = 0; k < n_values; k++)
			to[i * n_classes + (size_t)number[k]] = from[i * n_values + k];
	}
	sl_vector_free(values);
	*values = out;
	return true;
}

/* One bias is that of all; a class without values has minus infinity. */
static bool spread_biases(const cb_file *file, sl_vector *scale_and_bias, size_t n_classes)
{
	const double *number = file->class_numbers.data, *from = scale_and_bias->data;
	size_t n = scale_and_bias->length;
	sl_vector out;
	sl_vector_init(&out, &file->allocator, sizeof(double));
	double *to = sl_vector_grow(&out, n_classes + 1);
	if (!to)
		return false;
	to[0] = n > 0 ? from[0] : 1.0;
	for (size_t i = 1; i <= n_classes; i++)
		to[i] = -INFINITY;
	for (size_t k = 0; k < file->class_numbers.length; k++)
		to[1 + (size_t)number[k]] = n < 2 ? 0.0 : n == 2 ? from[1] : from[1 + k];
	sl_vector_free(scale_and_bias);
	*scale_and_bias = out;
	return true;
}

/* Positions and lengths of values, which stand in whole groups. */
static void move_places(cb_file *file, size_t n_values, size_t n_classes)
{
	cb_tree *trees = file->trees.data;
	cb_node *nodes = file->nodes.data;
	for (size_t i = 0; i < file->trees.length; i++) {
		trees[i].first_value = trees[i].first_value / n_values * n_classes;
		trees[i].n_values = trees[i].n_values / n_values * n_classes;
	}
	for (size_t i = 0; i < file->nodes.length; i++) {
		nodes[i].first_value = nodes[i].first_value / n_values * n_classes;
		nodes[i].n_values = nodes[i].n_values / n_values * n_classes;
	}
}

/* Leaves that hold another number of values are told of later, tree by tree; here they must not shift the others. */
static bool has_whole_leaves(const cb_file *file, size_t n_values)
{
	const cb_tree *trees = file->trees.data;
	const cb_node *nodes = file->nodes.data;
	for (size_t i = 0; i < file->trees.length; i++) {
		if (trees[i].n_values % n_values || trees[i].first_value % n_values)
			return false;
	}
	for (size_t i = 0; i < file->nodes.length; i++) {
		if (nodes[i].n_values % n_values || nodes[i].first_value % n_values)
			return false;
	}
	return true;
}

score_status import_cb_spread_classes(cb_file *file, uint32_t *n_outputs)
{
	size_t n_values = *n_outputs, n_classes = file->n_class_names;
	if (n_classes == 0 && file->classes_count > 0)
		n_classes = file->classes_count < UINT32_MAX ? (size_t)file->classes_count : UINT32_MAX;
	if (n_values < 2 || n_classes <= n_values || file->trees.length == 0 || !has_whole_leaves(file, n_values))
		return SCORE_OK; /* CatBoost does not train on a single class */
	score_status status = check_numbers(file, *n_outputs, n_classes);
	if (status != SCORE_OK)
		return status;
	uint64_t n_spread = (uint64_t)(file->leaf_values.length / n_values) * n_classes;
	if (n_classes > UINT16_MAX || n_spread > (uint64_t)MOST_GROWTH * file->leaf_values.length + UINT16_MAX)
		return sl_fail(file->error, SCORE_ERR_LIMIT, "the model has %zu classes, of which training saw %zu only: train it with "
			"those that the data have", n_classes, n_values);
	if (!spread(file, &file->leaf_values, n_classes) || !spread_biases(file, &file->scale_and_bias, n_classes))
		return sl_fail_memory(file->error, (size_t)n_spread * sizeof(double));
	move_places(file, n_values, n_classes);
	*n_outputs = (uint32_t)n_classes;
	return SCORE_OK;
}
