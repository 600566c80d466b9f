"""Columns of every type that rows come in, as Arrow batches and streams and as arrays, by name in another order and by position:
margins of a model of each source against the source library's own, bit for bit.
"""
import warnings

import numpy as np
import pandas
import pyarrow as pa
import pytest

import bit_check
import onnx_models as om
import scoreline

N = 400
NAMES = ["half", "count", "flag", "how wide_is it", "city"]
CITIES = ["Bern", "Oslo", "", "Zürich", "a city with a long name", "Graz"]
INTEGERS = [pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64(), pa.uint64()]
TEXTS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()),
         pa.dictionary(pa.uint16(), pa.large_string()), pa.dictionary(pa.int32(), pa.string_view())]


def make_frame(has_missing: bool) -> pandas.DataFrame:
    rng = np.random.default_rng(5)
    wide = rng.normal(size=N)
    if has_missing:
        wide[rng.random(N) < 0.1] = np.nan
    return pandas.DataFrame({"half": rng.normal(size=N).astype(np.float16).astype(np.float32), "count": rng.integers(0, 100, N),
                             "flag": rng.random(N) < 0.5, NAMES[3]: wide, "city": rng.choice(CITIES, N)})


def target(frame) -> np.ndarray:
    return (frame["half"] * 2 + frame["count"] / 50 + frame["flag"] - np.nan_to_num(frame[NAMES[3]])
            + frame["city"].map(len)).to_numpy(float)


def of_xgboost(frame):
    import xgboost
    table = frame.assign(city=pandas.Categorical(frame["city"], CITIES), flag=frame["flag"].astype(int))
    data = xgboost.DMatrix(table, target(frame), enable_categorical=True)
    booster = xgboost.train({"max_depth": 4, "nthread": 1}, data, 12)
    return booster, booster.predict(data, output_margin=True)


def of_lightgbm(frame):
    import lightgbm
    table = frame.assign(city=pandas.Categorical(frame["city"], CITIES))
    booster = lightgbm.train({"verbosity": -1, "num_threads": 1, "min_data_per_group": 1, "num_leaves": 15},
                             lightgbm.Dataset(table, target(frame)), 12)
    return booster, booster.predict(table, raw_score=True, num_threads=1)


def of_catboost(frame):
    import catboost
    pool = catboost.Pool(frame.assign(flag=frame["flag"].astype(int)), target(frame), cat_features=["city"])
    model = catboost.CatBoostRegressor(iterations=12, depth=4, verbose=0, thread_count=1, one_hot_max_size=3, random_seed=1,
                                       allow_writing_files=False).fit(pool)
    return model, model.predict(pool, thread_count=1)


def pipeline_of(last):
    from sklearn import compose, pipeline, preprocessing
    encoder = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return pipeline.make_pipeline(compose.ColumnTransformer([("text", encoder, ["city"])], remainder="passthrough"), last)


def of_sklearn(frame):
    from sklearn.ensemble import HistGradientBoostingRegressor
    pipe = pipeline_of(HistGradientBoostingRegressor(max_iter=12)).fit(frame, target(frame))
    return pipe, pipe.predict(frame)


def of_onnx(frame):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn.ensemble import GradientBoostingRegressor
    kinds = {"half": FloatTensorType, "count": Int64TensorType, "flag": Int64TensorType, NAMES[3]: FloatTensorType, "city": StringTensorType}
    pipe = pipeline_of(GradientBoostingRegressor(n_estimators=12)).fit(frame, target(frame))
    data = convert_sklearn(pipe, initial_types=[(n, k([None, 1])) for n, k in kinds.items()],
                           target_opset={"": 18, "ai.onnx.ml": 3}).SerializeToString()
    types = {"half": np.float32, "count": np.int64, "flag": np.int64, NAMES[3]: np.float32, "city": object}
    feeds = {name.replace(" ", "_"): frame[name].to_numpy(types[name]).reshape(-1, 1) for name in NAMES}
    return data, om.session(data).run(None, feeds)[0]


SOURCES = {"XGBoost": of_xgboost, "LightGBM": of_lightgbm, "CatBoost": of_catboost, "scikit-learn": of_sklearn, "onnxruntime": of_onnx}


def column(values: pandas.Series, kind) -> pa.Array:
    if not pa.types.is_dictionary(kind):
        return pa.array(values, from_pandas=True).cast(kind)
    encoded = pa.array(values).dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), encoded.dictionary.cast(kind.value_type))


@pytest.mark.parametrize("source", SOURCES)
def test_columns(source, tally, monkeypatch):
    if source == "XGBoost":  # which keeps only labels of ASCII whole in its file
        monkeypatch.setattr(f"{__name__}.CITIES", [name.replace("ü", "ue") for name in CITIES])
    frame = make_frame(has_missing=source != "onnxruntime")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained, wanted = SOURCES[source](frame)
    model, wanted = scoreline.convert(trained), bit_check.as_doubles(wanted)
    counts = tally(source, "columns of every type")

    def same(got, layout, of=wanted):
        counts.add(layout, len(of))
        assert not len(bit_check.differing(bit_check.as_doubles(got, of.shape[1]), of)), layout

    for i in range(max(len(INTEGERS), len(TEXTS))):
        kinds = [pa.float16(), INTEGERS[i % len(INTEGERS)], pa.bool_(), pa.float64(), TEXTS[i % len(TEXTS)]]
        batch = pa.RecordBatch.from_arrays([column(frame[n], k) for n, k in zip(NAMES, kinds)], names=NAMES)
        same(model.predict(batch, "margin"), "Arrow batch")
        same(model.predict(batch.select(NAMES[::-1]), "margin"), "Arrow batch")
        same(model.predict(batch.slice(3, 77), "margin"), "Arrow batch", wanted[3:80])
        table = pa.Table.from_batches([batch.slice(0, 150), batch.slice(150, 1), batch.slice(151)])
        same(model.predict(table, "margin"), "Arrow stream")
    same(model.predict(frame, "margin"), "frame, by name")
    same(model.predict(frame[NAMES[::-1]].assign(other="x"), "margin"), "frame, by name")
    same(model.predict(frame.to_dict("records")[:40], "margin"), "frame, by name", wanted[:40])
    assert not len(bit_check.differing(bit_check.as_doubles(model.predict(frame[NAMES].to_numpy(object), "margin")), wanted))
    same(model.predict(model.bin(frame), "margin"), "codes")
    if source != "CatBoost":  # to which numbers in a matrix are categories of their own
        codes = frame["city"].map(model.categories["city"])
        same(model.predict(frame.assign(city=codes).to_numpy(np.float64), "margin"), "rows f64")
