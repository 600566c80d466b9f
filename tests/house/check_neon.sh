#!/bin/bash
# The unit tests built for AArch64 and run under qemu: the engine on portable C and NEON, the binning, the file format,
# the importers. Nothing in the library fuses a multiply with an add there either.
# Comes in: the build directory. Goes out: neon/ in it, with AArch64's libraries (kept for the next run) and the build.
# Needs a cross compiler, qemu, and Debian's arm64 packages of the libraries; without them it says so.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/machine.sh
what="NEON and AArch64"
place=$(realpath "${1:-build}")/neon
root=$place/sysroot
build=$place/without-onnx
# As Debian 12 names them; another release or distribution ends in "could not be fetched".
packages=(libcmocka-dev libcmocka0 libmsgpack-dev libmsgpackc2 libxxhash-dev libxxhash0 libyajl-dev libyajl2)
tests=(engine bin format format_corrupt builder decimal import_lightgbm import_xgboost import_catboost_malformed)

# The libraries of another architecture, without telling this machine's dpkg: apt with a state of its own.
fetch_libraries() {
	local apt=$place/apt
	rm -rf "$place"
	mkdir -p "$apt"/{state,cache,debs} "$root"
	: >"$apt/status"
	local options=(-q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o APT::Sandbox::User=root
		-o "Dir::State=$apt/state" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache")
	# A source without arm64 makes this fail, and need not: what counts is whether the packages come.
	apt-get "${options[@]}" update || true
	(cd "$apt/debs" && apt-get "${options[@]}" download "${packages[@]}") || return 1
	local deb
	for deb in "$apt"/debs/*.deb; do
		dpkg -x "$deb" "$root" || return 1
	done
	rm -rf "$apt"
	touch "$place/complete"
}

configure() {
	local libraries=$root/usr/lib/aarch64-linux-gnu
	cat >"$place/aarch64.ini" <<-END
		[binaries]
		c = 'aarch64-linux-gnu-gcc'
		ar = 'aarch64-linux-gnu-ar'
		strip = 'aarch64-linux-gnu-strip'
		pkgconfig = 'pkg-config'
		exe_wrapper = ['$runner', '-L', '/usr/aarch64-linux-gnu', '-E', 'LD_LIBRARY_PATH=$libraries']
		[properties]
		sys_root = '$root'
		pkg_config_libdir = '$libraries/pkgconfig'
		[host_machine]
		system = 'linux'
		cpu_family = 'aarch64'
		cpu = 'aarch64'
		endian = 'little'
		[built-in options]
		c_link_args = ['-L$libraries']
	END
	[ -f "$build/build.ninja" ] || meson setup "$build" --cross-file "$place/aarch64.ini" -Dcli=false -Donnx=disabled
}

runner=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if ! command -v aarch64-linux-gnu-gcc >/dev/null || [ -z "$runner" ]; then
	not_run "$what" "needs gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static"
	exit
fi
if [ ! -f "$place/complete" ] && ! fetch_libraries; then
	not_run "$what" "Debian's arm64 packages of the libraries could not be fetched"
	exit
fi
configure
meson compile -C "$build" scoreline:shared_library "${tests[@]/#/test_}"
meson test -C "$build" --no-rebuild --print-errorlogs --num-processes "$(nproc)" --timeout-multiplier 5 "${tests[@]}"
log=$build/meson-logs/testlog.txt
for kernels in portable neon; do
	grep -q "^$kernels kernels: tested" "$log" || { echo "the engine was not tested on $kernels" && exit 1; }
done
OBJDUMP=aarch64-linux-gnu-objdump tests/house/check_fma.sh "$build"
echo "$(grep -c '^\[       OK \]' "$log") unit tests pass on AArch64, the engine's on portable C and on NEON"
