"""CatBoost models with categorical features against CatBoost itself: every model and row comes from a seed.

The rows of CatBoost hold integers and texts, those of Scoreline numbers that stand for them (catboost_categories.py).
"""
import json

import catboost
import numpy as np
import pytest

import bit_check
import probe_rows
from catboost_categories import Column, Table, strange
from conftest import MODE
from test_catboost_models import BINARY, COMMON, KINDS, json_of, seeds, training_rows

N_SEEDS = {"quick": 1, "default": 3, "long": 12}[MODE]


def make_table(rng, n_numbers: int, sizes: list[int]) -> Table:
    columns = [None] * n_numbers + [Column(rng, size, str(rng.choice(["text", "integers", "both"]))) for size in sizes]
    return Table([columns[i] for i in rng.permutation(len(columns))])


def labels(rng, table: Table, rows: np.ndarray, loss: str) -> np.ndarray:
    y = rng.normal(0, 0.3, len(rows))
    for i, column in enumerate(table.columns):
        if column:
            effect = {code: rng.normal() for code in column.codes().tolist()}
            y += [effect[code] for code in rows[:, i].tolist()]
        else:
            y += np.nan_to_num(rows[:, i], nan=0.7) * rng.normal()
    pair = {}  # of answers of all categories together with the sign of a number: for combinations
    keys = [(*(row[i] for i in table.categories[:3]), row[i] > 0) for row in rows.tolist()
            for i in [j for j, column in enumerate(table.columns) if not column][:1] or [0]]
    y += 2 * np.array([pair.setdefault(key, rng.normal()) for key in keys])
    rank = np.argsort(np.argsort(y))
    if loss.startswith("MultiClass"):
        return rank * 4 // len(y)
    return (rank > len(y) // 2).astype(int) if loss in ("Logloss", "CrossEntropy") else y


def train(rng, table, loss="RMSE", n_rows=500, rounds=15, **params):
    rows = table.rows(rng, n_rows, training_rows(rng, n_rows, len(table.columns), 0.05))
    model = catboost.CatBoost({"loss_function": loss, "iterations": rounds, "random_seed": int(rng.integers(1 << 30)),
                               **COMMON, **params})
    return model.fit(table.pool(rows, labels(rng, table, rows, loss))), rows


def check(tally, kind, name, table, model, seen, rng, n=600, loss="RMSE"):
    document = json_of(model)
    cuts = {f["flat_feature_index"]: np.array(f["borders"], float)
            for f in document["features_info"].get("float_features", [])}
    rows = seen[rng.integers(0, len(seen), n)]
    numbers = [i for i, column in enumerate(table.columns) if not column]
    if numbers:
        rows[:, numbers] = probe_rows.probe(rng, seen[:, numbers], {j: cuts.get(i, np.empty(0))
                                                                    for j, i in enumerate(numbers)}, n)
    rows = strange(rng, rows, table.categories)
    output = KINDS.get(loss)
    pools = {}

    def predict(x, kind="RawFormulaVal"):
        pool = pools.setdefault(x.tobytes(), table.pool(x))
        return bit_check.as_doubles(model.predict(pool, prediction_type=kind, thread_count=1))

    oracle = bit_check.Oracle(
        margin=predict, prediction=(lambda x: predict(x, output)[:, -1 if loss in BINARY else 0:]) if output else predict)
    return bit_check.Checker(name, json.dumps(document).encode(), oracle, rows, tally("CatBoost", kind)).run()


LOSSES = ["RMSE", "Logloss", "MultiClass"]


@pytest.mark.parametrize("seed", range(6 * N_SEEDS))
@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_one_hot(policy, seed, tally):
    rng = seeds("one-hot", policy, seed)
    table = make_table(rng, int(rng.integers(0, 4)), [int(rng.integers(2, 12)) for _ in range(rng.integers(1, 5))])
    loss = LOSSES[seed % 3]
    model, rows = train(rng, table, loss, one_hot_max_size=255, depth=int(rng.integers(1, 7)), grow_policy=policy)
    check(tally, "one-hot splits", f"cb-one-hot-{policy}-{seed}", table, model, rows, rng, loss=loss)


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_many_values(seed, tally):
    """CatBoost keeps 254 values of a feature together."""
    rng = seeds("many values", seed)
    table = make_table(rng, 1, [255, 200])
    model, rows = train(rng, table, n_rows=3000, rounds=60, depth=8, one_hot_max_size=255)
    check(tally, "one-hot splits", f"cb-many-{seed}", table, model, rows, rng)


def test_hash(tally):
    """Every length of text that the hash treats in another way, as it stands in a model."""
    rng = seeds("hash")
    values = ["".join(rng.choice(list("ab cé漢-1"), n)) for n in list(range(0, 70)) + [127, 128, 129, 200, 256, 300]]
    table = Table([Column(rng, values=sorted(set(values))), None])
    model, rows = train(rng, table, n_rows=1500, rounds=150, depth=4, one_hot_max_size=255)
    imported = check(tally, "one-hot splits", "cb-hash", table, model, rows, rng)
    assert imported.info.n_categories > 60


# ---- CTRs ----------------------------------------------------------------------------------------------------------

CTRS = ["Borders", "Borders:TargetBorderCount=3", "Buckets", "Buckets:TargetBorderCount=2:Prior=0.3:Prior=-2",
        "BinarizedTargetMeanValue", "Counter", "Counter:CtrBorderCount=40:Prior=0.7"]


def ctr_params(rng, loss) -> dict:
    """Types, priors and borders of CTRs, as a trainer may set them."""
    params = {"model_size_reg": float(rng.choice([0, 0, 0.5])), "max_ctr_complexity": int(rng.integers(1, 5)),
              "one_hot_max_size": int(rng.choice([1, 2, 6])),
              "counter_calc_method": str(rng.choice(["Full", "SkipTest"])), "store_all_simple_ctr": bool(rng.integers(2))}
    if rng.random() < 0.6:
        params["simple_ctr"] = [str(x) for x in rng.choice(CTRS, int(rng.integers(1, 4)), replace=False)]
        params["combinations_ctr"] = [str(x) for x in rng.choice(CTRS, int(rng.integers(1, 4)), replace=False)]
        for key in ("simple_ctr", "combinations_ctr"):  # the file keeps one table per type
            params[key] = list({x.partition(":")[0]: x for x in params[key]}.values())
            if loss != "RMSE":
                params[key] = [x.replace("TargetBorderCount=3", "Prior=2").replace(":TargetBorderCount=2", "")
                               for x in params[key]]
    return params


@pytest.mark.parametrize("seed", range(20 * N_SEEDS))
@pytest.mark.parametrize("policy", ["SymmetricTree", "Depthwise", "Lossguide"])
def test_ctr(policy, seed, tally):
    rng = seeds("ctr", policy, seed)
    sizes = [int(rng.choice([2, 3, 7, 20, 90])) for _ in range(rng.integers(1, 5))]
    table = make_table(rng, int(rng.integers(0, 4)), sizes)
    loss = ["RMSE", "Logloss", "MultiClass", "MultiClassOneVsAll", "CrossEntropy"][seed % 5]
    params = ctr_params(rng, loss) if seed % 3 else {}
    model, rows = train(rng, table, loss, depth=int(rng.integers(1, 7)), grow_policy=policy,
                        nan_mode=str(rng.choice(["Min", "Max"])), **params)
    check(tally, "CTR splits", f"cb-ctr-{policy}-{seed}", table, model, rows, rng, n=400, loss=loss)
