/*
 * Runs a fuzz target over files, for builds without a fuzzer: corpora, and every input that once found a defect.
 *
 * Comes in: paths of files and folders (not their subfolders); -d N also runs N inputs derived from each by changing bytes, and -s N
 * from each N splices with the file before: the beginning of the one and the end of the other. The same in every run. Goes out: how
 * many inputs ran.
 */
#define _XOPEN_SOURCE 700
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static unsigned long n_files, n_inputs;
static unsigned n_derived, n_splices;
static uint8_t *before; /* the last file */
static size_t before_size;

static void splice(const uint8_t *data, size_t size)
{
	for (unsigned i = 0; i < n_splices && before; i++) {
		const uint8_t *first = i % 2 ? data : before, *second = i % 2 ? before : data;
		const size_t first_size = i % 2 ? size : before_size, second_size = i % 2 ? before_size : size;
		const size_t head = first_size * (i / 2 % 7 + 1) / 8, from = i % 4 < 2 ? second_size * (i / 2 % 7 + 1) / 8 : head;
		const size_t tail = from < second_size ? second_size - from : 0;
		uint8_t *both = malloc(head + tail + 1);
		if (!both)
			abort();
		memcpy(both, first, head);
		memcpy(both + head, second + second_size - tail, tail);
		uint8_t *exact = realloc(both, head + tail ? head + tail : 1);
		LLVMFuzzerTestOneInput(exact, head + tail);
		n_inputs++;
		free(exact);
	}
}

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
	splice(exact, size);
	free(before);
	before = exact;
	before_size = size;
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
		else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
			n_splices = (unsigned)strtoul(argv[++i], NULL, 10);
		else
			run_path(argv[i]);
	}
	free(before);
	fprintf(stderr, "%lu files, %lu inputs\n", n_files, n_inputs);
	return n_files == 0;
}
