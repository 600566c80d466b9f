#!/bin/bash
# The unit tests and the replay of the fuzzers' corpora under MemorySanitizer: no decision hangs on memory that nobody wrote.
#
#   tests/msan.sh [TEST…]     all unit tests, or those that meson knows by these names
#
# MemorySanitizer is only honest if everything that runs is instrumented. So the libraries that Scoreline and its tests
# call are built anew from Debian's sources: yajl, protobuf-c, xxHash, cmocka and jansson; msgpack-c is templates in headers.
# Goes out: build-msan/, with the libraries in build-msan/libraries. Without clang or the sources it says so.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/machine.sh
place=$PWD/build-msan/libraries
flags=(-O1 -g -fPIC -w -fsanitize=memory -fno-omit-frame-pointer)

# Debian's sources, by an apt with a state of its own: this machine's list of sources stays as it is.
fetch_sources() {
	local apt=$place/apt list=/etc/apt/sources.list.d/debian.sources
	rm -rf "$place"
	mkdir -p "$apt"/{state/lists/partial,cache/archives/partial} "$place/sources"
	: >"$apt/state/status"
	if [ -f $list ]; then
		sed 's/^Types:.*/Types: deb-src/' $list >"$apt/list.sources"
	else
		list=/etc/apt/sources.list
		sed -n 's/^deb /deb-src /p' $list >"$apt/list.list"
	fi
	local options=(-q -o "Dir::State=$apt/state" -o "Dir::State::status=$apt/state/status" -o "Dir::Cache=$apt/cache"
		-o "Dir::Etc::sourcelist=$(echo "$apt"/list.*)" -o Dir::Etc::sourceparts=/dev/null -o APT::Sandbox::User=root)
	apt-get "${options[@]}" update || true
	(cd "$place/sources" && apt-get "${options[@]}" source --download-only yajl xxhash protobuf-c cmocka jansson) || return 1
	local archive
	for archive in "$place"/sources/*.orig.tar.*[^c]; do
		tar -xf "$archive" -C "$place/sources" || return 1
	done
	rm -rf "$apt"
	touch "$place/fetched"
}

# library NAME PKG-CONFIG-NAME FLAGS SOURCE…: a static library; the headers are the installed ones.
library() {
	local name=$1 module=$2 extra=$3 source objects=()
	shift 3
	mkdir -p "$place/$name" "$place/pkgconfig"
	for source in "$@"; do
		objects+=("$place/$name/$(basename "${source%.c}").o")
		clang "${flags[@]}" $extra -c "$source" -o "${objects[-1]}" || return 1
	done
	ar rcs "$place/lib$name.a" "${objects[@]}"
	printf 'Name: %s\nDescription: instrumented\nVersion: %s\nLibs: %s\nCflags:\n' "$name" \
		"$(pkg-config --modversion "$module")" "$place/lib$name.a" >"$place/pkgconfig/$module.pc"
}

# clang 14 knows that fstat() and its like write their struct, but not the names with 64 that 64-bit offsets give them since glibc 2.33. The structs are
# the same on 64-bit processors.
stat_by_known_names() {
	cat >"$place/stat.c" <<-END
		#define _XOPEN_SOURCE 700
		#include <sys/stat.h>
		int stat64(const char *path, struct stat *out) { return stat(path, out); }
		int lstat64(const char *path, struct stat *out) { return lstat(path, out); }
		int fstat64(int fd, struct stat *out) { return fstat(fd, out); }
		int fstatat64(int at, const char *path, struct stat *out, int flags) { return fstatat(at, path, out, flags); }
	END
	clang "${flags[@]}" -c "$place/stat.c" -o "$place/stat.o"
}

build_libraries() {
	local at=$place/sources has='-DHAVE_SIGNAL_H -DHAVE_INTTYPES_H -DHAVE_STRINGS_H -DHAVE_UNISTD_H -DHAVE_MALLOC_H
		-DHAVE_SETJMP_H -DHAVE_STDINT_H -DHAVE_STRUCT_TIMESPEC -DHAVE_CLOCK_REALTIME -DHAVE_CLOCK_GETTIME'
	library yajl yajl '' "$at"/yajl*/src/yajl*.c || return 1
	library xxhash libxxhash '' "$at"/xxHash*/xxhash.c || return 1
	library protobuf-c libprotobuf-c "-I$(echo "$at"/protobuf-c-*)" "$at"/protobuf-c-*/protobuf-c/protobuf-c.c || return 1
	library cmocka cmocka "-D_GNU_SOURCE -I$(echo "$at"/cmocka*/include) $(echo $has)" "$at"/cmocka*/src/cmocka.c || return 1
	: >"$(echo "$at"/jansson*/src)/jansson_private_config.h"
	library jansson jansson '-DHAVE_STDINT_H -DHAVE_UNISTD_H -DHAVE_FCNTL_H -DHAVE_SYS_TIME_H -DHAVE_SYS_TYPES_H' \
		"$at"/jansson*/src/*.c || return 1
	stat_by_known_names || return 1
	touch "$place/complete"
}

if ! command -v clang >/dev/null; then
	not_run "MemorySanitizer" "needs clang and its runtime (Debian: clang libclang-rt-14-dev)"
	exit
fi
if [ ! -f "$place/fetched" ] && ! fetch_sources; then
	not_run "MemorySanitizer" "Debian's sources of the libraries could not be fetched"
	exit
fi
[ -f "$place/complete" ] || build_libraries
# Without origins: the second run of a failing test can have them (-Dc_args), all runs would pay for them. Meson tries out
# the compiler with the link arguments alone, and stat.o needs the sanitizer's runtime.
if [ ! -f build-msan/build.ninja ]; then
	CC=clang PKG_CONFIG_PATH=$place/pkgconfig meson setup build-msan -Dbuildtype=debugoptimized -Doptimization=1 \
		-Db_sanitize=memory -Db_lundef=false -Dcli=false -Dpython=false -Dc_args=-fno-sanitize-recover=all "-Dc_link_args=-fsanitize=memory $place/stat.o"
fi
ninja -C build-msan
# Linking against something that is not instrumented would hide what it writes.
if ldd build-msan/tests/test_format | grep -E 'yajl|xxhash|protobuf|cmocka|msgpack'; then
	echo "the tests must link the instrumented libraries" >&2
	exit 1
fi
# Every access is a call here: of the engine's batch sizes fewer are tried.
SCORELINE_TEST_MODE=quick meson test -C build-msan --no-rebuild --print-errorlogs --num-processes "$(nproc)" --timeout-multiplier 8 "$@"
