"""Random pipelines over tables of text, integers and floats as ONNX graphs, and what onnxruntime answers for rows of numbers.

Comes in: a random generator. Goes out: a fitted pipeline's graph, the columns it takes, and rows. A text stands in a row as
its number among the labels that the graph's encoders know, in the order of their bytes; NaN is a text that none of them knows.
"""
import dataclasses
import warnings

import lightgbm
import numpy as np
import onnx
import onnxmltools.convert.lightgbm.operator_converters.LightGbm as lightgbm_converter
import pandas
import skl2onnx
import sklearn.compose
import sklearn.ensemble
import sklearn.linear_model
import sklearn.pipeline
import sklearn.preprocessing
import sklearn.tree
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import calculate_linear_regressor_output_shapes

import onnx_models as om

LABELS = ["", " ", "Bern", "Zürich", "bern", "a,b", "null", "nan", "\U0001f600", "a\tb", "Bern ", "-1", "0"]
UNKNOWN = "never seen"
TYPES = {"text": StringTensorType, "integers": Int64TensorType, "floats": FloatTensorType}

skl2onnx.update_registered_converter(
    lightgbm.LGBMRegressor, "LgbmRegressor", calculate_linear_regressor_output_shapes, lightgbm_converter.convert_lightgbm,
    options={"split": None})


@dataclasses.dataclass
class Column:
    kind: str  # of TYPES
    name: str
    labels: list = dataclasses.field(default_factory=list)  # of text: as the graph's encoders know them
    must_be_known: bool = False


@dataclasses.dataclass
class Table:
    columns: list
    data: bytes = b""

    def feeds(self, x: np.ndarray) -> dict:
        """What onnxruntime takes for rows of numbers."""
        found = {}
        for j, column in enumerate(self.columns):
            if column.kind == "text":
                values = np.array(self.texts(x, j, UNKNOWN), dtype=object)
            else:
                values = x[:, j].astype(np.int64 if column.kind == "integers" else np.float32)
            found[column.name] = values.reshape(-1, 1)
        return found

    def texts(self, x: np.ndarray, j: int, unknown) -> list:
        return [unknown if code != code else self.columns[j].labels[int(code)] for code in x[:, j]]

    def frame(self, x: np.ndarray, unknown=UNKNOWN) -> pandas.DataFrame:
        """The same rows for Scoreline: text as text."""
        return pandas.DataFrame({c.name: pandas.Series(self.texts(x, j, unknown), dtype=object) if c.kind == "text" else
                                 x[:, j].astype(np.float32) for j, c in enumerate(self.columns)})

    def answer(self, x: np.ndarray) -> np.ndarray:
        found = om.session(self.data).run(None, self.feeds(x))[-1]
        if isinstance(found, list):
            return np.array([list(row.values()) for row in found])
        return np.asarray(found).reshape(len(x), -1)

    def rows(self, rng, n: int) -> np.ndarray:
        x = np.empty((n, len(self.columns)))
        for j, column in enumerate(self.columns):
            if column.kind == "text":
                x[:, j] = rng.integers(0, len(column.labels), n)
                if not column.must_be_known:
                    x[rng.random(n) < 0.15, j] = np.nan
            elif column.kind == "integers":
                x[:, j] = rng.integers(-1, 9, n)
            else:
                x[:, j] = rng.normal(size=n).astype(np.float32)
                x[rng.random(n) < 0.05, j] = rng.choice([0.0, -0.0, 1e-40, 1e30, 0.5])
        return x


