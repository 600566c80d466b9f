"""prometheus-client's parsers, of both formats, find in the texts what the statistics counted."""

import json
import pathlib
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

work = pathlib.Path(sys.argv[1])
wanted = json.loads((work / "wanted.json").read_text())


def check(families):
    def values(name, version, key=None, suffix=""):
        found = [s for s in families[name].samples if s.labels["version"] == version and s.name.endswith(suffix)]
        return {s.labels[key]: s.value for s in found} if key else [s.value for s in found]

    for version, want in wanted.items():
        assert values("scoreline_rows", version, suffix="_total") == [want["rows"]]
        assert values("scoreline_missing", version, "feature", "_total") == want["missing"]
        assert values("scoreline_unknown_categories", version, "feature", "_total") == want["unknown"]
        assert values("scoreline_drift_psi", version, "feature") == want["psi"]
        assert values("scoreline_score", version, suffix="_bucket") == want["scores"]
        assert values("scoreline_score", version, suffix="_sum") == [want["score_sum"]]
        assert families["scoreline_batch_duration_seconds"].type == "histogram"
        buckets = values("scoreline_batch_duration_seconds", version, suffix="_bucket")
        assert buckets == sorted(buckets) and buckets[-1] == values("scoreline_calls", version, suffix="_total")[0]
    return len(families)


text = {f.name: f for f in parser.text_string_to_metric_families((work / "metrics.txt").read_text())}
strict = {f.name: f for f in openmetrics.text_string_to_metric_families((work / "openmetrics.txt").read_text())}
assert text.keys() == strict.keys()
print(f"prometheus-client: {check(text)} families as text, {check(strict)} as OpenMetrics")
