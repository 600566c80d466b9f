/*
 * Two copies of the library in one program, under the namespaces old_ and new_, score the same files: score_goldens.c is
 * built once with each. Comes in: the files. Goes out: both copies' lines, and 1 unless the versions differ as they should.
 */
#include <stdio.h>
#include <string.h>

int old_main(int argc, char **argv);
int new_main(int argc, char **argv);
const char *old_score_version_string(void);
const char *new_score_version_string(void);

int main(int argc, char **argv)
{
	fprintf(stderr, "%s and %s\n", old_score_version_string(), new_score_version_string());
	if (strcmp(old_score_version_string(), new_score_version_string()) == 0)
		return 1;
	return old_main(argc, argv) || new_main(argc, argv) || old_main(argc, argv);
}
