/*
 * A model in Node, through libscoreline.so and koffi. Comes in: rows in a Float64Array, one after the other; NaN is missing.
 * Goes out: a Float64Array of scores. Relies on: koffi; the library's path in SCORELINE_LIBRARY, or where the system looks.
 */
'use strict';
const koffi = require('koffi');

const library = koffi.load(process.env.SCORELINE_LIBRARY || 'libscoreline.so');

/* scoreline.h's structs; of score_model_info what is asked for here. The library writes no more than struct_size says. */
const Failure = koffi.struct('score_error', {
	code: 'int32_t', reserved: 'int32_t', offset: 'int64_t', line: 'int64_t', message: koffi.array('char', 232),
});
const Info = koffi.struct('score_model_info', {
	struct_size: 'size_t', kind: 'int32_t', n_features: 'uint32_t', n_outputs: 'uint32_t', n_predictions: 'uint32_t',
});
/* score_input with its member u.rows, filled up to the size of the union. */
const Input = koffi.struct('score_input', {
	struct_size: 'size_t', layout: 'int32_t', dtype: 'int32_t', n_rows: 'int64_t', n_columns: 'int64_t',
	data: 'const double *', row_stride: 'int64_t', column_stride: 'int64_t', reserved: koffi.array('uint64_t', 5),
});
const Options = koffi.struct('score_options', {
	struct_size: 'size_t', output: 'int32_t', regime: 'int32_t', tree_begin: 'uint32_t', tree_end: 'uint32_t', plan: 'void *',
	scratch: 'void *', scratch_bytes: 'size_t', explainer: 'void *',
});
const ROWS = 1, F64 = 2, REFUSE = Infinity;

const open = library.func('int score_model_open_file(const char *path, void *options, _Out_ void **out, _Out_ score_error *error)');
const getInfo = library.func('int score_model_get_info(void *model, _Inout_ score_model_info *info)');
const free = library.func('void score_model_free(void *model)');
const hasDictionary = library.func('uint32_t score_model_dictionary(void *model, uint32_t i)');
const find = library.func('int score_model_category_find(void *model, uint32_t i, const char *text, size_t length, _Out_ double *code)');
const scratchBytes = library.func('size_t score_scratch_bytes(void *model)');
const batch = library.func('int score_batch(void *model, const score_input *input, double *out, size_t out_len, ' +
	'const score_options *options, _Out_ score_error *error)');
const version = library.func('const char *score_version_string()');

function refuse(status, error) {
	if (status !== 0) throw new Error(error.message);
}

class Model {
	#model;
	#scratch;
	#running = 0;

	/* Throws an Error with the library's message if `path` is no model. */
	constructor(path) {
		const out = [null], error = {}, info = { struct_size: koffi.sizeof(Info), kind: 0, n_features: 0, n_outputs: 0, n_predictions: 0 };
		refuse(open(path, null, out, error), error);
		this.#model = out[0];
		refuse(getInfo(this.#model, info), { message: 'no information' });
		this.features = info.n_features;
		this.widths = { prediction: info.n_predictions, margin: info.n_outputs };
		this.#scratch = Buffer.alloc(scratchBytes(this.#model));
	}

	/* What a label of a category is in a row; an Error if the model refuses labels that it does not know. */
	code(feature, label) {
		const out = [0];
		if (!hasDictionary(this.#held(), feature)) throw new TypeError(`expected a feature with a dictionary, found feature ${feature}`);
		find(this.#model, feature, label, Buffer.byteLength(label), out);
		if (out[0] === REFUSE) throw new RangeError(`feature ${feature} has no label "${label}"`);
		return out[0];
	}

	/* Float64Array [n * features] → Float64Array [n * width]. On this thread: right for single rows and small batches. */
	score(rows, output = 'prediction') {
		const { scores, call } = this.#arguments(rows, output, this.#scratch), error = {};
		refuse(batch(...call, error), error);
		return scores;
	}

	/* The same on another thread: for large batches. Neither `rows` may change nor the model be closed meanwhile. */
	async scoreAsync(rows, output = 'prediction') {
		const { scores, call } = this.#arguments(rows, output, Buffer.alloc(this.#scratch.length)), error = {};
		this.#running++;
		try {
			await new Promise((done, failed) => batch.async(...call, error, (broken, status) => {
				if (broken || status !== 0) failed(broken || new Error(error.message));
				else done();
			}));
		} finally {
			this.#running--;
		}
		return scores;
	}

	close() {
		if (this.#running) throw new Error(`${this.#running} calls still run`);
		free(this.#model);
		this.#model = null;
	}

	#held() {
		if (this.#model === null) throw new Error('the model is closed');
		return this.#model;
	}

	#arguments(rows, output, scratch) {
		const model = this.#held(), n = rows.length / this.features, width = this.widths[output];
		if (!(rows instanceof Float64Array)) throw new TypeError('expected rows in a Float64Array');
		if (!Number.isInteger(n)) throw new RangeError(`expected rows of ${this.features} values, found ${rows.length} values`);
		if (width === undefined) throw new RangeError(`expected "prediction" or "margin", found "${output}"`);
		const scores = new Float64Array(n * width);
		const input = { struct_size: koffi.sizeof(Input), layout: ROWS, dtype: F64, n_rows: n, n_columns: this.features, data: rows,
			row_stride: 8 * this.features, column_stride: 8, reserved: [0, 0, 0, 0, 0] };
		const options = { struct_size: koffi.sizeof(Options), output: output === 'margin' ? 1 : 0, regime: 0, tree_begin: 0, tree_end: 0,
			plan: null, scratch, scratch_bytes: scratch.length, explainer: null };
		return { scores, call: [model, input, scores, scores.length, options] };
	}
}

module.exports = { Model, version };
