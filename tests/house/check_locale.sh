#!/bin/bash
# A host with a decimal comma (de_DE): the hygiene tests' models and the command's numbers stay what they are.
# Comes in: the build directory. Makes the locale for itself; needs localedef's sources (Debian: locales).
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8" >"$work/log" 2>&1 && [ ! -d "$work/de_DE.UTF-8" ]; then
	not_run "a locale with a decimal comma" "needs locales"
	exit
fi
export LOCPATH=$work
"$build/tests/test_hygiene" >"$work/hygiene" 2>&1 || { cat "$work/hygiene" && exit 1; }
grep -q 'OK \] locales_change_nothing' "$work/hygiene" || { cat "$work/hygiene" && exit 1; }
for file in tests/data/lightgbm/binary.txt tests/data/xgboost/regression-3.2.0.json tests/data/catboost/ctr-1.2.10.json; do
	LC_ALL=C "$build/cli/scoreline" convert "$file" -o "$work/c.slm" >/dev/null
	LC_ALL=de_DE.UTF-8 "$build/cli/scoreline" convert "$file" -o "$work/de.slm" >/dev/null
	cmp "$work/c.slm" "$work/de.slm"
done
echo "the same models and margins where numbers have a decimal comma"
