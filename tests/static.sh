#!/bin/bash
# Static analysis of lib/ and cli/: gcc's -fanalyzer, cppcheck and clang-tidy, each without a finding.
#
#   tests/static.sh [BUILD]     BUILD (default: build/) has the compile commands and the generated headers
#
# A finding that is wrong is suppressed beside the line that it names, with the reason: "cppcheck-suppress ID ; why" in a
# comment, "NOLINTNEXTLINE(check): why" for clang-tidy. What is suppressed for all lines stands here and in .clang-tidy, with
# the reason too. Without the tools it says so.
set -uo pipefail
cd "$(dirname "$0")/.."
. tests/machine.sh
build=${1:-build}
for tool in gcc cppcheck clang-tidy; do
	command -v $tool >/dev/null || { not_run "static analysis" "needs gcc, cppcheck and clang-tidy" && exit 0 || exit 1; }
done
jobs=$(nproc) failed=0
mapfile -t sources < <(find lib cli -name '*.c' | sort)
flags=(-std=c11 -Iinclude -Ilib -Icli -Ilib/import "-I$build/lib/import" -DSL_HAVE_ONNX -DCLI_HAVE_SQLITE -DSL_ANALYSED
	-D_XOPEN_SOURCE=700 -D_FILE_OFFSET_BITS=64 $(pkg-config --cflags msgpack libxxhash yajl libprotobuf-c jansson))

# each PATTERN COMMAND…: the command for every source but those that the pattern matches, several at a time.
each() {
	local but=$1
	shift
	printf '%s\n' "${sources[@]}" | grep -vE "$but" | xargs -P "$jobs" -I{} "$@"
}

verdict() {
	if [ -n "$2" ]; then
		printf '%s\n%s: findings\n' "$2" "$1"
		failed=1
	else
		echo "$1: clean"
	fi
}

# Of all lines not checked:
#  malloc-leak                 gcc 12 calls lost what lives on through a pointer to its first member; clang-analyzer-unix.Malloc
#                              below and the address sanitizer look for leaks
#  use-of-uninitialized-value  it does not follow loops that fill an array in order; clang-analyzer-core below and
#                              MemorySanitizer (tests/msan.sh) look for such uses
# At -O1, where the analyzer sees through inlined checks. Without the kernels: it takes many minutes for each of them.
verdict "gcc -fanalyzer" "$(each '/kernels_|_avx512' gcc "${flags[@]}" -O1 -fanalyzer -Wno-analyzer-malloc-leak \
	-Wno-analyzer-use-of-uninitialized-value -fdiagnostics-path-format=none -c {} -o /dev/null 2>&1)"

# Not checked for all lines:
#  internalAstError      cppcheck's parser gives up at compound literals in ?:, which C11 allows
#  readdirCalled         readdir_r() is deprecated; a DIR * is used by one thread only
#  invalidPointerCast    scratch of doubles holds floats behind them
#  objectIndex           &x as an array of one, with a count of one beside it
#  uninitvar             it does not follow loops that fill an array in order; MemorySanitizer does (tests/msan.sh)
#  ctunullpointer        `op` is an operator of the graph; it confuses the arguments of variadic functions
verdict cppcheck "$(cppcheck --quiet -j "$jobs" --std=c11 --library=posix --enable=warning,portability,performance --inline-suppr \
	--max-configs=2 --template='{file}:{line}: {severity}: {message} [{id}]' --suppress=internalAstError \
	--suppress=readdirCalled --suppress=invalidPointerCast --suppress=objectIndex --suppress=uninitvar \
	--suppress=ctunullpointer -Iinclude -Ilib -Icli -DSL_HAVE_ONNX -DCLI_HAVE_SQLITE "${sources[@]}" 2>&1)"

verdict clang-tidy "$(each none clang-tidy --quiet {} -- "${flags[@]}" -O1 2>/dev/null)"
exit $failed
