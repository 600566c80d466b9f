/*
 * XGBoost's objectives: the link from margins to predictions, and its inverse for the base score.
 *
 * Two formulas changed over the releases. A file means what the release that wrote it computes: the clamped
 * sigmoid came with 1.6, the sorting of quantiles with 3.4.
 */
#include "xgboost.h"

#include <math.h>

typedef enum inverse {
	IDENTITY,
	LOGIT,
	LOGARITHM
} inverse;

struct xgb_objective {
	const char *name;
	score_link link;
	inverse inverse;
};

static const xgb_objective objectives[] = {
	{"reg:squarederror", SCORE_LINK_IDENTITY, IDENTITY},
	{"reg:linear", SCORE_LINK_IDENTITY, IDENTITY},
	{"reg:squaredlogerror", SCORE_LINK_IDENTITY, IDENTITY},
	{"reg:pseudohubererror", SCORE_LINK_IDENTITY, IDENTITY},
	{"reg:absoluteerror", SCORE_LINK_IDENTITY, IDENTITY},
	{"reg:quantileerror", SCORE_LINK_SORT, IDENTITY},
	{"reg:logistic", SCORE_LINK_SIGMOID_XGBOOST, LOGIT},
	{"binary:logistic", SCORE_LINK_SIGMOID_XGBOOST, LOGIT},
	{"binary:logitraw", SCORE_LINK_IDENTITY, IDENTITY},
	{"binary:hinge", SCORE_LINK_HINGE, IDENTITY},
	{"count:poisson", SCORE_LINK_EXP, LOGARITHM},
	{"reg:gamma", SCORE_LINK_EXP, LOGARITHM},
	{"reg:tweedie", SCORE_LINK_EXP, LOGARITHM},
	{"survival:cox", SCORE_LINK_EXP, LOGARITHM},
	{"survival:aft", SCORE_LINK_EXP_F64, LOGARITHM}, /* its source says exp, the others say std::exp */
	{"multi:softprob", SCORE_LINK_SOFTMAX_XGBOOST, IDENTITY},
	{"multi:softmax", SCORE_LINK_ARGMAX, IDENTITY},
	{"rank:pairwise", SCORE_LINK_IDENTITY, IDENTITY},
	{"rank:ndcg", SCORE_LINK_IDENTITY, IDENTITY},
	{"rank:map", SCORE_LINK_IDENTITY, IDENTITY},
};

const xgb_objective *import_xgb_objective(const char *name)
{
	for (size_t i = 0; i < sizeof objectives / sizeof objectives[0]; i++) {
		if (strcmp(objectives[i].name, name) == 0)
			return objectives + i;
	}
	return NULL;
}

score_link import_xgb_link(const xgb_objective *objective, const xgb_file *file)
{
	if (objective->link == SCORE_LINK_SORT && import_xgb_before(file, 3, 4))
		return SCORE_LINK_IDENTITY;
	if (objective->link == SCORE_LINK_SIGMOID_XGBOOST && import_xgb_before(file, 1, 6))
		return SCORE_LINK_SIGMOID;
	return objective->link;
}

bool import_xgb_base_margin(const xgb_objective *objective, float base_score, float *out)
{
	const float edge = 1e-6f;
	float b = base_score;
	if (!isfinite(b))
		return false;
	switch (objective->inverse) {
	case LOGIT:
		if (b < 0.0f || b > 1.0f)
			return false;
		b = b < edge ? edge : b > 1.0f - edge ? 1.0f - edge : b;
		*out = -logf(1.0f / b - 1.0f);
		return true;
	case LOGARITHM:
		if (b < 0.0f)
			return false;
		*out = logf(b);
		return true;
	default:
		*out = b;
		return true;
	}
}
