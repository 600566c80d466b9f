"""Derived columns made from Python, against numpy, bit for bit."""

import numpy as np
import pytest

import scoreline
from conftest import same_bits
from scoreline import Builder, Step

MAGIC = 0x4906BA494954CB65




def value_model(add, n_features, compare="f64"):
    """A model whose margin is the value of the column that `add` adds last."""
    builder = Builder(n_features, compare=compare)
    column = add(builder)
    return builder.set_linear([1.0], first_column=column).finish()


def layouts(X):
    """The same rows by rows, by columns, and strided."""
    wide = np.zeros((2 * X.shape[0], X.shape[1] + 3), X.dtype)
    wide[::2, 1:-2] = X
    return {"rows": X, "columns": np.asfortranarray(X), "strided": wide[::2, 1:-2], "backwards": X[::-1][::-1]}


def same_everywhere(model, X, expected):
    for rows in layouts(X).values():
        # The sum starts at 0.0: -0.0 comes out as 0.0.
        same_bits(model.predict(rows, "margin").reshape(-1), np.asarray(expected, np.float64) + 0.0)
        for i in (0, len(rows) // 2):
            same_bits(model.predict(rows[i:i + 1], "margin").reshape(-1), [expected[i] + 0.0])


def combined(values):
    """CatBoost's hash of several 32-bit numbers."""
    h = 0
    for v in values:
        v = (v & 0xFFFFFFFF) | (0xFFFFFFFF00000000 if v & 0x80000000 else 0)
        h = MAGIC * (h + MAGIC * v) % 2**64
    return h


def random_rows(dtype, n=700, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1, 10, 1000]
    X[rng.random(X.shape) < 0.1] = np.nan
    X[rng.random(X.shape) < 0.05] = np.inf
    X[rng.random(X.shape) < 0.05] = -np.inf
    X[rng.random(X.shape) < 0.1] = 0.0
    X[rng.random(X.shape) < 0.05] = -0.0
    X[:, 2][rng.random(n) < 0.5] = rng.integers(-2, 9)
    return X.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("operation, compute", [
    (Step("add", 0.1), lambda x: x + 0.1),
    (Step("subtract", 0.1), lambda x: x - 0.1),
    (Step("multiply", 1 / 3), lambda x: x * (1 / 3)),
    (Step("divide", 3.7), lambda x: x / 3.7),
    (Step("clip", -1.5, 0.25), lambda x: np.clip(x, -1.5, 0.25)),
    (Step("replace_missing", 4.5), lambda x: np.where(np.isnan(x), 4.5, x)),
    (Step("replace", 0.0, 7.25), lambda x: np.where(x == 0, 7.25, x)),
    (Step("greater", 0.5, 1.0), lambda x: np.where(np.isnan(x), 1.0, (x > 0.5).astype(float))),
    (Step("equal", 0.0), lambda x: (x == 0).astype(float)),
    (Step("is_missing"), lambda x: np.isnan(x).astype(float)),
    (Step("truncate"), np.trunc),
    (Step("identity", f32=True), lambda x: x.astype(np.float32).astype(np.float64)),
])
def test_one_step(dtype, operation, compute):
    X = random_rows(dtype)
    model = value_model(lambda b: b.add_column(1, [operation]), 3)
    same_everywhere(model, X, compute(X[:, 1].astype(np.float64)))


def test_standard_scaler_in_float_and_double():
    """numpy rounds after each operation: a float array stays one."""
    mean, scale = 12.3456789, 0.98765432
    for dtype, f32 in ((np.float32, True), (np.float64, False)):
        X = random_rows(dtype)
        expected = X[:, 1].copy()
        expected -= np.array([mean])
        expected /= np.array([scale])
        steps = [Step("subtract", mean, f32=f32), Step("divide", scale, f32=f32)]
        same_everywhere(value_model(lambda b: b.add_column(1, steps), 3), X, expected.astype(np.float64))


def test_min_max_scaler():
    X = random_rows(np.float64)
    expected = np.clip(X[:, 0] * 0.3 + 0.1, 0.0, 1.0)
    steps = [Step("multiply", 0.3), Step("add", 0.1), Step("clip", 0.0, 1.0)]
    same_everywhere(value_model(lambda b: b.add_column(0, steps), 3), X, expected)


def test_lookup():
    X = random_rows(np.float64)
    keys, values = [-2.0, 0.0, 3.5, 8.0], [10.0, 20.5, 30.25, -40.0]
    table = dict(zip(keys, values))
    expected = [99.0 if np.isnan(x) else table.get(x, -1.0) for x in X[:, 2]]
    same_everywhere(value_model(lambda b: b.add_column(2, [Step("lookup", -1.0, 99.0, keys=keys, values=values)]), 3), X,
                    np.array(expected))
    expected = [99.0 if np.isnan(x) else values[int(x)] if x in (0, 1, 2, 3) else -1.0 for x in X[:, 2]]
    same_everywhere(value_model(lambda b: b.add_column(2, [Step("lookup", -1.0, 99.0, values=values)]), 3), X,
                    np.array(expected))


def test_a_column_of_columns():
    """A chain is one program: the same as all steps at once."""
    X = random_rows(np.float64)

    def chain(builder):
        scaled = builder.add_column(0, [Step("subtract", 0.25), Step("divide", 3.0)])
        return builder.add_column(scaled, [Step("replace_missing", -1.0)])

    x = (X[:, 0] - 0.25) / 3.0
    same_everywhere(value_model(chain, 3), X, np.where(np.isnan(x), -1.0, x))


@pytest.mark.parametrize("f32", [False, True])
def test_norms(f32):
    dtype = np.float32 if f32 else np.float64
    X = np.random.default_rng(3).normal(size=(300, 3)).astype(dtype)
    X[::17] = 0
    X[::31] = -np.abs(X[::31])
    a = np.abs(X)
    squares = (X[:, 0] * X[:, 0] + X[:, 1] * X[:, 1]) + X[:, 2] * X[:, 2]
    norms = {"l1": (a[:, 0] + a[:, 1]) + a[:, 2], "l2": np.sqrt(squares), "max": a.max(axis=1),
             "signed_max": X.max(axis=1)}
    for name, norm in norms.items():
        expected = X[:, 1] / np.where(norm == 0, dtype(1), norm)
        model = value_model(lambda b, name=name: b.add_norm(name, 1, [0, 1, 2], f32=f32), 3)
        same_everywhere(model, X, expected.astype(np.float64))
    ratio = np.sqrt(X[:, 1] * X[:, 1] / np.where(squares == 0, dtype(1), squares))
    model = value_model(lambda b: b.add_norm("l2_ratio", 1, [0, 1, 2], f32=f32), 3)
    same_everywhere(model, X, np.copysign(ratio, X[:, 1]).astype(np.float64))


def test_least_norm():
    X = np.array([[3.0, 4.0], [3e-16, 0.0]])
    model = value_model(lambda b: b.add_norm("l2", 0, [0, 1], least=1e-15), 2)
    same_bits(model.predict(X, "margin").reshape(-1), [3.0 / 5.0, 3e-16])


def test_hash():
    """CatBoost's hash of a category and a bit; what is not known gets the last value of the look-up."""
    codes = {0: 4000000000, 1: 17, 2: 2147483648}

    known = {combined((h, bit)): 0.5 + h + 10 * bit for h in codes.values() for bit in (0, 1) if (h, bit) != (17, 1)}
    hashes = sorted(known)

    def add(builder):
        category = builder.add_column(0, [Step("lookup", np.nan, np.nan, values=list(codes.values()))])
        bit = builder.add_column(1, [Step("identity", f32=True), Step("greater", 0.5)])
        return builder.add_hash([category, bit], hashes, [Step("lookup", b=-7.0, values=[known[h] for h in hashes])])

    X = np.array([[c, x] for c in (0, 1, 2, 3, -1, np.nan, 0.5) for x in (0.0, 0.5, 0.75, np.nan)])
    expected = [known.get(combined((codes[c], int(x > 0.5))), -7.0) if c in codes else -7.0 for c, x in X]
    same_everywhere(value_model(add, 2), X, np.array(expected))


def test_only_chosen_columns_are_summed():
    """An infinite source does not make the sum NaN."""
    builder = Builder(2)
    first = builder.add_column(0, [Step("clip", -1.0, 1.0)])
    second = builder.add_column(1)
    assert (first, second) == (2, 3)
    model = builder.set_linear([[2.0], [0.5]], first_column=first).finish()
    assert model.info.n_derived == 2 and model.info.n_features == 2
    same_bits(model.predict([[np.inf, 3.0]], "margin").reshape(-1), [3.5])


def test_trees_ask_derived_columns(tmp_path):
    """Ties at a threshold that a raw value reaches only through the scaler; float and double comparison."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(500, 2))
    scaled = (X - 0.123) / 1.7
    for compare, values in (("f64", scaled), ("f32", scaled.astype(np.float32).astype(np.float64))):
        builder = Builder(2, compare=compare)
        column = builder.add_column(1, [Step("subtract", 0.123), Step("divide", 1.7)])
        threshold = values[7, 1]
        builder.add_tree([1, -1, -1], [2, -1, -1], [column, 0, 0], [threshold, 1.0, 2.0])
        model = builder.finish()
        expected = np.where(values[:, 1] <= threshold, 1.0, 2.0)
        for rows in layouts(X).values():
            same_bits(model.predict(rows, "margin").reshape(-1), expected)
        model.verify()
        path = tmp_path / f"{compare}.slm"
        model.save(path)
        again = scoreline.load(path, verify=True)
        assert again.info.n_derived == 1
        same_bits(again.predict(X, "margin").reshape(-1), expected)


def bad(call, words):
    with pytest.raises((ValueError, scoreline.ScorelineError), match=words):
        call(Builder(2))


def test_wrong_columns_are_refused():
    bad(lambda b: b.add_column(2), "an input or an earlier column")
    bad(lambda b: b.add_column(0, [Step("sine")]), "operation")
    bad(lambda b: b.add_column(0, [Step("add", np.nan)]), "do not fit")
    bad(lambda b: b.add_column(0, [Step("clip", 2.0, 1.0)]), "do not fit")
    bad(lambda b: b.add_column(0, [Step("lookup", keys=[1, 1], values=[1, 2])]), "not above")
    bad(lambda b: b.add_column(0, [Step("lookup", keys=[1, np.nan], values=[1, 2])]), "NaN")
    bad(lambda b: b.add_column(0, [Step("lookup", keys=[1], values=[1, 2])]), "as many keys")
    bad(lambda b: b.add_column(0, [Step("add", 1.0)] * 257), "limit is 256")
    bad(lambda b: b.add_norm("l1", 0, []), "no columns")
    bad(lambda b: b.add_norm("l1", 0, [0, b.add_norm("l1", 0, [0, 1])]), "norm or hash")
    bad(lambda b: b.add_norm("l1", 0, [0], least=-1.0), "least")
    bad(lambda b: b.add_hash([0], [5, 5]), "not above")
    bad(lambda b: b.set_linear([1.0], first_column=1), "derived")
    bad(lambda b: b.set_linear([1.0, 1.0]).add_column(0), "before")
    bad(lambda b: b.add_tree([1, -1, -1], [2, -1, -1], [2, 0, 0], [0.5, 1, 2]), "tests feature 2")


def test_a_category_known_by_its_hash_is_its_hash():
    """k + 0.5 is the category whose hash is k; a string has CatBoost's hash."""
    builder = Builder(1, category_rule="cityhash32", feature_types=["category"])
    known = combined([4000000000])
    first = builder.add_column(0)
    builder.add_hash([0], [known], [Step("lookup", b=-1.0, values=[7.0])])
    model = builder.set_linear([1.0, 0.0], first_column=first).finish()
    same_bits(model.predict([[4000000000.5], [17.5]], "margin").reshape(-1), [4000000000.0, 17.0])
    assert np.isnan(model.predict([[np.nan], [0.25], [-1.5]], "margin")).all()
    builder = Builder(1, category_rule="cityhash32", feature_types=["category"])
    column = builder.add_hash([0], [known], [Step("lookup", b=-1.0, values=[7.0])])
    model = builder.set_linear([1.0], first_column=column).finish()
    same_bits(model.predict([[4000000000.5], [17.5], [np.nan]], "margin").reshape(-1), [7.0, -1.0, -1.0])
