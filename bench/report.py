"""From the JSON of measure.py to tables and pictures.

    python bench/report.py RUN.json [RUN.json …] FOLDER

Goes out: FOLDER/README.md (an index page), tables.md, SVG plots if matplotlib is there; the floors on the terminal. Tables and
pictures are of the first run; a floor is held if every run holds it.
Exit code 1 if a margin of Scoreline differs from the source library's, or a measurement failed.
"""
import json
import pathlib
import sys

import floors

PLOTS = (("throughput.svg", "Rows per second by rows per call"), ("latency.svg", "One row, another one each time"),
         ("scaling.svg", "Cost by number of trees"))


def table(head: list[str], rows: list[list]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, r)) + " |" for r in rows]) + "\n"


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def times(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"


def floor_table(report: dict) -> str:
    rows = []
    for r in report["floors"]:
        ratio = r["ratio"]
        verdict = "not measured" if ratio is None else "pass" if ratio >= r["floor"] else "**miss**"
        against = r["against"] if r["peer"] in (None, r["against"]) else f"{r['against']}: {r['peer']}"
        rows.append([r["model"], f"{r['batch']:,}" if r["batch"] else "", against, f"{r['floor']:.3g} ×",
                     " ".join(map(times, r["ratios"])), verdict])
    return table(["what", "rows per call", "against", "at least", "measured", ""], rows)


def exact_table(report: dict) -> str:
    rows = []
    for model in report["models"]:
        for e in model.get("exact", []):
            rows.append([model["title"], model["judge"], e["side"], f"{e['differing']:,} of {e['rows']:,}",
                         f"{e['largest']:.3g}" if e["differing"] else "–"])
        checked = model.get("variants", [])
        if checked:
            rows.append([model["title"], model["judge"], f"Scoreline, {len(checked)} pairs of instruction set and regime",
                         f"{sum(v['differing'] for v in checked):,} of {sum(v['rows'] for v in checked):,}", "–"])
    return table(["model", "judge", "library", "rows whose bits differ", "largest difference"], rows)


def contest_tables(report: dict) -> str:
    parts = []
    for model in report["models"]:
        if not model.get("contests"):
            continue
        batches = sorted({c["batch"] for c in model["contests"]})
        sides = list(dict.fromkeys(c["side"] for c in model["contests"]))
        found = {(c["side"], c["batch"]): c for c in model["contests"]}
        rows = []
        for side in sides:
            any_ = found[side, batches[0]]
            overhead = f"{any_['overhead_ns'] / 1000:.1f} µs" if any_["how"] == "Python" else ""
            mine = {b: found[side, b] for b in batches if (side, b) in found}
            told = {b: c for b, c in mine.items() if floors.tells(c)}
            spread = max((c["high"] - c["low"]) / c["ns"] for c in told.values())
            rows.append([side, any_["how"], overhead, *(number(told[b]["ns"]) if b in told else "–" for b in batches),
                         f"{spread:.0%}", min(c["rounds"] for c in mine.values())])
        head = ["library", "called by", "call overhead, subtracted", *(f"{b:,}" for b in batches), "largest spread", "fewest turns"]
        parts.append(f"### {model['title']}\n\nNanoseconds per row, by rows per call.\n\n" + table(head, rows))
    return "\n".join(parts)


def missing_table(report: dict) -> str:
    rows = [[name, "", why] for name, why in report["machine"]["not_installable"].items()]
    rows += [[name, model["title"], why.replace("|", "/")] for model in report["models"]
             for name, why in model.get("missing", {}).items()]
    rows += [["–", m.get("title", m["key"]), m["failed"]] for m in report["models"] if m.get("failed")]
    return table(["library", "model", "why it was not measured"], rows)


def isa_table(report: dict) -> str:
    rows = [[m["title"], v["isa"], number(v["ns"])] for m in report["models"] for v in m.get("variants", []) if "ns" in v]
    return table(["model", "instruction set", "ns per row, 10,000 rows per call"], rows)


def latency_table(report: dict) -> str:
    rows = [[m["title"], side, *(f"{v[p] / 1000:.2f}" for p in ("p50", "p99", "p99_9"))]
            for m in report["models"] for side, v in m.get("latency", {}).items()]
    return table(["model", "library", "p50, µs", "p99, µs", "p99.9, µs"], rows)


def machine_text(report: dict) -> str:
    m = report["machine"]
    versions = ", ".join(f"{name} {v}" for name, v in m["versions"].items())
    caches = ", ".join(f"{k} {v}" for k, v in m["caches"].items())
    return (f"{m['cpu']} (family {m['family']}, model {m['model']}), {m['cores']} cores, caches: {caches}. "
            f"Flags: {' '.join(m['flags'])}. Linux {m['kernel']}, {m['gcc']}, Python {m['python']}; {versions}. "
            f"Measured on {m['date']} in {report['seconds']} s, load before: {m['load']:.1f}"
            f"{'; a quick run with few repetitions' if report['quick'] else ''}.\n")


METHOD = """One thread. All libraries take turns, repetition by repetition, in one process per model; medians over the
rounds; rows are `float` and warm. Times are the process's processor time, so that what else the machine does counts
little; only single calls' latencies and two threads are timed by the clock. Libraries are called by their C entry points
where they have one. Where only Python
calls exist, an empty call (or one row through one tree) is timed apart and subtracted. tl2cgen, lleaves and pylignum
get rows converted to their own format beforehand, which is not counted; CatBoost gets prepared pools. Where a call takes
hardly longer than an empty one, nothing is shown, and nothing of 100,000 rows of a library that took more than ten times as long
as the best peer with fewer rows per call.
"""


def runs_text(n_runs: int) -> str:
    return "" if n_runs == 1 else (f"\n{n_runs} runs, one after the other: tables and pictures are of the first, the floors list every run and "
                                   "hold if all do.\n")


def pages(report: dict, folder: pathlib.Path, plots: list[str]) -> None:
    pictures = "\n".join(f"![{title}]({name})\n" for name, title in PLOTS if name in plots)
    (folder / "README.md").write_text(
        "# Scoreline beside other libraries\n\nWritten by `bench/run.sh`; the numbers are in [report.json](report.json), "
        "all tables in [tables.md](tables.md).\n\n" + machine_text(report) + "\n" + METHOD + runs_text(report["runs"]) + "\n" + pictures +
        "\n## Floors\n\n" + floor_table(report) + "\n## Whose bits differ\n\n" + exact_table(report) +
        "\n## Not measured\n\n" + missing_table(report))
    (folder / "tables.md").write_text(
        "# Tables\n\n" + machine_text(report) + "\n" + METHOD + "\n## Speed\n\n" + contest_tables(report) +
        "\n## Single rows\n\n" + latency_table(report) + "\n## Instruction sets\n\n" + isa_table(report))


# ---- pictures --------------------------------------------------------------------------------------------------------

COLOURS = {"Scoreline": "#c0392b", "XGBoost": "#2c3e50", "LightGBM": "#27ae60", "CatBoost": "#b7950b",
           "tl2cgen": "#8e44ad", "ONNX Runtime": "#2980b9", "lleaves": "#16a085", "Treelite GTIL": "#95a5a6",
           "pylignum": "#e67e22", "pylignum, compiled": "#d7bde2", "daal4py (scikit-learn-intelex)": "#5dade2",
           "scikit-learn": "#f39c12", "NumPy (BLAS)": "#7f8c8d", "YDF": "#1abc9c"}


def draw_throughput(report, plt, path):
    chosen = [m for m in report["models"] if m.get("contests")]
    figure, axes = plt.subplots(-(-len(chosen) // 3), 3, figsize=(15, 4 * -(-len(chosen) // 3)), squeeze=False)
    for axis in axes.flat[len(chosen):]:
        axis.remove()
    for axis, model in zip(axes.flat, chosen):
        for side in dict.fromkeys(c["side"] for c in model["contests"]):
            points = [(c["batch"], 1e9 / c["ns"]) for c in model["contests"] if c["side"] == side and floors.tells(c)]
            own = side == "Scoreline"
            axis.loglog(*zip(*points), color=COLOURS.get(side), lw=3 if own else 1.4, marker="o", ms=5 if own else 3,
                        label=side, zorder=3 if own else 2)
        axis.set_title(model["title"], fontsize=11)
        axis.set_xlabel("rows per call")
        axis.set_ylabel("rows per second")
        axis.grid(alpha=0.25)
    named = {label: line for axis in figure.axes for line, label in zip(*axis.get_legend_handles_labels())}
    figure.legend(named.values(), named.keys(), loc="upper center", bbox_to_anchor=(0.5, 0), ncol=5, frameon=False)
    save(figure, plt, path)


def draw_latency(report, plt, path):
    shown = ("x500d6", "l500x31", "l500x255", "forest", "flightsx", "flightsl")
    chosen = [m for m in report["models"] if m.get("latency") and m["key"] in shown] or \
        [m for m in report["models"] if m.get("latency")][:6]
    figure, axes = plt.subplots(1, len(chosen), figsize=(4.6 * len(chosen), 4.2), squeeze=False)
    for axis, model in zip(axes.flat, chosen):
        names = sorted(model["latency"], key=lambda side: model["latency"][side]["p50"])
        for y, side in enumerate(names):
            v = model["latency"][side]
            axis.plot([v["p50"] / 1e3, v["p99_9"] / 1e3], [y, y], color=COLOURS.get(side), lw=2)
            for p, mark in (("p50", "o"), ("p99", "s"), ("p99_9", "D")):
                axis.plot(v[p] / 1e3, y, mark, color=COLOURS.get(side), ms=7, mfc="white" if p != "p50" else None)
        axis.set_yticks(range(len(names)), names)
        axis.set_xscale("log")
        axis.set_xlabel("µs per call: p50 ●, p99 □, p99.9 ◇")
        axis.set_title(model["title"], fontsize=10)
        axis.grid(alpha=0.25, axis="x")
    save(figure, plt, path)


def draw_scaling(report, plt, path):
    figure, axis = plt.subplots(figsize=(8, 4.5))
    for side in ("Scoreline", "XGBoost"):
        points = [(p["trees"], p["ns"]) for p in report["scaling"]["points"] if p["side"] == side]
        axis.loglog(*zip(*points), marker="o", color=COLOURS[side], lw=2.5, label=side)
    axis.set_xlabel("trees of depth 6")
    axis.set_ylabel("ns per row")
    axis.grid(alpha=0.25)
    axis.legend(frameon=False)
    save(figure, plt, path)


def save(figure, plt, path):
    figure.tight_layout()
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def draw(report: dict, folder: pathlib.Path) -> list[str]:
    try:
        import matplotlib
    except ImportError:
        print("no pictures: matplotlib is not installed")
        return []
    matplotlib.use("Agg")
    matplotlib.rcParams.update({"svg.hashsalt": "scoreline", "axes.spines.top": False, "axes.spines.right": False,
                                "font.size": 10})
    import matplotlib.pyplot as plt
    drawn = {"throughput.svg": draw_throughput}
    if any(m.get("latency") for m in report["models"]):
        drawn["latency.svg"] = draw_latency
    if report.get("scaling", {}).get("points"):
        drawn["scaling.svg"] = draw_scaling
    for name, function in drawn.items():
        function(report, plt, folder / name)
    return list(drawn)


def wrong(report: dict) -> list[str]:
    """What makes the run fail: bits of Scoreline, and measurements that died."""
    problems = [f"{m.get('title', m['key'])}: {m['failed']}" for m in report["models"] if m.get("failed")]
    for m in report["models"]:
        problems += [f"{m['title']}: {e['side']} differs on {e['differing']} of {e['rows']} rows"
                     for e in m.get("exact", []) if e["side"].startswith("Scoreline") and e["differing"]]
        problems += [f"{m['title']}: {v['isa']} {v['regime']} differs on {v['differing']} of {v['rows']} rows"
                     for v in m.get("variants", []) if v["differing"]]
    scaling = report.get("scaling", {})
    problems += [scaling["failed"]] if scaling.get("failed") else []
    problems += [f"{p['trees']} trees: {p['differing']} rows differ" for p in scaling.get("points", []) if p["differing"]]
    return problems


def main() -> int:
    *paths, folder = map(pathlib.Path, sys.argv[1:])
    runs = [json.loads(path.read_text()) for path in paths]
    report = runs[0]
    folder.mkdir(parents=True, exist_ok=True)
    report["floors"] = floors.judged_all(runs)
    report["runs"] = len(runs)
    (folder / "report.json").write_text(json.dumps(report, separators=(",", ":")) + "\n")
    pages(report, folder, draw(report, folder))
    print(machine_text(report))
    print(floor_table(report))
    print(exact_table(report))
    problems = [problem for run in runs for problem in wrong(run)]
    print("\n".join(problems) or "0 rows of Scoreline differ from the source libraries")
    print(f"tables and pictures: {folder}/README.md")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
