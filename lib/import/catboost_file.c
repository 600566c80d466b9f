/* An empty cb_file, and the end of one. */
#include "catboost.h"

void import_cb_init(cb_file *f)
{
	sl_vector_init(&f->float_features, &f->allocator, sizeof(cb_feature));
	sl_vector_init(&f->cat_features, &f->allocator, sizeof(cb_feature));
	sl_vector_init(&f->borders, &f->allocator, sizeof(float));
	sl_vector_init(&f->values, &f->allocator, sizeof(uint32_t));
	sl_vector_init(&f->ctrs, &f->allocator, sizeof(cb_ctr));
	sl_vector_init(&f->elements, &f->allocator, sizeof(cb_split));
	sl_vector_init(&f->tables, &f->allocator, sizeof(cb_table));
	sl_vector_init(&f->hashes, &f->allocator, sizeof(uint64_t));
	sl_vector_init(&f->counts, &f->allocator, sizeof(double));
	sl_vector_init(&f->splits, &f->allocator, sizeof(cb_split));
	sl_vector_init(&f->nodes, &f->allocator, sizeof(cb_node));
	sl_vector_init(&f->leaf_values, &f->allocator, sizeof(double));
	sl_vector_init(&f->covers, &f->allocator, sizeof(double));
	sl_vector_init(&f->trees, &f->allocator, sizeof(cb_tree));
	sl_vector_init(&f->scale_and_bias, &f->allocator, sizeof(double));
	sl_vector_init(&f->text, &f->allocator, 1);
	sl_vector_init(&f->classes, &f->allocator, 1);
	sl_vector_init(&f->class_numbers, &f->allocator, sizeof(double));
	f->loss_offset = f->scale_offset = -1;
}

void import_cb_free(cb_file *f)
{
	sl_vector *const vectors[] = {&f->float_features, &f->cat_features, &f->borders, &f->values, &f->ctrs,
		&f->elements, &f->tables, &f->hashes, &f->counts, &f->splits, &f->nodes,
		&f->leaf_values, &f->covers, &f->trees, &f->scale_and_bias, &f->text, &f->classes,
		&f->class_numbers};
	for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
		sl_vector_free(vectors[i]);
}
