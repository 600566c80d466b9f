"""What a Model can do besides reading rows: outputs, saving, pickling, threads, errors."""

import copy
import os
import pickle
import signal
import sys
import threading
import time

import numpy as np
import pytest
import xgboost

import scoreline
from conftest import NAMES, make_rows, same_bits, target
from scoreline import _errors
from scoreline._opened import open_cached


@pytest.fixture(scope="module")
def classes(rows):
    """Three outputs."""
    matrix = xgboost.DMatrix(rows, label=np.digitize(target(rows), [-0.5, 0.5]))
    return xgboost.train({"objective": "multi:softprob", "num_class": 3, "nthread": 1}, matrix, 5)


# ---- predict -------------------------------------------------------------------------------------------------------


def test_shapes_and_types(model, classes, rows):
    three = scoreline.convert(classes)
    for n in (1, 2, 400):
        X = rows[:n]
        for output, width in (("prediction", 3), ("margin", 3), ("leaf", 15)):
            values = three.predict(X, output)
            assert values.shape == (n, width)
            assert values.dtype == (np.int32 if output == "leaf" else np.float64)
        assert model.predict(X).shape == (n,) and model.predict(X, "leaf").shape == (n, 12)
    assert three.predict(rows[0]).shape == (1, 3) and model.predict(rows[0]).shape == (1,)


def test_tree_range(model, booster, rows):
    for begin, end in ((0, 1), (0, 5), (3, 12), (11, 12), (0, 12)):
        leaves = model.predict(rows, "leaf", tree_range=(begin, end))
        assert np.array_equal(leaves, model.predict(rows, "leaf")[:, begin:end])
        expected = booster.inplace_predict(
            rows, predict_type="margin", iteration_range=(begin, end), validate_features=False
        )
        same_bits(model.predict(rows, "margin", tree_range=(begin, end)), expected)
        same_bits(model.predict(rows[:1], "margin", tree_range=(begin, end)), expected[:1])


@pytest.mark.parametrize("tree_range", [(0, 0), (3, 3), (4, 2), (-1, 3), (0, 13), 5, (1,), (1, 2, 3), "ab"])
def test_wrong_tree_range(model, rows, tree_range):
    with pytest.raises(ValueError, match="tree_range"):
        model.predict(rows, tree_range=tree_range)


@pytest.mark.parametrize("output", ["proba", "", None, 1, ("margin",)])
def test_wrong_output(model, rows, output):
    for X in (rows, rows[:1]):
        with pytest.raises(ValueError, match="'prediction', 'margin', 'class', 'leaf' or 'contribution'"):
            model.predict(X, output)
    assert model.predict(rows[:1]).shape == (1,)


def test_out(model, classes, rows, margins):
    out = np.full(len(rows), -1.0)
    assert model.predict(rows, out=out) is out
    same_bits(out, margins)
    one = np.empty(1)
    assert model.predict(rows[0], out=one) is one
    same_bits(one, margins[:1])
    leaves = np.empty((len(rows), 12), np.int32)
    assert model.predict(rows, "leaf", out=leaves) is leaves
    assert np.array_equal(leaves, model.predict(rows, "leaf"))
    three = scoreline.convert(classes)
    wide = np.empty((len(rows), 3))
    same_bits(three.predict(rows, out=wide), three.predict(rows))


@pytest.mark.parametrize(
    "out",
    [
        np.empty(399),
        np.empty(401),
        np.empty((400, 1)),
        np.empty(400, np.float32),
        np.empty(800)[::2],
        [0.0] * 400,
        np.frombuffer(bytes(3200)),
        np.empty(0),
        np.empty(400, np.int32),
        np.empty(()),
    ],
    ids=["short", "long", "2-D", "f32", "strided", "list", "read only", "empty", "i32", "0-D"],
)
def test_wrong_out(model, rows, out):
    with pytest.raises(scoreline.ShapeError, match="out"):
        model.predict(rows, out=out)


def test_leaf_out_must_be_int32(model, rows):
    with pytest.raises(scoreline.ShapeError, match="int32"):
        model.predict(rows, "leaf", out=np.empty((400, 12)))


def test_an_error_leaves_the_model_usable(model, rows, margins):
    for _ in range(50):
        with pytest.raises(scoreline.ShapeError):
            model.predict(np.zeros((3, 4)))
        same_bits(model.predict(rows[:2]), margins[:2])


def test_many_schemas(model, rows, margins):
    """More schemas than are kept bound."""
    import pandas

    for i in range(100):
        frame = pandas.DataFrame(rows[:3], columns=NAMES)
        frame.insert(i % 5, f"extra {i}", 0.0)
        same_bits(model.predict(frame), margins[:3])
    assert len(model._plans) <= 64


# ---- threads -------------------------------------------------------------------------------------------------------


