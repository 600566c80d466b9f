#!/bin/bash
# Fuzz every target of targets.list for some seconds each, one after the other, under AddressSanitizer and UBSan.
#
#   tests/fuzz/run.sh [SECONDS] [--afl] [TARGET…]     60 seconds each, 0: only run the corpora once, under clang's checks;
#                                                     with AFL++ instead of libFuzzer; only these targets
#   tests/fuzz/run.sh --merge [TARGET…]               adds what earlier runs reached to corpus/: small files, at most 60 KB more a target
#
# Goes out: a table of executions and covered edges; build-fuzz/found/TARGET/ holds what crashed, and the exit code is 1 then;
# build-fuzz/figures.tsv has a line more per target, for record.py.
# Found inputs belong, once the defect is fixed, into corpus/TARGET/, which the unit tests replay.
# A target is a line of targets.list: name | fuzz_*.c and what it links besides (cli, random, served, capture) | flags | seeds below tests/data.
# Under libFuzzer a file mutate_TARGET.c is linked too: it changes inputs by their structure.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
seconds=60 engine=libfuzzer merge=no wanted=()
for argument in "$@"; do
	case $argument in
	--afl) engine=afl ;;
	--merge) engine=libfuzzer merge=yes ;;
	[0-9]*) seconds=$argument ;;
	*) wanted+=("$argument") ;;
	esac
done
build=build-fuzz compiler=clang
[ $engine = afl ] && build=build-afl compiler=afl-clang-fast
if ! command -v $compiler >/dev/null; then
	not_run "fuzzing ($engine)" "needs $compiler (Debian: clang libclang-rt-14-dev, or afl++)"
	exit
fi
# Else AFL++ compiles with -O3, which takes hours for the kernels.
export AFL_DONT_OPTIMIZE=1 AFL_LLVM_DENYLIST=$PWD/tests/fuzz/afl.denylist
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1:abort_on_error=1:symbolize=0 UBSAN_OPTIONS=halt_on_error=1

# The end of what a failing command says.
quietly() {
	local log
	log=$(mktemp)
	"$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2 && rm "$log" && return 1; }
	rm "$log"
}

# Without link arguments meson's own test programs would miss the fuzzer's symbols.
instrument=-fsanitize=fuzzer-no-link
if [ ! -f $build/build.ninja ]; then
	quietly env CC=$compiler meson setup $build -Dbuildtype=plain -Db_sanitize=address,undefined -Db_lundef=false \
		-Ddefault_library=static -Dcli=false -Dtests=false \
		-Dc_args="-O1 -g $instrument -fno-sanitize-recover=all"
fi
quietly ninja -C $build lib/libscoreline.a
mkdir -p $build/found $build/live

# link NAME SOURCES FLAGS: unless the program is newer than all that it is made of.
link() {
	local sources=(tests/fuzz/fuzz.c) word main=-fsanitize=fuzzer,address,undefined program=$build/fuzz_$1
	for word in $2; do
		case $word in
		cli) sources+=(cli/{csv_header,csv_reader,csv_record,jsonl_reader,npy_header,npy_reader,rows_open,input_bytes,label_code,message,number_text,progress}.c) ;;
		random) sources+=(tests/unit/random_model.c tests/unit/random_columns.c) ;;
		capture) sources+=(tests/unit/capture_fixture.c) ;;
		served) sources+=(tests/unit/served_models.c) ;;
		*) sources+=("tests/fuzz/$word") ;;
		esac
	done
	[ $engine = libfuzzer ] && [ -f "tests/fuzz/mutate_$1.c" ] && sources+=("tests/fuzz/mutate_$1.c")
	[ -f "$program" ] && [ -z "$(find "${sources[@]}" tests/fuzz/*.h tests/fuzz/targets.list $build/lib/libscoreline.a \
		-newer "$program")" ] && return
	$compiler -std=c11 -O1 -g -D_XOPEN_SOURCE=700 -D_FILE_OFFSET_BITS=64 $main -fno-sanitize-recover=all $3 \
		-Iinclude -Ilib -Icli -Itests/fuzz -Itests/unit "${sources[@]}" $build/lib/libscoreline.a \
		$(pkg-config --libs msgpack libxxhash yajl libprotobuf-c jansson cmocka) -lm -o "$program"
}

