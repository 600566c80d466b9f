/* What the scripts beside this one share: the command, the golden set, and .npy files. */
'use strict';
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const vm = require('node:vm');

const ROOT = path.resolve(__dirname, '../..');
const GOLDEN = path.join(ROOT, 'tests/hosts/golden');
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'scoreline-js-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true }));

function scoreline(...args) {
	return execFileSync('scoreline', args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/* Source of the exported function. */
function exported(model, output = 'prediction') {
	return scoreline('export', model, '--js', 'AnomalyScore', '--output', output).toString();
}

/* The function in a context of its own, as an old engine would have it if `old`. */
function load(source, old = false) {
	const context = vm.createContext({});
	if (old) vm.runInContext('delete Math.fround; Float32Array = undefined;', context);
	return vm.runInContext(source + '; main', context);
}

/* "-0x1.8p+1", "inf", "nan" */
function fromHex(text) {
	const m = /^(-?)(?:0x([01])\.?([0-9a-f]*)p([+-]\d+)|(inf)|nan)$/.exec(text);
	if (m[5]) return m[1] ? -Infinity : Infinity;
	if (m[2] === undefined) return NaN;
	const exponent = Number(m[4]), bits = new DataView(new ArrayBuffer(8));
	const field = m[2] === '1' ? exponent + 1023 : 0;
	bits.setBigUint64(0, (m[1] ? 1n << 63n : 0n) | (BigInt(field) << 52n) | BigInt('0x' + (m[3] || '0').padEnd(13, '0')));
	return bits.getFloat64(0);
}

/* Rows as a host would hand them over, and the answers. */
function golden(name) {
	const entry = JSON.parse(fs.readFileSync(path.join(GOLDEN, 'golden.json'), 'utf8'))[name];
	const rows = entry.rows.map((row) => row.map((v, i) => v === null || entry.features[i][1] === 'string' ? v : fromHex(v)));
	return { path: path.join(GOLDEN, name + '.slm'), rows, margin: entry.margin.map(fromHex), prediction: entry.prediction.map(fromHex) };
}

/* rows [n][k] of doubles → what the command answers, [n][values] */
function scoreInC(model, rows, output) {
	const into = path.join(directory, 'rows.npy'), out = path.join(directory, 'scores.npy');
	const header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${rows.length}, ${rows[0].length}), }`.padEnd(117) + '\n';
	const data = new Float64Array(rows.flat());
	fs.writeFileSync(into, Buffer.concat([Buffer.from('\x93NUMPY\x01\x00\x76\x00', 'latin1'), Buffer.from(header), Buffer.from(data.buffer)]));
	scoreline('score', model, into, '-o', out, '--output', output, '-q');
	const bytes = fs.readFileSync(out), start = 10 + bytes.readUInt16LE(8), single = bytes.includes("'<f4'");
	const step = single ? 4 : 8, n = (bytes.length - start) / step / rows.length;
	return rows.map((_, i) => Array.from({ length: n }, (_, k) =>
		single ? bytes.readFloatLE(start + (i * n + k) * step) : bytes.readDoubleLE(start + (i * n + k) * step)));
}

module.exports = { ROOT, exported, load, golden, scoreInC, scoreline };
