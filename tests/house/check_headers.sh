#!/bin/bash
# Every public header compiles alone, as C99 and as C++11, without a warning, with every compiler that is here.
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

n=0
for header in $(cd include && ls *.h scoreline/*.h); do
	echo "#include <$header>" >"$work/alone.c"
	echo "int main(void) { return 0; }" >>"$work/alone.c"
	cp "$work/alone.c" "$work/alone.cpp"
	for compiler in gcc clang; do
		command -v "$compiler" >/dev/null || continue
		"$compiler" -std=c99 -Wall -Wextra -Wpedantic -Werror -Iinclude -c "$work/alone.c" -o "$work/alone.o"
		n=$((n + 1))
	done
	for compiler in g++ clang++; do
		command -v "$compiler" >/dev/null || continue
		"$compiler" -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -c "$work/alone.cpp" -o "$work/alone.o"
		n=$((n + 1))
	done
done
((n >= 6)) || { echo "only $n compilations were tried: no compiler?" && exit 1; }
echo "$n compilations without a warning"
