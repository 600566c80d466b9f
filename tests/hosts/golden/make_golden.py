"""Make the golden set that every host's test scores: three models, their rows, and what their own libraries answer.

Goes out, beside this file: iot.slm (XGBoost, 100 trees of depth 6, float sums), fraud.slm (LightGBM, double sums, a category
that callers give as text), wide.slm (XGBoost, 300 features: more than most SQL engines take as arguments), and golden.json:

    {"iot": {"features": [["temperature", "double"], …], "rows": [[value, …], …], "margin": [hex, …], "prediction": [hex, …]}}

A value is null (the host's own NULL), a hexadecimal float as text ("0x1.8p+1", "-0x0p+0", "nan", "inf", "-inf"), or, in a
"string" column, the text of a category. Margins and predictions are those of XGBoost and LightGBM themselves; the maker
refuses to write a set that Scoreline answers otherwise. Rows 0, 1 and 2 of iot get the statuses CRITICAL, WARNING and NORMAL.

Run it with the tests' packages: SCORELINE_LIBRARY=build/lib/libscoreline.so PYTHONPATH=python build/venv/bin/python
tests/hosts/golden/make_golden.py. It gives the same bytes every time.
"""
import json
import pathlib

import lightgbm
import numpy as np
import pandas as pd
import pyarrow
import xgboost

import scoreline

HERE = pathlib.Path(__file__).resolve().parent
NAN, INF, DENORMAL = float("nan"), float("inf"), 5e-324
CATEGORIES = ["café", "electronics", "grocery", "jewellery", "travel", "it's 5 o'clock"]


def hexadecimal(value: float) -> str:
    """float.hex() without the zeros that say nothing."""
    text = float(value).hex()
    mantissa, p, exponent = text.partition("p")
    return mantissa.rstrip("0").rstrip(".") + p + exponent if "." in mantissa else text


