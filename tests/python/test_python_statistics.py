"""Statistics from Python: counts, references, drift against SciPy from the same counts, Prometheus text."""

import pickle
import re
import threading

import msgpack
import numpy as np
import pandas
import pyarrow
import pytest

import scoreline
from scoreline import _library, _statistics

from conftest import NAMES, make_rows

BINS = 10


@pytest.fixture(scope="module")
def referenced(booster):
    return scoreline.convert(booster, name="demo", reference=make_rows(5000, seed=5))


def counted(model, X, **options):
    options.setdefault("sample_every", 1)
    statistics = scoreline.Statistics(model, **options)
    statistics.predict(X)
    return statistics.snapshot()


def test_a_reference_travels_with_the_model(referenced, tmp_path):
    referenced.save(tmp_path / "m.slm")
    reference = scoreline.reference_of(scoreline.load(tmp_path / "m.slm"))
    assert reference.info["sampled_rows"] == 5000
    rows = make_rows(5000, seed=5)
    for i, feature in enumerate(reference.features):
        assert feature.name == NAMES[i]
        values = rows[:, i][~np.isnan(rows[:, i])].astype(np.float64)
        assert feature.missing == 5000 - len(values)
        np.testing.assert_array_equal(
            feature.counts, np.bincount(np.searchsorted(feature.edges, values), minlength=len(feature.edges) + 1)
        )
        if NAMES[i] == "weekday":  # seven values: an edge each, but for the last
            np.testing.assert_array_equal(feature.edges, np.arange(6))
        else:
            assert len(feature.edges) == BINS - 1 and feature.counts.max() - feature.counts.min() <= 2


def test_no_reference(model):
    assert scoreline.reference_of(model) is None
    snapshot = counted(model, make_rows())
    assert {drift.level for drift in snapshot.drift().values()} == {"unknown"}


def test_streams_are_read_once(referenced):
    """A reader gives its batches to the first who asks."""
    rows = make_rows(300, seed=8)
    table = pyarrow.table(dict(zip(NAMES, rows.T)))
    statistics = scoreline.Statistics(referenced, sample_every=1)
    values = statistics.predict(pyarrow.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=100)))
    np.testing.assert_array_equal(values, referenced.predict(rows))
    snapshot = statistics.snapshot()
    assert (snapshot.calls, snapshot.rows, snapshot.errors) == (3, 300, {})
    assert [feature.missing for feature in snapshot.features] == [feature.missing for feature in counted(referenced, rows).features]


def test_a_feature_with_the_name_of_a_score():
    """Models over other models' predictions have such."""
    builder = scoreline.Builder(2, feature_names=["prediction", "b"])
    model = builder.set_linear([1.0, 10.0]).finish()
    train = np.random.default_rng(0).normal(size=(4000, 2))
    snapshot = counted(model.add_reference(train), train + [0.0, 9.0])
    drift = snapshot.drift()
    assert {name: found.level for name, found in drift.items()} == {
        "b": "shifted", "prediction": "shifted", "feature prediction": "stable",
    }
    assert snapshot.scores[0].drift == drift["prediction"] and snapshot.features[0].drift == drift["feature prediction"]


def test_counting(referenced):
    rows = make_rows(300, seed=8)
    statistics = scoreline.Statistics(referenced, entity_version="7", endpoint="e", sample_every=1)
    values = statistics.predict(rows)
    statistics.record(rows[:10], values[:10], latency=0.002, shadow=True)
    with pytest.raises(scoreline.ShapeError):
        statistics.predict(rows[:, :2])
    snapshot = statistics.snapshot()
    assert (snapshot.calls, snapshot.rows, snapshot.errors) == (3, 310, {"shape": 1})
    info = snapshot.info
    assert (info["entity_name"], info["entity_version"], info["shadow_calls"]) == ("demo", "7", 1)
    score = snapshot.scores[0]
    assert score.counts.sum() == 310
    assert score.sum == pytest.approx(values.sum() + values[:10].sum(), abs=1e-8)  # to 2^-32 per call
    assert snapshot.latency(1.0) == pytest.approx(0.002, rel=0.01) or snapshot.latency(1.0) > 0.002
    with pytest.raises(scoreline.ShapeError):
        statistics.record(rows, values[:10], latency=0.1)


