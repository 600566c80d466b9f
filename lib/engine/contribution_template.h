/*
 * Contributions of one tree: rows are lanes. Included with CONTRIBUTION_LANES, a multiple of LANES, and
 * CONTRIBUTION_NAME(name), once per number of rows. `lanes` is a vector of LANES doubles in the compiler's own notation.
 *
 * Shapley values of a leaf are an integral over t from 0 to 1, which some points give exactly. On the way down a path,
 * `product` is, at each point, the product over the path's features of their factor, share + t (goes there - share). On the
 * way up, `result` is the sum of the leaves below a split, each times the factors below it. A split adds to its feature
 * what the difference of its sides' results, times the product, comes to. If the same feature was asked above, by a split
 * whose open side has factor f and share z (of all its splits together), tau = t / f takes t's place and rho = z / f^2
 * weighs the point; rows that left that side add nothing.
 */

typedef struct CONTRIBUTION_NAME(level) {
	double *product;   /* [points][rows] */
	double *result[2]; /* of the sides, [points][rows] */
	double *pull;      /* [rows] 0 if the row left the path of this feature above, else goes right - share */
	double *stays;     /* [rows] 1 if the row goes to the open side here and at the same feature's splits above, else 0 */
	double *tau, *rho; /* [points] */
} CONTRIBUTION_NAME(level);

static ALWAYS_INLINE CONTRIBUTION_NAME(level) CONTRIBUTION_NAME(level_at)(const contribution_tree *c, uint32_t k)
{
	size_t block = (size_t)c->n_points * CONTRIBUTION_LANES;
	double *at = c->levels + k * c->level_stride;
	CONTRIBUTION_NAME(level) level = {at, {at + block, at + 2 * block}, at + 3 * block,
		at + 3 * block + CONTRIBUTION_LANES, at + 3 * block + 2 * CONTRIBUTION_LANES, NULL};
	level.rho = level.tau + c->n_points;
	return level;
}

/* ---- one split ------------------------------------------------------------------------------------------------- */

static ALWAYS_INLINE uint32_t CONTRIBUTION_NAME(code_at)(const contribution_tree *c, const void *codes, size_t at)
{
	if (c->code_bytes == 1)
		return ((const uint8_t *)codes)[at];
	return c->code_bytes == 2 ? ((const uint16_t *)codes)[at] : ((const uint32_t *)codes)[at];
}

/* The sign bit of cut - code: those of one and two bytes are below 2^31. */
#define CONTRIBUTION_COMPARE(TYPE) \
	for (size_t r = 0; r < CONTRIBUTION_LANES; r++) \
		goes_right[r] = (double)(int32_t)((uint32_t)((int32_t)q->cut - (int32_t)((const TYPE *)c->codes + first)[r]) >> 31)

/* 1 for the rows that go right, else 0. */
static ALWAYS_INLINE void CONTRIBUTION_NAME(ask)(const contribution_tree *c, const question *q, double *restrict goes_right)
{
	size_t first = (size_t)q->column * CONTRIBUTION_LANES;
	if (c->columns[q->column].is_category) {
		for (size_t r = 0; r < CONTRIBUTION_LANES; r++)
			goes_right[r] = contribution_table_says(c, q, CONTRIBUTION_NAME(code_at)(c, c->codes, first + r)) ? 1.0 : 0.0;
	} else if (c->code_bytes == 1) {
		CONTRIBUTION_COMPARE(uint8_t);
	} else if (c->code_bytes == 2) {
		CONTRIBUTION_COMPARE(uint16_t);
	} else { /* the code of missing values may have all bits set */
		for (size_t r = 0; r < CONTRIBUTION_LANES; r++)
			goes_right[r] = ((const uint32_t *)c->codes + first)[r] > q->cut ? 1.0 : 0.0;
	}
}

static ALWAYS_INLINE double CONTRIBUTION_NAME(right_share)(const contribution_tree *c, const forest_side *at, const question *q)
{
	if (c->background) {
		uint32_t code = CONTRIBUTION_NAME(code_at)(c, c->background, q->column);
		return (c->columns[q->column].is_category ? contribution_table_says(c, q, code) : code > q->cut) ? 1.0 : 0.0;
	}
	forest_side left = forest_left(c->f, at), right = forest_right(c->f, at);
	return engine_right_share(contribution_cover(c, &left), contribution_cover(c, &right));
}

