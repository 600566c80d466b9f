"""Compare a model's scores with those of the library that trained it, bit for bit, on every instruction set of this
machine, by every regime that serves the model, from every layout, in batches of many sizes.

Comes in: the model's bytes, the source's or ours, and an oracle. Goes out: a tally for the matrix; AssertionError at the first difference,
with the model and the row left in build/test-logs/ for whoever looks into it.
"""
import dataclasses
import pathlib
from typing import Callable

import numpy as np
import scipy.sparse

import c_interface as lib
import scoreline

SLM = b"\x89SLM"  # how a file of ours begins
N_OTHERS = 300  # rows for what is compared on one instruction set only
REPRODUCERS = lib.ROOT / "build/test-logs/reproducers"


@dataclasses.dataclass
class Oracle:
    """What the source library answers: functions from rows to [n, width] doubles. None: the source has no such
    output."""
    margin: Callable[[np.ndarray], np.ndarray]
    prediction: Callable[[np.ndarray], np.ndarray] | None = None
    leaf: Callable[[np.ndarray], np.ndarray] | None = None
    classes: Callable[[np.ndarray], np.ndarray] | None = None  # class numbers
    # (first iteration, end) -> margins; None: the source has no ranges
    margin_of_range: Callable[[np.ndarray, int, int], np.ndarray] | None = None
    # Distance in units of the last place that predictions may have, and why; 0: same libm, same formula, same bits.
    prediction_ulp: int = 0
    prediction_type: type = np.float64


@dataclasses.dataclass
class Tally:
    source: str
    kind: str
    version: str
    rows: dict[tuple[str, str], int] = dataclasses.field(default_factory=dict)  # by output and layout; every scoring

    def add(self, layout: str, n: int, output: str = "margin") -> None:
        self.rows[output, layout] = self.rows.get((output, layout), 0) + n


def as_doubles(array, width: int | None = None) -> np.ndarray:
    array = np.asarray(array, np.float64)
    return array.reshape(len(array), -1) if width is None else array.reshape(len(array), width)


