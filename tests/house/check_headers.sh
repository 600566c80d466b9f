#!/bin/bash
# Every public header compiles alone, as C99 and C17, C++98 and C++20, without a warning, with every compiler that is here.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

strict=(-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wpadded -Werror)
n=0
for header in $(cd include && ls *.h scoreline/*.h); do
	echo "#include <$header>" >"$work/alone.c"
	echo "int main(void) { return 0; }" >>"$work/alone.c"
	cp "$work/alone.c" "$work/alone.cpp"
	for compiler in gcc clang; do
		command -v "$compiler" >/dev/null || continue
		for standard in c99 c17; do
			"$compiler" -std=$standard "${strict[@]}" -Iinclude -c "$work/alone.c" -o "$work/alone.o"
			n=$((n + 1))
		done
	done
	for compiler in g++ clang++; do
		command -v "$compiler" >/dev/null || continue
		for standard in c++98 c++20; do
			"$compiler" -std=$standard "${strict[@]}" -Wold-style-cast -Iinclude -c "$work/alone.cpp" -o "$work/alone.o"
			n=$((n + 1))
		done
	done
done
((n >= 6)) || { echo "only $n compilations were tried: no compiler?" && exit 1; }
echo "$n compilations without a warning"
