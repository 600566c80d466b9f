# What tests/run.sh, its checks and bench/run.sh share: Debian packages, the build, the virtual environment. Source it in the root
# of the repository. Asks nothing; every function is quiet and fails with the text of what failed.

export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# Packages that the build needs, as Debian names them.
build_packages=(gcc libc6-dev meson ninja-build pkg-config libmsgpack-dev libxxhash-dev libyajl-dev
	libprotobuf-c-dev protobuf-c-compiler libjansson-dev libsqlite3-dev libcmocka-dev libsimde-dev python3 python3-venv)

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# not_run WHAT WHY: a check that this machine cannot run says so; where everything must run, that is a failure.
not_run() {
	echo "$1: NOT RUN, $2" | tee -a "${SCORELINE_NOT_RUN:-/dev/null}"
	[ "${CI:-}" != true ]
}

# need_packages NAME…: install what dpkg does not know as installed. On a machine without apt-get the names are only
# reported: the build then says itself what it cannot find.
need_packages() {
	local missing=() name
	if ! command -v apt-get >/dev/null; then
		echo "no apt-get here; wanted: $*"
		return 0
	fi
	for name in "$@"; do
		dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'install ok installed' || missing+=("$name")
	done
	((${#missing[@]})) || return 0
	echo "installing ${missing[*]}"
	# Mirrors fail for a moment, and other programs update packages too.
	local patient=(-o Acquire::Retries=5 -o DPkg::Lock::Timeout=600)
	as_root apt-get "${patient[@]}" update -q </dev/null &&
		as_root env DEBIAN_FRONTEND=noninteractive \
			apt-get "${patient[@]}" install -q -y --no-install-recommends "${missing[@]}" </dev/null
}

# need_servers NAME…: the same for packages whose services must not be started: the tests run servers of their own.
need_servers() {
	local policy=/usr/sbin/policy-rc.d own='' code=0
	if ! [ -e $policy ]; then
		printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null && as_root chmod +x $policy && own=1
	fi
	need_packages "$@" || code=$?
	[ -z "$own" ] || as_root rm -f $policy
	return $code
}

# build_in DIRECTORY [MESON OPTION…]: configure once, then build.
build_in() {
	local directory=$1
	shift
	[ -f "$directory/build.ninja" ] || meson setup "$directory" "$@" || return 1
	ninja -C "$directory"
}

# The libraries that the tests compare with, pinned, in build/venv. Rebuilt when the list changes.
make_venv() {
	local stamp=build/venv/requirements.installed
	cmp -s tests/requirements.txt "$stamp" && return 0
	rm -f "$stamp"
	local python=python3
	[ -x /usr/bin/python3 ] && python=/usr/bin/python3
	[ -x build/venv/bin/pip ] || "$python" -m venv build/venv || return 1
	build/venv/bin/pip install -q -r tests/requirements.txt </dev/null || return 1
	cp tests/requirements.txt "$stamp"
}
