/*
 * Sorting in place: unlike some libraries' qsort() it never allocates, and it takes n log n steps whatever the order is.
 * Quicksort by the median of three, insertion for short runs, heapsort where the parts stay uneven. Not stable.
 */
#include "base.h"

#define SHORT_RUN 12u

typedef struct sorting {
	size_t size;
	int (*compare)(const void *, const void *);
} sorting;

static void swap(const sorting *s, char *a, char *b)
{
	char kept[64];
	for (size_t left = s->size; left > 0;) {
		size_t n = left < sizeof kept ? left : sizeof kept;
		memcpy(kept, a, n);
		memcpy(a, b, n);
		memcpy(b, kept, n);
		a += n;
		b += n;
		left -= n;
	}
}

static void insertion(const sorting *s, char *from, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		for (char *at = from + i * s->size; at > from && s->compare(at - s->size, at) > 0; at -= s->size)
			swap(s, at - s->size, at);
	}
}

static void sift_down(const sorting *s, char *from, size_t at, size_t n)
{
	for (size_t child; (child = 2 * at + 1) < n; at = child) {
		if (child + 1 < n && s->compare(from + child * s->size, from + (child + 1) * s->size) < 0)
			child++;
		if (s->compare(from + at * s->size, from + child * s->size) >= 0)
			return;
		swap(s, from + at * s->size, from + child * s->size);
	}
}

static void heapsort_run(const sorting *s, char *from, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		sift_down(s, from, i, n);
	for (size_t i = n; i-- > 1;) {
		swap(s, from, from + i * s->size);
		sift_down(s, from, 0, i);
	}
}

/* The median of three as the pivot, at the front; returns where it ends up. */
static size_t partition(const sorting *s, char *from, size_t n)
{
	char *middle = from + n / 2 * s->size, *last = from + (n - 1) * s->size;
	if (s->compare(middle, from) > 0)
		swap(s, middle, from);
	if (s->compare(from, last) > 0)
		swap(s, from, last);
	if (s->compare(middle, from) > 0)
		swap(s, middle, from);
	size_t low = 1, high = n - 1;
	for (;;) {
		while (low <= high && s->compare(from + low * s->size, from) < 0)
			low++;
		while (high >= low && s->compare(from + high * s->size, from) > 0)
			high--;
		if (low >= high)
			break;
		swap(s, from + low++ * s->size, from + high-- * s->size);
	}
	swap(s, from, from + high * s->size);
	return high;
}

void sl_sort(void *elements, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	const sorting s = {size, compare};
	/* The larger part waits here, so that there are never more than log2(n). */
	struct {
		char *from;
		size_t n;
		unsigned left;
	} waiting[8 * sizeof(size_t)];
	size_t depth = 0;
	char *from = elements;
	unsigned left = 0; /* partitions until this run counts as uneven */
	for (size_t k = n; k > 0; k >>= 1)
		left += 2;
	for (;;) {
		while (n > SHORT_RUN && left > 0) {
			size_t at = partition(&s, from, n), behind = n - at - 1;
			bool first = at < behind; /* is the smaller one */
			left--;
			waiting[depth].from = first ? from + (at + 1) * size : from;
			waiting[depth].n = first ? behind : at;
			waiting[depth++].left = left;
			from = first ? from : from + (at + 1) * size;
			n = first ? at : behind;
		}
		if (n > SHORT_RUN)
			heapsort_run(&s, from, n);
		else
			insertion(&s, from, n);
		if (depth == 0)
			return;
		depth--;
		from = waiting[depth].from;
		n = waiting[depth].n;
		left = waiting[depth].left;
	}
}
