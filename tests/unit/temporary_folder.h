/* A folder that a group of tests has for itself: made before the first, removed with what is in it after the last. */
#ifndef TESTS_TEMPORARY_FOLDER_H
#define TESTS_TEMPORARY_FOLDER_H

#include <stdio.h>
#include <stdlib.h>

static char folder[] = "/tmp/scoreline-test-XXXXXX"; /* mkdtemp() gives it its name */

static inline int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
	char command[sizeof folder + 16];
	(void)state;
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command) == 0 ? 0 : -1;
}

#endif