static ALWAYS_INLINE void CONTRIBUTION_NAME(open)(const contribution_tree *c, uint32_t k, const forest_side *at)
{
	CONTRIBUTION_NAME(level) here = CONTRIBUTION_NAME(level_at)(c, k);
	const question asked = question_at(&c->questions, forest_number(&c->f->split_test, at->split)), *q = &asked;
	uint32_t slot = c->columns[q->column].slot;
	int32_t before = c->last[slot];
	contribution_frame *frame = c->frames + k;
	double share = CONTRIBUTION_NAME(right_share)(c, at, q), reach = 1.0;
	CONTRIBUTION_NAME(ask)(c, q, here.stays);
	c->last[slot] = (int32_t)k;
	if (before < 0) {
		for (size_t r = 0; r < CONTRIBUTION_LANES; r += LANES) {
			lanes goes_right = LOAD(here.stays + r);
			STORE(here.pull + r, goes_right - share);
			STORE(here.stays + r, 1.0 - goes_right);
		}
	} else {
		const double *above = CONTRIBUTION_NAME(level_at)(c, (uint32_t)before).stays;
		reach = c->frames[before].reach;
		for (size_t r = 0; r < CONTRIBUTION_LANES; r += LANES) {
			lanes goes_right = LOAD(here.stays + r), stayed = LOAD(above + r);
			STORE(here.pull + r, stayed * (goes_right - share));
			STORE(here.stays + r, stayed - stayed * goes_right);
		}
		for (uint32_t i = 0; i < c->n_points; i++) {
			double t = c->points[i], inverse = 1.0 / (reach * (1.0 - t) + t);
			here.tau[i] = t * inverse;
			here.rho[i] = reach * inverse * inverse;
		}
	}
	*frame = (contribution_frame){.at = *at, .slot = slot, .before = before, .share = share,
		.reach = reach * (1.0 - share)};
}

/* The factors of one more level: of the right side share + tau * pull, of the left one what is left of 1. */
static ALWAYS_INLINE void CONTRIBUTION_NAME(descend)(const contribution_tree *c, uint32_t k, bool right)
{
	CONTRIBUTION_NAME(level) here = CONTRIBUTION_NAME(level_at)(c, k);
	const contribution_frame *frame = c->frames + k;
	const double *tau = frame->before < 0 ? c->points : here.tau;
	double *next = CONTRIBUTION_NAME(level_at)(c, k + 1).product;
	double share = frame->share;
	uint32_t n_points = c->n_points;
	for (size_t r = 0; r < CONTRIBUTION_LANES; r += LANES) {
		lanes pull = LOAD(here.pull + r);
		for (size_t i = 0, at = r; i < n_points; i++, at += CONTRIBUTION_LANES) {
			lanes product = LOAD(here.product + at), part = product * (share + tau[i] * pull);
			STORE(next + at, right ? part : product - part);
		}
	}
}

static ALWAYS_INLINE void CONTRIBUTION_NAME(go_right)(const contribution_tree *c, uint32_t k)
{
	CONTRIBUTION_NAME(level) here = CONTRIBUTION_NAME(level_at)(c, k);
	contribution_frame *frame = c->frames + k;
	const double *above = frame->before < 0 ? NULL : CONTRIBUTION_NAME(level_at)(c, (uint32_t)frame->before).stays;
	frame->right = true;
	frame->reach = (frame->before < 0 ? 1.0 : c->frames[frame->before].reach) * frame->share;
	for (size_t r = 0; r < CONTRIBUTION_LANES; r += LANES) {
		lanes left = LOAD(here.stays + r);
		STORE(here.stays + r, above ? LOAD(above + r) - left : 1.0 - left);
	}
}

