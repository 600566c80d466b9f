/*
 * Fetch a run of one column as FETCH_OUT (float or double); the function's name is FETCH_NAME. Included twice by view.c.
 */
static void FETCH_NAME(const score_column *c, int64_t first, size_t n, FETCH_OUT *out)
{
	int64_t element = c->offset + first;
	int64_t stride = c->stride_bytes ? c->stride_bytes : (int64_t)dtype_size(c->dtype);
	const char *from = (const char *)c->values + element * stride;
	switch (c->dtype) {
	case SCORE_F32:
		FETCH_AS(float);
	case SCORE_F64:
		FETCH_AS(double);
	case SCORE_I8:
		FETCH_AS(int8_t);
	case SCORE_U8:
		FETCH_AS(uint8_t);
	case SCORE_I16:
		FETCH_AS(int16_t);
	case SCORE_U16:
		FETCH_AS(uint16_t);
	case SCORE_I32:
		FETCH_AS(int32_t);
	case SCORE_U32:
		FETCH_AS(uint32_t);
	case SCORE_I64:
		FETCH_AS(int64_t);
	case SCORE_U64:
		FETCH_AS(uint64_t);
	case SCORE_F16:
		for (size_t i = 0; i < n; i++) {
			uint16_t half;
			memcpy(&half, from + (int64_t)i * stride, sizeof half);
			out[i] = (FETCH_OUT)widen_half(half);
		}
		break;
	case SCORE_BOOL:
		for (size_t i = 0; i < n; i++)
			out[i] = (FETCH_OUT)(from[(int64_t)i * stride] != 0);
		break;
	default: /* SCORE_BOOL_BITS: input_open() let nothing else through */
		for (size_t i = 0; i < n; i++) {
			int64_t e = element + (int64_t)i;
			out[i] = (FETCH_OUT)(((const uint8_t *)c->values)[e >> 3] >> (e & 7) & 1);
		}
		break;
	}
	for (size_t i = 0; c->validity && i < n; i += 64) {
		uint64_t missing = missing_word(c->validity, element + (int64_t)i, n - i);
		for (; missing; missing &= missing - 1)
			out[i + sl_lowest_bit(missing)] = (FETCH_OUT)NAN;
	}
}
#undef FETCH_OUT
#undef FETCH_NAME
