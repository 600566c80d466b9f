#!/bin/bash
# Makes the first feature table and the first capture log segment of version 1, which every later version reads:
#
#   tests/data/make_format.sh BUILD
#
# Files of later versions get names of their own beside these.
set -euo pipefail
cd "$(dirname "$0")/format"
build=$(cd "../../../$1" && pwd)
"$build/cli/scoreline" table build readings.csv --key station --key hour --timestamp day --type samples=i64 -o readings.sft
log=$(mktemp -d)
trap 'rm -r "$log"' EXIT
"$build/tests/capture_writer" "$log" 30
cp "$log"/*.slog calls.slog
"$build/cli/scoreline" log cat calls.slog >calls.jsonl
