#!/bin/bash
# The binary interface of the shared library against that of the last release, tests/abi/baseline.abi: nothing that a program
# was linked with may be gone or lie elsewhere. New functions may come, and new members at the end of structs with struct_size.
#   check_abi.sh BUILD            compare
#   check_abi.sh BUILD --update   write the baseline anew: at a release, see docs/release.md
# Comes in: the build directory, for one file. The library is built once more there, with debugging information. Where git has the
# tag of a release, the baseline is what stands there under that tag, so that no other update hides a break; but of another
# soname, or without a tag, what stands here.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
build=${1:-build}
baseline=tests/abi/baseline.abi

for tool in abidw abidiff; do
	command -v $tool >/dev/null || { not_run "binary interface" "no $tool here (Debian: abigail-tools)"; exit; }
done
[ "$(uname -m)" = x86_64 ] || { not_run "binary interface" "the baseline is for x86-64"; exit; }

debug=$build/abi
if [ ! -f "$debug/build.ninja" ]; then
	CFLAGS=-g meson setup "$debug" -Dbuildtype=plain -Ddefault_library=shared -Dcli=false -Dtests=false -Dimport=enabled >/dev/null
fi
ninja -C "$debug" >"$debug/log" 2>&1 || { tail -n 20 "$debug/log" && exit 1; }

# Only what the public headers say: members of opaque structs are nobody's business.
describe() {
	abidw --exported-interfaces-only --headers-dir include --drop-private-types --no-show-locs --no-comp-dir-path \
		--no-corpus-path --no-elf-needed "$1"
}
if [ "${2:-}" = --update ]; then
	describe "$debug/lib/libscoreline.so" >$baseline
	echo "$baseline: $(grep -c '<function-decl' $baseline) functions"
	exit
fi

compare() {
	abidiff --no-added-syms --suppressions tests/abi/growth.suppr --no-default-suppression "$@"
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
describe "$debug/lib/libscoreline.so" >"$work/now.abi"
soname() { grep -m 1 -o "soname='[^']*'" "$1"; }
tag=$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null) || tag=
if [ "$tag" ] && git show "$tag:$baseline" >"$work/released.abi" 2>/dev/null &&
	[ "$(soname "$work/released.abi")" = "$(soname "$work/now.abi")" ]; then
	baseline=$work/released.abi
else
	tag=
fi
where="tests/abi/baseline.abi${tag:+ of $tag}"
code=0
compare "$baseline" "$work/now.abi" >"$work/report" || code=$?
if ((code != 0)); then
	cat "$work/report"
	echo "the binary interface differs from $where: programs that are linked with the last release would break"
	exit 1
fi

# That the comparison sees what it is for: a function that is gone, a member that moved, a member in a frozen struct.
spoil() {
	sed "$1" "$work/now.abi" >"$work/spoilt.abi"
	cmp -s "$work/now.abi" "$work/spoilt.abi" && echo "nothing to spoil: $1" && exit 1
	if compare "$work/now.abi" "$work/spoilt.abi" >/dev/null; then
		echo "a spoilt interface passed: $1"
		exit 1
	fi
}
spoil '/elf-symbol name=.score_batch. /d; s/ elf-symbol-id=.score_batch.//'
spoil '/class-decl name=.score_column. /,/<\/class-decl>/ s/layout-offset-in-bits=.128./layout-offset-in-bits='"'192'"'/'
spoil '/class-decl name=.score_error. /,/<\/class-decl>/ s/size-in-bits=.2048./size-in-bits='"'2112'"'/'
echo "$(grep -c '<elf-symbol ' "$work/now.abi") functions, nothing of $where gone or moved"
