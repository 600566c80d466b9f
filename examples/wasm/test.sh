#!/bin/bash
# Pattern: WebAssembly: the library without an operating system, in Node
# Builds scoreline.wasm and runs the golden set, hostile files and the types. Everything it makes lies below build/hosts/.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm || cannot_run Node "it could not be installed"
library_build
out=build/hosts/wasm
bash examples/wasm/build.sh $out
clang --target=wasm32-wasi -mexec-model=reactor -O1 -DXXH_INLINE_ALL -isystem $out/include examples/wasm/seal.c -o $out/seal.wasm
cp examples/wasm/package.json $out/
(cd $out && npm install --silent --no-audit --no-fund --ignore-scripts) ||
	cannot_run TypeScript "it (examples/wasm/package.json) could not be installed"
host Node "$(node --version)"
host clang "$(clang --version | sed -n 's/.*clang version \([^ ]*\).*/\1/p' | head -n 1)"
host TypeScript "$(node -p "require('./$out/node_modules/typescript/package.json').version")"
$out/node_modules/.bin/tsc --noEmit --strict --target es2022 --module nodenext --lib es2022,dom examples/wasm/use_types.mts
MODULES=$PWD/$out node --test --test-reporter=spec examples/wasm/test_wasm.mjs