def test_threads(model, rows, margins):
    """Single rows, batches and frames from eight threads on one model; every answer is exact."""
    import pandas

    frame = pandas.DataFrame(rows, columns=NAMES)
    failures = []
    start = threading.Barrier(8)

    def work(seed):
        rng = np.random.default_rng(seed)
        start.wait()
        try:
            for _ in range(150):
                i, n = int(rng.integers(0, 390)), int(rng.integers(2, 9))
                same_bits(model.predict(rows[i]), margins[i : i + 1])
                same_bits(model.predict(rows[i : i + n], "margin"), margins[i : i + n])
                if seed % 4 == 0:
                    same_bits(model.predict(frame.iloc[i : i + n]), margins[i : i + n])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[0]
    assert 1 <= len(model._workers) <= 9


def test_scoring_releases_the_gil(model, rows):
    """Another thread runs Python code while a batch is scored, although Python itself would not let it."""
    X = np.tile(rows, (500, 1))
    out = np.empty(len(X))
    scored, ticks = threading.Event(), []

    def count():
        while not scored.is_set():
            ticks.append(1)
            time.sleep(0)

    counter = threading.Thread(target=count)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(100.0)
    try:
        counter.start()
        before = len(ticks)
        # A call takes milliseconds: on a busy machine the other thread may not be running during the first.
        deadline = time.monotonic() + 120
        while len(ticks) == before and time.monotonic() < deadline:
            model.predict(X, out=out)
        during = len(ticks) - before
    finally:
        scored.set()
        sys.setswitchinterval(interval)
        counter.join()
    assert during > 0


def test_signal_in_the_middle(model, rows, margins):
    """A handler that scores on the same model does not disturb the call that it interrupts."""
    calls = []

    def handler(number, frame):
        calls.append(model.predict(rows[1])[0])

    old = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    try:
        deadline = time.monotonic() + 120
        while len(calls) <= 50 and time.monotonic() < deadline:
            assert model.predict(rows[0])[0] == margins[0]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    assert len(calls) > 50 and set(calls) == {margins[1]}


# ---- files and bytes -------------------------------------------------------------------------------------------------


def test_save_and_load(tmp_path, model, rows, margins):
    path = tmp_path / "model.slm"
    model.save(path)
    assert path.read_bytes() == model.to_bytes()
    for loaded in (
        scoreline.load(path),
        scoreline.load(str(path)),
        scoreline.load(path, mmap=True, verify=True),
        scoreline.load(path.read_bytes(), verify=True),
        scoreline.load(bytearray(path.read_bytes())),
        scoreline.load(memoryview(path.read_bytes())),
        scoreline.load(path, isa="portable"),
        scoreline.load(path, small=True),
    ):
        same_bits(loaded.predict(rows), margins)
        assert loaded.features == NAMES and loaded.metadata == model.metadata
        assert loaded.to_bytes() == model.to_bytes()
        assert loaded.info.file_bytes == path.stat().st_size and len(loaded.info.hash) == 32
    assert scoreline.load(path, isa="portable").info.isa == "portable"
    small = scoreline.load(path, small=True).info
    assert small.batch_regime != "batch" and small.memory_bytes < model.info.memory_bytes


def test_pickle_and_copy(model, rows, margins):
    for protocol in (2, pickle.HIGHEST_PROTOCOL):
        same_bits(pickle.loads(pickle.dumps(model, protocol)).predict(rows), margins)
        for made, name in ((model, b"load"), (model.info, b"ModelInfo")):  # other versions look there, too
            assert b"scoreline._model" in pickle.dumps(made, protocol) and name in pickle.dumps(made, protocol)
        assert pickle.loads(pickle.dumps(model.info, protocol)) == model.info
    assert copy.copy(model) is model and copy.deepcopy(model) is model


def test_wrong_files(tmp_path, model):
    with pytest.raises(scoreline.FileError, match="absent"):
        scoreline.load(tmp_path / "absent.slm")
    with pytest.raises(OSError):
        model.save(tmp_path / "no such folder" / "model.slm")
    data = model.to_bytes()
    for broken in (b"", b"SLM", data[:-1], data[:100], b"x" + data[1:], data + b"x"):
        with pytest.raises(scoreline.ScorelineError) as caught:
            scoreline.load(broken)
        assert isinstance(caught.value, (scoreline.CorruptError, scoreline.VersionError))
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    with pytest.raises(scoreline.CorruptError):
        scoreline.load(bytes(flipped))


def test_a_file_overwritten_with_its_old_time_is_another_model(tmp_path, booster):
    """As by cp -p, tar or a build that gives every file the same time: same inode, same size, same time of the content."""
    path, other = tmp_path / "a.slm", tmp_path / "b.slm"
    scoreline.convert(booster, name="a").save(path)
    scoreline.convert(booster, name="b").save(other)
    before = os.stat(path)
    assert open_cached(path).metadata["name"] == "a" and open_cached(path) is open_cached(path)
    while os.stat(path).st_ctime_ns == before.st_ctime_ns:  # the file system's clock ticks some hundred times a second
        path.write_bytes(other.read_bytes())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert os.stat(path).st_size == before.st_size and os.stat(path).st_ino == before.st_ino
    assert open_cached(path).metadata["name"] == "b"


