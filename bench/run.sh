#!/bin/bash
# Time Scoreline beside every library that scores the same models, and compare every margin bit for bit. Works from a
# clean clone; trained models, compiled peers and the virtual environment stay in build/bench, so that a run that was
# interrupted goes on where it was.
#
#   bench/run.sh            everything, into bench/report/: tables, pictures, report.json; within 20 minutes on two cores
#   bench/run.sh --quick    two models and few repetitions, into build/bench/report/, with the peers that are there; within 3
#
# Fails if one bit of Scoreline differs or a measurement dies. Ratios are reported, not judged: on a machine that others
# use too they say little.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/machine.sh
quick= report=bench/report
case ${1:-} in
--quick) quick=--quick report=build/bench/report ;;
"") ;;
*) echo "usage: bench/run.sh [--quick]" >&2 && exit 2 ;;
esac
mkdir -p build/bench
log=build/bench/prepare.log
trap 'echo "bench/run.sh failed at line $LINENO: $BASH_COMMAND" >&2; tail -n 30 "$log" >&2 || true' ERR

# All peers in one environment of their own; a quick run makes do with the tests' environment if that one is missing. Without
# compiling: most modules of these packages are never imported.
make_bench_venv() {
	local home=build/bench/venv stamp=build/bench/venv/requirements.installed line
	cmp -s bench/requirements.txt "$stamp" && return 0
	[ -x $home/bin/pip ] || /usr/bin/python3 -m venv $home
	if ! $home/bin/pip install -q --no-compile -r bench/requirements.txt; then
		# Together or not at all is too strict here: whatever cannot be installed is named in the report.
		while read -r line; do
			case $line in "" | \#*) continue ;; esac
			$home/bin/pip install -q --no-compile "$line" || echo "cannot be installed: $line"
		done <bench/requirements.txt
	fi
	cp bench/requirements.txt "$stamp"
}

compile() { gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Iinclude "$@" -Lbuild/lib -lscoreline -Wl,-rpath,"$PWD/build/lib" -ldl -lpthread; }

# Packages arrive while the library is built; the tests' programs are not needed here.
build_library() {
	[ -f build/build.ninja ] || meson setup build
	meson compile -C build scoreline:shared_library
	compile -fPIC -shared bench/contest.c bench/peer_*.c -o build/bench/libcontest.so
	compile bench/memory.c -o build/bench/memory
}

echo "packages and build …" >&2
{
	need_packages "${build_packages[@]}"
	if [ -n "$quick" ] && ! cmp -s bench/requirements.txt build/bench/venv/requirements.installed; then
		environment=make_venv python=build/venv/bin/python
	else
		environment=make_bench_venv python=build/bench/venv/bin/python
	fi
	$environment &
	build_library
	wait $!
} >"$log" 2>&1 </dev/null

export SCORELINE_LIBRARY=$PWD/build/lib/libscoreline.so PYTHONPATH=$PWD/python PYTHONWARNINGS=ignore
echo "models and compiled peers …" >&2
$python bench/prepare.py build/bench ${quick:+x500d6 l500x31} >&2
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 $python bench/measure.py build/bench build/bench/measured.json $quick
trap - ERR
$python bench/report.py build/bench/measured.json $report
