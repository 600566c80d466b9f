#!/bin/bash
# The capture log's threads under ThreadSanitizer: producers, the helper thread, drains, models that come and go.
set -euo pipefail
cd "$(dirname "$0")/../.."
directory=build-tsan
[ -f "$directory/build.ninja" ] ||
	meson setup "$directory" -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dcli=false
ninja -C "$directory" tests/test_capture_threads
TSAN_OPTIONS=halt_on_error=1 "$directory/tests/test_capture_threads"
