#!/bin/bash
# Install what is missing, build, and run every test. Asks nothing.
#
#   tests/run.sh            everything that a change must pass
#   tests/run.sh --quick    the same with fewer generated models and without the slow rebuilds
#   tests/run.sh --long     more generated models, and the conformance tests under the sanitizers too
#   tests/run.sh --hosts    and the tests inside other programs (tests/hosts/run.sh), which install those; with any of the above
#
# Goes out: a table of what ran, then "N passed, N failed, N skipped" alone on the last line; 0 only if nothing failed.
# Logs of all steps stand in build/test-logs/. With CI=true, what cannot be installed is a failure, not a skip.
set -uo pipefail
cd "$(dirname "$0")/.."
. tests/machine.sh

mode=default hosts=no
for argument in "$@"; do
	case $argument in
	--quick) mode=quick ;;
	--long) mode=long ;;
	--hosts) hosts=yes ;;
	*) echo "usage: tests/run.sh [--quick | --long] [--hosts]" >&2 && exit 2 ;;
	esac
done
export SCORELINE_TEST_MODE=$mode
logs=$PWD/build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
export SCORELINE_NOT_RUN=$logs/not-run.txt # steps add lines: what this machine cannot run
passed=0 failed=0 skipped=0
table=()
failures=()
jobs=$(nproc)

# ---- steps -------------------------------------------------------------------------------------------------------

# count_NAME LOG prints "passed failed skipped" of one kind of runner.
count_one() { if [ "$2" = 0 ]; then echo 1 0 0; else echo 0 1 0; fi; }

# A check that misses its tools says NOT RUN and why.
count_check() { if [ "$2" = 0 ] && grep -q 'NOT RUN' "$1"; then echo 0 0 1; else count_one "$@"; fi; }

count_pytest() {
	local line n_failed
	line=$(tail -n 3 "$1" | grep -E '[0-9]+ (passed|failed|skipped|error)' | tail -n 1)
	n_failed=$(($(number "$line" failed) + $(number "$line" 'errors?')))
	((n_failed == 0 && $2 != 0)) && n_failed=1
	echo "$(number "$line" passed) $n_failed $(number "$line" skipped)"
}

# meson's own log holds what every cmocka program printed. A program that died counts as one failure.
count_meson() {
	local text=$3/meson-logs/testlog.txt ok bad programs
	ok=$(grep -c '^\[       OK \]' "$text")
	bad=$(grep -c '^\[  FAILED  \] [^0-9]*$' "$text")
	programs=$(grep -E '^(Fail|Timeout|Unexpected Pass):' "$1" | awk '{ n += $NF } END { print n + 0 }')
	((bad < programs)) && bad=$programs
	((bad == 0 && $2 != 0)) && bad=1
	echo "$ok $bad 0"
}

