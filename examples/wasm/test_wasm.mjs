/*
 * The module in Node. Comes in: a folder with scoreline.wasm and seal.wasm (MODULES). What is tested: the golden set, other models
 * against the command, hostile files, memory, imports, wrong inputs; then rows per second.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import goldenRows from '../javascript/golden_rows.js';
import { init, memoryBytes, Model, ScorelineError, version } from './scoreline.mjs';

const { ROOT, golden, scoreInC, scoreline } = goldenRows;
const MODULE = fs.readFileSync(path.join(process.env.MODULES, 'scoreline.wasm'));
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'scoreline-wasm-'));
after(() => fs.rmSync(folder, { recursive: true }));

let state = 20261127;
function random(below) {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return Math.floor(state / 4294967296 * below);
}

function load(name) {
	const set = golden(name), model = new Model(fs.readFileSync(set.path));
	const value = (v, i) => v === null ? NaN : typeof v === 'string' ? model.code(i, v) : v;
	return { ...set, model, flat: Float64Array.from(set.rows.flatMap((row) => row.map(value))) };
}

/* Bit for bit; but which bits a NaN has, WebAssembly leaves to the engine. */
function same(expected, found, where = '') {
	assert.ok(found.length === expected.length && found.length > 0, `${where}${found.length} values, expected ${expected.length}`);
	found.forEach((f, i) => assert.ok(Object.is(f, expected[i]), `${where}value ${i}: ${f}, expected ${expected[i]}`));
}

before(async () => {
	assert.throws(() => new Model(new Uint8Array(8)), /call init\(\)/);
	await assert.rejects(init(new Uint8Array(8)), WebAssembly.CompileError);
	await Promise.all([init(MODULE), init(MODULE)]);
});

test('the module asks nothing of its host', () => {
	assert.deepEqual(WebAssembly.Module.imports(new WebAssembly.Module(MODULE)), []);
});

for (const name of ['iot', 'fraud', 'wide']) {
	test(`${name}: the golden set, all rows at once, one at a time, and more than fit a piece`, () => {
		const { model, flat, margin, prediction, rows } = load(name), n = model.features.length;
		same(prediction, model.scoreBatch(flat, rows.length, n));
		same(margin, model.scoreBatch(flat, rows.length, n, 'margin'));
		same(prediction, rows.map((_, r) => model.scoreBatch(flat.slice(r * n, (r + 1) * n), 1, n)[0]));
		const times = 400, many = new Float64Array(flat.length * times);
		for (let i = 0; i < times; i++) many.set(flat, i * flat.length);
		same(Array(times).fill(margin).flat(), model.scoreBatch(many, rows.length * times, n, 'margin'));
		const single = Float32Array.from(flat);
		same(model.scoreBatch(Float64Array.from(single), rows.length, n), model.scoreBatch(single, rows.length, n));
		model.close();
	});
}

/* Every small model of the importers' tests, on rows near its cuts and far away. */
test('other models: the margins of the command', (t) => {
	const files = ['xgboost', 'lightgbm', 'onnx', 'catboost', 'format'].flatMap((kind) => fs.readdirSync(path.join(ROOT, 'tests/data', kind))
		.filter((file) => /\.(json|ubj|txt|onnx|slm)$/.test(file)).map((file) => path.join(ROOT, 'tests/data', kind, file)));
	let compared = 0, values = 0, others = 0;
	for (const file of files) {
		const slm = path.join(folder, 'model.slm');
		if (file.endsWith('.slm')) fs.copyFileSync(file, slm);
		else if (spawnSync('scoreline', ['convert', file, '-o', slm], { stdio: 'ignore' }).status !== 0) continue; /* broken on purpose */
		const model = new Model(fs.readFileSync(slm)), k = model.features.length, n = 600;
		const awkward = [NaN, NaN, 0, -0, Infinity, -Infinity, 5e-324, -1e-40, 1e300, 1e-35, 16777217, -1, 0.5];
		const rows = Array.from({ length: n }, () => Array.from({ length: k }, () => random(100) < 15 ? awkward[random(awkward.length)] :
			random(100) < 40 ? random(12) : (random(1e6) / 1e6 - 0.5) * 10 ** random(4)));
		const found = model.scoreBatch(Float64Array.from(rows.flat()), n, k, 'margin');
		same(scoreInC(slm, rows, 'margin').flat(), found, `${path.basename(file)}, `);
		const predictions = model.scoreBatch(Float64Array.from(rows.flat()), n, k);
		for (const [i, expected] of scoreInC(slm, rows, 'prediction').flat().entries()) {
			assert.ok(Object.is(predictions[i], expected) || Math.abs(predictions[i] - expected) <= 1e-6 * Math.abs(expected), file);
			others += !Object.is(predictions[i], expected);
		}
		values += predictions.length;
		compared++;
		model.close();
	}
	t.diagnostic(`${compared} models; of ${values} predictions ${others} differ in the last places, as another C library's exp() may`);
	assert.ok(compared > 80, `only ${compared} models`);
});

