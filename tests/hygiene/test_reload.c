/*
 * The shared library loaded, used and unloaded again and again, as a database does with extensions: no file descriptor, no
 * mapping and no memory stays behind. Comes in: the path of the library, and an environment in which the C library keeps no freed blocks
 * for a thread (GLIBC_TUNABLES=glibc.malloc.tcache_count=0), as those count as in use.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <scoreline.h>
#include <scoreline/build.h>

#define N_ROUNDS 60

typedef struct interface {
	score_status (*builder_new)(const score_contract *, const score_build_options *, score_builder **, score_error *);
	void (*builder_free)(score_builder *);
	score_status (*add_tree)(score_builder *, const score_tree *, score_error *);
	score_status (*finish)(score_builder *, score_model **, score_error *);
	score_status (*batch)(const score_model *, const score_input *, double *, size_t, const score_options *, score_error *);
	void (*model_free)(score_model *);
} interface;

static void *find(void *library, const char *name)
{
	void *found = dlsym(library, name);
	if (!found) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return found;
}

static double use(const interface *i)
{
	score_contract contract = SCORE_CONTRACT_INIT(1, 1);
	score_node nodes[3] = {{1, 2, 0, SCORE_TEST_LT, 0, 0, 0.5, 0, 0, 0, 0}, {-1, -1, 0, SCORE_TEST_LEAF, 0, 0, -1.0, 0, 0, 0, 0},
		{-1, -1, 0, SCORE_TEST_LEAF, 0, 0, 2.0, 0, 0, 1, 0}};
	score_tree tree = SCORE_TREE_INIT;
	score_builder *builder = NULL;
	score_model *model = NULL;
	const double row = 0.75;
	double out = 0;
	score_input in = score_input_rows_f64(&row, 1, 1);
	tree.nodes = nodes;
	tree.n_nodes = 3;
	if (i->builder_new(&contract, NULL, &builder, NULL) || i->add_tree(builder, &tree, NULL) ||
		i->finish(builder, &model, NULL) || i->batch(model, &in, &out, 1, NULL, NULL))
		return -99;
	i->builder_free(builder);
	i->model_free(model);
	return out;
}

static size_t count_lines(const char *path, const char *word)
{
	char line[1024];
	size_t n = 0;
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof line, f))
		n += strstr(line, word) != NULL;
	if (f)
		fclose(f);
	return n;
}

int main(int argc, char **argv)
{
	size_t first = 0, last = 0;
	for (int round = 0; argc == 2 && round < N_ROUNDS; round++) {
		interface i;
		void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		*(void **)&i.builder_new = find(library, "score_builder_new");
		*(void **)&i.builder_free = find(library, "score_builder_free");
		*(void **)&i.add_tree = find(library, "score_builder_add_tree");
		*(void **)&i.finish = find(library, "score_builder_finish");
		*(void **)&i.batch = find(library, "score_batch");
		*(void **)&i.model_free = find(library, "score_model_free");
		if (use(&i) != 2.0 || dlclose(library) != 0 || count_lines("/proc/self/maps", "libscoreline") != 0) {
			fprintf(stderr, "round %d\n", round);
			return 1;
		}
		last = mallinfo2().uordblks;
		first = round == 9 ? last : first;
	}
	printf("%d rounds, %zu bytes in use after ten, %zu at the end\n", N_ROUNDS, first, last);
	return argc != 2 || last > first;
}
