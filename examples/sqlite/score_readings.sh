#!/bin/bash
# Readings of sensors scored inside SQLite's shell. Comes in: nothing but the repository; the extension is built if need be.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=build/hosts/lib
[ -f $build/build.ninja ] || meson setup $build -Dtests=false >/dev/null
meson setup --reconfigure $build -Dsqlite=enabled >/dev/null
ninja -C $build plugins/sqlite/scoreline.so >/dev/null
sqlite3 -header -column <<SQL
.load $build/plugins/sqlite/scoreline
CREATE TEMP TABLE loaded AS SELECT scoreline_load('udf_AnomalyScore', 'tests/hosts/golden/iot.slm') AS n_features;
CREATE TABLE [iot-input] (device_id, temperature, humidity, pressure);
INSERT INTO [iot-input] VALUES ('oven', 98.5, 35.25, 1012.5), ('cellar', 44.0, 41.5, 1013.25), ('roof', NULL, 80.0, 1013.0);
SELECT device_id, udf_AnomalyScore(temperature, humidity, pressure) AS anomaly_score,
       CASE WHEN udf_AnomalyScore(temperature, humidity, pressure) > 0.8 THEN 'CRITICAL' ELSE 'NORMAL' END AS status
FROM [iot-input];
SQL