def differing(got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Rows of which a bit differs. Every NaN is the same NaN."""
    same = got.view(np.uint64) == np.ascontiguousarray(expected).view(np.uint64)
    return np.flatnonzero(~(same | (np.isnan(got) & np.isnan(expected))).all(axis=1))


def leave_reproducer(name: str, data: bytes, rows: np.ndarray, expected: np.ndarray) -> pathlib.Path:
    folder = REPRODUCERS / name.replace("/", "-")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model").write_bytes(data)
    np.save(folder / "rows.npy", rows)
    np.save(folder / "expected.npy", expected)
    return folder


def sparse(rows: np.ndarray) -> scipy.sparse.csr_matrix:
    """The same rows, in which what is missing is absent and zeros are not."""
    known = ~np.isnan(rows)
    starts = np.concatenate([[0], np.cumsum(known.sum(axis=1))])
    return scipy.sparse.csr_matrix((rows[known], np.nonzero(known)[1], starts), rows.shape)


class Others:
    """Calls beyond score_batch() on whole rows, against the same oracle: sparse rows, rows as codes, stages and decisions.
    `rows` are floats, `margins` the oracle's for them, `margin_of_range` takes the ends of a range of iterations."""

    def __init__(self, name: str, slm: bytes, rows: np.ndarray, margins: np.ndarray, tally: Tally, margin_of_range=None):
        self.model, self.name, self.tally = scoreline.load(slm), name, tally
        self.rows, self.margins, self.margin_of_range = rows[:N_OTHERS], margins[:N_OTHERS], margin_of_range
        self.is_trees = self.model.info.kind == "trees"

    def run(self) -> None:
        self.same(self.model.predict(sparse(self.rows), "margin", absent="missing"), "rows f32, sparse")
        if self.is_trees:
            self.decisions()
            self.stages()
        if self.model.bin_columns:
            codes = self.model.bin(self.rows)
            self.same(self.model.predict(codes, "margin"), "codes")
            self.same(self.model.predict(codes[:5], "margin"), "codes", self.margins[:5])

    def same(self, got, layout: str, want=None, output: str = "margin") -> None:
        want = self.margins if want is None else want
        got = as_doubles(got, want.shape[1])
        wrong = differing(got, want)
        self.tally.add(layout, len(got), output)
        assert not len(wrong), f"{self.name}: {output} of {layout}: {len(wrong)} of {len(got)} rows differ, row {wrong[0]}: " \
                               f"{got[wrong[0]]} instead of {want[wrong[0]]}; the row is {self.rows[wrong[0]].tolist()}"

    def decisions(self) -> None:
        known = self.margins[np.isfinite(self.margins)]
        if self.margins.shape[1] > 1 or not len(known):
            return
        for cutoff in np.quantile(known, [0.5, 0.98], method="nearest"):  # a row's own margin is not above itself
            self.same(self.model.decide(self.rows, cutoff), "rows f32", as_doubles(self.margins > cutoff), "decision")

    def stages(self) -> None:
        info = self.model.info
        iterations = info.n_trees // info.trees_per_iteration
        if self.margin_of_range is None or iterations < 2:
            return
        step = -(-iterations // 3)
        got = self.model.staged_predict(self.rows, step, "margin").reshape(len(self.rows), -1, self.margins.shape[1])
        assert got.shape[1] == -(-iterations // step)
        for stage in range(got.shape[1]):
            end = min(iterations, (stage + 1) * step)
            want = self.margins if end == iterations else as_doubles(self.margin_of_range(0, end))[:N_OTHERS]
            self.same(got[:, stage], "rows f32", want, "stages")


class Checker:
    """One model against its oracle. `data`: a file that can be imported, or the bytes of a model of our own."""

    def __init__(self, name: str, data: bytes, oracle: Oracle, rows: np.ndarray, tally: Tally,
                 **import_options):
        self.import_options = import_options
        self.name, self.data, self.oracle, self.tally = name, data, oracle, tally
        with np.errstate(over="ignore"):
            narrow = rows.astype(np.float32)
        self.values = {"f32": narrow, "f64": rows}
        wide = np.full((len(rows), rows.shape[1] + 3), 5.5, np.float32)
        wide[:, 2:-1] = narrow
        self.layouts = {"rows f32": ("f32", lib.Rows(narrow)), "rows f64": ("f64", lib.Rows(rows)),
                        "rows f32, strided": ("f32", lib.Rows(wide[:, 2:-1])),
                        "rows f64, by column": ("f64", lib.Rows(np.asfortranarray(rows))),
                        "columns f32": ("f32", lib.Columns(narrow)), "columns f64": ("f64", lib.Columns(rows))}

    def run(self) -> lib.Model:
        imported = lib.Model.opened(self.data) if self.data.startswith(SLM) else \
            lib.Model.imported(self.data, **self.import_options)
        expected = {kind: as_doubles(self.oracle.margin(values)) for kind, values in self.values.items()}
        assert imported.info.n_outputs == expected["f32"].shape[1]
        slm = imported.saved()
        assert lib.Model.opened(slm).saved() == slm, "saved, opened and saved again: not the same bytes"
        self.compare(imported, "rows f64", expected, "as imported")
        for isa in lib.available_isas():
            model = lib.Model.opened(slm, isa)
            assert model.info.isa == isa
            model.verify(isa)
            self.margins(model, expected)
            self.leaves(model)
            self.predictions(model)
            self.classes(model)
            self.ranges(model)
        of_range = self.oracle.margin_of_range
        Others(self.name, slm, self.values["f32"], expected["f32"], self.tally,
               None if of_range is None else lambda begin, end: of_range(self.values["f32"], begin, end)).run()
        return imported

    def regimes(self, model: lib.Model) -> list[int]:
        if model.info.kind == 2:
            return [lib.AUTO]
        small = model.info.max_leaves <= 256 and model.info.code_bytes <= 2
        assert (model.info.batch_regime == lib.BATCH) == small, "large batches go another way than they should"
        return [lib.AUTO, lib.WALK] + [regime for regime, served in ((lib.BATCH, model.info.batch_regime),
                                                                     (lib.ROW, model.info.row_regime)) if regime == served]

    def margins(self, model, expected):
        for regime in self.regimes(model):
            for layout in self.layouts:
                self.compare(model, layout, expected, "", regime=regime)
        for batch, n in ((1, 40), (7, 84), (64, 400), (512, 1100)):
            for layout in ("rows f32", "columns f64"):
                self.compare(model, layout, expected, f"batches of {batch}", batch=batch, n=n)
        self.compare(model, "rows f64", expected, "without scratch", scratch=False, n=700)
        if model.info.kind == 1:
            self.compare(model, "rows f32", expected, "walk, one by one", regime=lib.WALK, batch=1, n=20)

    def leaves(self, model):
        if self.oracle.leaf is None:
            return
        expected = {kind: as_doubles(self.oracle.leaf(values)) for kind, values in self.values.items()}
        for regime in (lib.AUTO, lib.WALK):
            self.compare(model, "rows f64", expected, "leaf", output=lib.LEAF, regime=regime)
        self.compare(model, "columns f32", expected, "leaf", output=lib.LEAF, batch=1, n=10)

    def predictions(self, model):
        if self.oracle.prediction is None:
            return
        expected = {kind: as_doubles(self.oracle.prediction(values)) for kind, values in self.values.items()}
        assert model.info.n_predictions == expected["f32"].shape[1]
        for layout in ("rows f32", "columns f64"):
            self.compare(model, layout, expected, "prediction", output=lib.PREDICTION, ulp=self.oracle.prediction_ulp)
        self.compare(model, "rows f64", expected, "prediction", output=lib.PREDICTION, batch=1, n=30,
                     ulp=self.oracle.prediction_ulp)

    def classes(self, model):
        if self.oracle.classes is None:
            return
        expected = {kind: as_doubles(self.oracle.classes(values)) for kind, values in self.values.items()}
        for layout in ("rows f64", "columns f32"):
            self.compare(model, layout, expected, "class", output=lib.CLASS)
        self.compare(model, "rows f32", expected, "class", output=lib.CLASS, batch=1, n=20)

    def ranges(self, model):
        per = model.info.trees_per_iteration
        iterations = model.info.n_trees // per if per else 0
        if self.oracle.margin_of_range is None or iterations < 3:
            return
        for begin, end in ((0, 1), (1, iterations), (iterations // 2, iterations // 2 + 1)):
            expected = {"f32": as_doubles(self.oracle.margin_of_range(self.values["f32"], begin, end))}
            for regime in self.regimes(model):
                self.compare(model, "rows f32", expected, f"iterations {begin} to {end}", regime=regime,
                             trees=(begin * per, end * per))

    def compare(self, model, layout, expected, what, ulp=0, **how):
        kind, rows = self.layouts[layout]
        got = model.score(rows, **how)
        want = expected[kind][:len(got)]
        assert got.shape == want.shape, f"{self.name}: {what}: {got.shape} instead of {want.shape}"
        wrong = differing(got, want)
        if ulp and len(wrong):
            close = np.abs(got - want) <= ulp * np.spacing(np.abs(want).astype(self.oracle.prediction_type))
            wrong = np.flatnonzero(~(close | (got == want)).all(axis=1))
        self.tally.add(layout, len(got), lib.OUTPUT_NAMES[how.get("output", lib.MARGIN)])
        if len(wrong):
            self.fail(model, layout, what, how, got, want, wrong)

    def fail(self, model, layout, what, how, got, want, wrong):
        row = int(wrong[0])
        values = self.values[self.layouts[layout][0]]
        folder = leave_reproducer(self.name, self.data, values, want)
        place = ", ".join([lib.ISA_NAMES[model.info.isa], lib.REGIME_NAMES[how.get("regime", 0)], layout,
                           what or "margin"])
        k = int(np.flatnonzero(got[row].view(np.uint64) != want[row].astype(np.float64).view(np.uint64))[0])
        raise AssertionError(
            f"{self.name}: {place}: {len(wrong)} of {len(got)} rows differ; row {row}, value {k}: "
            f"{got[row, k]!r} ({float(got[row, k]).hex()}) instead of {want[row, k]!r} ({float(want[row, k]).hex()}); "
            f"the row is {values[row].tolist()}; model and rows are in {folder}")