def test_tables_and_labels():
    """String columns count by their labels, and a label that the model does not know is counted as such."""
    import lightgbm

    frame = pandas.DataFrame({
        "colour": pandas.Categorical(np.tile(["red", "green", "blue", "red"], 100)), "size": np.arange(400.0)})
    data = lightgbm.Dataset(frame, label=np.arange(400) % 4)
    booster = lightgbm.train({"verbose": -1, "num_threads": 1, "min_data_per_group": 1}, data, 5)
    model = scoreline.convert(booster, reference=frame)
    colour = scoreline.reference_of(model).features[0]
    assert colour.type == "category" and sorted(colour.counts[:-1]) == [100, 100, 200] and colour.counts[-1] == 0
    other = pandas.DataFrame({
        "colour": pandas.Categorical(["red", "violet", None, "blue"]), "size": [1.0, 2.0, 3.0, np.nan]})
    snapshot = counted(model, other)
    colour, size = snapshot.features
    # The labels of a pandas column become LightGBM's codes, where an unknown one is missing, before they are counted.
    assert (colour.counts.sum(), colour.unknown, colour.missing, size.missing) == (2, 0, 2, 1)
    table = pyarrow.table({"colour": ["red", "violet", None, "blue"], "size": [1.0, 2.0, 3.0, None]})
    colour, size = counted(model, table).features
    assert (colour.counts.sum(), colour.unknown, colour.missing, size.missing) == (2, 1, 1, 1)
    assert colour.drift.unknown_rate == 0.25


