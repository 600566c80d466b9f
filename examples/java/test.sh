#!/bin/bash
# Pattern: Java: a class with native methods over double[] rows and direct buffers
# The class and its C file, built for the JDK of this machine and tested. Everything it makes lies below build/hosts/java/.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
. examples/java/make_labels.sh
need_packages openjdk-17-jdk-headless python3 || cannot_run Java "JDK 17 could not be installed"
library_build
home=$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")
made=build/hosts/java
mkdir -p $made
javac -Xlint:all -Werror -d $made examples/java/*.java
gcc -std=c11 -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -I "$home/include" -I "$home/include/linux" -Iinclude \
	examples/java/scoreline_jni.c $hosts_build/lib/libscoreline.a $(pkg-config --libs libxxhash yajl libprotobuf-c) -lm \
	-Wl,--exclude-libs,ALL -o $made/libscoreline_jni.so
python3 tests/hosts/golden_rows.py $made/golden
labels_model $made/golden
host Java "$("$home/bin/java" -version 2>&1 | sed -n 's/.*version "\(.*\)".*/\1/p')"
"$home/bin/java" -Xcheck:jni -Djava.library.path=$made -cp $made ScorelineTest $made/golden | tee $made/checked.txt
if grep -n 'WARNING\|FATAL' $made/checked.txt; then exit 1; fi
"$home/bin/java" -Djava.library.path=$made -cp $made ScorelineTest $made/golden
