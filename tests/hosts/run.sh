#!/bin/bash
# Tests inside the programs that Scoreline is embedded in, one after the other.
#
#   tests/hosts/run.sh           every host
#   tests/hosts/run.sh NAME…     these
#
# A host is a directory with tests/hosts/NAME/run.sh or examples/NAME/test.sh. The script prints "host: NAME VERSION" for
# what really runs, has a comment "# Pattern: WHAT IT SHOWS", and exits with 0 (passed), 77 (the machine cannot have the
# host; with CI=true a failure) or anything else (failed). It starts and stops its own servers.
# HOST_SECONDS bounds each (default 1800, or what a comment "# Seconds: N" of the script says, where installing takes longer).
# Goes out: a table, then "N passed, N failed, N skipped" alone on the last line; 0 only if nothing failed.
# Logs: build/test-logs/hosts/.
set -uo pipefail
cd "$(dirname "$0")/../.."
logs=$PWD/build/test-logs/hosts
mkdir -p "$logs"
passed=0 failed=0 skipped=0
table=()

script_of() {
	local script
	for script in "tests/hosts/$1/run.sh" "examples/$1/test.sh"; do
		[ -f "$script" ] && echo "$script" && return
	done
	echo "there is no tests/hosts/$1/run.sh and no examples/$1/test.sh" >&2
	return 1
}

all_hosts() {
	local script
	for script in tests/hosts/*/run.sh examples/*/test.sh; do
		[ -f "$script" ] && basename "$(dirname "$script")"
	done | sort -u
}

# run_host NAME SCRIPT: run it, count it, add its row.
run_host() {
	local name=$1 script=$2 log=$logs/$1.log began=$SECONDS code=0 result version shows bound
	bound=$(sed -n 's/^# Seconds: //p' "$script" | head -n 1)
	bound=${HOST_SECONDS:-${bound:-1800}}
	timeout -k 20 "$bound" bash "$script" >"$log" 2>&1 </dev/null || code=$?
	case $code in
	0) result=pass passed=$((passed + 1)) ;;
	77) result=skip ;;
	124 | 137) result=fail && echo "stopped after $bound s" >>"$log" ;;
	*) result=fail ;;
	esac
	[ $result = skip ] && [ "${CI:-}" = true ] && result=fail
	[ $result = skip ] && skipped=$((skipped + 1))
	version=$(sed -n 's/^host: //p' "$log" | sort -u | paste -sd';' | sed 's/;/; /g')
	shows=$(sed -n 's/^# Pattern: //p' "$script" | head -n 1)
	[ -z "$version" ] && version=$(grep -m 1 '^NOT RUN: ' "$log")
	table+=("$(printf '%-18s %-5s %5d s  %-52s %s' "$name" $result $((SECONDS - began)) "${version:-no version}" "$shows")")
	echo "${table[-1]}"
	[ -z "${SCORELINE_NOT_RUN:-}" ] || grep '^NOT RUN: ' "$log" >>"$SCORELINE_NOT_RUN"
	[ $result = fail ] || return 0
	failed=$((failed + 1))
	printf -- '---- the end of %s\n' "$log"
	tail -n 40 "$log"
}

if (($#)); then names=("$@"); else mapfile -t names < <(all_hosts); fi
for name in "${names[@]}"; do
	script=$(script_of "$name") || { failed=$((failed + 1)) && continue; }
	run_host "$name" "$script"
done
printf '\n%-18s %-5s %7s  %-52s %s\n' host result time version pattern
printf '%s\n' ${table[@]+"${table[@]}"}
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0))
