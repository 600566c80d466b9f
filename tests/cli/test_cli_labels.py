"""Rows with labels of categories: what the command answers is what the library that trained the model answers."""
import csv
import io
import json

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from conftest import fail, succeed

import scoreline


def shop(seed):
    rng = np.random.default_rng(seed)
    n = 400
    frame = pd.DataFrame({
        "amount": rng.normal(size=n),
        "city": pd.Categorical(rng.choice(["Ulm", 'the "Hague", NL', "NA", None], n), categories=["Ulm", 'the "Hague", NL', "NA"]),
        "zone": pd.Categorical(rng.choice([30, 10, -20], n)),
        "kept": pd.Categorical(rng.choice([True, False], n)),
    })
    return frame, (frame.amount + (frame.city == "Ulm") * 2 - (frame.zone == 10) * 3 + (frame.kept == True)).to_numpy()  # noqa: E712


@pytest.fixture(scope="module")
def booster():
    frame, y = shop(0)
    parameters = {"verbose": -1, "num_threads": 1, "min_data_per_group": 5, "min_data_in_leaf": 5, "cat_smooth": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(frame, y), 8)


def scores(model, rows, *arguments):
    done = succeed("score", model, "-", "--output", "margin", *arguments, stdin=rows)
    return np.array([float(row[0]) for row in list(csv.reader(io.StringIO(done.out)))[1:]])


def test_lightgbm(booster, tmp_path):
    frame, _ = shop(1)
    own = booster.predict(frame, raw_score=True)
    booster.save_model(tmp_path / "shop.txt")
    succeed("convert", tmp_path / "shop.txt", "-o", tmp_path / "shop.slm")
    for model in (tmp_path / "shop.txt", tmp_path / "shop.slm"):
        # pandas writes floats whole, labels as text and missing values as nothing.
        assert np.array_equal(scores(model, frame.to_csv(index=False)), own)
        assert np.array_equal(scores(model, frame[frame.columns[::-1]].to_csv(index=False, quoting=csv.QUOTE_ALL)), own)
    lines = [{"amount": a, "city": None if c != c else c, "zone": str(z), "kept": k}
             for a, c, z, k in zip(frame.amount, frame.city, frame.zone, frame.kept)]
    assert np.array_equal(scores(tmp_path / "shop.slm", "\n".join(map(json.dumps, lines))), own)


def test_unknown_labels_of_lightgbm_are_missing(booster, tmp_path):
    frame, _ = shop(1)
    booster.save_model(tmp_path / "shop.txt")
    strange = frame.assign(city=frame.city.cat.rename_categories({"Ulm": "Oslo"}))
    own = booster.predict(strange, raw_score=True)
    assert np.array_equal(scores(tmp_path / "shop.txt", strange.to_csv(index=False)), own)


def test_xgboost(tmp_path):
    frame, y = shop(0)
    frame = frame.drop(columns="kept")
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, y, enable_categorical=True), 8)
    booster.save_model(tmp_path / "shop.json")
    new = shop(1)[0].drop(columns="kept")
    own = booster.predict(xgboost.DMatrix(new, enable_categorical=True), output_margin=True)
    assert np.array_equal(scores(tmp_path / "shop.json", new.to_csv(index=False)).astype(np.float32), own)
    bad = fail(1, "score", tmp_path / "shop.json", "-", stdin="amount,city,zone\n1,Ulm,10\n1,Oslo,10\n")
    for word in ('column 2 (city)', 'the category "Oslo" is none of the 3', "(line 3)", "scoreline inspect"):
        assert word in bad.err
    bad = fail(1, "score", tmp_path / "shop.json", "-", stdin='{"amount": 1, "city": "Oslo", "zone": "10"}')
    assert 'key "city": the category "Oslo" is none of the 3' in bad.err
    bad = fail(1, "score", tmp_path / "shop.json", "-", stdin='{"amount": 1, "city": "Ulm", "zone": 10}')
    assert "write them as strings" in bad.err
    bad = fail(1, "score", tmp_path / "shop.json", "-", stdin="amount,city,zone\nmany,Ulm,10\n")
    assert 'expected a number' in bad.err and '"many"' in bad.err
    same = scores(tmp_path / "shop.json", "amount,city,zone\n1,Ulm,10\n1,Ulm,10.0\n1,Ulm,1e1\n1,Ulm, 10\n")
    assert len(set(same)) == 1


def test_inspect(booster, tmp_path):
    booster.save_model(tmp_path / "shop.txt")
    text = succeed("inspect", tmp_path / "shop.txt").out
    assert "-20 = 0, 10 = 1, 30 = 2; others are missing" in text
    features = json.loads(succeed("inspect", tmp_path / "shop.txt", "--json").out)["features"]
    assert features[1]["labels"] == {"Ulm": 0, 'the "Hague", NL': 1, "NA": 2}
    assert "labels" not in features[0]


