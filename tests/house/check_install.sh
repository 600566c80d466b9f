#!/bin/bash
# `meson install`, then a program built with nothing but pkg-config, shared and static, that scores a row.
# Comes in: the build directory.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

DESTDIR=$work meson install -C "$build" --no-rebuild >"$work/install.log" || { cat "$work/install.log" && exit 1; }
pc=$(find "$work" -name scoreline.pc)
[ -n "$pc" ] || { echo "scoreline.pc was not installed" && exit 1; }
grep -q msgpack "$pc" && echo "scoreline.pc asks hosts for msgpack-c, whose headers alone are used" && exit 1
export PKG_CONFIG_SYSROOT_DIR=$work PKG_CONFIG_PATH=${pc%/*}
libdir=$work$(pkg-config --variable=libdir scoreline | sed "s|^$work||")

# The sysroot is for this library alone: what it needs comes from the machine, with its own flags.
sed "s|^prefix=|prefix=$work|" "$pc" >"$work/scoreline.pc"
unset PKG_CONFIG_SYSROOT_DIR
export PKG_CONFIG_PATH=$work
program=tests/subproject/first_score.c

gcc -std=c11 -Wall -Wextra -Werror "$program" $(pkg-config --cflags --libs scoreline) -o "$work/shared"
LD_LIBRARY_PATH=$libdir "$work/shared"
ldd "$work/shared" | grep -q 'libscoreline\.so\.0' || { echo "not linked by its soname" && exit 1; }

rm "$libdir"/libscoreline.so*
gcc -std=c11 -Wall -Wextra -Werror "$program" $(pkg-config --static --cflags --libs scoreline) -o "$work/static"
"$work/static"
if command -v g++ >/dev/null; then
	cp "$program" "$work/first_score.cpp"
	g++ -std=c++11 -Wall -Wextra -Werror "$work/first_score.cpp" $(pkg-config --static --cflags --libs scoreline) \
		-o "$work/cpp"
	"$work/cpp"
fi

# Where nothing but the static library is built, plain --libs names what it wants: a host need not know.
meson setup "$work/static-only" -Ddefault_library=static -Dtests=false -Dcli=false >"$work/setup.log" || { cat "$work/setup.log" && exit 1; }
sed "s|^prefix=.*|prefix=${pc%/lib*}|" "$work/static-only/pkgconfig/scoreline.pc" >"$work/scoreline.pc"
gcc -std=c11 -Wall -Wextra -Werror "$program" $(pkg-config --cflags --libs scoreline) -o "$work/plain"
"$work/plain"
# Without importers nobody needs yajl, and a folder for libraries may be a whole path.
meson setup "$work/small" -Dimport=disabled -Dlibdir=/opt/lib -Dtests=false -Dcli=false >"$work/setup.log" || { cat "$work/setup.log" && exit 1; }
small=$(PKG_CONFIG_PATH=$work/small/pkgconfig pkg-config --static --libs scoreline)
[[ " $small " = *" -L/opt/lib "* && $small != *yajl* ]] || { echo "without importers, in /opt/lib: $small" && exit 1; }
# A plug-in is one file to copy, also where only the shared library is built.
meson setup "$work/inside" -Ddefault_library=shared -Dsqlite=enabled -Dimport=disabled -Dtests=false -Dcli=false -Dbuildtype=plain \
	>"$work/setup.log" || { cat "$work/setup.log" && exit 1; }
ninja -C "$work/inside" plugins/sqlite/scoreline.so >"$work/setup.log" || { tail "$work/setup.log" && exit 1; }
readelf -d "$work/inside/plugins/sqlite/scoreline.so" >"$work/needed"
grep -q 'NEEDED.*scoreline' "$work/needed" && echo "a plug-in needs the library beside it" && exit 1
names=$(nm -D --defined-only "$work/inside/plugins/sqlite/scoreline.so" | awk '{ print $3 }')
[ "$names" = sqlite3_scoreline_init ] || { echo "a plug-in shows $names" && exit 1; }
# The tests want both libraries, and say so.
for kind in static shared; do
	meson setup "$work/$kind-tests" -Ddefault_library=$kind -Dcli=false >"$work/setup.log" && echo "set up tests of $kind" && exit 1
	grep -q 'tests need the static library and the shared one' "$work/setup.log" || { tail "$work/setup.log" && exit 1; }
done
find "$work" -path '*include*' -name '*.h' | sed "s|$work||" | sort