# The last line is "N passed, N failed, N skipped", one per host.
count_hosts() {
	local line
	line=$(tail -n 1 "$1" | grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$')
	[ -n "$line" ] || { echo 0 1 0 && return; }
	echo "$(number "$line" passed) $(number "$line" failed) $(number "$line" skipped)"
}

number() {
	local n
	n=$(grep -Eo "[0-9]+ $2" <<<"$1" | head -n 1 | cut -d' ' -f1)
	echo "${n:-0}"
}

# step COUNTER NAME COMMAND…: run, log, count. The counter gets the log, the exit code, and the last argument.
step() {
	local counter=$1 name=$2 began=$SECONDS log code=0 counts
	shift 2
	log=$logs/${name//[ \/]/-}.log
	printf '%-28s ' "$name"
	"$@" >"$log" 2>&1 </dev/null || code=$?
	counts=$("$counter" "$log" "$code" "${!#}")
	read -r p f s <<<"$counts"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	table+=("$(printf '%-28s %6d passed %4d failed %4d skipped %6d s' "$name" "$p" "$f" "$s" $((SECONDS - began)))")
	echo "$p passed, $f failed, $s skipped ($((SECONDS - began)) s)"
	((f == 0 && code == 0)) && return 0
	failures+=("$name|$log")
	return 1
}

skip() {
	skipped=$((skipped + 1))
	table+=("$(printf '%-28s SKIPPED: %s' "$1" "$2")")
	echo "$1 SKIPPED: $2" | tee -a "$SCORELINE_NOT_RUN"
}

finish() {
	local entry
	for entry in ${failures[@]+"${failures[@]}"}; do
		printf '\n---- %s: the end of %s\n' "${entry%%|*}" "${entry#*|}"
		grep -nE '^(FAILED|ERROR)|error:|FAILED:|^E  |Sanitizer' "${entry#*|}" | head -n 40
		tail -n 40 "${entry#*|}"
	done
	[ -f "$logs/matrix.txt" ] && { echo; cat "$logs/matrix.txt"; }
	[ -f "$logs/hosts.txt" ] && { echo; cat "$logs/hosts.txt"; }
	[ -f "$logs/fuzz.txt" ] && { printf '\nFuzzed, seconds per target:\n'; sed 's/^/  /' "$logs/fuzz.txt"; }
	[ -f "$logs/coverage.txt" ] && { printf '\nCoverage of lib/ by the unit tests:\n'; sed 's/^/  /' "$logs/coverage.txt"; }
	[ -f "$logs/coverage-all.txt" ] && { printf '\nAnd with the tests of the command and of the Python package:\n'; grep -E '^(room|lib) ' "$logs/coverage-all.txt"; }
	grep -hE '^[a-z0-9_/.-]+: [0-9]+ faults$' build/meson-logs/testlog.txt 2>/dev/null |
		awk '{ n += $2 } END { if (n) printf "\nAllocations failed in turn: %d\n", n }'
	printf '\n%s\n' "What ran ($mode, $SECONDS s):"
	printf '  %s\n' "${table[@]}"
	if [ -s "$SCORELINE_NOT_RUN" ]; then
		printf '\nWhat could not run on this machine:\n'
		sort -u "$SCORELINE_NOT_RUN" | sed 's/^/  /'
	fi
	printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
	((failed == 0)) && exit 0
	exit 1
}

# ---- what the steps run ------------------------------------------------------------------------------------------

# Without the other processors' compilers, or valgrind, everything else still runs; the checks that need them say so, and fail in CI.
install_packages() {
	need_packages "${build_packages[@]}" "${test_packages[@]}" || return 1
	[ $mode = quick ] || need_packages "${other_packages[@]}" || echo "not installed: some of ${other_packages[*]}"
}

unit_tests() { meson test -C "$1" --no-rebuild --print-errorlogs --num-processes "$jobs"; }

build_sanitized() {
	build_in "$1" -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false \
		-Dc_args=-fno-sanitize-recover=all
}

# Races between scoring and changing, which only a build of its own finds: every test that starts threads, and nothing else is
# built. check_capture_threads.sh has run test_capture_threads.
threaded_tests=(swap_versions test_endpoint test_model_cache test_contract test_feature_table test_table_doors test_statistics test_capture_edges
	test_hygiene)
build_race_checked() {
	[ -f "$1/build.ninja" ] ||
		meson setup "$1" -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false -Dcli=false -Dpython=false || return 1
	ninja -C "$1" "${threaded_tests[@]/#/tests/}"
}

threads_race_checked() {
	local name
	for name in "${threaded_tests[@]}"; do
		TSAN_OPTIONS=halt_on_error=1 "$1/tests/$name" || return 1
	done
}

# A minute at full load; the unit tests run a second of it.
swap_for_a_minute() { "$1/tests/swap_versions" 60 10000; }

# What a vendor may do: their flags must not change a bit, so the same unit tests must pass.
build_vendor() { CFLAGS='-Ofast -march=native -ffast-math -ffp-contract=fast -flto' build_in "$1" -Dbuildtype=plain; }

python_tests() {
	SCORELINE_LIBRARY=$PWD/build/lib/libscoreline.so PYTHONPATH=$PWD/python \
		build/venv/bin/python -m pytest -q -n "$jobs" -p no:cacheprovider "$@"
}

# Which cells of the matrix there are depends on nothing but the tests; quick runs leave some out.
conformance_page() { build/venv/bin/python tests/conformance/matrix.py check "$logs/matrix.json"; }

conformance() { SCORELINE_MATRIX=$logs/matrix.txt python_tests tests/conformance; }

# The AVX-512 kernels over instructions computed in plain C, for processors that lack them.
conformance_simulated() {
	ninja -C build tests/libscoreline_simulated.a || return 1
	gcc -shared -o build/tests/libscoreline_simulated.so \
		-Wl,--whole-archive build/tests/libscoreline_simulated.a -Wl,--no-whole-archive \
		$(pkg-config --libs msgpack libxxhash yajl libprotobuf-c) -lm || return 1
	SCORELINE_LIBRARY=$PWD/build/tests/libscoreline_simulated.so SCORELINE_TEST_ISA=avx512 \
		SCORELINE_NOT_RUN=/dev/null SCORELINE_TEST_MODE=quick \
		build/venv/bin/python -m pytest -q -n "$jobs" -p no:cacheprovider "$1"
}

conformance_sanitized() {
	LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 SCORELINE_LIBRARY=$PWD/build-asan/lib/libscoreline.so \
		SCORELINE_TEST_MODE=quick build/venv/bin/python -m pytest -q -p no:cacheprovider tests/conformance
}

# Code that -Ofast adds when linking, and that switches denormals off for the whole process.
keeps_denormals() {
	local symbols
	symbols=$(nm "$1/lib/libscoreline.so" "$1/cli/scoreline") || return 1
	! grep set_fast_math <<<"$symbols"
}

command_sanitized() { SCORELINE_BUILD=$PWD/build-asan python_tests tests/cli; }

# Seconds per target in FUZZ_SECONDS; a table of executions and edges.
fuzz() { tests/fuzz/run.sh "${FUZZ_SECONDS:-60}" >"$logs/fuzz.txt" && cat "$logs/fuzz.txt"; }

# Lines and branches of lib/ that the unit tests, the corpora's replay among them, reach: not below tests/coverage.minimum.
coverage() {
	build_in build-coverage -Dbuildtype=debug -Db_coverage=true || return 1
	find build-coverage -name '*.gcda' -delete # what an earlier run reached is not reached by this one
	meson test -C build-coverage --no-rebuild --print-errorlogs --num-processes "$jobs" --timeout-multiplier 8 || return 1
	tests/coverage.py build-coverage >"$logs/coverage.txt"
	local code=$?
	cat "$logs/coverage.txt"
	return $code
}

# The same with the tests of the command and of the Python package, for information: what only they reach lacks a unit test. One
# after the other: each has a conftest.py that its tests import from.
coverage_by_all() {
	local tests
	for tests in tests/cli tests/python; do
		SCORELINE_BUILD=$PWD/build-coverage SCORELINE_LIBRARY=$PWD/build-coverage/lib/libscoreline.so PYTHONPATH=$PWD/python \
			build/venv/bin/python -m pytest -q -n "$jobs" -p no:cacheprovider "$tests" || return 1
	done
	tests/coverage.py build-coverage | tee "$logs/coverage-all.txt"
}

memory_checked() { tests/msan.sh; }
count_memory() { if grep -q 'NOT RUN' "$1"; then count_check "$1" "$2"; else count_meson "$@"; fi; }

# What valgrind sees and the sanitizers do not: the libraries' own code, and the release build. Tests that take seconds here
# take minutes there, so the quick ones; valgrind has no AVX-512, the library then takes other kernels.
valgrind_tests() {
	meson test -C "$1" --no-rebuild --print-errorlogs --num-processes "$jobs" --timeout-multiplier 10 \
		--logbase valgrind --wrapper 'valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite' \
		format builder builder_refuses forest_check arrow classes parts strings sparse columns sort endpoint feature_lookup \
		import_lightgbm import_lightgbm_broken import_xgboost import_catboost import_catboost_classes import_catboost_malformed import_malformed \
		import_onnx onnx_operators onnx_scores onnx_trees import_labels import_memory input callers abi
}
count_valgrind() { if [ "$2" = 0 ]; then echo "$(awk '/^Ok:/ { print $2 }' "$1") 0 0"; else echo 0 1 0; fi; }

# A few mutants of the files whose survivors were looked at; nine in ten must be noticed.
mutants() { tests/mutate.py --seed 1 --mutants 10 --least 90 lib/forest/{check,add_tree,parts}.c lib/engine/combine.c; }

# ---- the run -----------------------------------------------------------------------------------------------------

test_packages=(clang libclang-rt-14-dev binutils universal-ctags g++ libsimde-dev locales libsodium-dev openssl
	abigail-tools jq)
other_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user-static
	gcc-riscv64-linux-gnu libc6-dev-riscv64-cross gcc-i686-linux-gnu libc6-dev-i386-cross musl-tools valgrind chromium)
long_packages=(gcovr cppcheck clang-tidy valgrind)
slow_checks=(check_big_endian.sh check_neon.sh check_instructions.py check_amalgamation.sh check_architectures.sh
	check_supply.sh check_abi.sh)
step count_one "packages" install_packages || finish
step count_one "build" build_in build || finish
step count_one "venv" make_venv
have_venv=$?
if [ $have_venv != 0 ] && [ "${CI:-}" != true ]; then
	# Without the other libraries there is nothing to compare with; that is no failure of this one.
	failed=$((failed - 1)) failures=()
	unset 'table[-1]'
	skip "venv" "the pinned Python packages could not be installed (see build/test-logs/venv.log)"
fi

step count_meson "unit tests" unit_tests build
for check in tests/house/check_*; do
	[[ $mode = quick && " ${slow_checks[*]} " = *" ${check##*/} "* ]] && continue
	name=$(basename "$check")
	step count_check "house ${name%.*}" "$check" build
done
if [ $have_venv = 0 ]; then
	[ -d tests/cli ] && step count_pytest "command line" python_tests tests/cli
	[ -d tests/python ] && step count_pytest "Python package" python_tests tests/python
	step count_pytest "documentation" python_tests tests/docs
	step count_pytest "killed while logging" python_tests tests/faults
	step count_pytest "conformance" conformance
	[ $mode = quick ] || step count_one "conformance page" conformance_page
	if [ $mode != quick ] && ! grep -q avx512_vbmi /proc/cpuinfo; then
		step count_pytest "conformance, simulated" conformance_simulated tests/conformance
	fi
else
	for name in "command line" "Python package" "documentation" "conformance"; do
		skip "$name" "needs the pinned Python packages"
	done
fi
step count_one "quickstart" bash examples/quickstart.sh
if step count_one "build with sanitizers" build_sanitized build-asan; then
	step count_meson "unit tests, sanitizers" unit_tests build-asan
	[ $mode != quick ] && [ $have_venv = 0 ] && step count_pytest "command line, sanitizers" command_sanitized
	[ $mode = long ] && [ $have_venv = 0 ] && step count_pytest "conformance, sanitizers" conformance_sanitized
fi
if [ $mode != quick ] && step count_one "build for races" build_race_checked build-tsan; then
	step count_one "threads, races" threads_race_checked build-tsan
	[ $mode = long ] && step count_one "versions swapped, races" swap_for_a_minute build-tsan
fi
[ $mode = long ] && step count_one "versions swapped, a minute" swap_for_a_minute build
if [ $mode != quick ] && step count_one "build as a vendor" build_vendor build-vendor; then
	step count_meson "unit tests, vendor flags" unit_tests build-vendor
	step count_one "denormals, vendor flags" keeps_denormals build-vendor
fi
if [ $hosts = yes ]; then
	step count_hosts "hosts" tests/hosts/run.sh
	grep -E '^[a-z_-]+ +(pass|fail|skip) ' "$logs/hosts.log" | sort -u >"$logs/hosts.txt"
fi
if [ $mode = long ]; then
	step count_one "fuzzing" fuzz
	if need_packages "${long_packages[@]}" >"$logs/long-packages.log" 2>&1; then
		step count_one "coverage" coverage
		[ $have_venv = 0 ] && step count_one "coverage, all tests" coverage_by_all
		step count_check "static analysis" tests/static.sh build
		step count_memory "unit tests, MSan" memory_checked build-msan
		step count_valgrind "unit tests, valgrind" valgrind_tests build
		step count_one "mutants" mutants
	else
		skip "coverage and analysis" "needs ${long_packages[*]}"
	fi
fi
finish