# seeds NAME PATTERN: fills $build/seeds/NAME with small files.
seeds() {
	local file
	mkdir -p "$build/seeds/$1"
	for file in tests/fuzz/corpus/"$1"/* tests/data/${2:-none}; do
		[ -d "$file" ] && cp -n "$file"/* "$build/seeds/$1"/ && continue
		[ -f "$file" ] && [ "$(stat -c %s "$file")" -lt 60000 ] && cp -n "$file" "$build/seeds/$1"/
	done
	[ -n "$(ls "$build/seeds/$1")" ] || head -c 64 /dev/zero >"$build/seeds/$1/zeros"
}

run_libfuzzer() {
	local limit=-max_total_time=$seconds
	[ "$seconds" = 0 ] && limit=-runs=0
	mkdir -p "$build/live/$1" "$build/found/$1"
	"$build/fuzz_$1" "$limit" -timeout=20 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
		-close_fd_mask=1 -artifact_prefix="$build/found/$1/" "$build/live/$1" "$build/seeds/$1" >"$build/$1.log" 2>&1 || return 1
}

# Few files that reach the edges that live files below 4 KB reach and the corpus does not, up to 60 KB, the smallest first.
merge_libfuzzer() {
	local file bytes=0 size small new
	small=$(mktemp -d) new=$(mktemp -d)
	mkdir -p "$build/live/$1" "tests/fuzz/corpus/$1"
	find "$build/live/$1" -type f -size -4096c -exec cp -t "$small" {} +
	cp "tests/fuzz/corpus/$1"/* "$new"/
	"$build/fuzz_$1" -set_cover_merge=1 -use_counters=0 -timeout=20 -rss_limit_mb=2048 -close_fd_mask=1 "$new" "$small" >"$build/$1.merge.log" 2>&1 || return 1
	while read -r size file; do
		[ -f "tests/fuzz/corpus/$1/$(basename "$file")" ] && continue
		bytes=$((bytes + size))
		((bytes > 60000)) && break
		cp "$file" "tests/fuzz/corpus/$1/"
	done < <(find "$new" -type f -printf '%s %p\n' | sort -n)
	rm -r "$small" "$new"
	printf '%-16s %4d files, %7d bytes in the corpus\n' "$1" "$(ls "tests/fuzz/corpus/$1" | wc -l)" \
		"$(cat "tests/fuzz/corpus/$1"/* | wc -c)"
}

# Executions, edges, features ("-": not counted).
figures_libfuzzer() {
	local n edges
	n=$(grep -a 'stat::number_of_executed_units' "$build/$1.log" | tail -n 1 | awk '{ print $2 }')
	edges=$(grep -a ' cov: ' "$build/$1.log" | tail -n 1 | sed 's/.* cov: \([0-9]*\) ft: \([0-9]*\).*/\1 \2/')
	echo "${n:-0} ${edges:-- -}"
}

# The limit of an input is libFuzzer's; slower seeds are left out. Trying the seeds comes before the time that -V counts.
run_afl() {
	rm -rf "$build/live/$1"
	AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 timeout $((seconds + 900)) \
		afl-fuzz -m none -t 20000+ -V "$seconds" -i "$build/seeds/$1" -o "$build/live/$1" -- "$build/fuzz_$1" >"$build/$1.log" 2>&1 || return 1
	[ -z "$(ls "$build/live/$1/default/crashes" | grep -v README)" ]
}

figures_afl() {
	local stats=$build/live/$1/default/fuzzer_stats
	[ -f "$stats" ] || { echo "0 - -" && return; }
	awk -F' *: *' '$1 == "execs_done" { n = $2 } $1 == "edges_found" { e = $2 } END { print n, e, "-" }' "$stats"
}

# AFL++ does not wait for its children, so that their time is not known: that of the clock.
seconds_libfuzzer() { echo $((spent - begun)); }
seconds_afl() { awk -F' *: *' '$1 == "run_time" { print $2 }' "$build/live/$1/default/fuzzer_stats" || echo 0; }

# Sets `spent`: seconds of a processor that all commands so far have taken, since those of a clock say little on a busy machine.
measure_spent() {
	times >"$build/times"
	spent=$(awk 'NR == 2 { split($1, own, /[ms]/); split($2, kernel, /[ms]/); print int(own[1] * 60 + own[2] + kernel[1] * 60 + kernel[2]) }' "$build/times")
}

bad=0 n=0
while IFS='|' read -r name sources flags pattern; do
	name=${name// /} pattern=${pattern// /}
	[ -n "$name" ] || continue
	((${#wanted[@]})) && [[ " ${wanted[*]} " != *" $name "* ]] && continue
	link "$name" "$sources" "$flags"
	n=$((n + 1))
	if [ $merge = yes ]; then
		merge_libfuzzer "$name" || { echo "$name: FAILED, see $build/$name.merge.log" && bad=1; }
		continue
	fi
	seeds "$name" "$pattern"
	verdict=clean
	measure_spent && begun=$spent
	run_$engine "$name" || { verdict="FAILED, see $build/$name.log and $build/found/$name" && bad=1; }
	measure_spent && took=$(seconds_$engine "$name")
	read -r executions edges features <<<"$(figures_$engine "$name")"
	printf '%-16s %5d s  %s executions, %s edges, %s features  %s\n' "$name" "$took" "$executions" "$edges" "$features" "$verdict"
	printf '%s\t' "$(date -u +%F)" "$name" "$engine" "$took" "$executions" "$edges" "$features" >>"$build/figures.tsv"
	echo "${verdict%%,*}" >>"$build/figures.tsv"
done <tests/fuzz/targets.list
((n > 0)) || { echo "no such target: ${wanted[*]}" && exit 1; }
exit $bad
