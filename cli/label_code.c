/*
 * Labels of categories in text files.
 *
 * Comes in: the text of a cell under a feature that has a dictionary. Goes out: the code that the model gives it. What is
 * no label may still be a spelling of a missing value.
 */
#include "cli.h"

#include <math.h>
#include <string.h>

/* Dictionaries of numbers hold plain digits: "10.0" and "1e1" are "10", true is "1". */
static bool find_number(const score_model *model, uint32_t feature, const char *text, size_t length, double *out)
{
	char digits[32], copy[64];
	double value;
	if (length >= sizeof copy)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	if (!cli_field_value(copy, length, &value) || value != floor(value) || fabs(value) >= 9e15)
		return false;
	int n = snprintf(digits, sizeof digits, "%lld", (long long)value);
	return score_model_category_find(model, feature, digits, (size_t)n, out) != 0;
}

bool cli_label_code(const score_model *model, uint32_t feature, const char *text, size_t length, double *out)
{
	char copy[64];
	double value;
	if (score_model_category_find(model, feature, text, length, out))
		return true;
	if ((score_model_dictionary(model, feature) & SCORE_DICTIONARY_NUMBERS) &&
		find_number(model, feature, text, length, out))
		return true;
	if (length < sizeof copy) {
		memcpy(copy, text, length);
		copy[length] = '\0';
		if (cli_field_value(copy, length, &value) && isnan(value)) {
			*out = NAN;
			return true;
		}
	}
	*out = score_model_category_unknown(model, feature);
	return *out != SCORE_REFUSE;
}
