"""A running Prometheus has scraped both formats, its queries give back what was scored, and its alarm rings where data shifted."""

import json
import pathlib
import sys
import time
import urllib.parse
import urllib.request

server, work = sys.argv[1], pathlib.Path(sys.argv[2])
wanted = json.loads((work / "wanted.json").read_text())


def ask(path):
    with urllib.request.urlopen(f"http://{server}/api/v1/{path}", timeout=30) as answer:
        return json.load(answer)["data"]


def query(expression):
    return ask("query?" + urllib.parse.urlencode({"query": expression}))["result"]


def wait_for(expression, enough, seconds=120):
    """The first result that is enough; a server needs a moment to start and to scrape, and a scrape that came too late leaves none."""
    end, last = time.monotonic() + seconds, None
    while time.monotonic() < end:
        try:
            last = expression() if callable(expression) else query(expression)
            if enough(last):
                return last
        except OSError as error:
            last = error
        time.sleep(0.3)
    raise SystemExit(f"{expression}: {last}")


wait_for("up", lambda found: len(found) == 2 and all(one["value"][1] == "1" for one in found))
for job in ("text", "openmetrics"):
    rows = wait_for(
        f'increase(scoreline_rows_total{{job="{job}"}}[30s])',
        lambda found: len(found) == 2 and all(float(one["value"][1]) > 0 for one in found))
    assert {one["metric"]["version"] for one in rows} == {"1", "2"}
    assert all(one["metric"]["model"] == "demo" and one["metric"]["endpoint"] == "scoring" for one in rows)
    missing = wait_for(f'scoreline_missing_total{{job="{job}",version="1"}}', len)
    assert {one["metric"]["feature"] for one in missing} == wanted["1"]["missing"].keys(), missing
    psi = wait_for(f'scoreline_drift_psi{{job="{job}"}}', len)
    assert len(psi) == 4 and all(0 <= float(one["value"][1]) < 5 for one in psi)
    for quantile in wait_for(f'histogram_quantile(0.9, rate(scoreline_batch_duration_seconds_bucket{{job="{job}"}}[30s]))', len):
        assert 1e-7 < float(quantile["value"][1]) < 10, quantile
    mean = wait_for(f'scoreline_score_sum{{job="{job}",version="1"}} / scoreline_score_count', len)
    assert len(mean) == 1 and abs(float(mean[0]["value"][1]) - wanted["1"]["score_sum"] / wanted["1"]["rows"]) < 0.1
alarms = wait_for(lambda: [one for one in ask("alerts")["alerts"] if one["state"] == "firing"], lambda found: len(found) == 2)
assert {(one["labels"]["version"], one["labels"]["feature"], one["labels"]["job"]) for one in alarms} == {
    ("2", "amount", "text"), ("2", "amount", "openmetrics")}, alarms
assert alarms[0]["annotations"]["summary"] == "amount of demo 2 is no longer distributed as in training"
print("Prometheus: both formats scraped, queried back; the alarm rings for the shifted feature only")
