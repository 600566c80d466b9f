#!/bin/bash
# Pattern: metrics and drift of served versions, scraped and queried; an alarm where the data shift
#
# Metrics of statistics under a real Prometheus: promtool's linter, prometheus-client's two parsers, a scrape on 127.0.0.1.
# Comes in: a build directory with the shared library; build/venv. Installs the Debian package prometheus (its service is not
# started) and a venv of its own. Ends within ten minutes and leaves nothing running.
set -euo pipefail
cd "$(dirname "$0")/../../.."
build=${1:-build}
. tests/machine.sh

missing() {
	echo "NOT RUN: prometheus: $1 cannot be installed here"
	exit 77
}

need_servers prometheus || missing prometheus
build_in build >/dev/null && make_venv
venv=build/venv-prometheus
if ! cmp -s tests/hosts/prometheus/requirements.txt $venv/installed; then
	python3 -m venv $venv && $venv/bin/pip install -q -r tests/hosts/prometheus/requirements.txt || missing prometheus-client
	cp tests/hosts/prometheus/requirements.txt $venv/installed
fi

echo "host: Prometheus $(prometheus --version 2>&1 | sed -n '1s/.*version \([0-9.]*\).*/\1/p')"

work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"' EXIT
export SCORELINE_LIBRARY=$PWD/$build/lib/libscoreline.so PYTHONPATH=$PWD/python
timeout 600 build/venv/bin/python tests/hosts/prometheus/metrics_server.py "$work" &
for _ in $(seq 1200); do [ -s "$work/port" ] && break; sleep 0.1; done
[ -s "$work/port" ] || { echo "the metrics server did not start" && exit 1; }

promtool check metrics <"$work/metrics.txt"
$venv/bin/python tests/hosts/prometheus/parse_metrics.py "$work"

port=$(cat "$work/port")
web=$(python3 tests/hosts/free_port.py)
cat >"$work/prometheus.yml" <<YML
global: { scrape_interval: 2s, scrape_timeout: 2s, evaluation_interval: 1s }
rule_files: [ "$PWD/tests/hosts/prometheus/drift_rules.yml" ]
scrape_configs:
  - { job_name: text, metrics_path: /metrics, static_configs: [ { targets: [ "127.0.0.1:$port" ] } ] }
  - { job_name: openmetrics, metrics_path: /openmetrics, static_configs: [ { targets: [ "127.0.0.1:$port" ] } ] }
YML
promtool check config "$work/prometheus.yml" >/dev/null
timeout 600 prometheus --config.file="$work/prometheus.yml" --storage.tsdb.path="$work/data" \
	--web.listen-address="127.0.0.1:$web" --log.level=warn &
timeout 600 python3 tests/hosts/prometheus/query_prometheus.py "127.0.0.1:$web" "$work"
