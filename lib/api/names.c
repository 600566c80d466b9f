/* Words for numbers of the public interface. */
#include "model.h"

#define NAME(names, i) ((i) >= 0 && (size_t)(i) < sizeof(names) / sizeof(names)[0] ? (names)[i] : "unknown")

uint32_t score_version_number(void)
{
	return SCORE_VERSION_NUMBER;
}

const char *score_version_string(void)
{
	return SCORE_VERSION_STRING;
}

const char *score_isa_name(score_isa isa)
{
	static const char *const names[] = {"auto", "portable", "avx2", "avx512", "sse42", "neon"};
	return NAME(names, isa);
}

int score_isa_available(score_isa isa)
{
	return engine_isa_available(isa);
}

const char *score_regime_name(score_regime regime)
{
	static const char *const names[] = {"auto", "batch", "walk", "linear", "row"};
	return NAME(names, regime);
}

const char *score_model_link_name(const score_model *model)
{
	return model ? forest_link_names[model->f->link] : "unknown";
}
