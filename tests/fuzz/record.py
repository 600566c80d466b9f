#!/usr/bin/env python3
"""Add the figures of fuzzing runs to figures.tsv and to the table of README.md.

    tests/fuzz/record.py [build-fuzz/figures.tsv build-afl/figures.tsv …]

Comes in: what run.sh wrote, a line per target and run: day, target, engine, seconds, executions, edges, features, verdict. Goes out: in
figures.tsv a line per day, target and engine, and the table made of it; the lines that were read are moved to FILE.recorded, so that
they are added once.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEAD = "day\ttarget\tengine\tseconds\texecutions\tedges\tfeatures\tfailed runs"
Key = tuple[str, str, str]


def number(text: str) -> int:
    return 0 if text == "-" else int(text)


def add(totals: dict[Key, list[int]], key: Key, figures: list[int]) -> None:
    """Seconds, executions and failed runs add up, of edges and features the most count."""
    old = totals.setdefault(key, [0] * 5)
    totals[key] = [old[0] + figures[0], old[1] + figures[1], max(old[2], figures[2]), max(old[3], figures[3]), old[4] + figures[4]]


def read_recorded(path: Path, totals: dict[Key, list[int]]) -> None:
    for line in path.read_text().splitlines()[1:] if path.exists() else []:
        day, target, engine, *figures = line.split("\t")
        add(totals, (day, target, engine), [number(x) for x in figures])


def read_runs(path: Path, totals: dict[Key, list[int]]) -> None:
    for line in path.read_text().splitlines():
        day, target, engine, seconds, executions, edges, features, verdict = line.split("\t")
        figures = [number(x) for x in (seconds, executions, edges, features)] + [int(verdict != "clean")]
        add(totals, (day, target, engine), figures)


def table(totals: dict[Key, list[int]]) -> str:
    lines = ["| target | engine | days | seconds | executions | edges | features | failed runs |", "|---|---|---|--:|--:|--:|--:|--:|"]
    targets = [line.split("|")[0].strip() for line in (HERE / "targets.list").read_text().splitlines() if line.strip()]
    for target in targets:
        for engine in ("libfuzzer", "afl"):
            sums: dict[Key, list[int]] = {}
            days = sorted(key[0] for key in totals if key[1:] == (target, engine))
            for day in days:
                add(sums, (target, engine, ""), totals[day, target, engine])
            if days:
                span = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
                cells = [f"{x:,}" if x or i in (1, 4) else "–" for i, x in enumerate(sums[target, engine, ""])]
                lines.append(" | ".join(["| " + target, engine, span, *cells]) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    totals: dict[Key, list[int]] = {}
    read_recorded(HERE / "figures.tsv", totals)
    for name in sys.argv[1:]:
        path = Path(name)
        read_runs(path, totals)
        with open(name + ".recorded", "a") as done:
            done.write(path.read_text())
        path.write_text("")
    rows = ["\t".join([*key, *(str(x) for x in totals[key])]) for key in sorted(totals)]
    (HERE / "figures.tsv").write_text("\n".join([HEAD, *rows]) + "\n")
    readme = HERE / "README.md"
    readme.write_text(readme.read_text().split("## Figures")[0] + "## Figures\n\n" + table(totals))


if __name__ == "__main__":
    main()