def test_zero_bytes_are_refused(tmp_path, model, booster, rows):
    """C would take the text before them for the whole."""
    import pandas

    (tmp_path / "model").write_bytes(model.to_bytes())
    for call in (
        lambda: scoreline.load(f"{tmp_path}/model\0.slm"),
        lambda: model.save(f"{tmp_path}/model\0.slm"),
        lambda: scoreline.convert("model\0.json"),
        lambda: scoreline.convert(booster, name="a\0b"),
        lambda: scoreline.convert(booster, metadata={"a\0b": "c"}),
        lambda: scoreline.Builder(1, feature_names=["a\0b"]),
        lambda: model.predict(pandas.DataFrame(rows, columns=[f"{name}\0x" for name in NAMES])),
    ):
        with pytest.raises(ValueError, match="zero byte"):
            call()


def test_wrong_isa(tmp_path, model):
    for call in (lambda: scoreline.load(model.to_bytes(), isa="mmx"), lambda: model.verify("mmx")):
        with pytest.raises(ValueError, match="mmx"):
            call()


def test_wrong_metadata_is_refused(booster):
    with pytest.raises((TypeError, ValueError)):
        scoreline.convert(booster, metadata=["name"])


# ---- what a model says of itself -------------------------------------------------------------------------------------


def test_info(model, booster):
    info = model.info
    leaves = sum(tree.count("leaf=") for tree in booster.get_dump())
    assert (info.kind, info.n_features, info.n_outputs, info.n_trees, info.n_leaves) == ("trees", 5, 1, 12, leaves)
    assert info.n_splits == leaves - 12 and info.max_depth <= 4 and info.max_leaves <= 16
    assert info.margin_is_f32 and info.link == "identity" and model.n_outputs == 1
    assert info.n_golden_rows == len(model.golden()[0]) > 0
    assert model.feature_types == ["numeric"] * 5
    assert info.isa in ("portable", "sse42", "avx2", "avx512", "neon")


def test_repr(booster):
    text = repr(scoreline.convert(booster, name="churn"))
    for part in ("scoreline.Model 'churn'", "12 trees", "5 features", "reg:squarederror", "identity", "on "):
        assert part in text, text
    assert "\n" not in text and f"xgboost {xgboost.__version__}" in text.lower()


def test_features_and_metadata_are_copies(model):
    model.features.append("x")
    model.metadata["x"] = "y"
    assert model.features == NAMES and "x" not in model.metadata


def test_golden_and_verify(model):
    rows, margins = model.golden()
    assert rows.shape == (len(margins), 5) and margins.shape[1] == 1
    same_bits(model.predict(rows, "margin"), margins[:, 0])
    assert model.verify() > 0 and model.verify("portable") > 0


def test_models_are_not_made_directly():
    with pytest.raises(TypeError, match="scoreline.load"):
        scoreline.Model()


def test_models_are_freed(booster):
    """Two hundred models of one booster leave nothing behind."""
    import resource

    raw = bytes(booster.save_raw("ubj"))
    X = make_rows(4)

    def once():
        scoreline.convert(raw).predict(X)

    for _ in range(50):
        once()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(200):
        once()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 * 1024  # KiB


# ---- errors ----------------------------------------------------------------------------------------------------------


def test_errors_have_one_class_per_status():
    names = {
        1: "ArgumentError",
        2: "OutOfMemoryError",
        3: "FileError",
        4: "CorruptError",
        5: "VersionError",
        6: "UnsupportedError",
        7: "ShapeError",
        8: "LimitError",
        9: "VerifyError",
    }
    for status, name in names.items():
        error = _errors.make_error(status, "what was expected", 12, 3)
        assert type(error) is getattr(scoreline, name) and isinstance(error, scoreline.ScorelineError)
        assert (error.status, error.offset, error.line, str(error)) == (status, 12, 3, "what was expected")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and (again.status, again.offset, str(again)) == (status, 12, str(error))
    plain = _errors.make_error(7, "columns")
    assert plain.offset is None and plain.line is None and isinstance(plain, ValueError)
    assert type(_errors.make_error(77, "")) is scoreline.ScorelineError


def test_what_owns_a_handle_is_not_copied(model, rows, tmp_path):
    """A copy would free the same handle a second time."""
    entity = {"entity_name": "m", "entity_version": "1", "model": model}
    owners = [
        scoreline.Builder(1),
        scoreline.Statistics(model),
        scoreline.Capture(tmp_path),
        scoreline.Endpoint({"served_entities": [entity]}),
        model.explainer(rows[:2]),
    ]
    for owner in owners:
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=f"scoreline.{type(owner).__name__} can be neither copied nor pickled"):
                duplicate(owner)


def test_answers_with_arrays_are_told_apart(model, rows):
    """Comparing and hashing them is no error: each is itself only."""
    entity = {"entity_name": "m", "entity_version": "1", "model": model}
    endpoint, statistics = scoreline.Endpoint({"served_entities": [entity]}), scoreline.Statistics(model)
    statistics.predict(rows)
    for make in (lambda: endpoint.score(rows), lambda: statistics.snapshot().scores[0], lambda: model.bin_columns[0]):
        one, other = make(), make()
        assert one == one and one != other and len({one, other}) == 2
