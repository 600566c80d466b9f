#!/bin/bash
# Time Scoreline beside XGBoost and LightGBM, and compare every margin bit for bit. Works from a clean clone.
#
#   bench/run.sh            9 rounds, and both regimes of the engine by batch size
#   bench/run.sh --quick    3 rounds
#
# Goes out: a table, build/bench/report.json, and an error if one bit differs. Ratios are reported, not judged: on a
# machine that others use too they say little.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/machine.sh
rounds=9
case ${1:-} in
--quick) rounds=3 ;;
"") ;;
*) echo "usage: bench/run.sh [--quick]" >&2 && exit 2 ;;
esac

mkdir -p build/bench
log=build/bench/prepare.log
trap 'echo "bench/run.sh failed at line $LINENO: $BASH_COMMAND" >&2; tail -n 30 "$log" >&2 || true' ERR
{
	need_packages "${build_packages[@]}"
	build_in build
	make_venv
	build/venv/bin/python bench/train_models.py build/bench
	gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Iinclude bench/bench_peers.c -o build/bench/bench_peers \
		-Lbuild/lib -lscoreline -ldl -Wl,-rpath,"$PWD/build/lib"
	gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Iinclude bench/regimes.c -o build/bench/regimes \
		-Lbuild/lib -lscoreline -Wl,-rpath,"$PWD/build/lib"
	for model in xgboost.ubj lightgbm.txt; do
		build/cli/scoreline convert -q "build/bench/$model" -o "build/bench/${model%.*}.slm"
	done
} >"$log" 2>&1 </dev/null

libraries=$(build/venv/bin/python -c 'import importlib.util as u, pathlib
for name in ("xgboost/lib/libxgboost.so", "lightgbm/lib/lib_lightgbm.so"):
    package = name.split("/")[0]
    print(pathlib.Path(u.find_spec(package).origin).parent.parent / name)')
mapfile -t libraries <<<"$libraries"
OMP_NUM_THREADS=1 build/bench/bench_peers build/bench "${libraries[@]}" build/bench/report.json "$rounds"

# Where the engine's two regimes meet: what its choice by the number of rows rests on.
((rounds < 9)) || build/bench/regimes build/bench/xgboost.slm build/bench/lightgbm.slm
