#!/bin/bash
# The same bits on other processors and another C library: the two-file library is built for each target of the table below
# with its compiler alone (no system, no packages but the two header-only libraries), and scores the golden models under qemu.
# Margins and leaf numbers must be those of this machine, on every instruction set and by every regime of the target.
# Comes in: the build directory. What a target needs and this machine lacks is said, and fails in CI.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# name | compiler and flags | emulator | what Debian calls the packages
targets='aarch64 (NEON)|aarch64-linux-gnu-gcc -static|qemu-aarch64-static|gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
s390x (big-endian)|s390x-linux-gnu-gcc -static -DMSGPACK_ENDIAN_BIG_BYTE=1 -DMSGPACK_ENDIAN_LITTLE_BYTE=0|qemu-s390x-static|gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static
riscv64|riscv64-linux-gnu-gcc -static|qemu-riscv64-static|gcc-riscv64-linux-gnu libc6-dev-riscv64-cross qemu-user-static
i386 (SSE2)|i686-linux-gnu-gcc -static -msse2 -mfpmath=sse|qemu-i386-static|gcc-i686-linux-gnu libc6-dev-i386-cross qemu-user-static
musl|musl-gcc -static||musl-tools'

# Model files of every kind: those that are kept for ever, and what the importers make of the sources' own.
goldens() {
	local file n=0
	mkdir -p "$work/models"
	cp tests/data/format/*.slm "$work/models"
	for file in tests/data/xgboost/*-3.2.0.json tests/data/catboost/*.json tests/data/lightgbm/*.txt tests/data/onnx/*.onnx; do
		[ "${file##*/}" = objectives.txt ] && continue
		"$build/cli/scoreline" convert "$file" -o "$work/models/$(basename "$file").slm" >/dev/null 2>&1 && n=$((n + 1))
	done
	((n > 40)) || { echo "only $n models were converted" && exit 1; }
}

# try NAME COMPILER EMULATOR PACKAGES
try() {
	local log=$work/log
	if ! command -v "${2%% *}" >/dev/null || { [ -n "$3" ] && ! command -v "$3" >/dev/null; }; then
		not_run "the same bits on $1" "needs $4"
		return
	fi
	$2 -O1 -DXXH_INLINE_ALL -I"$work" -isystem "$work/include" tests/goldens/score_goldens.c "$work/scoreline.c" -lm \
		-o "$work/run" >"$log" 2>&1 || { cat "$log" && return 1; }
	$3 "$work/run" "$work"/models/*.slm >"$work/got.txt" 2>"$log" || { tail -n 5 "$log" && return 1; }
	diff "$work/expected.txt" "$work/got.txt" || return 1
	echo "$1: $(wc -l <"$work/got.txt") models, $(tail -n 1 "$log" | sed 's/.*: //')"
}

goldens
python3 tools/amalgamate.py --no-onnx "$work" >/dev/null
mkdir "$work/include"
for name in msgpack msgpack.h xxhash.h xxh3.h; do
	[ -e "/usr/include/$name" ] && ln -s "/usr/include/$name" "$work/include/$name"
done
gcc -Iinclude tests/goldens/score_goldens.c "$build/lib/libscoreline.a" \
	$(pkg-config --libs msgpack libxxhash yajl libprotobuf-c) -lm -o "$work/here"
"$work/here" "$work"/models/*.slm >"$work/expected.txt" 2>/dev/null
bad=0
while IFS='|' read -r name compiler emulator packages; do
	try "$name" "$compiler" "$emulator" "$packages" || { echo "$name: FAILED" && bad=1; }
done <<<"$targets"
exit $bad