test('hostile files: an error or a model that scores, never a trap', async (t) => {
	const seal = (await WebAssembly.instantiate(fs.readFileSync(path.join(process.env.MODULES, 'seal.wasm')))).instance.exports;
	const names = fs.readdirSync(path.join(ROOT, 'tests/data/format')).filter((name) => name.endsWith('.slm'));
	const codes = {};
	const attempt = (bytes) => {
		try {
			const model = new Model(bytes), k = model.features.length;
			model.scoreBatch(new Float64Array(k * 5), 5, k);
			model.close();
			codes.ok = (codes.ok ?? 0) + 1;
		} catch (e) {
			assert.ok(e instanceof ScorelineError && e.message.length > 10, String(e.stack));
			codes[e.code] = (codes[e.code] ?? 0) + 1;
		}
	};
	for (const bytes of [new Uint8Array(0), Uint8Array.of(1), Uint8Array.from({ length: 5000 }, () => random(256)), MODULE]) attempt(bytes);
	for (let round = 0; round < 4000; round++) {
		const whole = fs.readFileSync(path.join(ROOT, 'tests/data/format', names[round % names.length]));
		const size = round % 5 === 4 ? 49 + random(whole.length - 49) : whole.length;
		const file = new Uint8Array(seal.memory.buffer, seal.room(), size);
		file.set(whole.subarray(0, size));
		for (let i = random(4); i >= 0; i--) file[random(10) < 3 ? random(200) : random(size)] = random(2) ? random(256) : 255;
		if (round % 10) seal.seal(size);
		attempt(file);
	}
	t.diagnostic(JSON.stringify(codes));
	assert.ok(codes.corrupt > 1000 && codes.ok > 100, JSON.stringify(codes));
});

test('memory stays where it is', () => {
	const { model, flat, rows } = load('fraud'), bytes = fs.readFileSync(golden('fraud').path), broken = bytes.subarray(0, 1000);
	const cycle = () => {
		new Model(bytes).close();
		assert.throws(() => new Model(broken), ScorelineError);
		model.scoreBatch(flat, rows.length, 4);
		model.code(1, 'travel');
	};
	cycle();
	const began = memoryBytes();
	for (let i = 0; i < 10000; i++) model.scoreBatch(flat, rows.length, 4);
	model.scoreBatch(new Float32Array(4e6), 1e6, 4);
	for (let i = 0; i < 1000; i++) cycle();
	assert.equal(memoryBytes(), began);
	model.close();
});

test('wrong inputs', () => {
	assert.throws(() => new Model('iot.slm'), /bytes of a model in a Uint8Array/);
	const { model, flat, rows } = load('iot'), n = rows.length;
	assert.throws(() => model.scoreBatch(flat, n, 4), /expected \d+ \* 4 values/);
	assert.throws(() => model.scoreBatch([1, 2, 3], 1, 3), /Float32Array/);
	assert.throws(() => model.scoreBatch(flat, n, 3, 'leaves'), /prediction, margin, leaf, class, found "leaves"/);
	assert.throws(() => model.scoreBatch(flat, -n, -3), RangeError);
	assert.throws(() => model.scoreBatch(new Float32Array(8), 2, 4), (e) => e instanceof ScorelineError && e.code === 'shape' && /4 .* 3/.test(e.message));
	assert.throws(() => model.code(0, 'x'), /feature with labels, found "temperature"/);
	assert.throws(() => model.code(3, 'x'), /feature below 3/);
	assert.equal(model.scoreBatch(new Float32Array(0), 0, 3).length, 0);
	assert.equal(model.width('leaf'), model.scoreBatch(new Float32Array(3), 1, 3, 'leaf').length);
	assert.deepEqual(model.features, ['temperature', 'humidity', 'pressure']);
	assert.match(version(), /^\d+\.\d+\.\d+$/);
	model.close();
	model.close();
	assert.throws(() => model.scoreBatch(flat, n, 3), /closed/);
});

test('rows per second', (t) => {
	const slm = path.join(folder, 'flights.slm');
	scoreline('convert', path.join(ROOT, 'examples/quickstart/flights.ubj'), '-o', slm);
	const model = new Model(fs.readFileSync(slm)), k = model.features.length;
	const table = fs.readFileSync(path.join(ROOT, 'examples/quickstart/rows.f32')), flights = table.length / 4 / k;
	for (const n of [1, 512, 100000]) {
		const rows = Float32Array.from({ length: n * k }, (_, i) => table.readFloatLE(4 * (i % (flights * k))));
		for (const end = Date.now() + 700; Date.now() < end;) model.scoreBatch(rows, n, k);
		const began = process.hrtime.bigint(), times = Math.ceil(500000 / (n + 30));
		for (let i = 0; i < times; i++) model.scoreBatch(rows, n, k);
		const seconds = Number(process.hrtime.bigint() - began) / 1e9;
		t.diagnostic(`80 trees of depth 5, ${n} rows a call: ${Math.round(n * times / seconds).toLocaleString('en')} rows/s`);
	}
	model.close();
});