/* Both sides' results are there, or are leaves: what the split adds to its feature, and its own result into `out`. */
static ALWAYS_INLINE void CONTRIBUTION_NAME(close)(const contribution_tree *c, uint32_t k, bool repeats, const double *leaf[2],
	double *out)
{
	CONTRIBUTION_NAME(level) here = CONTRIBUTION_NAME(level_at)(c, k);
	const contribution_frame *frame = c->frames + k;
	const double *tau = repeats ? here.tau : c->points;
	double *sums = c->sums + (size_t)frame->slot * CONTRIBUTION_LANES;
	double share = frame->share;
	uint32_t n_points = c->n_points;
	for (size_t r = 0; r < CONTRIBUTION_LANES; r += LANES) {
		lanes pull = LOAD(here.pull + r), gain = pull - pull;
		for (size_t i = 0, at = r; i < n_points; i++, at += CONTRIBUTION_LANES) {
			lanes left = leaf[0] ? *leaf[0] + (lanes){0} : LOAD(here.result[0] + at);
			lanes right = leaf[1] ? *leaf[1] + (lanes){0} : LOAD(here.result[1] + at);
			lanes step = right - left, weighed = LOAD(here.product + at) * step;
			gain += repeats ? here.rho[i] * weighed : weighed;
			STORE(out + at, left + step * (share + tau[i] * pull));
		}
		STORE(sums + r, LOAD(sums + r) + pull * gain);
	}
}

static ALWAYS_INLINE void CONTRIBUTION_NAME(close_split)(const contribution_tree *c, uint32_t k)
{
	const contribution_frame *frame = c->frames + k;
	forest_side left = forest_left(c->f, &frame->at), right = forest_right(c->f, &frame->at);
	/* The root's result serves nobody. */
	double *out = CONTRIBUTION_NAME(level_at)(c, k ? k - 1 : 1).result[k ? c->frames[k - 1].right : 0];
	double value[2] = {contribution_leaf(c, &left), contribution_leaf(c, &right)};
	const double *none[2] = {NULL, NULL}, *both[2] = {value, value + 1};
	const double *first[2] = {value, NULL}, *second[2] = {NULL, value + 1};
	c->last[frame->slot] = frame->before;
	/* The arguments are constants, so that each case becomes a loop of its own. */
	switch (forest_is_leaf(&left) + 2 * forest_is_leaf(&right) + 4 * (frame->before >= 0)) {
	case 0:
		CONTRIBUTION_NAME(close)(c, k, false, none, out);
		break;
	case 1:
		CONTRIBUTION_NAME(close)(c, k, false, first, out);
		break;
	case 2:
		CONTRIBUTION_NAME(close)(c, k, false, second, out);
		break;
	case 3:
		CONTRIBUTION_NAME(close)(c, k, false, both, out);
		break;
	case 4:
		CONTRIBUTION_NAME(close)(c, k, true, none, out);
		break;
	case 5:
		CONTRIBUTION_NAME(close)(c, k, true, first, out);
		break;
	case 6:
		CONTRIBUTION_NAME(close)(c, k, true, second, out);
		break;
	default:
		CONTRIBUTION_NAME(close)(c, k, true, both, out);
		break;
	}
}

/* ---- the tree -------------------------------------------------------------------------------------------------- */

/* Add the contributions of a tree with at least one split. */
static void CONTRIBUTION_NAME(contribute)(const contribution_tree *c)
{
	double *product = c->levels;
	uint32_t k = 0;
	forest_side at = c->whole;
	for (uint32_t i = 0; i < c->n_points; i++) {
		for (size_t r = 0; r < CONTRIBUTION_LANES; r++)
			*product++ = c->points[c->n_points + i];
	}
	for (;;) {
		CONTRIBUTION_NAME(open)(c, k, &at);
		at = forest_left(c->f, &at);
		if (!forest_is_leaf(&at)) {
			CONTRIBUTION_NAME(descend)(c, k++, false);
			continue;
		}
		/* Up until there is a right side to go into. */
		for (;;) {
			at = forest_right(c->f, &c->frames[k].at);
			if (!c->frames[k].right && !forest_is_leaf(&at))
				break;
			CONTRIBUTION_NAME(close_split)(c, k);
			if (k == 0)
				return;
			k--;
		}
		CONTRIBUTION_NAME(go_right)(c, k);
		CONTRIBUTION_NAME(descend)(c, k++, true);
	}
}
#undef CONTRIBUTION_COMPARE
#undef CONTRIBUTION_LANES
#undef CONTRIBUTION_NAME
