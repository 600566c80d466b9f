"""Serves the metrics of two versions on 127.0.0.1, and scores more rows before every answer: version 1 like its reference, version 2
with larger amounts.

Comes in: a directory. Goes out: its files port, metrics.txt, openmetrics.txt (the first texts), wanted.json (what they must
say); then HTTP until it is killed.
"""

import http.server
import json
import pathlib
import sys

import numpy as np

import scoreline

NAMES = ["amount", 'a "tricky" \\ name']
TYPES = {"/metrics": "text/plain; version=0.0.4", "/openmetrics": "application/openmetrics-text; version=1.0.0; charset=utf-8"}


def rows_of(rng, n, shift=0.0):
    rows = np.column_stack([rng.normal(shift, size=n), rng.integers(-1, 7, size=n)])
    rows[::10, 0] = np.nan
    return rows


def make_statistics(rng):
    builder = scoreline.Builder(2, feature_names=NAMES, feature_types=["numeric", "category"], link="sigmoid")
    builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.3, -1.0, 2.0])
    model = builder.finish().add_reference(rows_of(rng, 4000))
    found = []
    for version in ("1", "2"):
        statistics = scoreline.Statistics(
            model, endpoint="scoring", served_name=f"s-{version}", entity_name="demo", entity_version=version, sample_every=1)
        found.append(statistics)
    score_more(found, rng, 500)
    return found


def score_more(both, rng, n):
    for statistics, shift in zip(both, (0.0, 1.5)):
        statistics.predict(rows_of(rng, n, shift))


def text_of(statistics, openmetrics):
    return scoreline.prometheus_text([s.snapshot() for s in statistics], openmetrics=openmetrics, feature_bins=True)


def main(work: pathlib.Path) -> None:
    rng = np.random.default_rng(1)
    statistics = make_statistics(rng)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            score_more(statistics, rng, 100)
            body = text_of(statistics, self.path == "/openmetrics").encode()
            self.send_response(200)
            self.send_header("Content-Type", TYPES[self.path])
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    (work / "metrics.txt").write_text(text_of(statistics, False))
    (work / "openmetrics.txt").write_text(text_of(statistics, True))
    wanted = {}
    for version, one in zip("12", statistics):
        snapshot = one.snapshot()
        wanted[version] = {
            "rows": snapshot.rows,
            "missing": {f.name: f.missing for f in snapshot.features},
            "unknown": {f.name: f.unknown for f in snapshot.features if f.type == "category"},
            "psi": {f.name: f.drift.psi for f in snapshot.features},
            "scores": [int(n) for n in np.cumsum(snapshot.scores[0].counts)],
            "score_sum": snapshot.scores[0].sum,
        }
    (work / "wanted.json").write_text(json.dumps(wanted))
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    (work / "port").write_text(str(server.server_address[1]))
    server.serve_forever()


main(pathlib.Path(sys.argv[1]))
