#!/bin/bash
# From a bare Debian 12 to scored rows: installs what is missing (apt only), builds, converts a model that XGBoost
# trained, scores rows from C, from the command line and from Python, and compares them with XGBoost's own margins.
# Relies on: root or sudo for apt-get when something is missing. Asks nothing. Writes only into build/.
set -euo pipefail
cd "$(dirname "$0")/.."
export PKG_CONFIG_PATH= LC_ALL=C.UTF-8
started=$SECONDS
shipped=examples/quickstart
out=build/quickstart
python=/usr/bin/python3 # Debian's own, for which apt-get installs NumPy

bold='' plain=''
[ -t 1 ] && bold=$'\033[1m' plain=$'\033[0m'
step() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() {
	printf '    $ %s\n' "$*"
	"$@" | sed 's/^/    /'
}
trap 'echo "The quickstart failed at line $LINENO: $BASH_COMMAND" >&2; tail -n 20 build/quickstart.log >&2 || true' ERR

mkdir -p build
: >build/quickstart.log

step "1. Install what is missing"
missing=()
for package in gcc libc6-dev meson ninja-build pkg-config libmsgpack-dev libxxhash-dev libyajl-dev \
	libprotobuf-c-dev protobuf-c-compiler libjansson-dev python3 python3-numpy; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
if ((${#missing[@]})); then
	root=()
	[ "$(id -u)" = 0 ] || root=(sudo -n)
	echo "    apt-get install ${missing[*]}"
	{
		"${root[@]}" apt-get update -q
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
	} >>build/quickstart.log 2>&1 </dev/null
else
	echo "    nothing is missing"
fi

step "2. Build the library and the command"
[ -f build/quickstart-lib/build.ninja ] || meson setup build/quickstart-lib -Dtests=false >>build/quickstart.log
ninja -C build/quickstart-lib >>build/quickstart.log
mkdir -p "$out"
lib=build/quickstart-lib/lib
scoreline=build/quickstart-lib/cli/scoreline
ls -shL "$lib/libscoreline.so" "$scoreline" | sed 's/^/    /'

step "3. Convert a model: XGBoost's own file becomes a compact .slm file"
show "$scoreline" convert "$shipped/flights.ubj" -o "$out/flights.slm"
show "$scoreline" inspect "$out/flights.slm"
show "$scoreline" verify "$out/flights.slm"

step "4. Score 1,000 flights from C, from the command line and from Python"
show gcc -std=c11 -O2 -Wall -Iinclude "$shipped/score_flights.c" -o "$out/score" -L"$lib" -lscoreline -Wl,-rpath,"$PWD/$lib"
echo "    $ $out/score $out/flights.slm $shipped/rows.f32"
"$out/score" "$out/flights.slm" "$shipped/rows.f32" >"$out/c.txt"
show "$scoreline" score "$out/flights.slm" "$shipped/flights.csv" --output margin -o "$out/command.csv"
echo "    $ python3 $shipped/score_flights.py $out/flights.slm $shipped/flights.csv"
SCORELINE_LIBRARY=$lib/libscoreline.so PYTHONPATH=python \
	"$python" "$shipped/score_flights.py" "$out/flights.slm" "$shipped/flights.csv" >"$out/python.txt"

step "5. Compare with the margins that XGBoost gave when it had trained the model"
"$python" "$shipped/compare_margins.py" "$shipped/margins.f32" C="$out/c.txt" command="$out/command.csv" Python="$out/python.txt"

step "All three agree with XGBoost to the last bit ($((SECONDS - started)) s)."
cat <<NEXT
    What to try next:
      your own model   $scoreline convert MODEL.json -o MODEL.slm     (XGBoost JSON or UBJSON, LightGBM text)
      what is in it    $scoreline inspect MODEL.slm
      your own rows    $scoreline score MODEL.slm ROWS.csv            (also .npy and JSON lines)
      from C           examples/quickstart/score_flights.c, include/scoreline.h
      from Python      SCORELINE_LIBRARY=$lib/libscoreline.so PYTHONPATH=python python3
      every test       bash tests/run.sh
NEXT
