#!/bin/bash
# Seconds: 3600
# Pattern: 2, model serving endpoint: the Databricks SDK, MLflow's deployments client, Triton's and KServe's against our host
# Installs the clients below build/hosts/ and asks a host on 127.0.0.1.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh

library_build
host_venv mlflow examples/mlflow/requirements.txt
for package in databricks-sdk mlflow tritonclient starlette; do
	host "$package" "$("$python" -c "import importlib.metadata as m; print(m.version('$package'))")"
done
export PYTHONPATH=$PYTHONPATH:$PWD/examples/azureml
"$python" -m pytest -q -p no:cacheprovider "$@" examples/serving/test_serving.py examples/serving/test_bad_requests.py
host_venv kserve examples/serving/requirements-kserve.txt
host kserve "$("$python" -c "import importlib.metadata as m; print(m.version('kserve'))")"
"$python" -m pytest -q -p no:cacheprovider "$@" examples/serving/test_kserve.py
