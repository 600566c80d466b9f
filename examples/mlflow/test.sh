#!/bin/bash
# Seconds: 3600
# Pattern: 2, model serving: the flavor logged, registered, loaded, and served by `mlflow models serve`
# Installs MLflow below build/hosts/ and serves the golden fraud model on 127.0.0.1.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh

library_build
host_venv mlflow-oldest examples/mlflow/requirements-oldest.txt
host MLflow "$("$python" -c 'import mlflow; print(mlflow.__version__)')"
"$python" examples/mlflow/log_and_load.py
host_venv mlflow examples/mlflow/requirements.txt
host MLflow "$("$python" -c 'import mlflow; print(mlflow.__version__)')"
export PATH=$(dirname "$python"):$PATH PYTHONPATH=$PYTHONPATH:$PWD/examples/azureml
"$python" -m pytest -q -p no:cacheprovider "$@" examples/mlflow
