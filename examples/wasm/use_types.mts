/* What a program in TypeScript writes; the test lets the compiler check it against scoreline.d.mts. */
import { init, Model, ScorelineError, type Output } from './scoreline.mjs';

export async function scoreAll(wasm: Response, file: Uint8Array, rows: Float32Array, output: Output): Promise<Float64Array> {
	await init(wasm);
	const model = new Model(file);
	try {
		return model.scoreBatch(rows, rows.length / model.features.length, model.features.length, output);
	} catch (e) {
		if (e instanceof ScorelineError && e.code === 'shape') return new Float64Array(0);
		throw e;
	} finally {
		model.close();
	}
}

// @ts-expect-error rows are arrays of float or double
export const wrongRows = (model: Model) => model.scoreBatch([1, 2, 3], 1, 3);
// @ts-expect-error there is no such output
export const wrongOutput = (model: Model) => model.scoreBatch(new Float32Array(3), 1, 3, 'leaves');
