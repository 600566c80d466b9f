"""What a million rows cost in one process, from C and from Python, and how many cores a rate of events needs: docs/scale.md.

    python bench/scale.py BUILD                 trains models of five sizes (in build/bench), with the tests' environment
    python bench/scale.py BUILD MODEL.slm …     your own, of numeric features and one output

    --price P    of a core for an hour, in whatever you pay in (0.04)
    --busy B     share of a core's time that a steady load may take, so that a peak finds room (0.6)

Goes out: tables in Markdown. Every number is processor time of one thread, so that other work on the machine counts little,
and the least of several passes. C: bench/row_cost.c. Relies on gcc, pandas.
"""
from __future__ import annotations

import argparse
import math
import os
import pathlib
import subprocess
import sys
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "python"))
KEYS = ("linear32", "x100d6", "x500d6", "l500x255", "x1000d8")
RATES = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def trained() -> dict[str, str]:
    """Path → title of the bench's models, as .slm files."""
    import models
    import scoreline
    models.ensure(list(KEYS), pathlib.Path("build/bench"))
    made = {}
    for key in KEYS:
        folder = pathlib.Path("build/bench/models") / key
        scoreline.convert(folder / models.MODELS[key].file).save(folder / "scale.slm")
        made[str(folder / "scale.slm")] = models.MODELS[key].title
    return made


def c_costs(build: str, paths: list[str]) -> dict[str, dict[int, float]]:
    """ns per row by model and rows per call."""
    program = pathlib.Path("build/bench/row_cost")
    program.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["gcc", "-std=c11", "-O2", f"-I{HERE.parent}/include", HERE / "row_cost.c", f"-L{build}/lib", "-lscoreline",
                    f"-Wl,-rpath,{pathlib.Path(build).resolve()}/lib", "-o", program], check=True)
    costs: dict[str, dict[int, float]] = {}
    for line in subprocess.run([program, *paths], check=True, capture_output=True, text=True).stdout.splitlines():
        words = line.split()
        if len(words) == 3:
            of = costs.setdefault(words[0], {})
        else:
            of[int(words[0])] = float(words[1])
    return costs


def python_costs(path: str) -> dict[str, float]:
    """ns per row from Python: rows as they arrive there."""
    import pandas

    import scoreline
    model = scoreline.load(path)
    golden, _ = model.golden()
    random = np.random.default_rng(1)
    shape = (100_000, golden.shape[1])
    rows = golden[random.integers(0, len(golden), shape), np.arange(shape[1])] * random.uniform(0.9, 1.1, shape)
    names = list(model.features) if model.features else [f"f{i}" for i in range(shape[1])]
    frame = pandas.DataFrame(rows, columns=names)
    return {
        "one row, NumPy": least(lambda: [model.predict(rows[i:i + 1]) for i in range(2_000)], 2_000),
        "calls of 10,000, NumPy": least(lambda: [model.predict(rows[i:i + 10_000]) for i in range(0, shape[0], 10_000)], shape[0]),
        "calls of 10,000, pandas": least(lambda: [model.predict(frame[i:i + 10_000]) for i in range(0, shape[0], 10_000)], shape[0]),
    }


def least(call, n_rows: int) -> float:
    times = []
    for _ in range(7):
        began = time.thread_time_ns()
        call()
        times.append(time.thread_time_ns() - began)
    return min(times) / n_rows


def table(head: list[str], rows: list[list[str]]) -> None:
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
    print("".join("| " + " | ".join(row) + " |\n" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("models", nargs="*")
    parser.add_argument("--price", type=float, default=0.04)
    parser.add_argument("--busy", type=float, default=0.6)
    given = parser.parse_args()
    os.environ.setdefault("SCORELINE_LIBRARY", f"{given.build}/lib/libscoreline.so")
    made = {path: pathlib.Path(path).stem for path in given.models} or trained()
    in_c = c_costs(given.build, list(made))
    costs = {path: {"C, one row": in_c[path][1], "C, calls of 100": in_c[path][100], "C, calls of 10,000": in_c[path][10_000],
                    **{f"Python, {what}": ns for what, ns in python_costs(path).items()}} for path in made}
    ways = list(next(iter(costs.values())))
    print("Processor seconds of one core for a million rows\n")
    table(["model", *ways], [[title, *(f"{costs[path][way] / 1e3:.3g}" for way in ways)] for path, title in made.items()])
    print(f"Price of a billion rows, at {given.price} for an hour of a core that is busy {given.busy:.0%} of the time\n")
    table(["model", *ways], [[title, *(f"{costs[path][way] / 3600 / given.busy * given.price:.3g}" for way in ways)]
                             for path, title in made.items()])
    way = "C, calls of 100"
    print(f"Cores for a rate, {way}, busy {given.busy:.0%}\n")
    table(["model", *(f"{rate:,}/s" for rate in RATES)],
          [[title, *(f"{math.ceil(rate * costs[path][way] / 1e9 / given.busy)}" for rate in RATES)] for path, title in made.items()])


if __name__ == "__main__":
    main()
