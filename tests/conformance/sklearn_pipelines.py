"""Random pipelines of scikit-learn, and rows for them.

Comes in: a random generator. Goes out: a fitted pipeline over a table with columns of numbers, small integers and strings,
and what each column may hold. Rows are matrices of numbers, a string standing as its number in `LABELS`: `table_of()` makes
of them what the pipeline takes.
"""
import dataclasses
import warnings

import numpy as np
import pandas
from sklearn import compose, feature_selection, impute, pipeline, preprocessing

LABELS = ["red", "green", "blue", "", "Grün", "a\tb", "\U0001f600", "never seen"]
N_SEEN = len(LABELS) - 1


@dataclasses.dataclass
class Columns:
    """Some columns of the training data, of one kind: numbers, integers or strings."""
    kind: str
    places: list[int]
    has_missing: bool
    takes_unknown: bool = False


@dataclasses.dataclass
class Data:
    x: np.ndarray
    y: np.ndarray
    groups: list[Columns]
    is_named: bool

    def table_of(self, x: np.ndarray):
        texts = {j for group in self.groups if group.kind == "strings" for j in group.places}
        values = x.astype(np.float64 if not texts else object)
        for j in texts:
            values[:, j] = [np.nan if number != number else LABELS[int(number)] for number in x[:, j]]
        if not self.is_named:
            return values
        return pandas.DataFrame({f"c{j}": pandas.Series(values[:, j], dtype=object if j in texts else np.float64)
                                 for j in range(x.shape[1])})

    def rows(self, rng, n: int) -> np.ndarray:
        """Rows that the pipeline does not refuse, values of the training data and near them among them."""
        rows = self.x[rng.integers(0, len(self.x), n)]
        for group in self.groups:
            for j in group.places:
                column = rows[:, j]
                if group.kind == "numbers":
                    off = rng.random(n) < 0.4
                    column[off] += rng.normal(size=off.sum()) * rng.choice([1e-9, 0.1, 10.0], off.sum())
                    odd = rng.random(n) < 0.02
                    column[odd] = rng.choice([0.0, -0.0, 1e-300, 1e6, -1e6, 1.0], odd.sum())
                elif group.takes_unknown:
                    new = rng.random(n) < 0.05
                    column[new] = N_SEEN if group.kind == "strings" else rng.choice([77.0, -3.0, 0.5], new.sum())
                if group.has_missing:
                    column[rng.random(n) < 0.1] = np.nan
        return rows


def make_data(rng, is_classes: int, takes_missing: bool) -> Data:
    """`takes_missing`: the last step does, so columns may keep missing values."""
    n, x, groups = 160, [], []
    for kind in ("numbers", "numbers", "integers", "strings"):
        width = int(rng.integers(1, 4))
        if kind == "numbers":
            part = rng.normal(size=(n, width)) * 10.0 ** rng.integers(-2, 4, width) + rng.choice([0.0, 5.0, 1e4], width)
            part[:, 0] = np.round(part[:, 0], 1)
        else:
            part = rng.integers(0, min(5, N_SEEN) if kind == "integers" else N_SEEN, (n, width)).astype(float)
        has_missing = bool(rng.random() < 0.5)
        groups.append(Columns(kind, list(range(sum(p.shape[1] for p in x), sum(p.shape[1] for p in x) + width)),
                              has_missing))
        x.append(part)
    x = np.hstack(x)
    y = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9) @ rng.normal(size=x.shape[1]) + 0.2 * rng.normal(size=n)
    for group in groups:
        if group.has_missing:
            part = rng.random((n, len(group.places))) < 0.1
            x[:, group.places] = np.where(part, np.nan, x[:, group.places])
    if is_classes:
        y = np.argsort(np.argsort(y)) * is_classes // n
    is_named = bool(rng.random() < 0.7)
    return Data(x, y, groups, is_named)


# ---- random transformers ---------------------------------------------------------------------------------------------

def scaler(rng, bit_exact):
    kinds = [lambda: preprocessing.StandardScaler(with_mean=bool(rng.random() < 0.8), with_std=bool(rng.random() < 0.8)),
             lambda: preprocessing.MinMaxScaler((-1.0, 2.0), clip=bool(rng.random() < 0.5)),
             lambda: preprocessing.MaxAbsScaler(clip=bool(rng.random() < 0.3)),
             lambda: preprocessing.RobustScaler(with_centering=bool(rng.random() < 0.7), quantile_range=(20.0, 70.0),
                                                unit_variance=bool(rng.random() < 0.3)),
             lambda: preprocessing.Binarizer(threshold=float(rng.choice([0.0, 0.5, 5.0]))),
             lambda: preprocessing.FunctionTransformer(None),
             lambda: preprocessing.Normalizer("max" if bit_exact else rng.choice(["l1", "l2", "max"])),
             lambda: preprocessing.KBinsDiscretizer(int(rng.integers(2, 7)), strategy=rng.choice(["uniform", "kmeans"]),
                                                    encode=rng.choice(["ordinal", "onehot", "onehot-dense"]))]
    weights = np.array([4, 3, 2, 3, 1, 1, 1, 2], float)
    return kinds[rng.choice(len(kinds), p=weights / weights.sum())]()


