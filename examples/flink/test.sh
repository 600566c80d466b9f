#!/bin/bash
# Pattern: 1 SQL, udf.AnomalyScore(…) in a streaming query
# Seconds: 3600
# Flink SQL on its own mini-cluster: streaming jobs whose Python workers score with Scoreline.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh
need_packages openjdk-17-jre-headless python3 python3-venv || cannot_run Flink "Java 17 could not be installed"
host_venv flink examples/flink/requirements.txt
library_build
JAVA_HOME=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")
export JAVA_HOME PYTHONPATH=$PWD/examples/flink:$PYTHONPATH
# The workers are started by Java and must be this Python.
export PYFLINK_CLIENT_EXECUTABLE=$python PYFLINK_PYTHON=$python PATH=$(dirname "$python"):$PATH
host Flink "$("$python" -c 'from importlib.metadata import version; print(version("apache-flink"))') (Java $(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p'))"
"$python" examples/flink/test_flink.py -v
