/*
 * Models in JavaScript, by the library as a WebAssembly module: browsers, workers, Node, Deno. Comes in: the module, a `.slm` file's
 * bytes, and rows in a Float32Array or Float64Array, one after the other; NaN is missing. Goes out: a Float64Array of scores.
 * Relies on: scoreline.wasm, which imports nothing and so can reach nothing.
 */
const OUTPUTS = { prediction: 0, margin: 1, leaf: 2, class: 3 };
/* Rows go through the module's memory in pieces of this size, so that a large call needs no more memory than a small one; but
 * never fewer rows than the library scores together. */
const PIECE_BYTES = 1 << 18, PIECE_ROWS = 512;

let wasm = null, loading = null;

/* What the library refuses, in its words; `code` is its status: "corrupt", "shape", "memory" … */
export class ScorelineError extends Error {
	constructor(message, code) {
		super(message);
		this.name = 'ScorelineError';
		this.code = code;
	}
}

/* Before the first model: the module's bytes, a WebAssembly.Module, or a Response of fetch() or a promise of one. Later calls
 * change nothing. */
export function init(source) {
	loading ??= instantiate(source).catch((e) => {
		loading = null;
		throw e;
	});
	return loading;
}

async function instantiate(source) {
	source = await source;
	const made = typeof Response === 'function' && source instanceof Response ?
		await WebAssembly.instantiateStreaming(source) : await WebAssembly.instantiate(source);
	const { exports } = made.instance ?? made;
	exports._initialize();
	wasm = exports;
}

/* Bytes that the module has for all models. They are reused and never given back: WebAssembly has no way to. */
export function memoryBytes() {
	return loaded().memory.buffer.byteLength;
}

export function version() {
	return text(loaded().version());
}

export class Model {
	#model = 0;
	#names;
	#widths;
	/* In the module's memory: a piece of rows, a piece of scores, and the library's scratch. */
	#rows = 0;
	#rowsBytes;
	#scores = 0;
	#scoresBytes;
	#scratch = 0;

	/* The bytes of a `.slm` file, which are not kept. */
	constructor(bytes) {
		loaded();
		if (!(bytes instanceof Uint8Array)) throw new TypeError('expected the bytes of a model in a Uint8Array');
		const at = copied(bytes);
		this.#model = wasm.open_model(at, bytes.length);
		wasm.release(at);
		if (!this.#model) fail();
		this.#names = Array.from({ length: wasm.features(this.#model) }, (_, i) => text(wasm.feature_name(this.#model, i)));
		this.#widths = Object.fromEntries(Object.entries(OUTPUTS).map(([name, number]) => [name, wasm.width(this.#model, number)]));
		const { leaf, ...others } = this.#widths;
		this.#rowsBytes = Math.max(PIECE_BYTES, 8 * PIECE_ROWS * this.#names.length);
		this.#scoresBytes = Math.max(PIECE_BYTES, 8 * leaf, 8 * PIECE_ROWS * Math.max(...Object.values(others)));
		try {
			this.#rows = allocate(this.#rowsBytes);
			this.#scores = allocate(this.#scoresBytes);
			this.#scratch = allocate(wasm.scratch_bytes(this.#model));
		} catch (e) {
			this.close();
			throw e;
		}
	}

	/* Names of the features, in the order of a row's values. */
	get features() {
		return [...this.#names];
	}

	/* Values that a row's output has. */
	width(output = 'prediction') {
		if (!Object.hasOwn(OUTPUTS, output)) throw new RangeError(`expected ${Object.keys(OUTPUTS).join(', ')}, found "${output}"`);
		return this.#widths[output];
	}

	/* The number that stands for a category's label in a row; NaN where the model takes an unknown one as missing. */
	code(feature, label) {
		this.#held();
		if (!Number.isInteger(feature) || feature < 0 || feature >= this.#names.length)
			throw new RangeError(`expected a feature below ${this.#names.length}, found ${feature}`);
		const bytes = new TextEncoder().encode(label), at = copied(bytes);
		const code = wasm.category_code(this.#model, feature, at, bytes.length);
		wasm.release(at);
		if (code === -Infinity) throw new TypeError(`expected a feature with labels, found "${this.#names[feature]}"`);
		if (code === Infinity) throw new RangeError(`"${this.#names[feature]}" has no label "${label}"`);
		return code;
	}

	/* [nRows * nColumns] → [nRows * width(output)]. */
	scoreBatch(rows, nRows, nColumns, output = 'prediction') {
		this.#held();
		if (!(rows instanceof Float32Array || rows instanceof Float64Array))
			throw new TypeError('expected rows in a Float32Array or Float64Array');
		if (!(nRows >= 0 && nColumns >= 0) || rows.length !== nRows * nColumns)
			throw new RangeError(`expected ${nRows} * ${nColumns} values, found ${rows.length}`);
		const width = this.width(output), scores = new Float64Array(nRows * width);
		if (nColumns !== this.#names.length) this.#score(rows, 0, nColumns, output); /* the library says what is wrong */
		const piece = Math.floor(Math.min(this.#rowsBytes / (nColumns * rows.BYTES_PER_ELEMENT), this.#scoresBytes / (8 * width)));
		for (let row = 0; row < nRows; row += piece) {
			const n = Math.min(piece, nRows - row);
			new rows.constructor(wasm.memory.buffer, this.#rows, n * nColumns)
				.set(n === nRows ? rows : rows.subarray(row * nColumns, (row + n) * nColumns));
			this.#score(rows, n, nColumns, output);
			scores.set(new Float64Array(wasm.memory.buffer, this.#scores, n * width), row * width);
		}
		return scores;
	}

	/* Frees the model. A second call does nothing. */
	close() {
		for (const at of [this.#rows, this.#scores, this.#scratch]) wasm.release(at);
		wasm.close_model(this.#model);
		this.#rows = this.#scores = this.#scratch = this.#model = 0;
	}

	#score(rows, n, nColumns, output) {
		wasm.score(this.#model, this.#rows, rows.BYTES_PER_ELEMENT, n, nColumns, OUTPUTS[output], this.#scores, this.#scratch) || fail();
	}

	#held() {
		if (!this.#model) throw new Error('the model is closed');
	}
}

function loaded() {
	if (!wasm) throw new Error('call init() with scoreline.wasm first');
	return wasm;
}

/* Addresses beyond 2 GiB come as negative numbers. */
function allocate(bytes) {
	const at = wasm.allocate(Math.max(bytes, 1)) >>> 0;
	if (!at) throw new ScorelineError(`out of memory: WebAssembly refused ${bytes} bytes`, 'memory');
	return at;
}

function copied(bytes) {
	const at = allocate(bytes.length);
	new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
	return at;
}

function fail() {
	throw new ScorelineError(text(wasm.failure_message()), text(wasm.failure_name()));
}

/* A terminated text in the module's memory. */
function text(at) {
	const bytes = new Uint8Array(wasm.memory.buffer, at >>> 0);
	return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
}