def imputer(rng, is_text=False):
    strategy = rng.choice(["most_frequent", "constant"] if is_text else ["mean", "median", "most_frequent", "constant"])
    fill = None if strategy != "constant" else rng.choice(["green", "filled"]) if is_text else float(rng.normal())
    return impute.SimpleImputer(strategy=strategy, fill_value=None if fill is None else str(fill) if is_text else fill,
                                add_indicator=not is_text and bool(rng.random() < 0.4))


def accepts_missing(one):
    return not isinstance(one, (preprocessing.Binarizer, preprocessing.Normalizer, preprocessing.KBinsDiscretizer))


def is_sparse(one):
    return isinstance(one, preprocessing.KBinsDiscretizer) and one.encode == "onehot"


def number_steps(rng, group, takes_missing, bit_exact):
    steps, normalizers = [], 0
    filled = not group.has_missing
    for _ in range(int(rng.integers(1, 4))):
        one = scaler(rng, bit_exact)
        if isinstance(one, preprocessing.Normalizer):
            normalizers += 1
            if normalizers > 1:
                continue
        if not filled and (not accepts_missing(one) or rng.random() < 0.4):
            steps.append(imputer(rng))
            filled = True
        steps.append(one)
        if is_sparse(one):
            if rng.random() < 0.5:
                steps.append(rng.choice([preprocessing.MaxAbsScaler(), preprocessing.StandardScaler(with_mean=False)]))
            break
    if not filled and not takes_missing:
        steps.insert(0, imputer(rng))
    elif not filled and rng.random() < 0.3:
        steps.append(imputer(rng))
    if rng.random() < 0.25:
        steps.append(feature_selection.VarianceThreshold(1e-12))
    return steps


def encoder(rng, group, is_text, takes_missing):
    unknown = bool(rng.random() < 0.6)
    group.takes_unknown = unknown
    kind = rng.choice(["onehot", "onehot", "ordinal", "target"])
    if kind == "target":
        group.takes_unknown = True
        return preprocessing.TargetEncoder(smooth=rng.choice([0.0, 5.0]), cv=3, random_state=0)
    if kind == "ordinal":
        missing = -2 if not takes_missing else rng.choice([np.nan, -2.0])
        return preprocessing.OrdinalEncoder(
            handle_unknown="use_encoded_value" if unknown else "error", encoded_missing_value=missing,
            unknown_value=int(rng.choice([-1, 99])) if unknown else None,
            min_frequency=rng.choice([None, 20]))
    return preprocessing.OneHotEncoder(
        handle_unknown=rng.choice(["ignore", "infrequent_if_exist"]) if unknown else "error",
        drop=rng.choice([None, "first", "if_binary"]), min_frequency=rng.choice([None, 22, 0.2]),
        sparse_output=bool(rng.random() < 0.5))


def category_steps(rng, group, takes_missing):
    is_text = group.kind == "strings"
    steps = []
    if group.has_missing and rng.random() < 0.4:
        steps.append(imputer(rng, is_text))
        if not is_text:
            steps[-1].set_params(strategy="most_frequent", add_indicator=False)
    steps.append(encoder(rng, group, is_text, takes_missing))
    if not getattr(steps[-1], "sparse_output", False) and rng.random() < 0.3:
        steps.append(preprocessing.StandardScaler())
    return steps


def joined(rng, steps):
    return steps[0] if len(steps) == 1 and rng.random() < 0.5 else pipeline.make_pipeline(*steps)


def columns_of(rng, data, places):
    """Names, numbers or a mask; of a table with names sometimes names."""
    if data.is_named and rng.random() < 0.7:
        return [f"c{j}" for j in places]
    if rng.random() < 0.3:
        return np.isin(np.arange(data.x.shape[1]), places)
    return list(places)


def column_transformer(rng, data, takes_missing, bit_exact):
    parts, weights = [], {}
    for number, group in enumerate(data.groups):
        if group.kind == "numbers":
            steps = number_steps(rng, group, takes_missing, bit_exact)
        else:
            steps = category_steps(rng, group, takes_missing)
        one = joined(rng, steps)
        if group.kind == "numbers" and data.is_named and rng.random() < 0.15:
            side = preprocessing.MaxAbsScaler() if takes_missing or not group.has_missing else imputer(rng)
            one = pipeline.FeatureUnion([("first", one), ("second", side)],
                                        transformer_weights={"first": 0.3} if rng.random() < 0.5 else None)
        dropped = number and rng.random() < 0.1
        passed = group.kind != "strings" and not dropped and rng.random() < 0.1 and (
            takes_missing or not group.has_missing)
        if dropped or passed:
            group.takes_unknown = True
        parts.append((f"part {number}", "drop" if dropped else "passthrough" if passed else one,
                      columns_of(rng, data, group.places)))
        if rng.random() < 0.1:
            weights[f"part {number}"] = float(rng.normal())
    order = rng.permutation(len(parts))
    parts = [parts[i] for i in order]
    first = data.groups[0]
    remainder = "drop"
    if rng.random() < 0.3 and (takes_missing or not first.has_missing):  # the first group is left to it
        parts = [part for part in parts if part[0] != "part 0"]
        remainder = rng.choice(["passthrough", "drop"])
        if rng.random() < 0.5:
            remainder = preprocessing.StandardScaler()
    return compose.ColumnTransformer(parts, remainder=remainder, transformer_weights=weights or None,
                                     sparse_threshold=float(rng.choice([0.0, 0.3, 1.0])))


def fitted(one, *arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return one.fit(*arguments)
