/*
 * ONNX files from a few lines of text, for tests: what a test is about stands in it in words.
 *
 *     in NAME TYPE DIMS                 an input; "?" is a dimension without a number: ?x3
 *     out NAME
 *     const NAME TYPE DIMS VALUES       an initializer; raw:DIMS as raw_data; ext:DIMS and own:DIMS in a file of its own, as
 *                                     data_location or external_data says
 *     node OP INPUTS -> OUTPUTS ; ATTRIBUTE KIND VALUES ; …
 *     opset DOMAIN VERSION
 *     function                          of the file's own
 *     producer NAME VERSION
 *
 * OP is an operator of ONNX, onnx:OP the same with its domain, ml:OP one of ai.onnx.ml, OP@NAME one with a name. Names are
 * separated by commas, "-" is none. TYPE is f32, f64, i32, i64, u8, bool, str or a number. KIND is i, f, s (one value), ii, ff, ss (lists), t (TYPE DIMS VALUES). Of values 3*x is x three
 * times, 0..9 are ten numbers; in texts and names %HH is a byte, "" is empty.
 */
#ifndef TESTS_ONNX_TEXT_H
#define TESTS_ONNX_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* A protocol buffer that is being written. */
typedef struct onnx_bytes {
	unsigned char data[1 << 19];
	size_t size;
} onnx_bytes;

/* `n` empty ones; free() them. */
onnx_bytes *onnx_new_bytes(size_t n);
void onnx_put_varint(onnx_bytes *b, uint64_t x);
void onnx_put_number(onnx_bytes *b, unsigned field, int64_t x);
void onnx_put_block(onnx_bytes *b, unsigned field, const void *data, size_t size);
void onnx_put_text(onnx_bytes *b, unsigned field, const char *text);

/* The file that the text describes; free() it. Fails the test if it describes none. */
onnx_bytes *onnx_from_text(const char *text);

#endif
