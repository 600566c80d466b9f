"""Print the README's Speed table from a report, so that no number there is typed by hand.

    python3 bench/readme_table.py [bench/report/report.json]
"""
import json
import pathlib
import sys

import floors

report = json.loads(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "bench/report/report.json").read_text())
print(f"{report['machine']['cpu']}, one thread, {report['machine']['date']}:\n")
print("| model | rows per call | Scoreline, ns per row | its own library | ratio | best other | ratio |")
print("|---|---|---|---|---|---|---|")
for model in report["models"]:
    for batch in (100_000, 1):
        ns = floors.times(model, batch)
        own, source = ns.pop("Scoreline", None), ns.pop(model.get("judge"), None)
        if not own or not source:
            continue
        best = min(ns, key=ns.get) if ns else None
        other = f"{best}, {ns[best]:,.0f} | {ns[best] / own:.1f}" if best else "– | –"
        print(f"| {model['title']} | {batch:,} | {own:,.0f} | {model['judge']}, {source:,.0f} | {source / own:.1f} | "
              f"{other} |")
