#!/bin/bash
# Seconds: 3600
# Pattern: 3, structured streaming: spark_udf in foreachBatch, checkpoint, Delta tables; monitoring over the capture log in Delta
# Installs PySpark, Delta Lake and MLflow below build/hosts/ and runs the pattern in a local Spark of two threads.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh

library_build
need_packages default-jdk-headless maven
# The capture log is exported by a process of its own, which needs neither Spark nor Java.
host_venv monitoring tests/hosts/monitoring/requirements.txt
export EXPORT_PYTHON=$python
host_venv mlflow examples/mlflow/requirements.txt
jars=$PWD/build/hosts/spark-jars
mvn -q -B -f examples/spark/pom.xml dependency:copy-dependencies -DoutputDirectory="$jars" </dev/null ||
	cannot_run spark "Delta Lake's jars could not be fetched with Maven"
host Spark "$("$python" -c 'import pyspark; print(pyspark.__version__)')"
host "Delta Lake" "$(basename "$jars"/delta-spark_*.jar .jar | sed 's/.*-//')"
host MLflow "$("$python" -c 'import mlflow; print(mlflow.__version__)')"
SPARK_JARS=$(printf '%s,' "$jars"/*.jar) SPARK_LOCAL_IP=127.0.0.1 PYSPARK_PYTHON=$python \
	"$python" -m pytest -q -p no:cacheprovider "$@" examples/spark
