#!/bin/bash
# A big-endian host (s390x under qemu) writes the same model files as this one, and reads the same models from them.
# Comes in: the build directory. Needs a cross compiler and qemu; without them it says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
tool=$(realpath "${1:-build}")/tests/slm_tool
compiler=s390x-linux-gnu-gcc
runner=$(command -v qemu-s390x-static || command -v qemu-s390x || true)
if ! command -v $compiler >/dev/null || [ -z "$runner" ]; then
	not_run "big-endian model files" "needs gcc-s390x-linux-gnu, libc6-dev-s390x-cross and qemu-user-static"
	exit
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder"/{include,here,there}
# The two header-only dependencies, without the other headers that stand beside them and belong to this machine.
for name in msgpack msgpack.h xxhash.h xxh3.h; do
	[ -e "/usr/include/$name" ] && ln -s "/usr/include/$name" "$folder/include/$name"
done
$compiler -static -O1 -std=gnu11 -ffp-contract=off -DXXH_INLINE_ALL \
	-DMSGPACK_ENDIAN_BIG_BYTE=1 -DMSGPACK_ENDIAN_LITTLE_BYTE=0 \
	-Iinclude -Ilib -Itests/unit -isystem "$folder/include" -o "$folder/slm_tool" \
	lib/base/*.c lib/forest/*.c lib/format/*.c tests/conformance/slm_tool.c tests/unit/sample_forests.c \
	tests/unit/random_columns.c -lm

"$tool" samples "$folder/here"
"$runner" "$folder/slm_tool" samples "$folder/there"
n=0
for file in "$folder"/here/*.slm tests/data/format/*.slm; do
	[ "${file#tests}" != "$file" ] || cmp "$file" "$folder/there/$(basename "$file")"
	"$tool" dump "$file" >"$folder/here.txt"
	"$runner" "$folder/slm_tool" dump "$file" >"$folder/there.txt"
	cmp "$folder/here.txt" "$folder/there.txt"
	n=$((n + 1))
done
((n > 10)) || { echo "only $n files compared" && exit 1; }
echo "$n model files are the same on a big-endian host"
