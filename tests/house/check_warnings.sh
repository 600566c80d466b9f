#!/bin/bash
# Everything builds with gcc and with clang without a warning.
set -euo pipefail
cd "$(dirname "$0")/../.."
for compiler in gcc clang; do
	directory=build-$compiler
	[ -f "$directory/build.ninja" ] || CC=$compiler meson setup "$directory" -Dwerror=true
	ninja -C "$directory"
done
