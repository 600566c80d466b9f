/*
 * Runs a fuzz target over files, for builds without a fuzzer: corpora, and every input that once found a defect.
 *
 * Comes in: paths of files and folders (not their subfolders); -d N also runs N inputs derived from each by changing bytes,
 * the same in every run. Goes out: how many inputs ran.
 */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned long n_files, n_inputs;
static unsigned n_derived;

static void derive(const uint8_t *data, size_t size)
{
	uint64_t state = 88172645463325252u + size;
	uint8_t *copy = malloc(size);
	if (!copy)
		abort();
	for (unsigned i = 0; i < n_derived; i++) {
		memcpy(copy, data, size);
		for (unsigned k = 0; k <= i % 4; k++) {
			state ^= state << 13, state ^= state >> 7, state ^= state << 17;
			copy[state % size] = (uint8_t)(state >> 40);
		}
		LLVMFuzzerTestOneInput(copy, i % 5 == 0 ? state % size : size);
		n_inputs++;
	}
	free(copy);
}

static void run_file(const char *path, size_t size)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(size + 1);
	if (!f || !data || fread(data, 1, size, f) != size) {
		perror(path);
		exit(1);
	}
	fclose(f);
	uint8_t *exact = realloc(data, size ? size : 1);
	LLVMFuzzerTestOneInput(exact, size);
	n_files++;
	n_inputs++;
	if (size > 0)
		derive(exact, size);
	free(exact);
}

static void run_path(const char *path)
{
	struct stat st;
	struct dirent **names;
	if (stat(path, &st) != 0) {
		perror(path);
		exit(1);
	}
	if (!S_ISDIR(st.st_mode)) {
		run_file(path, (size_t)st.st_size);
		return;
	}
	int n = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char below[4096];
		snprintf(below, sizeof below, "%s/%s", path, names[i]->d_name);
		if (stat(below, &st) == 0 && S_ISREG(st.st_mode))
			run_file(below, (size_t)st.st_size);
		free(names[i]);
	}
	free(names);
}

int main(int argc, char **argv)
{
	/* What the targets print about bad input. */
	if (!getenv("FUZZ_MESSAGES") && !freopen("/dev/null", "w", stdout))
		return 1;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-d") == 0 && i + 1 < argc)
			n_derived = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			run_path(argv[i]);
	}
	fprintf(stderr, "%lu files, %lu inputs\n", n_files, n_inputs);
	return n_files == 0;
}
