#!/usr/bin/env python3
"""Small models of the installed CatBoost release, with its own answers, for tests/unit/test_import_catboost.c, and what its
exponential answers, for tests/unit/test_link.c.

Comes in: the release that `import catboost` finds. Goes out, in catboost/ beside this script: rows.f64 (48 rows of 4
doubles: two numbers, a category of text as hash + 0.5, a category of integers), and for each model NAME-VERSION.json and
NAME-VERSION.f64: margins, then predictions, all as little-endian doubles. exponents-VERSION.f64: pairs of x and exp(x).

The rows are random numbers drawn here, and the models are CatBoost's (Apache License 2.0) output for them: nobody else's
data is in these files. The committed ones were made by running this once with catboost==1.2.10.
"""
import pathlib
import sys

import catboost
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "conformance"))
from city_hash import category_hash, text_of_hash  # noqa: E402

OUT = pathlib.Path(__file__).resolve().parent / "catboost"
WORDS = ["red", "grün", "", "a longer name, of more than thirty-two bytes", "7"]
TEXTS = {category_hash(word) + 0.5: word for word in WORDS}
COMMON = {"depth": 3, "learning_rate": 0.5, "thread_count": 1, "random_seed": 3, "verbose": 0, "allow_writing_files": False}


def draw(rng, n):
    x = np.round(rng.standard_normal((n, 4)) * 4) / 4
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 2] = rng.choice(list(TEXTS), n)
    x[:, 3] = rng.integers(-2, 12, n)
    return x


def pool(x, label=None):
    data = x.astype(object)
    data[:, 2] = [TEXTS[code] if code in TEXTS else text_of_hash(int(code)) for code in x[:, 2]]
    data[:, 3] = [str(int(code)) for code in x[:, 3]]
    return catboost.Pool(data, label, cat_features=[2, 3], thread_count=1)


def exponents():
    """What a Poisson model of chosen leaves predicts, row by row: each of the 2,048 powers of 2 that CatBoost's exponential
    looks up, over its whole range, and its limits."""
    k = np.arange(2048)
    near = (1021 * k % 2048 + 2048 * (k % 2045 - 1022) + (k % 7 - 3) / 7) / (2048 / np.log(2))
    low, high = -708.3964185322641, 709.782712893384
    inf = np.inf
    limits = [0.0, -0.0, 5e-324, -1e-300, low, np.nextafter(low, 0), np.nextafter(low, -inf), -709, -746, -1e300, -inf,
              high, np.nextafter(high, 0), np.nextafter(high, inf), 709.7825, 709.7826, 710, 1e300, inf, np.nan]
    x = np.concatenate([near, limits])
    bits = (np.arange(4096)[:, None] >> np.arange(12) & 1).astype(np.float32)
    model = catboost.CatBoost({**COMMON, "loss_function": "Poisson", "iterations": 1, "depth": 12,
                               "learning_rate": 0.01, "boosting_type": "Plain", "bootstrap_type": "No", "random_strength": 0})
    model.fit(bits, 1 + bits @ np.arange(1, 13) / 50)
    model.set_leaf_values(np.concatenate([x, np.zeros(4096 - len(x))]))
    leaves = model.calc_leaf_indexes(bits).ravel()
    assert sorted(leaves) == list(range(4096))
    order = np.argsort(leaves)[:len(x)]

    def ask(kind):
        return np.array([model.predict(bits[i:i + 1], prediction_type=kind, thread_count=1)[0] for i in order])

    margins = ask("RawFormulaVal")
    assert margins.tobytes() == (0.0 + x).tobytes()
    np.column_stack([margins, ask("Exponent")]).astype("<f8").tofile(OUT / f"exponents-{catboost.__version__}.f64")


def main():
    rng = np.random.default_rng(11)
    OUT.mkdir(exist_ok=True)
    x, probe = draw(rng, 300), draw(rng, 48)
    probe[:6, 2] = [0.5, 7.5, 4294967295.5, 123456.5, 3e9 + 0.5, 1.5]
    probe[4:9, 3] = [99, -3, 2.0 ** 60, -2.0 ** 40, 0]
    probe.astype("<f8").tofile(OUT / "rows.f64")
    place = np.array([list(TEXTS).index(code) for code in x[:, 2]])
    sign = np.where(x[:, 0] > 0, 1, -1)
    y = (2 * place - 4) * sign + 0.7 * sign + 0.3 * place + sign * np.sin(2 * x[:, 3]) * 2 + rng.normal(0, 0.1, 300)
    for name, params, label, output in (
            ("one_hot", {"loss_function": "RMSE", "one_hot_max_size": 255}, y, None),
            ("ctr", {"loss_function": "Logloss", "one_hot_max_size": 1, "depth": 4}, y > np.median(y), "Probability"),
            ("multiclass", {"loss_function": "MultiClass", "one_hot_max_size": 5, "depth": 4, "nan_mode": "Max",
                            "simple_ctr": ["Borders", "Counter"],
                            "combinations_ctr": ["Buckets", "BinarizedTargetMeanValue:Prior=0.5"]},
             np.digitize(y, [-2, 2]), "Probability"),
            ("lossguide", {"loss_function": "Poisson", "grow_policy": "Lossguide", "max_leaves": 6}, np.abs(y),
             "Exponent"),
            ("uncertainty", {"loss_function": "RMSEWithUncertainty", "max_ctr_complexity": 1}, y, "RMSEWithUncertainty")):
        model = catboost.CatBoost({"iterations": 8, "model_size_reg": 0, **COMMON, **params}).fit(pool(x, label))
        stem = f"{name}-{catboost.__version__}"
        model.save_model(str(OUT / f"{stem}.json"), format="json")
        margins = model.predict(pool(probe), prediction_type="RawFormulaVal", thread_count=1)
        answers = model.predict(pool(probe), prediction_type=output or "RawFormulaVal", thread_count=1)
        answers = answers[:, 1] if name == "ctr" else answers
        np.concatenate([margins.ravel(), answers.ravel()]).astype("<f8").tofile(OUT / f"{stem}.f64")
    exponents()


if __name__ == "__main__":
    main()
