"""Print the README's table of this machine from a report, so that no number there is typed by hand.

    python3 bench/readme_table.py [bench/report/report.json]
"""
import json
import pathlib
import sys

import floors

# Rows per call that the README shows of each model.
SHOWN = {"x500d6": (100_000, 200, 64, 32, 8, 1), "x500d6nan": (100_000,), "x1000d8": (100_000, 64, 8), "x100d6": (100_000, 8),
         "flightsx": (100_000,), "l500x31": (100_000, 200, 64, 32, 8, 1), "l500x255": (100_000, 64, 8, 1), "flightsl": (100_000, 8),
         "c1000d6": (100_000, 200, 64, 32, 8), "forest": (100_000, 1_000, 1), "skforest": (100_000, 1_000, 64, 1),
         "skhist": (100_000,), "u16": (100_000,), "wide": (10_000,), "linear32": (100_000,), "linear1000": (100_000,)}
SHORT = {"daal4py (scikit-learn-intelex)": "oneDAL", "pylignum, compiled": "pylignum"}


def number(ns: float) -> str:
    return f"{ns:,.0f}" if ns >= 10 else f"{ns:.1f}"


def ratio(x: float) -> str:
    return f"{x:,.0f}" if x >= 10 else f"{x:.1f}"


def line(model: dict, batch: int, what: str) -> str | None:
    ns = floors.times(model, batch)
    own, source = ns.pop("Scoreline", None), ns.pop(model.get("judge"), None)
    if not own or not source:
        return None
    best = min(ns, key=ns.get) if ns else None
    other = f"{SHORT.get(best, best)} {number(ns[best])} | {ratio(ns[best] / own)}" if best else "– | –"
    return f"| {what} | {batch:,} | {number(own)} | {number(source)} | {ratio(source / own)} | {other} |"


def main() -> None:
    report = json.loads(pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "bench/report/report.json").read_text())
    models = {m["key"]: m for m in report["models"]}
    print("| model | rows per call | Scoreline | its own library | ratio | best of the other peers | ratio |")
    print("|---|---|---|---|---|---|---|")
    for key, batches in SHOWN.items():
        model = models.get(key, {"title": key})
        lines = [line(model, batch, model["title"] if i == 0 else "the same") for i, batch in enumerate(batches)]
        print(*filter(None, lines), sep="\n")


main()
