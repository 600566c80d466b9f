/* Size of exported models and time per row in Node, beside the command's on the same rows. */
'use strict';
const { exported, load, golden } = require('./golden_rows.js');

for (const name of ['iot', 'fraud']) {
	const set = golden(name), source = exported(set.path), main = load(source);
	const n = 400000;
	let sum = 0;
	for (let i = 0; i < n / 4; i++) sum += main(...set.rows[i % set.rows.length]);
	const began = process.hrtime.bigint();
	for (let i = 0; i < n; i++) sum += main(...set.rows[i % set.rows.length]);
	const spent = Number(process.hrtime.bigint() - began) / n / 1000;
	console.log(`${name}: ${(source.length / 1024).toFixed(0)} KiB of source, ${spent.toFixed(2)} µs per row in Node`);
}
