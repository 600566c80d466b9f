#!/bin/bash
# Seconds: 3600
# Pattern: 5, event hub and function: by HTTP as printed, and in the process without the call
# Installs the Functions library and a Kafka broker below build/hosts/ and runs both on 127.0.0.1.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh

library_build
need_packages default-jdk-headless maven
host_venv azure examples/azureml/requirements.txt
jars=$PWD/build/hosts/kafka-jars
mvn -q -B -f examples/functions/pom.xml dependency:copy-dependencies -DoutputDirectory="$jars" </dev/null ||
	cannot_run functions "the Kafka broker could not be fetched with Maven"
host azure-functions "$("$python" -m pip list 2>/dev/null | awk '$1 == "azure-functions" { print $2 }')"
host Kafka "$(basename "$jars"/kafka_2.13-*.jar .jar | sed 's/.*-//')"
export PYTHONPATH=$PYTHONPATH:$PWD/examples/azureml:$PWD/examples/functions
KAFKA_JARS=$jars "$python" -m pytest -q -s -p no:cacheprovider "$@" examples/functions
