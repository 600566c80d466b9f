/* The golden set through koffi, on Node's own thread and on others, wrong inputs, and what a call costs. */
'use strict';
const assert = require('node:assert/strict');
const test = require('node:test');
const { golden } = require('../javascript/golden_rows.js');
const { Model } = require('./scoreline.js');

function load(name) {
	const set = golden(name), model = new Model(set.path);
	const value = (v, i) => v === null ? NaN : typeof v === 'string' ? model.code(i, v) : v;
	return { ...set, model, flat: Float64Array.from(set.rows.flatMap((row) => row.map(value))) };
}

function same(expected, found) {
	assert.ok(found.length > 0);
	assert.deepEqual(new BigUint64Array(found.buffer), new BigUint64Array(Float64Array.from(expected).buffer));
}

for (const name of ['iot', 'fraud', 'wide']) {
	test(`${name}: the golden set, all rows at once and one at a time`, () => {
		const { model, flat, margin, prediction, rows } = load(name), n = model.features;
		same(prediction, model.score(flat));
		same(margin, model.score(flat, 'margin'));
		same(prediction, Float64Array.from(rows, (_, r) => model.score(flat.slice(r * n, (r + 1) * n))[0]));
		model.close();
	});
}

test('two calls at a time on other threads', async () => {
	const { model, flat, margin, prediction } = load('fraud');
	for (let round = 0; round < 100; round++) {
		const both = [model.scoreAsync(flat), model.scoreAsync(flat, 'margin')];
		assert.throws(() => model.close(), /2 calls still run/);
		const [predictions, margins] = await Promise.all(both);
		same(prediction, predictions);
		same(margin, margins);
	}
	model.close();
});

test('wrong inputs', async () => {
	assert.throws(() => new Model('/no/such.slm'), /cannot open '\/no\/such.slm'/);
	assert.throws(() => new Model(__filename), /\S/);
	const { model, flat } = load('iot');
	assert.throws(() => model.score(flat.slice(1)), /rows of 3 values/);
	assert.throws(() => model.score(new Float32Array(3)), /Float64Array/);
	assert.throws(() => model.score(flat, 'leaf'), /found "leaf"/);
	assert.throws(() => model.code(0, 'x'), /found feature 0/);
	await assert.rejects(model.scoreAsync(flat.slice(1)), /rows of 3 values/);
	model.close();
	assert.throws(() => model.score(flat), /closed/);
});

test('what a call costs', (t) => {
	const { model, flat } = load('iot'), row = flat.slice(0, 3), n = 50000;
	for (let i = 0; i < 1000; i++) model.score(row);
	const began = process.hrtime.bigint();
	for (let i = 0; i < n; i++) model.score(row);
	t.diagnostic(`${(process.hrtime.bigint() - began) / BigInt(n)} ns for a call with one row`);
	model.close();
});
