"""Columns of dtype category are scored by label, as the trainers do, whatever the order of a frame's own categories."""

import json
import warnings

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

import scoreline
from conftest import same_bits


def shop(n=400, seed=0, umlaut="o"):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "amount": rng.normal(size=n),
            "city": pd.Categorical(
                rng.choice(["Ulm", f"K{umlaut}ln", "Graz", None], n), categories=["Ulm", f"K{umlaut}ln", "Graz"]
            ),
            "zone": pd.Categorical(rng.choice([10, 20, 30], n)),
            "kept": pd.Categorical(rng.choice(["yes", "no"], n)),
        }
    )
    y = frame.amount + (frame.city == f"K{umlaut}ln") * 2 - (frame.zone == 20) * 3 + (frame.kept == "no")
    return frame, y.to_numpy()


def reordered(frame):
    """The same labels with other codes, and the columns in another order."""
    out = frame.copy()
    ulm, cologne, graz = out["city"].cat.categories
    out["city"] = out["city"].cat.set_categories(["Bern", graz, cologne, ulm])
    out["zone"] = out["zone"].cat.set_categories([30, 10, 20])
    return out[out.columns[::-1]]


@pytest.fixture(scope="module", params=["gbtree", "dart"])
def trained(request):
    frame, y = shop()
    matrix = xgboost.DMatrix(frame, label=y, enable_categorical=True)
    return xgboost.train({"max_depth": 4, "nthread": 1, "booster": request.param}, matrix, 8)


@pytest.fixture(scope="module")
def trained_lightgbm():
    frame, y = shop()
    parameters = {"verbose": -1, "num_threads": 1, "min_data_per_group": 5, "min_data_in_leaf": 5, "cat_smooth": 1}
    return lightgbm.train(parameters, lightgbm.Dataset(frame, y), 8)


def test_xgboost(trained):
    frame, _ = shop(seed=1)
    model = scoreline.convert(trained)
    assert model.feature_types == ["numeric", "category", "category", "category"]
    own = trained.predict(xgboost.DMatrix(frame, enable_categorical=True), output_margin=True)
    same_bits(model.predict(frame, "margin"), own)
    same_bits(model.predict(reordered(frame), "margin"), own)
    same_bits(scoreline.load(model.to_bytes()).predict(reordered(frame), "margin"), own)


@pytest.mark.parametrize("name", ["shop.json", "shop.ubj"])
def test_xgboost_files(trained, tmp_path, name):
    frame, _ = shop(seed=1)
    trained.save_model(tmp_path / name)
    own = trained.predict(xgboost.DMatrix(frame, enable_categorical=True), output_margin=True)
    for source in (tmp_path / name, (tmp_path / name).read_bytes()):
        model = scoreline.convert(source)
        same_bits(model.predict(reordered(frame), "margin"), own)
        assert model.categories == scoreline.convert(trained).categories
        assert model.categories["city"] == {"Ulm": 0, "Koln": 1, "Graz": 2}


def test_xgboost_codes(trained):
    """Arrays hold the codes of training."""
    frame, _ = shop(seed=1)
    codes = np.column_stack(
        [
            frame.amount,
            *(np.where(frame[name].isna(), np.nan, frame[name].cat.codes) for name in ("city", "zone", "kept")),
        ]
    )
    model = scoreline.convert(trained)
    same_bits(model.predict(codes), model.predict(frame))


def test_xgboost_refuses_what_it_cannot_translate(trained):
    frame, _ = shop(seed=1)
    model = scoreline.convert(trained)
    strange = frame.assign(city=frame["city"].cat.rename_categories({"Ulm": "Oslo"}))
    with pytest.raises(scoreline.ShapeError, match="'city' has categories that .*: 'Oslo'"):
        model.predict(strange)
    with pytest.raises(scoreline.ShapeError, match="'zone' was trained with labels"):
        model.predict(frame.assign(zone=frame["zone"].astype(int)))
    with pytest.raises(scoreline.ShapeError, match="trained with labels"):
        model.predict(pd.DataFrame(np.zeros((2, 4)), columns=frame.columns))