def test_catboost_integers_that_no_double_holds(tmp_path):
    catboost = pytest.importorskip("catboost")
    rng = np.random.default_rng(4)
    which = rng.integers(0, 5, 200)
    frame = pd.DataFrame({"id": np.array([2**53 + 1, 2**53 + 3, 2**62 + 1, -(2**61) - 1, 7])[which], "x": rng.normal(size=200)})
    source = catboost.CatBoostRegressor(iterations=8, depth=4, verbose=0, allow_writing_files=False, thread_count=1, cat_features=["id"])
    source.fit(frame, which + frame["x"])
    model = tmp_path / "model.json"
    source.save_model(model, format="json")
    assert len(set(source.predict(frame.assign(x=0.0)))) == 5
    numbers = "".join(json.dumps({"id": int(i), "x": float(x)}) + "\n" for i, x in zip(frame["id"], frame["x"]))
    texts = "".join(json.dumps({"id": str(i), "x": float(x)}) + "\n" for i, x in zip(frame["id"], frame["x"]))
    for rows in (numbers, texts, frame.to_csv(index=False)):
        np.testing.assert_array_equal(scores(model, rows), source.predict(frame))
    for wide in ("1e300", "18446744073709551615", "9007199254740993.0"):
        bad = fail(1, "score", model, "-", stdin='{"id": 1, "x": 0}\n{"id": %s, "x": 1}\n' % wide)
        assert 'key "id"' in bad.err and "write it as a string (line 2)" in bad.err
    succeed("score", model, "-", stdin='{"id": 1.0, "x": 18446744073709551615}\n{"id": null, "x": -0}\n')


def test_names_with_spaces(tmp_path):
    """LightGBM writes them with underscores."""
    frame, y = shop(0)
    frame = frame.rename(columns={"amount": "the amount", "kept": "was_it kept"}).drop(columns=["city", "zone"])
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 5}, lightgbm.Dataset(frame, y), 8)
    booster.save_model(tmp_path / "spaces.txt")
    own = booster.predict(frame, raw_score=True)
    lines = [{"was_it kept": str(k), "the amount": a} for a, k in zip(frame["the amount"], frame["was_it kept"])]
    for rows in (frame.to_csv(index=False), frame.to_csv(index=False).replace("the amount", "the_amount"),
                 "\n".join(map(json.dumps, lines)), "\n".join(map(json.dumps, lines)).replace("the amount", "the_amount")):
        assert np.array_equal(scores(tmp_path / "spaces.txt", rows), own)
    assert "lacks 1 of the model's features: the_amount" in fail(1, "score", tmp_path / "spaces.txt", "-", stdin="was_it kept\nTrue\n").err


@pytest.fixture
def spaced(tmp_path):
    """A model of LightGBM's spelling: whether a_b_c is above 1, and x above 0."""
    builder = scoreline.Builder(2, feature_names=["a_b_c", "x"], metadata={"source.library": "lightgbm"})
    for i, cut in enumerate((1.0, 0.0)):
        builder.add_tree([1, -1, -1], [2, -1, -1], [i, 0, 0], [cut, 0.0, i + 1.0])
    builder.finish().save(tmp_path / "spaced.slm")
    return tmp_path / "spaced.slm"


def test_own_names_go_before_names_with_spaces(spaced):
    lines = ['{"a b c": 2, "x": 0}', '{"x": 1, "y z": 3, "a_b c": 2}', '{"a b c": 0, "a_b_c": 2, "x": 0, "a_b c": 0}', '{"a b c": null, "x": 1}',
             '{"x": 1}']
    assert list(scores(spaced, "\n".join(lines))) == [1, 3, 1, 3, 3]
    assert list(scores(spaced, "\n".join(['{"y": 1}', '{"z z": 1}', lines[0], lines[1]]))) == [3, 3, 1, 3]  # no key yet: missing
    for header in ("a b c,x", "a_b c,x", "a_b_c,x"):
        assert list(scores(spaced, header + "\n2,0\n2,1\n")) == [1, 3]
    assert list(scores(spaced, "a b c,x,a_b_c,a_b c\n0,0,2,0\n")) == [1]


def test_two_names_of_one_feature_are_refused(spaced):
    bad = fail(1, "score", spaced, "-", stdin='{"a b c": 1, "x": 0}\n{"a b_c": 1, "x": 0, "a_b c": 2}\n')
    assert 'key "a_b c": another key of this line means the same feature, "a_b_c" (line 2)' in bad.err
    assert "has twice 1 of the model's features: a_b_c" in fail(1, "score", spaced, "-", stdin="a b_c,a_b c,x\n1,1,0\n").err


def test_names_of_other_libraries_are_whole(tmp_path):
    builder = scoreline.Builder(1, feature_names=["a_b"], metadata={"source.library": "xgboost"})
    builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [1.0, 0.0, 1.0])
    builder.finish().save(tmp_path / "own.slm")
    assert 'no line has a key that the model knows; its first feature is "a_b"' in fail(
        1, "score", tmp_path / "own.slm", "-", stdin='{"a b": 2}\n').err
    assert "lacks 1 of the model's features: a_b" in fail(1, "score", tmp_path / "own.slm", "-", stdin="a b\n2\n").err