def test_threads_and_merging(referenced):
    rows = make_rows(64, seed=9)
    statistics = scoreline.Statistics(referenced, sample_every=1)
    threads = [threading.Thread(target=lambda: [statistics.predict(rows) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one = statistics.snapshot()
    assert one.rows == 4 * 50 * 64
    both = one.merge(pickle.loads(pickle.dumps(one)))
    assert both.rows == 2 * one.rows and one.rows == 4 * 50 * 64
    np.testing.assert_array_equal(both.features[0].counts, 2 * one.features[0].counts)
    with pytest.raises(scoreline.ShapeError):
        one.merge(counted(scoreline.load(referenced.to_bytes()), rows, reference=False))


def test_bytes(referenced, tmp_path):
    snapshot = counted(referenced, make_rows(50))
    data = snapshot.to_bytes()
    plain = msgpack.unpackb(data)
    assert plain["format"] == "scoreline statistics" and plain["version"] == 1
    assert plain["features"][0]["name"] == NAMES[0]
    snapshot.save(tmp_path / "s.sls")
    assert scoreline.Snapshot.open(tmp_path / "s.sls").to_bytes() == data
    with pytest.raises(scoreline.CorruptError):
        scoreline.Snapshot.from_bytes(data[:-1])
    with pytest.raises(scoreline.VersionError):
        scoreline.Snapshot.from_bytes(msgpack.packb({**plain, "version": 2}))
    for key in plain:
        with pytest.raises(scoreline.CorruptError):
            scoreline.Snapshot.from_bytes(msgpack.packb({k: v for k, v in plain.items() if k != key}))


# ---- drift -------------------------------------------------------------------------------------------------------


def drift_of(expected, actual, category=False):
    """Drift of counts: bins, then missing, then unknown."""
    h, d = _library.filled(_statistics.HistogramStruct), _library.filled(_statistics.DriftStruct)
    n = len(expected) - 2
    as_counts = lambda values: (_statistics.c_uint64 * n)(*[int(v) for v in values[:n]])  # noqa: E731
    h.type, h.n_edges = int(category), n - 1
    h.counts, h.expected = as_counts(actual), as_counts(expected)
    h.missing, h.unknown = int(actual[n]), int(actual[n + 1])
    h.expected_missing, h.expected_unknown = int(expected[n]), int(expected[n + 1])
    assert _library.lib.score_drift_of(_statistics.byref(h), _statistics.byref(d), None) == 0
    return d


def near(ours, theirs):
    # SciPy adds in another order and has other series for the tails: the last digits are nobody's.
    assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-15), (ours, theirs)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("category", [False, True])
def test_drift_is_what_scipy_says(seed, category):
    from scipy import special, stats
    from scipy.spatial import distance

    rng = np.random.default_rng(seed)
    n = rng.integers(2, 33)
    shape = rng.random(n) + 0.05
    expected = np.append(rng.multinomial(rng.integers(2000, 50000), shape / shape.sum()), [rng.integers(50, 300), 0])
    other = shape * np.exp(rng.normal(size=n) * rng.choice([0.02, 0.3, 1]))
    actual = np.append(rng.multinomial(rng.integers(2000, 50000), other / other.sum()), [rng.integers(50, 300), 0])
    if category:
        expected[-1], actual[-1] = rng.integers(20, 90, 2)
    used = slice(None) if category else slice(None, -1)
    e, a = expected[used], actual[used]
    d = drift_of(expected, actual, category)
    floor = lambda counts: np.maximum(counts / counts.sum(), 1e-4)  # noqa: E731
    near(d.psi, np.sum((floor(a) - floor(e)) * np.log(floor(a) / floor(e))))
    # A difference of nearly equal logarithms: what is lost is lost in SciPy, too.
    assert d.js_distance == pytest.approx(distance.jensenshannon(e, a, base=2), rel=1e-9)
    chi2, p, df, _ = stats.chi2_contingency(np.array([e, a]), correction=False)
    near(d.chi2, chi2)
    assert d.chi2_df == df
    near(d.chi2_p_value, p)
    assert d.level == 1 + (d.psi >= 0.1) + (d.psi >= 0.25)
    if category:
        assert np.isnan(d.ks_statistic)
        return
    bins = np.arange(n)
    x, y = np.repeat(bins, expected[:n]), np.repeat(bins, actual[:n])
    near(d.ks_statistic, stats.ks_2samp(x, y, method="asymp").statistic)
    near(d.ks_p_value, special.kolmogorov(np.sqrt(len(x) * len(y) / (len(x) + len(y))) * d.ks_statistic))
    assert d.missing_change == pytest.approx(actual[n] / a.sum() - expected[n] / e.sum(), rel=1e-12)


def test_a_drift_alarm_rings_when_it_should(referenced):
    quiet = 0
    for seed in range(20):
        same = counted(referenced, make_rows(2000, seed=100 + seed)).drift()
        quiet += all(drift.level == "stable" for drift in same.values())
        assert all(not drift.ks_p_value < 1e-6 for drift in same.values())
    assert quiet == 20
    rows = make_rows(2000, seed=200)
    rows[:, 0] += 1.0
    rows[:, 2] *= 3
    rows[::2, 1] = np.nan
    shifted = counted(referenced, rows).drift()
    assert {name for name, drift in shifted.items() if drift.level == "shifted"} >= {"age", "visits", "income"}
    assert shifted["weekday"].level == shifted["distance"].level == "stable"
    assert shifted["age"].ks_p_value < 1e-9 and shifted["income"].missing_change > 0.4
    assert list(shifted)[0] in {"age", "visits", "income"}


# ---- Prometheus --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_versions(referenced):
    tricky = 'a "quoted"\\ name\nof two lines'
    return [
        counted(referenced, make_rows(700, seed=3), endpoint=tricky, served_name="one", entity_version="1"),
        counted(referenced, make_rows(300, seed=4), endpoint=tricky, served_name="two", entity_version="2"),
    ]


def test_prometheus_text_without_a_parser(two_versions):
    text = scoreline.prometheus_text(two_versions, feature_bins=True)
    line = re.compile(r'^(# (HELP|TYPE) \w+ .*|\w+(\{(\w+="([^"\\\n]|\\[\\n"])*",?)*\})? [-+.\deInfNa]+)$')
    assert all(line.match(one) for one in text.splitlines())
    assert text.count("# TYPE scoreline_rows_total counter") == 1
    assert 'a \\"quoted\\"\\\\ name\\nof two lines' in text


def test_labels_must_differ(two_versions):
    with pytest.raises(scoreline.ArgumentError, match="merge"):
        scoreline.prometheus_text([two_versions[0], two_versions[0]])
    assert "scoreline_missing" not in scoreline.prometheus_text(two_versions, features=False)