MODELS = {
    "tree": lambda s: sklearn.tree.DecisionTreeRegressor(max_depth=5, random_state=s),
    "boosting": lambda s: sklearn.ensemble.GradientBoostingRegressor(n_estimators=8, random_state=s),
    "forest": lambda s: sklearn.ensemble.RandomForestRegressor(5, max_depth=5, random_state=s),
    "LightGBM": lambda s: lightgbm.LGBMRegressor(n_estimators=6, num_leaves=7, min_child_samples=5, verbose=-1),
    "tree classifier": lambda s: sklearn.tree.DecisionTreeClassifier(max_depth=4, random_state=s),
    "extra classifier": lambda s: sklearn.ensemble.ExtraTreesClassifier(5, max_depth=5, random_state=s),
    "Ridge": lambda s: sklearn.linear_model.Ridge(),
    "LogisticRegression": lambda s: sklearn.linear_model.LogisticRegression(),
}


def encoder(rng, kind: str, strict: bool, n_classes: int):
    """`strict`: refuses what it does not know, where onnxruntime does too."""
    pre = sklearn.preprocessing
    if kind == "floats":
        return [pre.StandardScaler, pre.MaxAbsScaler, lambda: "passthrough"][rng.integers(3)]()
    if kind == "integers" and rng.random() < 0.3:
        return "passthrough"
    if strict:
        return pre.OneHotEncoder(drop=[None, "first"][rng.integers(2)], sparse_output=False)
    how = rng.integers(4)
    if how == 0:
        return pre.OneHotEncoder(handle_unknown="ignore")
    if how == 1:
        return pre.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if how == 2:
        return pre.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, dtype=np.float32)
    return pre.TargetEncoder(random_state=0) if kind == "text" and n_classes < 3 else pre.OneHotEncoder(handle_unknown="ignore")


def training_frame(rng, columns, n=250) -> pandas.DataFrame:
    found = {}
    for column in columns:
        if column.kind == "text":
            pool = rng.permutation(LABELS)[:int(rng.integers(2, 9))]
            found[column.name] = pandas.Series(rng.choice(pool, n), dtype=object)
        else:
            found[column.name] = rng.integers(0, 6, n) if column.kind == "integers" else \
                rng.normal(size=n).astype(np.float32)
    return pandas.DataFrame(found)


def target_of(rng, frame: pandas.DataFrame, n_classes: int) -> np.ndarray:
    y = 0.2 * rng.normal(size=len(frame))
    for name in frame:
        if frame[name].dtype == object:
            effect = {label: rng.normal() for label in sorted(frame[name].unique())}
            y += frame[name].map(effect).to_numpy(float)
        else:
            y += rng.normal() * frame[name].to_numpy(float)
    return y if n_classes == 0 else np.argsort(np.argsort(y)) * n_classes // len(y)


def drawn(rng, model, n_classes: int) -> Table:
    """A pipeline of a ColumnTransformer and `model`, as skl2onnx writes it."""
    kinds = ["text"] * int(rng.integers(1, 4)) + ["integers"] * int(rng.integers(0, 3)) + ["floats"] * int(rng.integers(0, 3))
    columns = [Column(str(kind), f"{kind}_{i}") for i, kind in enumerate(rng.permutation(kinds))]
    frame = training_frame(rng, columns)
    parts = []
    for kind in TYPES:
        members = [c for c in columns if c.kind == kind]
        for some in [members] if rng.random() < 0.5 else [[c] for c in members]:
            strict = kind == "text" and bool(rng.random() < 0.25)
            if some:
                parts.append((f"{kind}_{len(parts)}", encoder(rng, kind, strict, n_classes), [c.name for c in some]))
            for column in some:
                column.must_be_known = strict
    before = sklearn.compose.ColumnTransformer(parts, sparse_threshold=0.0)
    pipe = sklearn.pipeline.make_pipeline(before, model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe.fit(frame, target_of(rng, frame, n_classes))
        graph = skl2onnx.convert_sklearn(pipe, initial_types=[(c.name, TYPES[c.kind]([None, 1])) for c in columns],
                                         target_opset={"": 18, "ai.onnx.ml": 3})
    for column in columns:
        if column.kind == "text":
            column.labels = sorted(frame[column.name].unique(), key=str.encode)
    return Table(columns, onnx.ModelProto.SerializeToString(graph))