def sensor_readings(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Temperature, humidity and pressure of machines, some of which overheat, leak or lose pressure; some readings lack."""
    fault = rng.random(n) < 0.25
    kind = rng.integers(0, 3, n)
    temperature = rng.normal(45, 9, n) + np.where(fault & (kind == 0), rng.normal(28, 12, n), 0)
    humidity = rng.normal(40, 10, n) + np.where(fault & (kind == 1), rng.normal(30, 12, n), 0)
    pressure = rng.normal(1013, 8, n) - np.where(fault & (kind == 2), rng.normal(30, 14, n), 0)
    readings = np.column_stack([temperature, humidity, pressure]).round(2)
    readings[rng.random(readings.shape) < 0.04] = NAN
    return readings, fault.astype(np.float32)


def within_float(x: np.ndarray) -> np.ndarray:
    """XGBoost's tables refuse infinities and what rounds to them. Its trees do not: the largest float is on the same side of
    every cut."""
    largest = float(np.finfo(np.float32).max)
    return np.where(np.isnan(x), x, np.clip(x, -largest, largest))


def iot(rng: np.random.Generator):
    readings, fault = sensor_readings(rng, 6000)
    names = ["temperature", "humidity", "pressure"]
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 6, "eta": 0.1, "seed": 1, "nthread": 1,
                             "tree_method": "hist", "max_bin": 64, "subsample": 0.7},
                            xgboost.DMatrix(readings, fault, feature_names=names), 100)

    def answers(rows):
        matrix = xgboost.DMatrix(within_float(np.array(rows, dtype=float)), feature_names=names)
        return booster.predict(matrix, output_margin=True), booster.predict(matrix)

    ordinary = [[98.5, 35.25, 1012.5], [None, None, None], [44.0, 41.5, 1013.25]]
    candidates = sensor_readings(rng, 400)[0].tolist()
    warning = next(row for row, p in zip(candidates, answers(candidates)[1]) if 0.55 < p < 0.75)
    ordinary[1] = warning
    cut = float(np.float32(booster.trees_to_dataframe().query("Feature == 'temperature'").Split.median()))
    special = [[v, 40.0, 1013.0] for v in (None, NAN, INF, -INF, -0.0, 0.0, DENORMAL, -DENORMAL, 1e300, cut,
                                            np.nextafter(cut, -INF), np.nextafter(cut, INF), 0.1, 3.5)]
    special += [[None, None, None], [NAN, None, 990.0], [60.0, None, None], [41.0, -0.0, INF], [41.0, DENORMAL, -INF]]
    rows = ordinary + special + sensor_readings(rng, 60)[0].tolist()
    critical, warned, normal = answers(rows)[1][:3]
    assert critical > 0.8 >= warned > 0.5 >= normal, (critical, warned, normal)
    return booster, [[n, "double"] for n in names], rows, answers(rows)


def fraud(rng: np.random.Generator):
    n = 5000
    table = pd.DataFrame({
        "amount": np.exp(rng.normal(3.5, 1.2, n)).round(2),
        "merchant_category": pd.Categorical(rng.choice(CATEGORIES, n), categories=CATEGORIES),
        "time_since_last_transaction": rng.exponential(9000, n).round(1),
        "distance_from_home": rng.gamma(1.2, 14, n).round(3)})
    risk = (0.01 * table.amount + 0.03 * table.distance_from_home - table.time_since_last_transaction / 9000 +
            table.merchant_category.isin(["jewellery", "travel", "café"]) * 1.5 + rng.normal(0, 1, n))
    label = (risk > 2.2).astype(int)
    table.loc[rng.random(n) < 0.05, "distance_from_home"] = NAN
    booster = lightgbm.train({"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "num_threads": 1, "seed": 1,
                              "deterministic": True, "verbosity": -1, "min_data_per_group": 20},
                             lightgbm.Dataset(table, label), 100)

    def answers(rows):
        asked = pd.DataFrame(rows, columns=table.columns)
        known = asked.merchant_category.where(asked.merchant_category.isin(CATEGORIES), None)
        asked["merchant_category"] = pd.Categorical(known, categories=CATEGORIES)
        asked = asked.astype({c: float for c in table.columns if c != "merchant_category"})
        return booster.predict(asked, raw_score=True), booster.predict(asked)

    rows = [[120.5, "jewellery", 30.0, 80.25], [12.0, "grocery", 86400.0, 1.5], [55.0, "no such category", 600.0, 10.0],
            [55.0, "", 600.0, 10.0], [55.0, None, 600.0, 10.0], [55.0, "Grocery", 600.0, 10.0], [None, None, None, None],
            [NAN, "travel", INF, -INF], [INF, "café", DENORMAL, -0.0], [0.0, "it's 5 o'clock", -0.0, -DENORMAL],
            [1e300, "electronics", NAN, None]]
    probe = table.iloc[:40].astype(object).where(table.iloc[:40].notna(), None).values.tolist()
    types = ["double", "string", "double", "double"]
    return booster, [list(pair) for pair in zip(table.columns, types)], rows + probe, answers(rows + probe)


def wide(rng: np.random.Generator):
    names = [f"sensor_{i:03}" for i in range(300)]
    x = rng.integers(-8, 9, (800, 300)) / 4
    booster = xgboost.train({"objective": "reg:squarederror", "max_depth": 5, "eta": 0.3, "seed": 1, "nthread": 1,
                             "colsample_bytree": 0.2}, xgboost.DMatrix(x, x @ rng.normal(0, 1, 300), feature_names=names), 60)
    rows = rng.integers(-8, 9, (4, 300)) / 4
    rows[1, ::3] = NAN
    rows[2, 1::3] = NAN
    asked = xgboost.DMatrix(rows, feature_names=names)
    listed = [[None if value != value else value for value in row] for row in rows.tolist()]
    return (booster, [[n, "double"] for n in names], listed,
            (booster.predict(asked, output_margin=True), booster.predict(asked)))


def columns(features, rows) -> dict:
    return {name: [row[i] for row in rows] if kind == "string" else
            np.array([row[i] for row in rows], dtype=float) for i, (name, kind) in enumerate(features)}


def write(name: str, made) -> dict:
    booster, features, rows, (margin, prediction) = made
    model = scoreline.convert(booster, name=name)
    model.save(HERE / f"{name}.slm")
    table = pyarrow.table(columns(features, rows))
    for asked, expected in (("margin", margin), ("prediction", prediction)):
        ours = model.predict(table, asked)
        assert (ours == expected.astype(float)).all(), f"{name}: Scoreline's {asked} differ from the library's"
    values = [[None if v is None else v if kind == "string" else hexadecimal(v) for v, (_, kind) in zip(row, features)]
              for row in rows]
    print(f"{name}: {len(rows)} rows, {(HERE / f'{name}.slm').stat().st_size} bytes")
    return {"features": features, "rows": values, "margin": [hexadecimal(v) for v in margin],
            "prediction": [hexadecimal(v) for v in prediction]}


def main() -> None:
    golden = {name: write(name, make(np.random.default_rng(2026))) for name, make in
              (("iot", iot), ("fraud", fraud), ("wide", wide))}
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in golden.items())
    (HERE / "golden.json").write_text("{" + lines + "}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
