"""Measure Scoreline beside its peers and write one JSON file: all that report.py knows.

    python bench/measure.py BUILD OUT.json [--quick] [--only KEY,KEY…] [--without PEER,PEER…]

--only measures these models alone, and puts them into OUT.json in the place of what it says of them, if there is such a file.

Every model is measured in a process of its own, so that a peer that crashes costs one model. All sides of a contest take
turns, repetition by repetition (A B C A B C …), and are timed by the processor's time, so that other work on the machine
does not count; a slow one leaves when its time is used up: the report says how many turns
it had. Every margin is compared with the source library's, bit for bit: Scoreline's of all rows, a peer's of those that it scored
in its largest pass.
"""
import argparse
import ctypes
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

import numpy as np

import floors
import models
import peers
import scoreline
from scoreline import _library

# A pass of so few rows is over before the processor has its model in the caches again, which the side before emptied: in 512 rows
# of 110 ns each, fetching a model and its scratch from memory takes as long as scoring. So each side has an untimed pass first.
SHORT_PASS = 10_000
# If the judge would need longer than this for all rows, fewer are scored: a large forest on a slow machine.
JUDGE_SECONDS = 60
SLOW_NS = 2e7  # passes that take so long need no warming: it is a few milliseconds that caches are filled in
LONGEST_NS = 1e9  # passes of few rows per call that would take longer are made of fewer calls
HOPELESS = 10  # times the best peer's time per row: such a library is not asked for long passes
QUICK_BATCHES = (1, 8, 32, 64, 200, 512, 1_000, 10_000, 100_000)


class Progress:
    began = time.time()

    @classmethod
    def say(cls, text: str) -> None:
        print(f"[{time.time() - cls.began:5.0f} s] {text}", file=sys.stderr, flush=True)


def summary(ns: list[float], n: int) -> dict:
    per_row = np.array(ns) / n
    return {"ns": float(np.median(per_row)), "low": float(per_row.min()), "high": float(per_row.max()),
            "rounds": len(ns), "rows": n}


