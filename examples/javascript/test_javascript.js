/* Exported models against the library: bits, engines, values that are no numbers, and what cannot be exported. */
'use strict';
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const acorn = require('acorn');
const { getQuickJS } = require('quickjs-emscripten');
const { ROOT, exported, load, golden, scoreInC, scoreline } = require('./golden_rows.js');

let state = 20261127;
function random() {
	state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
	return state / 4294967296;
}

/* Values near the ranges of the models' features, whole numbers, categories, missing ones, and awkward ones. */
function randomRow(n) {
	const awkward = [NaN, NaN, 0, -0, Infinity, -Infinity, 5e-324, -1e-40, 1e300, 1e-35, 16777217, -1, 0.5];
	return Array.from({ length: n }, () => random() < 0.15 ? awkward[Math.floor(random() * awkward.length)] :
		random() < 0.4 ? Math.floor(random() * 12) : (random() - 0.5) * Math.pow(10, Math.floor(random() * 4)));
}

function same(who, expected, found) {
	assert.equal(found.length, expected.length);
	expected.forEach((e, i) => assert.ok(Object.is(e, found[i]), `${who}, row ${i}: ${found[i]}, expected ${e}`));
}

for (const [name, old] of [['Node', false], ['Node without Math.fround', true]]) {
	test(`golden set in ${name}`, () => {
		for (const model of ['iot', 'fraud', 'wide']) {
			const set = golden(model);
			for (const output of ['margin', 'prediction']) {
				const main = load(exported(set.path, output), old);
				same(`${name}, ${model}`, set[output], set.rows.map((row) => main(...row)));
			}
		}
	});
}

test('golden set in QuickJS', async () => {
	const engine = await getQuickJS();
	for (const model of ['iot', 'fraud', 'wide']) {
		const set = golden(model);
		for (const before of ['', 'delete Math.fround;']) {
			/* JSON has no NaN, infinities or -0, so the rows go as source. */
			const rows = '[' + set.rows.map((row) => '[' + row.map((v) => Object.is(v, -0) ? '-0' : typeof v === 'string' ?
				JSON.stringify(v) : String(v)).join() + ']').join() + ']';
			const hex = engine.evalCode(`${before}${exported(set.path)};
				var view = new DataView(new ArrayBuffer(8));
				${rows}.map(function (row) {
					view.setFloat64(0, main.apply(null, row));
					return view.getUint32(0) + ',' + view.getUint32(4);
				}).join(';')`);
			const view = new DataView(new ArrayBuffer(8));
			same(`QuickJS, ${model}`, set.prediction, hex.split(';').map((pair) => {
				pair.split(',').forEach((word, i) => view.setUint32(4 * i, Number(word)));
				return view.getFloat64(0);
			}));
		}
	}
});

test('it is ECMAScript 5, and one function', () => {
	for (const model of ['iot', 'fraud', 'wide']) {
		const program = acorn.parse(exported(golden(model).path), { ecmaVersion: 5 });
		assert.deepEqual(program.body.map((node) => [node.type, node.id.name]), [['FunctionDeclaration', 'main']]);
	}
});

test('hosts\' own missing values, booleans, numbers in text, and things that are none of these', () => {
	const set = golden('iot'), main = load(exported(set.path));
	const missing = main(NaN, 40, 1013);
	for (const value of [null, undefined, '', '  ', 'damp', {}, [], function () {}]) assert.ok(Object.is(main(value, 40, 1013), missing));
	assert.ok(Object.is(main('44.0', '41.5', 1013.25), set.prediction[2]));
	assert.ok(Object.is(main(true, 40, 1013), main(1, 40, 1013)));
	assert.ok(Object.is(main(), main(NaN, NaN, NaN)));
	const fraud = load(exported(golden('fraud').path));
	for (const word of ['__proto__', 'constructor', 'hasOwnProperty', 'toString'])
		assert.ok(Object.is(fraud(55, word, 600, 10), fraud(55, null, 600, 10)));
});

