#!/bin/bash
# Pattern: 4, online endpoint: score.py in Azure's own inference server, behind a front that checks keys
# Installs the inference server below build/hosts/ and asks it on 127.0.0.1.
cd "$(dirname "$0")/../.."
. tests/hosts/hosts.sh

library_build
host_venv azure examples/azureml/requirements.txt
host azureml-inference-server-http "$("$python" -m pip list 2>/dev/null | awk '$1 == "azureml-inference-server-http" { print $2 }')"
"$python" -m pytest -q -s -p no:cacheprovider "$@" examples/azureml