def test_labels_beyond_ascii():
    """XGBoost cuts the UTF-8 of labels by numbers of characters; LightGBM keeps them whole."""
    frame, y = shop(umlaut="ö")
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, label=y, enable_categorical=True), 3)
    with pytest.raises(scoreline.ShapeError, match="did not keep the labels of feature 'city'"):
        scoreline.convert(booster).predict(frame)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 5}, lightgbm.Dataset(frame, y), 3)
    same_bits(scoreline.convert(booster).predict(reordered(frame), "margin"), booster.predict(frame, raw_score=True))


def test_unused_labels_do_no_harm(trained):
    """Categories that a frame declares and no row has need not be known."""
    frame, _ = shop(seed=1)
    model = scoreline.convert(trained)
    declared = frame.assign(city=frame["city"].cat.add_categories(["Oslo"]))
    same_bits(model.predict(declared), model.predict(frame))


def test_lightgbm(trained_lightgbm, tmp_path):
    frame, _ = shop(seed=1)
    trained_lightgbm.save_model(tmp_path / "shop.txt")
    own = trained_lightgbm.predict(frame, raw_score=True)
    for model in (scoreline.convert(trained_lightgbm), scoreline.convert(tmp_path / "shop.txt")):
        same_bits(model.predict(frame, "margin"), own)
        same_bits(model.predict(reordered(frame), "margin"), own)
        same_bits(model.predict(frame.assign(other=pd.Categorical(["x"] * len(frame))), "margin"), own)


def test_lightgbm_takes_unknown_labels_as_missing(trained_lightgbm):
    frame, _ = shop(seed=1)
    strange = frame.assign(city=frame["city"].cat.rename_categories({"Ulm": "Oslo"}))
    own = trained_lightgbm.predict(strange, raw_score=True)
    same_bits(scoreline.convert(trained_lightgbm).predict(strange, "margin"), own)


def test_lightgbm_refuses_other_numbers_of_categories(trained_lightgbm):
    frame, _ = shop(seed=1)
    with pytest.raises(ValueError, match="do not match"):
        trained_lightgbm.predict(frame.assign(zone=frame["zone"].astype(int)))
    with pytest.raises(scoreline.ShapeError, match="trained with 3 columns of dtype category, and this frame has 2"):
        scoreline.convert(trained_lightgbm).predict(frame.assign(zone=frame["zone"].astype(int)))


def test_rows_by_name_hold_labels(trained, trained_lightgbm):
    """Also those that are numbers: 20 is the label 20, as in the frame that the row is from, and no code."""
    frame, _ = shop(seed=1)
    for booster in (trained, trained_lightgbm):
        model = scoreline.convert(booster)
        own = model.predict(frame, "margin")
        same_bits(model.predict(frame.to_dict("records"), "margin"), own)
        for i in range(30):
            same_bits(model.predict(frame.iloc[i], "margin"), own[i : i + 1])
            same_bits(model.predict(frame.iloc[i].to_dict(), "margin"), own[i : i + 1])
    with pytest.raises(scoreline.ShapeError, match="feature 'zone' in row 0 has categories .*trained with: '1'"):
        scoreline.convert(trained).predict({"amount": 1, "city": "Ulm", "zone": 1, "kept": "no"})


def test_columns_of_strings(trained, trained_lightgbm):
    """The trainers refuse them; here a string is a label."""
    frame, _ = shop(seed=1)
    text = frame.assign(city=frame.city.astype(object), kept=frame.kept.astype(str))
    model = scoreline.convert(trained)
    same_bits(model.predict(text), model.predict(frame))
    with pytest.raises(scoreline.ShapeError, match="'city' has categories that .*: 'Oslo'"):
        model.predict(text.replace({"city": {"Ulm": "Oslo"}}))
    records = [
        {"amount": amount, "city": None if city != city else city, "zone": str(zone), "kept": kept}
        for amount, city, zone, kept in zip(frame.amount, text.city, frame.zone, frame.kept)
    ]
    same_bits(model.predict(records), model.predict(frame))
    same_bits(scoreline.convert(trained_lightgbm).predict(records), trained_lightgbm.predict(frame))
    with pytest.raises(scoreline.ShapeError, match="'kept' in row 1 has categories .*: 'maybe'"):
        model.predict([records[0], {**records[0], "kept": "maybe"}])


