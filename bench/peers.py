"""Every library as a side of a contest: prepared (converted, compiled; kept in build/bench, keyed by versions), opened.

A side has a name, says how it is called ("C" or "Python"), scores rows [0, n) in calls of `batch` rows and gives the
nanoseconds, and its margins. Sides called through Python say what an empty call costs; that is subtracted, openly.
"""
import ctypes
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from models import Model

COMPILE_SECONDS = 240  # for one model by one peer: several times what the slowest needs on an idle machine


class Rows(ctypes.Structure):
    _fields_ = [("n_rows", ctypes.c_int64), ("n_columns", ctypes.c_int64), ("f32", ctypes.c_void_p),
                ("f64", ctypes.c_void_p), ("columns", ctypes.c_void_p), ("validity", ctypes.c_void_p)]


class Side(ctypes.Structure):
    _fields_ = [("score", ctypes.c_void_p), ("rows", ctypes.POINTER(Rows)),
                ("out", ctypes.POINTER(ctypes.c_double)), ("state", ctypes.c_void_p)]


class Table:
    """The rows to score, in every form that some library takes. NaNs are all ones, as tl2cgen wants them."""

    def __init__(self, x: np.ndarray):
        self.f32 = np.ascontiguousarray(x, np.float32)
        missing = np.isnan(self.f32)
        self.f32.view(np.uint32)[missing] = 0xFFFFFFFF
        self.f64 = self.f32.astype(np.float64)
        self.f64.view(np.uint64)[missing] = 0xFFFFFFFFFFFFFFFF
        self.columns = np.ascontiguousarray(self.f32.T)
        self.validity = np.ascontiguousarray(np.packbits(~missing.T, axis=1, bitorder="little"))
        self.struct = Rows(*self.f32.shape, *(a.ctypes.data for a in (self.f32, self.f64, self.columns, self.validity)))


