# What the hosts' tests share: the build of library, command and plug-ins, environments of their own, and how to say that a host
# cannot be had. Source it in the root of the repository. Everything it makes lies below build/hosts/.
. tests/machine.sh
set -euo pipefail

hosts_build=$PWD/build/hosts/lib
export SCORELINE_LIBRARY=$hosts_build/lib/libscoreline.so
export PYTHONPATH=$PWD/python:$PWD/tests/hosts${PYTHONPATH:+:$PYTHONPATH}
export PATH=$hosts_build/cli:$PATH

# cannot_run WHAT WHY: this machine cannot have the host. The runner calls it skipped, or failed where everything must run.
cannot_run() {
	echo "NOT RUN: $1: $2"
	exit 77
}

# host NAME VERSION: the version that really runs, for the table.
host() { echo "host: $*"; }

# library_build [-Doption=value]…: library and command, and the plug-ins that the options ask for.
library_build() {
	need_packages "${build_packages[@]}"
	[ -f "$hosts_build/build.ninja" ] || meson setup "$hosts_build" -Dtests=false
	((!$#)) || meson setup --reconfigure "$hosts_build" "$@"
	ninja -C "$hosts_build"
}

# host_venv NAME REQUIREMENTS: a Python environment with pinned packages, made anew when the list changes. Sets $python.
host_venv() {
	local directory=$PWD/build/hosts/venv-$1 base=/usr/bin/python3
	[ -x $base ] || base=python3
	python=$directory/bin/python
	cmp -s "$2" "$directory/requirements.installed" && return 0
	rm -rf "$directory"
	mkdir -p build/hosts
	"$base" -m venv "$directory"
	"$python" -m pip install -q -r "$2" </dev/null || cannot_run "$1" "its Python packages ($2) could not be installed"
	cp "$2" "$directory/requirements.installed"
}