@pytest.mark.parametrize("text", ["string", "large_string"])
@pytest.mark.parametrize("index", ["int8", "uint16", "int64", None])
def test_arrow(trained, trained_lightgbm, text, index):
    """Strings, plain or dictionary-encoded, in slices and chunks, with nulls on either level."""
    import pyarrow as pa

    frame, _ = shop(seed=1)
    kind = getattr(pa, text)() if index is None else pa.dictionary(getattr(pa, index)(), getattr(pa, text)())
    columns = {"amount": pa.array(frame.amount), "note": pa.array(["x"] * len(frame))}
    for name in ("city", "zone", "kept"):
        plain = [None if value != value else str(value) for value in frame[name]]
        columns[name] = pa.array(plain).cast(getattr(pa, text)()).cast(kind)
    if index is not None:
        own = pa.array(["Graz", None, "Koln", "unused", "Ulm"]).cast(getattr(pa, text)())[0:]
        places = frame.city.map({"Graz": 0, "Koln": 2, "Ulm": 4}).astype(float).fillna(1).astype(index)
        columns["city"] = pa.DictionaryArray.from_arrays(pa.array(places), own)
    table = pa.table(columns)
    for booster in (trained, trained_lightgbm):
        model = scoreline.convert(booster)
        expected = model.predict(frame)
        same_bits(model.predict(table), expected)
        same_bits(model.predict(table.slice(11, 57)), expected[11:68])
        same_bits(model.predict(pa.concat_tables([table.slice(0, 7), table.slice(7, 0), table.slice(7)])), expected)
        same_bits(model.predict(table.slice(0, 0)), expected[:0])
    changed = table.set_column(table.column_names.index("kept"), "kept", pa.array(["maybe"] * len(frame)).cast(kind))
    with pytest.raises(scoreline.ShapeError, match="feature 'kept' has the category 'maybe' in row 0"):
        scoreline.convert(trained).predict(changed)


def test_kinds_of_labels(tmp_path):
    """Numbers and booleans are labels, too, and never the same as strings that look like them."""
    rng = np.random.default_rng(2)
    n = 400
    frame = pd.DataFrame(
        {
            "a": rng.normal(size=n),
            "whole": pd.Categorical(rng.choice([3, -7, 2**40], n)),
            "real": pd.Categorical(rng.choice([0.5, 2.0, 1e20], n)),
            "flag": pd.Categorical(rng.choice([True, False], n)),
            "mixed": pd.Categorical(rng.choice(np.array(["a", 1, 2.5], dtype=object), n), categories=["a", 1, 2.5]),
            "text": pd.Categorical(rng.choice(["\u00f6", "1", "\U0001f600 \"x\"\\"], n)),
        }
    )
    y = frame.a + sum((frame[name].cat.codes == 1) * k for k, name in enumerate(frame.columns[1:], 2))
    parameters = {"verbose": -1, "num_threads": 1, "min_data_per_group": 5, "min_data_in_leaf": 5}
    booster = lightgbm.train({**parameters, "max_cat_to_onehot": 1}, lightgbm.Dataset(frame, y), 20)
    booster.save_model(tmp_path / "kinds.txt")
    model = scoreline.convert(tmp_path / "kinds.txt")
    assert list(model.categories["whole"]) == ["-7", "3", "1099511627776"]
    assert list(model.categories["real"]) == ["0.5", "2", "1e+20"]
    assert list(model.categories["flag"]) == ["0", "1"]
    assert list(model.categories["text"]) == ["1", "\u00f6", "\U0001f600 \"x\"\\"]
    for other in (
        frame,
        frame.assign(whole=frame.whole.cat.rename_categories(str)),
        frame.assign(text=frame.text.cat.rename_categories({"1": 1})),
        frame.assign(whole=frame.whole.cat.rename_categories(float)),
    ):
        same_bits(model.predict(other, "margin"), booster.predict(other, raw_score=True))


