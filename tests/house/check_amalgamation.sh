#!/bin/bash
# The two-file library: made twice it has the same bytes; one plain compiler command builds it, with gcc and clang, without
# a warning; it scores the golden models with the bits of the library of the build, from C and C++, under a vendor's
# fast-math flags too (in long runs); two versions of it live in one program, each in its namespace; a copy
# without files wants nothing of the system.
# Comes in: the build directory. Goes out: amalgamation/ in it, with the two files.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
out=$build/amalgamation
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

program=tests/goldens/score_goldens.c
files=$(ls tests/data/format/*.slm tests/data/{xgboost,catboost}/*.json tests/data/xgboost/*.ubj tests/data/lightgbm/*.txt \
	tests/data/onnx/*.onnx | grep -v objectives.txt)
slm_files=$(ls tests/data/format/*.slm)
libraries=$(pkg-config --libs msgpack libxxhash yajl libprotobuf-c)

python3 tools/amalgamate.py "$out"
python3 tools/amalgamate.py "$work/again" >/dev/null
cmp "$out/scoreline.c" "$work/again/scoreline.c"
cmp "$out/scoreline.h" "$work/again/scoreline.h"

# What the library of the build says.
gcc -std=c99 -DGOLDENS_IMPORT -Iinclude $program "$build/lib/libscoreline.a" $libraries -lm -o "$work/library"
"$work/library" $files >"$work/expected.txt" 2>/dev/null
n=$(wc -l <"$work/expected.txt")
((n > 100)) || { echo "only $n models" && exit 1; }

# compile NAME COMPILER FLAG…
compile() {
	local name=$1
	shift
	"$@" -c "$out/scoreline.c" -o "$work/$name.o" >"$work/$name.log" 2>&1 && ! grep . "$work/$name.log"
}

compilers=(gcc)
command -v clang >/dev/null && compilers+=(clang)
kinds=()
running=()
for compiler in "${compilers[@]}"; do
	compile "$compiler" "$compiler" -O2 -Wall -Wextra -DSCORELINE_IMPORT_ONNX &
	running+=($!)
	kinds+=("$compiler")
done
if [ "${SCORELINE_TEST_MODE:-}" = long ]; then
	compile vendor gcc -Ofast -march=native -ffast-math -ffp-contract=fast -DSCORELINE_IMPORT_ONNX &
	running+=($!)
	kinds+=(vendor)
fi
for process in "${running[@]}"; do
	wait "$process" || { cat "$work"/*.log && exit 1; }
done

# With less than all of it nothing stands there that nobody calls, and a macro given to the compiler is no second definition.
for less in "" -DSCORELINE_IMPORT -DXXH_INLINE_ALL; do
	gcc -O0 -Wall -Wextra -Werror $less -c "$out/scoreline.c" -o "$work/less.o"
done

# As a host does: a C and a C++ program include scoreline.h and link scoreline.o. (The files that stand in "include/" are not seen.)
sed 's|#include <scoreline.h>|#include "scoreline.h"|' $program >"$work/program.c"
cp "$work/program.c" "$work/program.cpp"
for kind in "${kinds[@]}"; do
	compiler=${kind/vendor/gcc}
	for consumer in "$compiler -std=c99|c" "${compiler/gcc/g}++ -std=c++11|cpp"; do
		command -v "${consumer%% *}" >/dev/null || continue
		${consumer%|*} -Wall -Wextra -Werror -DGOLDENS_IMPORT -I"$out" "$work/program.${consumer#*|}" "$work/$kind.o" \
			$libraries -lm -o "$work/run"
		"$work/run" $files >"$work/got.txt" 2>"$work/got.log" || { cat "$work/got.log" && exit 1; }
		cmp "$work/expected.txt" "$work/got.txt"
	done
	if objdump -d --no-show-raw-insn "$work/$kind.o" | grep -E '\sv?fn?m(add|sub)[0-9]' | head -n 5 | grep .; then
		echo "fused multiply-add in the amalgamation as $kind compiles it" && exit 1
	fi
done

# Nothing but the public names is visible, and with a namespace all of them carry it.
gcc -O0 -shared -fPIC -fvisibility=hidden -DSCORELINE_IMPORT_ONNX "$out/scoreline.c" -o "$work/visible.so" $libraries -lm
diff tests/abi/exports.txt <(nm -D --defined-only "$work/visible.so" | awk '{ print $3 }' | LC_ALL=C sort)
# The copy that works in memory only asks the system for nothing but memory, texts and exponentials.
python3 tools/amalgamate.py "$work/memory" --memory-only >/dev/null
gcc -O0 -Wall -Wextra -Werror -DXXH_INLINE_ALL -c "$work/memory/scoreline.c" -o "$work/memory.o"
wants=$(nm -u "$work/memory.o" | awk '{ print $2 }' | LC_ALL=C sort | tr '\n' ' ')
if echo "$wants" | grep -E '\<(open|read|write|f?stat|mmap|rename|unlink|f(open|write|printf)|pthread_\w+|getenv|time|clock_gettime) '; then
	echo "in memory only, and yet it wants: $wants" && exit 1
fi
echo "in memory only: wants $wants"
mkdir "$work/old"
for file in scoreline.c scoreline.h; do
	sed 's/SCORE_VERSION_STRING "[^"]*"/SCORE_VERSION_STRING "0.0.0"/' "$out/$file" >"$work/old/$file"
done
for name in old new; do
	folder=$out
	[ $name = new ] || folder=$work/old
	gcc -O0 -DSCORELINE_NAMESPACE=${name}_ -c "$folder/scoreline.c" -o "$work/$name.o"
	gcc -std=c99 -DSCORELINE_NAMESPACE=${name}_ -Dmain=${name}_main -I"$folder" -c "$work/program.c" -o "$work/$name.main.o"
	wrong=$(nm -g --defined-only "$work/$name.o" | awk '{ print $3 }' | grep -v "^${name}_" || true)
	[ -z "$wrong" ] || { echo "outside the namespace:" $wrong && exit 1; }
done
gcc -std=c99 tests/goldens/two_copies.c "$work"/{old,new}.o "$work"/{old,new}.main.o -lxxhash -lm -o "$work/copies"
"$work/copies" $slm_files >"$work/copies.txt" 2>"$work/copies.log" || { cat "$work/copies.log" && exit 1; }
for file in $slm_files; do
	[ "$(grep "^${file##*/} " "$work/copies.txt" | uniq -c | awk '{ print $1 }')" = 3 ] || { cat "$work/copies.txt" && exit 1; }
done
echo "$(wc -l <"$out/scoreline.c") lines; $n models with the same bits from ${kinds[*]}, in C and C++; two versions in one program"
