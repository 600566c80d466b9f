#!/bin/bash
# The library as one WebAssembly module: build.sh [FOLDER] makes FOLDER/scoreline.wasm (build/hosts/wasm). Needs clang with the
# target wasm32-wasi, wasm-ld, wasi-libc, compiler-rt for it, and the headers of msgpack-c and xxHash, which are all in their headers.
# CLANG names another compiler; FLAGS adds to its options.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
out=${1:-build/hosts/wasm}
need_packages clang lld wasi-libc libclang-rt-14-dev-wasm32 libmsgpack-dev libxxhash-dev python3
mkdir -p "$out/include"
for name in msgpack msgpack.h xxhash.h xxh3.h; do
	[ -e "/usr/include/$name" ] && ln -sfn "/usr/include/$name" "$out/include/$name" # not the rest of /usr/include: it is another system's
done
python3 tools/amalgamate.py "$out" --memory-only --no-onnx
${CLANG:-clang} --target=wasm32-wasi -mexec-model=reactor -O3 -msimd128 -DNDEBUG -DXXH_INLINE_ALL -Wall -Wextra \
	-Wno-unused-function -isystem "$out/include" -I"$out" ${FLAGS:-} examples/wasm/scoreline_wasm.c "$out/scoreline.c" \
	-lc-printscan-long-double \
	-Wl,--stack-first -Wl,-z,stack-size=262144 -Wl,--strip-all -o "$out/scoreline.wasm"
echo "$out/scoreline.wasm: $(($(stat -c %s "$out/scoreline.wasm") / 1024)) KiB, $(gzip -c "$out/scoreline.wasm" | wc -c | awk '{ print int($1 / 1024) }') KiB packed by gzip"
