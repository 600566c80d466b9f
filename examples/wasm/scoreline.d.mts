/** Models in JavaScript, by the library as a WebAssembly module. */

/** Values per row: predictions, raw scores, one leaf number per tree, or the class's number. */
export type Output = 'prediction' | 'margin' | 'leaf' | 'class';

/** What the library refuses, in its words. */
export class ScorelineError extends Error {
	/** The library's status: "corrupt", "version", "unsupported", "shape", "memory", "limit", "argument". */
	readonly code: string;
}

/** Load scoreline.wasm, once, before the first model. Later calls change nothing. */
export function init(source: BufferSource | WebAssembly.Module | Response | Promise<BufferSource | WebAssembly.Module | Response>): Promise<void>;

/** The library's version. */
export function version(): string;

/** Bytes that the module has for all models: reused, never given back. */
export function memoryBytes(): number;

/** A model ready to score. Not for use by several workers: each loads the module and the model itself. */
export class Model {
	/** The bytes of a `.slm` file; they are not kept. Throws a ScorelineError if they are none. */
	constructor(bytes: Uint8Array);

	/** Names of the features, in the order of a row's values. */
	readonly features: string[];

	/** Values that a row's output has. */
	width(output?: Output): number;

	/** The number that stands for a category's label in a row; NaN where the model takes an unknown one as missing. */
	code(feature: number, label: string): number;

	/** Scores of rows that lie one after the other, [nRows, nColumns]; NaN is missing. Returns [nRows, width(output)]. */
	scoreBatch(rows: Float32Array | Float64Array, nRows: number, nColumns: number, output?: Output): Float64Array;

	/** Free the model. A second call does nothing. */
	close(): void;
}