def harness(build: pathlib.Path) -> ctypes.CDLL:
    lib = ctypes.CDLL(str(build / "libcontest.so"))
    lib.contest_pass.restype = lib.contest_threads.restype = ctypes.c_double
    lib.contest_error.restype = lib.scoreline_isa_name.restype = lib.scoreline_regime_name.restype = ctypes.c_char_p
    lib.scoreline_beside.restype = ctypes.POINTER(Side)
    for name in ("scoreline", "xgboost", "lightgbm", "tl2cgen", "lleaves", "gtil", "onnxruntime"):
        getattr(lib, f"open_{name}").restype = ctypes.POINTER(Side)
    lib.contest_pass.argtypes = [ctypes.POINTER(Side), ctypes.c_int64, ctypes.c_int64]
    lib.contest_calls.argtypes = [ctypes.POINTER(Side), ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    return lib


class CSide:
    how, overhead_ns = "C", 0.0

    def __init__(self, lib, name: str, side, keep=()):
        if not side:
            raise RuntimeError(lib.contest_error().decode())
        self.lib, self.name, self.side, self.keep = lib, name, side, keep

    def time(self, n: int, batch: int) -> float:
        ns = self.lib.contest_pass(self.side, n, batch)
        if ns < 0:
            raise RuntimeError(self.lib.contest_error().decode())
        return ns

    def calls(self, first: int, n: int) -> np.ndarray:
        ns = np.empty(n)
        if self.lib.contest_calls(self.side, first, n, ns.ctypes.data):
            raise RuntimeError(self.lib.contest_error().decode())
        return ns

    def margins(self, n: int) -> np.ndarray:
        """Handed out once: what the next pass leaves out is then no number of this one."""
        return take(np.ctypeslib.as_array(self.side.contents.out, (n,)))


class PythonSide:
    """`call(rows)` scores; `prepare(first, end)` makes its argument before the clock starts."""
    how = "Python"

    def __init__(self, name: str, n_rows: int, prepare, call, empty):
        self.name, self.prepare, self.call = name, prepare, call
        self.out = np.zeros(n_rows)
        self.prepared = {}
        self.empty = empty
        self.overhead_ns = min(self._clock(empty) for _ in range(50))

    @staticmethod
    def _clock(call) -> float:
        began = time.process_time_ns()
        call()
        return time.process_time_ns() - began

    def time(self, n: int, batch: int) -> float:
        spans = [(first, min(first + batch, n)) for first in range(0, n, batch)]
        if (n, batch) not in self.prepared:
            self.prepared = {(n, batch): [self.prepare(*span) for span in spans]}
        blocks, call, results = self.prepared[n, batch], self.call, []
        began = time.process_time_ns()
        for block in blocks:
            results.append(call(block))
        ns = time.process_time_ns() - began
        # What a call costs shows best when the library is warm: too much subtracted would flatter the peer.
        self.overhead_ns = min(self.overhead_ns, *(self._clock(self.empty) for _ in range(10)))
        for (first, end), result in zip(spans, results):
            self.out[first:end] = np.asarray(result).ravel()
        return max(ns - self.overhead_ns * len(blocks), 1.0)

    def margins(self, n: int) -> np.ndarray:
        return take(self.out[:n])


def take(out: np.ndarray) -> np.ndarray:
    taken = out.copy()
    out[:] = np.nan
    return taken


@dataclass
class Place:
    """Where a model and its peers' products lie."""
    model: Model
    folder: pathlib.Path

    @property
    def path(self) -> pathlib.Path:
        return self.folder / self.model.file


def library_file(package: str, pattern: str) -> bytes:
    folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
    return str(next(iter(sorted(folder.glob(pattern))))).encode()


# ---- what is made beforehand -----------------------------------------------------------------------------------------

def make_onnx(place: Place) -> None:
    from onnxmltools.convert.common.data_types import FloatTensorType
    import onnxmltools
    types = [("x", FloatTensorType([None, place.model.n_features]))]
    if place.model.library == "catboost":
        return  # written when it was trained
    if place.model.key.startswith("linear"):
        import onnx
        from onnx import helper
        weights, bias = linear_weights(place)
        node = helper.make_node("LinearRegressor", ["x"], ["variable"], domain="ai.onnx.ml", coefficients=weights,
                                intercepts=[bias], targets=1)
        graph = helper.make_graph(
            [node], "linear", [helper.make_tensor_value_info("x", 1, [None, place.model.n_features])],
            [helper.make_tensor_value_info("variable", 1, [None, 1])])
        made = helper.make_model(graph, ir_version=8, opset_imports=[
            helper.make_opsetid("", 15), helper.make_opsetid("ai.onnx.ml", 3)])
        onnx.checker.check_model(made)
    elif place.model.library == "xgboost":
        import xgboost
        made = onnxmltools.convert_xgboost(xgboost.Booster(model_file=place.path), initial_types=types)
    elif place.model.library == "lightgbm":
        import lightgbm
        made = onnxmltools.convert_lightgbm(lightgbm.Booster(model_file=place.path), initial_types=types)
    else:
        import joblib
        from skl2onnx import to_onnx
        made = to_onnx(joblib.load(place.path), initial_types=[
            ("x", __import__("skl2onnx.common.data_types", fromlist=["FloatTensorType"]).FloatTensorType(
                [None, place.model.n_features]))])
    (place.folder / "model.onnx").write_bytes(made.SerializeToString())


def treelite_model(place: Place):
    import treelite
    if place.model.library == "xgboost":
        return treelite.frontend.load_xgboost_model(str(place.path), format_choice="ubjson")
    if place.model.library == "lightgbm":
        return treelite.frontend.load_lightgbm_model(str(place.path))
    import joblib
    return treelite.sklearn.import_model(joblib.load(place.path))


def make_tl2cgen(place: Place) -> None:
    import tl2cgen
    source = place.folder / "tl2cgen"
    tl2cgen.generate_c_code(treelite_model(place), dirpath=source, params={"parallel_comp": 16})
    units = sorted(source.glob("*.c"))
    for unit in units:
        subprocess.run(["gcc", "-O3", "-fPIC", "-c", "-o", unit.with_suffix(".o"), unit], check=True)
    subprocess.run(["gcc", "-shared", "-o", place.folder / "tl2cgen.so", *source.glob("*.o"), "-lm"], check=True)
    for path in source.iterdir():
        path.unlink()


def make_lleaves(place: Place) -> None:
    import lleaves
    lleaves.Model(str(place.path)).compile(cache=str(place.folder / "lleaves.o"), raw_score=True)


def make_lignum(place: Place) -> None:
    import lignum
    lignum.load(str(place.path)).compile(library=str(place.folder / "lignum.so"), work_dir=str(place.folder / "lignum"))


def make_slm(place: Place) -> None:
    """scikit-learn's models live in Python only: Scoreline converts the live object there."""
    import joblib
    import scoreline
    scoreline.convert(joblib.load(place.path)).save(place.folder / "model.slm")


def preparations(model: Model) -> dict:
    """Name of what is made → (function, the packages whose versions it depends on), those that take longest first."""
    wanted = {}
    if model.compiled and model.library in ("xgboost", "lightgbm") and not model.key.startswith("linear"):
        wanted["tl2cgen"] = (make_tl2cgen, ("treelite", "tl2cgen"))
        wanted["lignum"] = (make_lignum, ("pylignum",))
    if model.library == "lightgbm":
        wanted["lleaves"] = (make_lleaves, ("lleaves", "llvmlite"))
    if "onnxruntime" not in model.without:
        wanted["onnx"] = (make_onnx, ("onnxmltools", "onnx", "skl2onnx"))
    if model.library == "sklearn":
        wanted["slm"] = (make_slm, ())
    return {name: made for name, made in wanted.items() if name not in model.without}


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def said(errors: str) -> str:
    """The first line of the exception that ended a program."""
    lines = [line for line in errors.splitlines() if line.strip()] or ["failed"]
    named = [line for line in lines if re.match(r"[A-Za-z_][\w.]*: ", line)]
    return (named or lines)[-1]


def prepare(place: Place, name: str) -> None:
    """Make what is not there yet, in a process of its own with a limit of time; what failed is remembered too."""
    _, packages = preparations(place.model)[name]
    stamp = json.loads((place.folder / "made.json").read_text())["signature"]
    record = place.folder / f"{name}.made.json"
    key = [stamp, COMPILE_SECONDS, *(f"{p} {version(p)}" for p in packages)]
    if name != "slm" and record.exists() and json.loads(record.read_text())["key"] == key:
        return
    if any(version(p) == "missing" for p in packages):
        return
    began, problem = time.time(), None
    child = subprocess.Popen([sys.executable, __file__, str(place.folder), place.model.key, name],
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, errors = child.communicate(timeout=COMPILE_SECONDS)
        if child.returncode:
            problem = said(errors)[:200]
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        problem = f"did not compile within {COMPILE_SECONDS} s"
    seconds = round(time.time() - began, 1)
    record.write_text(json.dumps({"key": key, "seconds": seconds, "problem": problem}))
    print(f"  {place.model.key}: {name} {problem or f'made in {seconds} s'}", flush=True)


def made(place: Place, name: str) -> str | None:
    """None if it is there, else why not."""
    record = place.folder / f"{name}.made.json"
    return json.loads(record.read_text())["problem"] if record.exists() else "not made for this model, or its packages are missing"


# ---- opening ---------------------------------------------------------------------------------------------------------

def linear_weights(place: Place) -> tuple[list, float]:
    import xgboost
    raw = json.loads(xgboost.Booster(model_file=place.path).save_raw("json"))
    learner = raw["learner"]
    weights = np.array(learner["gradient_booster"]["model"]["weights"], np.float32)
    base = float(json.loads(learner["learner_model_param"]["base_score"])[0]) \
        if learner["learner_model_param"]["base_score"].startswith("[") \
        else float(learner["learner_model_param"]["base_score"])
    return [float(w) for w in weights[:-1]], float(np.float32(weights[-1]) + np.float32(base))


def open_scoreline(lib, table: Table, place: Place, name="Scoreline", isa=0, path=None):
    path = path or (place.folder / "model.slm" if place.model.library == "sklearn" else place.path)
    return CSide(lib, name, lib.open_scoreline(ctypes.byref(table.struct), str(path).encode(), isa))


def beside(owner: CSide, name: str, regime=0, layout=0) -> CSide:
    """Scoreline again with the model that `owner` opened, which takes longer for a large forest than what is measured."""
    return CSide(owner.lib, name, owner.lib.scoreline_beside(owner.side, regime, layout), (owner,))


def open_xgboost(lib, table, place, path=None):
    import xgboost  # loads what its library depends on
    return CSide(lib, "XGBoost", lib.open_xgboost(ctypes.byref(table.struct),
                                                  library_file("xgboost", "lib/libxgboost.so"),
                                                  str(path or place.path).encode()), (xgboost,))


def open_lightgbm(lib, table, place):
    return CSide(lib, "LightGBM", lib.open_lightgbm(ctypes.byref(table.struct),
                                                    library_file("lightgbm", "lib/lib_lightgbm.so"),
                                                    str(place.path).encode()))


def open_tl2cgen(lib, table, place):
    need(place, "tl2cgen")
    return CSide(lib, "tl2cgen", lib.open_tl2cgen(ctypes.byref(table.struct), str(place.folder / "tl2cgen.so").encode(),
                                                  int(place.model.library == "xgboost")))


def open_lleaves(lib, table, place):
    import lleaves
    need(place, "lleaves")
    model = lleaves.Model(str(place.path))
    model.compile(cache=str(place.folder / "lleaves.o"), raw_score=True)
    address = ctypes.cast(model._c_entry_func, ctypes.c_void_p)
    return CSide(lib, "lleaves", lib.open_lleaves(ctypes.byref(table.struct), address), (model,))


def open_gtil(lib, table, place):
    import treelite
    from treelite.gtil.gtil import GTILConfig
    model, config = treelite_model(place), GTILConfig(predict_type="raw", nthread=1)
    return CSide(lib, "Treelite GTIL", lib.open_gtil(ctypes.byref(table.struct),
                                                     library_file("treelite", "lib/libtreelite.so"), model.handle,
                                                     config.handle, int(place.model.library == "xgboost")),
                 (model, config))


def open_onnxruntime(lib, table, place):
    import onnx
    if place.model.library != "catboost":
        need(place, "onnx")
    path = place.folder / "model.onnx"
    graph = onnx.load(str(path), load_external_data=False).graph
    names = graph.input[0].name.encode(), graph.output[0].name.encode()
    return CSide(lib, "ONNX Runtime", lib.open_onnxruntime(
        ctypes.byref(table.struct), library_file("onnxruntime", "capi/libonnxruntime.so*"), str(path).encode(), *names,
        len(graph.output[0].type.tensor_type.shape.dim)), names)


def need(place: Place, name: str) -> None:
    problem = made(place, name)
    if problem:
        raise RuntimeError(problem)


def open_lignum(lib, table, place, compiled=None):
    import lignum
    if compiled:
        need(place, "lignum")
    path = place.folder / "model.cbm" if place.model.library == "catboost" else place.path
    model = lignum.load(str(path), compiled=str(place.folder / "lignum.so") if compiled else None)
    call = lambda x: model.predict(x, raw_score=True, n_jobs=1, strategy="serial")  # noqa: E731
    return PythonSide("pylignum, compiled" if compiled else "pylignum", len(table.f64),
                      lambda a, b: table.f64[a:b], call, lambda: call(table.f64[:0]))


def open_lignum_compiled(lib, table, place):
    return open_lignum(lib, table, place, True)


def open_daal(lib, table, place):
    import daal4py
    if place.model.library == "xgboost":
        import xgboost
        whole = xgboost.Booster(model_file=place.path)
        first = whole[:1]
    elif place.model.library == "lightgbm":
        import lightgbm
        whole = lightgbm.Booster(model_file=place.path)
        first = lightgbm.Booster(model_str=whole.model_to_string(num_iteration=1))
    else:
        import catboost
        whole, first = catboost.CatBoost().load_model(str(place.folder / "model.cbm")), catboost.CatBoost()
        first.load_model(str(place.folder / "model.cbm"))
        first.shrink(1)
    daal4py.daalinit(1)
    model, small = daal4py.mb.convert_model(whole), daal4py.mb.convert_model(first)
    return PythonSide("daal4py (scikit-learn-intelex)", len(table.f32), lambda a, b: table.f32[a:b],
                      model.predict, lambda: small.predict(table.f32[:1]))


def open_catboost(lib, table, place):
    import catboost
    model = catboost.CatBoost().load_model(str(place.folder / "model.cbm"))
    call = lambda pool: model.predict(pool, thread_count=1, prediction_type="RawFormulaVal")  # noqa: E731
    nothing = catboost.Pool(table.f32[:0])
    return PythonSide("CatBoost", len(table.f32), lambda a, b: catboost.Pool(table.f32[a:b]), call,
                      lambda: call(nothing))


def open_sklearn(lib, table, place):
    import joblib
    model = joblib.load(place.path)
    if hasattr(model, "n_jobs"):
        model.n_jobs = 1
    small = joblib.load(place.path)
    if hasattr(small, "estimators_"):
        small.estimators_, small.n_estimators, small.n_jobs = small.estimators_[:1], 1, 1
    else:
        small._predictors = small._predictors[:1]
    return PythonSide("scikit-learn", len(table.f32), lambda a, b: table.f32[a:b], model.predict,
                      lambda: small.predict(table.f32[:1]))


def open_ydf(lib, table, place):
    import joblib
    import ydf
    names = None
    model = ydf.from_sklearn(joblib.load(place.path))
    names = model.input_feature_names()
    if len(names) == 1:
        wrap = lambda a, b: {names[0].split(".")[0]: table.f32[a:b]}  # noqa: E731
    else:
        stem = names[0].rsplit(".", 1)[0]
        wrap = lambda a, b: {stem: table.f32[a:b]}  # noqa: E731
    one = wrap(0, 1)
    return PythonSide("YDF", len(table.f32), wrap, lambda x: model.predict(x, num_threads=1),
                      lambda: model.describe and wrap(0, 1) and one)


def open_xgboost_linear(lib, table, place):
    """XGBoost's linear models have no call that reads an array in place: matrices are made beforehand."""
    import xgboost
    booster = xgboost.Booster({"nthread": 1}, model_file=place.path)
    matrix = lambda a, b: xgboost.DMatrix(table.f32[a:b], nthread=1)  # noqa: E731
    call = lambda x: booster.predict(x, output_margin=True)  # noqa: E731
    one = matrix(0, 1)
    return PythonSide("XGBoost", len(table.f32), matrix, call, lambda: call(one))


def open_numpy(lib, table, place):
    weights, bias = linear_weights(place)
    w = np.array(weights, np.float32)
    out = np.empty(len(table.f32), np.float32)

    def call(x):
        return np.matmul(x, w, out=out[:len(x)]).copy() if len(x) < 1000 else np.matmul(x, w, out=out[:len(x)])
    side = PythonSide("NumPy (BLAS)", len(table.f32), lambda a, b: table.f32[a:b], call, lambda: call(table.f32[:0]))
    side.bias = bias
    return side


OPENERS = {
    "xgboost": (open_xgboost, open_tl2cgen, open_gtil, open_onnxruntime, open_lignum, open_lignum_compiled, open_daal),
    "lightgbm": (open_lightgbm, open_lleaves, open_tl2cgen, open_gtil, open_onnxruntime, open_lignum,
                 open_lignum_compiled, open_daal),
    "catboost": (open_catboost, open_onnxruntime, open_lignum, open_daal),
    "sklearn": (open_sklearn, open_gtil, open_onnxruntime, open_ydf),
}


def open_peers(lib, table: Table, place: Place, without=()) -> tuple[list, dict]:
    """The judge first, then every other library that can score this model; and why others cannot, or were left out."""
    openers = OPENERS[place.model.library]
    if place.model.key.startswith("linear"):
        openers = (open_xgboost_linear, open_numpy, open_onnxruntime)
    sides, missing = [], {}
    for opener in openers:
        name = opener.__name__[5:]
        if name == "lignum_compiled" and not place.model.compiled:
            continue
        if name in (*without, *place.model.without):
            missing[name] = "left out: minutes to convert, to compile or to score all rows once" if name in place.model.without \
                else "left out of this run, for time"
            continue
        try:
            sides.append(opener(lib, table, place))
        except Exception as error:  # a peer that fails is a line in the report, not the end of it
            missing[name] = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return sides, missing


if __name__ == "__main__":
    from models import MODELS
    place_ = Place(MODELS[sys.argv[2]], pathlib.Path(sys.argv[1]))
    preparations(place_.model)[sys.argv[3]][0](place_)