def rows_per_pass(batch: int, n_rows: int) -> int:
    if batch == 1:
        return min(300, n_rows)
    return min(n_rows, batch if batch >= 1000 else -(-1000 // batch) * batch)


def take_turns(sides: list, n: int, batch: int, rounds: int, seconds: float, fewest: int) -> dict:
    """Name → summary of its passes. A side whose seconds are used up is not asked again, unless it had fewer than `fewest` turns:
    then four times as many."""
    passes = {side.name: first_call(side, n, batch) for side in sides}
    spent = {side.name: [] for side in sides}
    for _ in range(rounds):
        for side in sides:
            mine, (rows, expected) = spent[side.name], passes[side.name]
            if not mine or sum(mine) < (4 * seconds if len(mine) < fewest else seconds) * 1e9:
                if rows < SHORT_PASS and (mine[-1] if mine else expected) < SLOW_NS:
                    side.time(rows, batch)
                mine.append(side.time(rows, batch))
    return {name: summary(ns, passes[name][0]) for name, ns in spent.items()}


def first_call(side, n: int, batch: int) -> tuple[int, float]:
    """Of a pass of several calls, an untimed one tells how many rows are scored in LONGEST_NS, and how long that takes."""
    if n <= batch:
        return n, 0.0
    of_call = side.time(batch, batch)
    rows = min(n, max(int(LONGEST_NS / of_call), 1) * batch)
    return rows, of_call * rows / batch


def difference(margins: np.ndarray, judge: np.ndarray) -> dict:
    """Bits, so that -0 and 0 differ and equal NaNs do not."""
    differing = margins.view(np.uint64) != judge.view(np.uint64)
    with np.errstate(invalid="ignore"):
        largest = np.abs(margins - judge)[differing]
    return {"differing": int(differing.sum()), "rows": len(judge),
            "largest": float(np.nanmax(largest)) if len(largest) else 0.0}


class Contest:
    def __init__(self, build: pathlib.Path, key: str, quick: bool, without=()):
        self.lib, self.quick, self.without = peers.harness(build), quick, without
        self.build, self.model = build, models.MODELS[key]
        self.place = peers.Place(self.model, build / "models" / key)
        x = models.rows_to_score(self.model)
        self.table = peers.Table(x)
        self.result = {"key": key, "title": self.model.title, "library": self.model.library, "contests": [],
                       "exact": [], "missing": {}, "latency": {}, "variants": [], "layouts": {}}
        self.n_rows = len(x)

    def open(self) -> bool:
        self.sides, self.result["missing"] = peers.open_peers(self.lib, self.table, self.place, self.without)
        try:
            self.own = peers.open_scoreline(self.lib, self.table, self.place)
        except RuntimeError as error:
            self.result["missing"]["Scoreline"] = f"importer missing: {error}"
            self.own = None
            return bool(self.sides)
        if self.model.library != "sklearn":  # of which prepare.py made it
            scoreline.convert(str(self.place.path)).save(self.compact)
        info = info_of(self.lib, self.own)
        self.result["info"] = info
        self.sides.insert(0, self.own)
        return True

    def judge(self) -> None:
        """The source library's margins of all rows, and Scoreline's beside them; whoever cannot score a thousand rows is out."""
        source = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "sklearn": "scikit-learn"}
        judge = next(side for side in self.sides if side.name == source[self.model.library])
        probe = min(1_000, self.n_rows)
        affordable = int(JUDGE_SECONDS * 1e9 / judge.time(probe, probe)) * probe
        n = self.n_rows = min(self.n_rows, max(affordable, probe))
        alive = []
        for side in self.sides:
            try:
                side.time(probe, probe)
                alive.append(side)
            except Exception as error:
                self.result["missing"][side.name] = str(error)[:200]
        self.sides = alive
        judge.time(n, n)
        self.margins = judge.margins(n)
        self.result["judge"] = judge.name
        if self.own in alive:
            self.own.time(n, n)
            self.compare(self.own, n)

    def compare(self, side, n: int) -> None:
        margins = side.margins(n)
        if side.name.startswith("NumPy"):
            margins = (margins.astype(np.float32) + np.float32(side.bias)).astype(np.float64)
        self.result["exact"].append({"side": side.name, **difference(margins, self.margins[:n])})

    def race(self) -> None:
        batches = [b for b in self.model.batches if b <= self.n_rows and (not self.quick or b in QUICK_BATCHES)]
        rounds, of_short, of_long = (3, 2, 2) if self.quick else (9, 5, 3)
        scored, sides = dict.fromkeys((side.name for side in self.sides), 0), self.sides
        for before, batch in zip([None, *batches], batches):
            n = rows_per_pass(batch, self.n_rows)
            began = time.time()
            if before and n > SHORT_PASS:
                sides = self.contenders(before, batch)
            seconds, fewest = (0.15, of_short) if n < SHORT_PASS else (0.5, of_long)
            spent = take_turns(sides, n, batch, rounds, seconds, fewest)
            for side in sides:
                found = spent[side.name]
                scored[side.name] = max(scored[side.name], found["rows"])
                self.result["contests"].append({"batch": batch, "side": side.name, "how": side.how,
                                                "overhead_ns": side.overhead_ns, **found})
            if self.own:
                self.check_own(self.own, spent[self.own.name]["rows"], f"batches of {batch:,}")
            Progress.say(f"{self.model.title}: {batch:,} rows per call, {len(sides)} sides, "
                         f"{time.time() - began:.1f} s")
        for side in self.sides:
            if side is not self.own and side.name != self.result["judge"]:
                self.compare(side, scored[side.name])

    def contenders(self, before: int, batch: int) -> list:
        """Who has a turn with so many rows: not who came far behind the best peer with fewer, if no floor asks for it."""
        times = floors.times(self.result, before)
        asked = {"Scoreline", self.result["judge"], *floors.named(self.model.key, batch)}
        best = min((ns for name, ns in times.items() if name != "Scoreline"), default=0.0)
        return [side for side in self.sides if side.name in asked or times.get(side.name, 0.0) <= HOPELESS * best]

    def check_own(self, side, n: int, what: str) -> None:
        found = difference(side.margins(n), self.margins[:n])
        if found["differing"]:
            self.result["exact"].append({"side": f"Scoreline, {what}", **found})

    def latencies(self) -> None:
        """Single rows, another one each time, in turns of 200 calls; a slow side leaves when its seconds are used up."""
        sides = [side for side in self.sides if side.how == "C"]
        turns, calls, seconds = (5, 100, 0.3) if self.quick else (25, 200, 1)
        taken = {side.name: [] for side in sides}
        for turn in range(turns):
            for side in sides:
                if sum(ns.sum() for ns in taken[side.name]) < seconds * 1e9:
                    taken[side.name].append(side.calls(turn * calls, calls))
        for name, parts in taken.items():
            ns = np.concatenate(parts)
            at = np.quantile(ns, np.linspace(0, 1, 201)[:-1])
            self.result["latency"][name] = {
                "calls": len(ns), **{f"p{p:g}".replace(".", "_"): float(np.percentile(ns, p)) for p in (50, 99, 99.9)},
                "quantiles": [round(float(v), 1) for v in at]}

    def variants(self) -> None:
        """Every instruction set and regime of Scoreline: speed where it is large, bits everywhere."""
        batches = [b for b in (1, 8, 64, 200, 512, 1_000) if not self.quick] + [min(10_000, self.n_rows)]
        sides = []
        for isa in range(1, 12):
            isa_name = self.lib.scoreline_isa_name(isa)
            if not isa_name:
                continue
            owner = self.open_own(isa_name.decode(), isa)
            for regime in range(0, 12):
                regime_name = (self.lib.scoreline_regime_name(regime) or b"").decode()
                name = regime_name if regime else "auto"
                side = peers.beside(owner, f"{owner.name} {name}", regime)
                if self.scores(side):
                    sides.append((owner.name, name, side))
                else:
                    self.lib.scoreline_close(side.side)
        for isa, regime, side in sides:
            checked = {"isa": isa, "regime": regime, "differing": 0, "rows": 0}
            for batch in batches:
                n = rows_per_pass(batch, self.n_rows)
                try:
                    side.time(n, batch)
                except RuntimeError:
                    continue
                found = difference(side.margins(n), self.margins[:n])
                checked["differing"] += found["differing"]
                checked["rows"] += n
            self.result["variants"].append(checked)
        n = min(10_000, self.n_rows)
        timed = [side for _, regime, side in sides if regime == "auto"]
        spent = take_turns(timed, n, n, 3 if self.quick else 7, 0.3, 2)
        for (isa, regime, side), checked in zip(sides, self.result["variants"]):
            if regime == "auto":
                checked.update({**spent[side.name], "rows": checked["rows"]})

    def scores(self, side) -> bool:
        """Regimes serve one row or many, and not every model."""
        for n in (1, min(512, self.n_rows)):
            try:
                side.time(n, n)
                return True
            except RuntimeError:
                pass
        return False

    def layouts(self) -> None:
        names = ("float rows", "double rows", "float columns", "Arrow columns with validity")
        owner = self.open_own()
        sides = [peers.beside(owner, name, layout=i) for i, name in enumerate(names)]
        n = self.n_rows
        for side in sides:
            side.time(n, n)
            self.check_own(side, n, side.name)
        self.result["layouts"] = take_turns(sides, n, n, 3 if self.quick else 9, 0.3, 2)

    def threads(self) -> None:
        """Two threads beside one, where a floor asks for it; that they give the same bits, everywhere."""
        n = self.n_rows
        pair = [self.open_own() for _ in range(2)]
        run = self.lib.contest_threads

        def timed(count: int, passes: int) -> float:
            return run((ctypes.POINTER(peers.Side) * count)(*(side.side for side in pair[:count])), count, ctypes.c_int64(n), passes)
        timed(2, 1)
        for side in pair:
            self.check_own(side, n, "two threads")
        if self.model.key in floors.TWO_THREADS:
            passes = max(1, round(0.2e9 / min(side.time(n, n) for side in pair)))
            turns = [[timed(count, passes) for count in (1, 2)] for _ in range(3 if self.quick else 9)]
            one, two = zip(*turns)
            self.result["threads"] = {"one": summary(one, n * passes), "two": summary(two, 2 * n * passes)}

    def memory(self) -> None:
        path = self.build / "memory-rows.f32"
        self.table.f32[:20_000].tofile(path)
        self.result["memory"] = [
            json.loads(subprocess.run([self.build / "memory", self.compact, path, str(self.model.n_features), str(n)], check=True,
                                      capture_output=True, text=True).stdout) for n in (1, 2)]
        path.unlink()

    @property
    def compact(self) -> pathlib.Path:
        return self.place.folder / "model.slm"

    def open_own(self, name="Scoreline", isa=0):
        """From the compact file: importing a large forest takes longer than what is measured."""
        return peers.open_scoreline(self.lib, self.table, self.place, name, isa, path=self.compact)

    def run(self) -> dict:
        if not self.take(self.open):
            return self.result
        self.take(self.judge)
        self.take(self.race)
        if any(side.name == "Scoreline" for side in self.sides):
            for part in (self.latencies, self.variants, self.layouts, self.threads, self.memory):
                self.take(part)
        return self.result

    def take(self, part):
        began = time.time()
        result = part()
        Progress.say(f"{self.model.title}: {part.__name__} took {time.time() - began:.1f} s")
        return result


def info_of(lib, side) -> dict:
    info, scratch = _library.Info(), ctypes.c_uint64()
    if lib.scoreline_describe(side.side, ctypes.byref(info), ctypes.byref(scratch)):
        raise RuntimeError("score_model_get_info failed")
    names = ("n_features", "n_trees", "n_splits", "n_leaves", "n_tests", "max_leaves", "max_depth", "max_cuts",
             "code_bytes", "memory_bytes")
    return {**{name: int(getattr(info, name)) for name in names}, "scratch_bytes": scratch.value,
            "isa": lib.scoreline_isa_name(info.isa).decode(),
            "batch_regime": lib.scoreline_regime_name(info.batch_regime).decode(),
            "row_regime": lib.scoreline_regime_name(info.row_regime).decode()}


def scaling(build: pathlib.Path, quick: bool) -> dict:
    """Cost by the number of trees, and by the number of rows in one call."""
    lib = peers.harness(build)
    table = peers.Table(models.normal(10_000, 28, 2))
    points = []
    for n_trees in models.SCALES:
        if quick and n_trees > 1000:
            continue
        path = build / "models" / "scale" / f"model{n_trees}.ubj"
        place = peers.Place(models.MODELS["x500d6"], path.parent)
        own = peers.open_scoreline(lib, table, place, path=path)
        sides = [own, peers.open_xgboost(lib, table, place, path)]
        n = 10_000 if n_trees <= 1000 else 2_048
        for side in sides:
            side.time(n, n)
        wrong = difference(own.margins(n), sides[1].margins(n))
        spent = take_turns(sides, n, n, 3 if quick else 7, 0.5, 3)
        points += [{"trees": n_trees, "side": side.name, **spent[side.name], **wrong} for side in sides]
        Progress.say(f"scaling: {n_trees:,} trees")
    return {"key": "scale", "points": points}


# ---- the whole ------------------------------------------------------------------------------------------------------

def machine() -> dict:
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    find = lambda key: (re.search(rf"^{key}\s*: (.*)$", cpu, re.M) or [0, "?"])[1]  # noqa: E731
    gcc = subprocess.run(["gcc", "--version"], capture_output=True, text=True).stdout.splitlines()
    flags = [f for f in find("flags").split() if re.match(r"avx|sse4_2|gfni|bmi2", f)]
    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True).stdout
    caches = {m[1]: m[2] for m in re.finditer(r"^(L\d\w*) cache:\s*(.*)$", lscpu, re.M)}
    packages = ("xgboost-cpu", "lightgbm", "catboost", "scikit-learn", "onnxruntime", "onnx", "onnxmltools", "skl2onnx",
                "treelite", "tl2cgen", "lleaves", "llvmlite", "pylignum", "scikit-learn-intelex", "ydf", "numpy")
    return {"cpu": find("model name"), "family": find("cpu family"), "model": find("model"), "cores": os.cpu_count(),
            "flags": flags, "caches": caches, "kernel": platform.release(), "gcc": gcc[0] if gcc else "?",
            "python": platform.python_version(), "versions": {p: peers.version(p) for p in packages},
            "not_installable": {"lgbmjit": "no package of this name on PyPI"},
            "date": time.strftime("%Y-%m-%d"), "load": os.getloadavg()[0]}