/* Every small model of the importers' tests: whatever can be exported gives the library's bits. */
test('all objectives', () => {
	const files = ['xgboost', 'lightgbm', 'onnx', 'catboost'].flatMap((folder) =>
		fs.readdirSync(path.join(ROOT, 'tests/data', folder)).filter((file) => /\.(json|ubj|txt|onnx)$/.test(file))
			.map((file) => path.join(ROOT, 'tests/data', folder, file)));
	const links = new Set(), refused = new Set();
	let compared = 0;
	for (const file of files) {
		let source;
		let info;
		try {
			info = JSON.parse(scoreline('inspect', file, '--json'));
		} catch (e) {
			continue; /* broken on purpose */
		}
		try {
			source = exported(file);
		} catch (e) {
			refused.add(/: ([^:]*JavaScript.*)/.exec(String(e.stderr))[1]);
			continue;
		}
		const rows = Array.from({ length: 300 }, () => randomRow(info.n_features));
		for (const output of ['margin', 'prediction']) {
			const main = load(output === 'margin' ? exported(file, 'margin') : source, compared % 5 === 0);
			const expected = scoreInC(file, rows, output);
			rows.forEach((row, i) => same(`${file} ${output} ${i}`, expected[i], [].concat(main(...row))));
		}
		links.add(info.link);
		compared++;
	}
	console.log(`${compared} models, links: ${[...links].sort().join(' ')}; refused: ${[...refused].sort().join('; ')}`);
	assert.ok(compared > 50 && links.size > 6, `only ${compared} models with ${links.size} links`);
});

test('many rows, where exponentials round differently once in a while', () => {
	for (const model of ['iot', 'fraud']) {
		const set = golden(model), main = load(exported(set.path));
		const typical = set.rows.filter((row) => row.every((v) => typeof v === 'number' && Number.isFinite(v)) || model === 'fraud');
		const rows = Array.from({ length: 50000 }, (_, i) => typical[i % typical.length].map((v, k) =>
			typeof v === 'number' && Number.isFinite(v) ? v * (0.5 + random()) : typeof v === 'string' ? k * 0 + Math.floor(random() * 6) : NaN));
		same(model, scoreInC(set.path, rows, 'prediction').flat(), rows.map((row) => main(...row)));
	}
});

/* Models whose leaves are what CatBoost's exponential was asked for: all powers that it looks up, and its limits. */
test('exponentials as CatBoost has them', () => {
	const pairs = fs.readFileSync(path.join(ROOT, 'tests/data/catboost/exponents-1.2.10.f64')), asked = [], answered = [];
	for (let at = 0; at < pairs.length; at += 16) {
		if (!Number.isFinite(pairs.readDoubleLE(at))) continue;
		asked.push(pairs.readDoubleLE(at));
		answered.push(pairs.readDoubleLE(at + 8));
	}
	const depth = 12, rows = asked.map((_, i) => Array.from({ length: depth }, (_, k) => i >> k & 1));
	const feature = (k) => ({ borders: [0.5], feature_id: `f${k}`, feature_index: k, flat_feature_index: k, has_nans: false,
		nan_value_treatment: 'AsIs' });
	const split = (k) => ({ border: 0.5, float_feature_index: k, split_index: k, split_type: 'FloatFeature' });
	const range = Array.from({ length: depth }, (_, k) => k);
	for (const [loss, n] of [['Poisson', 1], ['RMSEWithUncertainty', 2], ['MultiClass', 3], ['MultiClass', 4], ['MultiClass', 6]]) {
		const leaves = Array.from({ length: n << depth }, (_, i) => asked[(Math.floor(i / n) + 611 * (i % n)) % asked.length]);
		const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'scoreline-js-')), 'model.json');
		fs.writeFileSync(file, JSON.stringify({
			features_info: { float_features: range.map(feature) },
			model_info: { params: { loss_function: { type: loss } } },
			oblivious_trees: [{ leaf_values: leaves, splits: range.map(split) }],
			scale_and_bias: [1, Array(n).fill(0)],
		}));
		acorn.parse(exported(file), { ecmaVersion: 5 });
		for (const old of [false, true]) {
			const main = load(exported(file), old), found = rows.map((row) => [].concat(main(...row)));
			same(loss, scoreInC(file, rows, 'prediction').flat(), found.flat());
			if (loss === 'Poisson') same('CatBoost', answered, found.flat());
		}
		fs.rmSync(path.dirname(file), { recursive: true });
	}
});

test('what cannot be exported says why', () => {
	const run = (...args) => {
		try {
			execFileSync('scoreline', args, { stdio: 'pipe' });
		} catch (e) {
			return [e.status, e.stderr.toString()];
		}
		return [0, ''];
	};
	const model = golden('iot').path;
	assert.deepEqual(run('export', model)[0], 2);
	assert.match(run('export', model)[1], /--js NAME/);
	assert.match(run('export', model, '--js', 'A', '--output', 'leaf')[1], /expected prediction or margin, found "leaf"/);
	assert.match(run('export', '/no/such.slm', '--js', 'A')[1], /cannot be opened/);
	assert.match(run('export', '--js', 'A')[1], /expected one FILE/);
});
