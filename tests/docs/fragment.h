/* What every host of a fragment needs: the library, and an end on errors, which is the blocks' fail(), too. */
#ifndef DOCS_FRAGMENT_H
#define DOCS_FRAGMENT_H

#include <scoreline/deploy.h>

#include <stdio.h>
#include <stdlib.h>

static void fail(const char *message)
{
	fprintf(stderr, "%s\n", message);
	exit(1);
}

#endif
