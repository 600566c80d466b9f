#!/bin/bash
# Another meson project can take this one as a subproject and link it statically.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp tests/subproject/meson.build tests/subproject/first_score.c "$work"
mkdir -p "$work/subprojects"
ln -s "$root" "$work/subprojects/scoreline"
meson setup "$work/build" "$work" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
ninja -C "$work/build" >"$work/log" 2>&1 || { cat "$work/log" && exit 1; }
"$work/build/first_score"
if grep -q 'test_builder' "$work/build/build.ninja"; then echo "a host builds the tests of its subproject" && exit 1; fi
