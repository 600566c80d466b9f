"""Tables as users have them, drawn at random: columns of dtype category with labels of every kind, names with spaces, labels that
training did not see, categories in another order. LightGBM's and CatBoost's margins for the table, bit for bit, from the live model
and from its file. Every model comes from its seed alone.
"""
import catboost
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

import bit_check
import scoreline
from conftest import MODE

N_SEEDS = {"quick": 6, "default": 40, "long": 300}[MODE]
LABELS = {
    "texts": lambda k: [f"v{i}" for i in range(k)], "whole": lambda k: list(range(5, 5 + k)), "flags": lambda k: [True, False],
    "negative": lambda k: [79 * i - 500 for i in range(k)], "letters": lambda k: [chr(200 + i) * (i % 4 + 1) for i in range(k)],
    "halves": lambda k: [i / 2 - 3 for i in range(k)],
}


def make_numbers(rng, n):
    values = rng.standard_normal(n) * 10.0 ** rng.integers(-4, 5)
    values = np.round(values) if rng.random() < 0.4 else values
    return np.where(rng.random(n) < rng.choice([0, 0.2]), np.nan, np.where(rng.random(n) < rng.choice([0, 0.5]), 0, values))


def make_frame(rng, kinds, with_missing):
    n = int(rng.integers(60, 600))
    columns = {f"a number{' _'[i % 2]}{i}": make_numbers(rng, n) for i in range(rng.integers(1, 5))}
    for i in range(rng.integers(0, 4)):
        labels = LABELS[str(rng.choice(kinds))](int(rng.choice([2, 3, 10, 100])))
        codes = rng.integers(-1 if with_missing and rng.random() < 0.3 else 0, len(labels), n)
        columns[f"a category {i}"] = pd.Categorical.from_codes(codes, categories=labels)
    frame = pd.DataFrame(columns)
    return frame[list(rng.permutation(frame.columns))]


def is_category(frame, name):
    return isinstance(frame[name].dtype, pd.CategoricalDtype)


def target(rng, frame):
    y = rng.standard_normal(len(frame))
    for name in frame:
        y = y + (frame[name].cat.codes % 3 if is_category(frame, name) else np.sign(np.nan_to_num(frame[name])))
    return np.asarray(y, float)


def same(tally, models, frames, margins_of):
    for model in models:
        for frame in frames:
            wanted = bit_check.as_doubles(margins_of(frame))
            got = bit_check.as_doubles(model.predict(frame[list(frame.columns[::-1])], "margin"))
            tally.add("frame, by name", len(frame))
            assert not len(bit_check.differing(got, wanted))
            records = bit_check.as_doubles(model.predict(frame.head(20).to_dict("records"), "margin"))
            assert not len(bit_check.differing(records, wanted[:20]))


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_lightgbm(seed, tally):
    rng = np.random.default_rng([7, seed])
    frame = make_frame(rng, sorted(LABELS), True)
    y, n_class = target(rng, frame), 1
    objective = str(rng.choice(["regression", "binary", "multiclass", "poisson", "quantile", "cross_entropy_lambda"]))
    params = {"objective": objective, "num_leaves": int(rng.integers(2, 60)), "boosting": str(rng.choice(["gbdt", "dart", "rf"])),
              "max_bin": int(rng.choice([2, 15, 255])), "max_cat_to_onehot": int(rng.choice([1, 4, 100])), "cat_smooth": 1,
              "zero_as_missing": bool(rng.random() < 0.2), "use_missing": bool(rng.random() < 0.8), "min_data_per_group": 1,
              "boost_from_average": bool(rng.random() < 0.7), "linear_tree": bool(rng.random() < 0.2), "bagging_freq": 1,
              "bagging_fraction": 0.6, "min_data_in_leaf": 2, "num_threads": 1, "verbosity": -1, "seed": seed}
    if params["linear_tree"]:
        params["zero_as_missing"] = False
    if objective in ("binary", "cross_entropy_lambda"):
        y = (y > np.median(y)).astype(float)
    elif objective == "multiclass":
        y, params["num_class"] = pd.qcut(y, 3, labels=False), 3
    elif objective == "poisson":
        y = np.abs(y)
    booster = lgb.train(params, lgb.Dataset(frame, y, params=params), int(rng.integers(1, 8)))
    other = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    for name in other:
        if is_category(other, name):
            labels = list(other[name].cat.categories)
            rng.shuffle(labels)
            other[name] = other[name].cat.set_categories(labels[: max(1, len(labels) - 1)])
        else:
            awkward = rng.choice([np.nan, 0.0, -0.0, 1e-36, 1e300], len(other))
            other[name] = np.where(rng.random(len(other)) < 0.2, awkward, other[name])
    models = [scoreline.convert(booster), scoreline.convert(booster.model_to_string().encode())]
    same(tally("LightGBM", "tables drawn at random"), models, [frame, other],
         lambda rows: booster.predict(rows, raw_score=True, num_threads=1))


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_catboost(seed, tally, tmp_path):
    rng = np.random.default_rng([8, seed])
    frame = make_frame(rng, ["texts", "whole", "negative", "letters"], False)
    categories, y = [name for name in frame if is_category(frame, name)], target(rng, frame)
    loss = str(rng.choice(["RMSE", "Logloss", "MultiClass", "MultiQuantile:alpha=0.2,0.8", "RMSEWithUncertainty", "Poisson"]))
    if loss in ("Logloss", "MultiClass"):
        y = pd.qcut(y, 2 if loss == "Logloss" else 4, labels=False)
    elif loss == "Poisson":
        y = np.abs(y)
    params = {"loss_function": loss, "iterations": int(rng.integers(1, 12)), "depth": int(rng.integers(1, 7)), "random_seed": seed,
              "one_hot_max_size": int(rng.choice([1, 2, 4, 255])), "max_ctr_complexity": int(rng.choice([1, 2, 4])),
              "grow_policy": str(rng.choice(["SymmetricTree", "Depthwise", "Lossguide"])), "border_count": int(rng.choice([1, 16, 254])),
              "nan_mode": str(rng.choice(["Min", "Max"])), "thread_count": 1, "verbose": 0, "allow_writing_files": False}
    source = catboost.CatBoost(params).fit(catboost.Pool(frame, y, cat_features=categories))
    other = frame.sample(frac=1, random_state=seed).reset_index(drop=True)
    for name in categories:
        unseen = "not seen" if other[name].cat.categories.dtype.kind not in "iu" else 123456
        kept = other[name].astype(object).where(rng.random(len(other)) > 0.3, unseen)
        other[name] = kept if unseen == "not seen" else kept.astype(int)
    source.save_model(tmp_path / "model.json", format="json")
    models = [scoreline.convert(source), scoreline.convert(tmp_path / "model.json")]
    same(tally("CatBoost", "tables drawn at random"), models, [frame, other], lambda rows: source.predict(
        catboost.Pool(rows, cat_features=categories), prediction_type="RawFormulaVal", thread_count=1))