def test_files_that_do_not_tell(trained_lightgbm):
    """Without dictionaries the frame's own columns of dtype category decide, as in LightGBM."""
    frame, _ = shop(seed=1)
    text = trained_lightgbm.model_to_string()
    head, line = text.rsplit("pandas_categorical:", 1)
    for bad in ("[[1,", "{}", "[1]", "[[[1]]]", '[["a"],["b"]]', line.replace('"Ulm"', "null"), '[["Ulm"],[1],["no"]]'):
        model = scoreline.convert((head + "pandas_categorical:" + bad).encode())
        assert "city" not in model.categories
    frame = frame.assign(zone=frame.zone.cat.as_ordered())
    y = np.arange(len(frame)) % 7 + (frame.zone == 20)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 5}, lightgbm.Dataset(frame, y), 5)
    model = scoreline.convert(booster)
    assert model.categories == {}
    other = reordered(frame)[frame.columns]
    same_bits(model.predict(other, "margin"), booster.predict(other, raw_score=True))


def test_damaged_containers(trained):
    raw = json.loads(bytes(trained.save_raw("json")))
    cats = raw["learner"]["gradient_booster"].get("gbtree", raw["learner"]["gradient_booster"])["model"]["cats"]

    def converted():
        return scoreline.convert(json.dumps(raw).encode())

    city = cats["enc"][1]
    for offsets in ([0, 4, 8, 12], [0, 4, 8], [1, 4, 8, 11], [0, 8, 4, 11], [], [0, -1, 8, 11]):
        good, city["offsets"] = city["offsets"], offsets
        assert "city" not in converted().categories
        assert converted().metadata["source.lost_labels"] == "1"
        city["offsets"] = good
    assert list(converted().categories["city"]) == ["Ulm", "Koln", "Graz"]
    kept = cats["enc"].pop()
    with pytest.raises(scoreline.CorruptError, match="labels of 3 features, the model has 4"):
        converted()
    cats["enc"].append({**kept, "values": ["no"]})
    with pytest.raises(scoreline.CorruptError, match="values"):
        converted()


def test_xgboost_takes_unknown_labels_for_others(trained):
    """Why unknown labels are refused: XGBoost up to 3.2 scores them as the next label in the alphabet."""
    frame, _ = shop(seed=1)
    strange = frame.assign(city=frame["city"].cat.rename_categories({"Ulm": "Oslo"}))
    own = trained.predict(xgboost.DMatrix(frame, enable_categorical=True))
    same_bits(trained.predict(xgboost.DMatrix(strange, enable_categorical=True)), own)
    with pytest.raises(scoreline.ShapeError, match="Oslo"):
        scoreline.convert(trained).predict(strange)