def child(arguments: list[str], out: pathlib.Path) -> dict:
    """One measurement in a process of its own; its result, or what it died of."""
    out.unlink(missing_ok=True)
    code = subprocess.run([sys.executable, "-W", "ignore", __file__, *arguments, "--child", str(out)]).returncode
    if code == 0 and out.exists():
        return json.loads(out.read_text())
    return {"key": arguments[-1], "failed": f"the measuring process ended with {code}"}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("out")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only")
    parser.add_argument("--without", default="", help="peers as their open_… functions call them, such as gtil")
    parser.add_argument("--child", type=pathlib.Path)
    a = parser.parse_args()
    if a.child:
        result = scaling(a.build, a.quick) if a.out == "scale" else Contest(a.build, a.out, a.quick, a.without.split(",")).run()
        a.child.write_text(json.dumps(result))
        return 0
    keys = a.only.split(",") if a.only else [k for k, m in models.MODELS.items() if m.quick or not a.quick]
    quick = [*(["--quick"] if a.quick else []), *(["--without", a.without] if a.without else [])]
    report, out = {"machine": machine(), "quick": a.quick, "models": [], "seconds": 0}, pathlib.Path(a.out)
    if a.only and out.exists():
        report = json.loads(out.read_text())
    found = {m["key"]: m for m in report["models"]}
    for key in keys:
        if not (a.build / "models" / key / "made.json").exists():
            found[key] = {"key": key, "title": models.MODELS[key].title, "failed": "was not trained"}
            continue
        Progress.say(f"{models.MODELS[key].title} …")
        found[key] = child([str(a.build), *quick, key], a.build / "child.json")
    report["models"] = [found[key] for key in models.MODELS if key in found]
    if not a.quick and not a.only:
        report["scaling"] = child([str(a.build), *quick, "scale"], a.build / "child.json")
    report["seconds"] += round(time.time() - Progress.began)
    out.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
