#!/bin/bash
# The shared library exports exactly what tests/abi/exports.txt names, all of it starting with score_; the static
# library's global names start with the prefix of a room, so that it can be linked into any program.
# Comes in: the build directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}

exported=$(nm -D --defined-only "$build/lib/libscoreline.so" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort)
wrong=$(grep -v '^score_' <<<"$exported" || true)
[ -z "$wrong" ] || { echo "exported without the prefix score_: $wrong" && exit 1; }
diff <(sort tests/abi/exports.txt) <(echo "$exported") ||
	{ echo "exports differ from tests/abi/exports.txt (< listed, > exported)" && exit 1; }

prefix='^(score|sl|forest|slm|input|engine|import|export|deploy)_'
wrong=$(nm --defined-only -g "$build/lib/libscoreline.a" | awk 'NF == 3 { print $3 }' | sort -u | grep -Ev "$prefix" || true)
[ -z "$wrong" ] || { echo "global in the static library without a room's prefix:" $wrong && exit 1; }

# Writable data would be shared state between threads and between two users in one process. (.data.rel.ro is constant
# once the loader has filled in addresses.)
state=$(objdump -t "$build/lib/libscoreline.a" | grep -E '\s(\.data|\.bss|\.tdata|\.tbss|\*COM\*)(\.[^r]\S*)?\s' |
	awk '$NF !~ /^\./ { print $NF }' || true)
[ -z "$state" ] || { echo "writable globals:" $state && exit 1; }
echo "$(wc -l <<<"$exported") exported symbols"