def test_estimators():
    frame, y = shop()
    new, _ = shop(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimators = (
            xgboost.XGBClassifier(n_estimators=6, enable_categorical=True, n_jobs=1).fit(frame, y > 0),
            lightgbm.LGBMClassifier(n_estimators=6, n_jobs=1, verbose=-1).fit(frame, y > 0),
        )
        for estimator in estimators:
            ours = scoreline.convert(estimator).predict(reordered(new))
            np.testing.assert_allclose(ours, estimator.predict_proba(new)[:, 1], rtol=1e-6)


def test_columns_of_strings_in_frames_of_lightgbm(trained_lightgbm):
    """What hosts hand over: text columns as objects, in batches where a column may hold nothing at all."""
    frame, _ = shop(seed=1)
    model = scoreline.convert(trained_lightgbm)
    own = trained_lightgbm.predict(frame)
    text = frame.assign(city=frame.city.astype(object), kept=frame.kept.astype(object))
    same_bits(model.predict(text), own)
    same_bits(model.predict(text[text.columns[::-1]]), own)
    empty = pd.Categorical([None] * len(frame), categories=frame.city.cat.categories)
    nowhere = text.assign(city=np.full(len(frame), None))
    same_bits(model.predict(nowhere), trained_lightgbm.predict(frame.assign(city=empty)))


def test_lightgbm_names_with_spaces(tmp_path):
    """LightGBM writes them with underscores, and its own predict() takes columns by position."""
    frame, y = shop()
    frame = frame.rename(columns={"amount": "the amount", "city": "c i_t y"})
    parameters = {"verbose": -1, "num_threads": 1, "min_data_per_group": 5}
    booster = lightgbm.train(parameters, lightgbm.Dataset(frame, y), 8)
    own = booster.predict(frame, raw_score=True)
    model = scoreline.convert(booster)
    assert model.features == ["the_amount", "c_i_t_y", "zone", "kept"]
    model.save(tmp_path / "shop.slm")
    pyarrow = pytest.importorskip("pyarrow")
    arrow = frame.assign(zone=frame.zone.cat.codes)  # numbers of Arrow are codes
    for one in (model, scoreline.load(tmp_path / "shop.slm")):
        same_bits(one.predict(frame, "margin"), own)
        same_bits(one.predict(frame[frame.columns[::-1]].assign(other="x"), "margin"), own)
        same_bits(one.predict(frame.rename(columns=lambda name: name.replace(" ", "_")), "margin"), own)
        same_bits(one.predict(frame.assign(**{"the_amount": 1.0}).drop(columns="the amount").assign(**{"the amount": 5.0}), "margin"),
                  one.predict(frame.assign(**{"the amount": 1.0}), "margin"))
        same_bits(one.predict(frame.iloc[3], "margin"), own[3:4])
        same_bits(one.predict(frame.to_dict("records")[:30], "margin"), own[:30])
        same_bits(one.predict(pyarrow.Table.from_pandas(arrow), "margin"), own)
        records = frame.assign(zone=frame.zone.astype(float)).to_dict("records")
        same_bits(one.predict(records[:30], "margin"), own[:30])  # 20.0 is the label 20
    with pytest.raises(scoreline.ShapeError, match="lacks 1 of the model's features: the_amount"):
        model.predict(frame.drop(columns="the amount"))
    with pytest.raises(scoreline.ShapeError, match="has twice 1 of the model's features: the_amount"):
        model.predict(pd.concat([frame, frame[["the amount"]]], axis=1))


def test_arrays_of_labels(trained, trained_lightgbm):
    """Objects and texts by position: labels are looked up, numbers stay numbers."""
    frame, _ = shop(seed=1)
    for booster in (trained, trained_lightgbm):
        model = scoreline.convert(booster)
        own = model.predict(frame, "margin")
        rows = frame.to_numpy(object)
        same_bits(model.predict(rows, "margin"), own)
        same_bits(model.predict(rows.tolist(), "margin"), own)
        same_bits(model.predict(rows[5], "margin"), own[5:6])
        codes = frame.assign(**{name: frame[name].cat.codes.replace(-1, np.nan) for name in ("city", "zone", "kept")})
        same_bits(model.predict(codes.to_numpy(object), "margin"), own)  # without text
        with pytest.raises(scoreline.ShapeError, match="the input has 3 columns, the model has 4"):
            model.predict(rows[:, :3])
        with pytest.raises(scoreline.ShapeError, match="found the text 'much' for feature 'amount' in row 1"):
            model.predict(np.array([rows[0], ["much", "Ulm", 1, "no"]], object))
    with pytest.raises(scoreline.ShapeError, match="feature 'city' in row 0 has categories.*'Oslo'"):
        scoreline.convert(trained).predict(np.array([1.0, "Oslo", 0, "no"], object))
