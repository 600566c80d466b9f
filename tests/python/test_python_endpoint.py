"""Endpoints: the configuration as platforms write it, who answers, what changes do, threads."""

import csv
import gc
import io
import json
import os
import pathlib
import subprocess
import threading
import weakref

import numpy as np
import pytest

import scoreline

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = pathlib.Path(os.environ.get("SCORELINE_BUILD", ROOT / "build")) / "cli/scoreline"
CONFIG = {
    "served_entities": [
        {"entity_name": "fraud_model", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": False},
        {"entity_name": "fraud_model", "entity_version": "2", "workload_size": "Small", "scale_to_zero_enabled": False},
    ],
    "traffic_config": {
        "routes": [
            {"served_model_name": "fraud_model-1", "traffic_percentage": 90},
            {"served_entity_name": "fraud_model-2", "traffic_percentage": 10},
        ]
    },
    "auto_capture_config": {"catalog_name": "ml", "schema_name": "inference_logs", "table_name_prefix": "fraud_detection"},
}


def answering(value):
    """A model of features "a" and "b" that answers `value` + 0 a + 0 b."""
    builder = scoreline.Builder(2, feature_names=["a", "b"], base=value)
    return builder.set_linear(np.zeros((1, 2))).finish()


def models():
    return {f"fraud_model-{k}": answering(float(k)) for k in (1, 2, 3)}


@pytest.fixture
def endpoint():
    return scoreline.Endpoint(CONFIG, models=models(), name="fraud-detection-endpoint")


ROWS = np.zeros((5, 2))


def test_calls_are_dealt_exactly(endpoint):
    answers = [endpoint.predict(ROWS)[0] for _ in range(100)]
    assert answers.count(1.0) == 90 and answers.count(2.0) == 10


def test_a_key_sticks_and_one_version_answers_a_call(endpoint):
    keys = [f"customer-{i}" for i in range(3000)]
    first = [endpoint.score(ROWS, key=key) for key in keys]
    for scored in first:
        assert len(set(scored.predictions)) == 1
        assert scored.served_name == f"fraud_model-{int(scored.predictions[0])}"
        assert list(scored.served) == [int(scored.predictions[0]) - 1] * 5
    share = sum(scored.served_name == "fraud_model-1" for scored in first) / len(keys)
    assert abs(share - 0.9) < 5 * (0.9 * 0.1 / len(keys)) ** 0.5
    before = endpoint.slots
    endpoint.set_traffic({"fraud_model-1": 80, "fraud_model-2": 20})
    after = endpoint.slots
    assert sum(a != b for a, b in zip(before, after)) == 10
    for key, scored in zip(keys, first):
        now = endpoint.score(ROWS, key=key)
        assert now.served_name == scored.served_name or scored.served_name == "fraud_model-1"
    endpoint.rollback()
    assert endpoint.slots == before and endpoint.generation == 1


@pytest.mark.parametrize("as_text", [False, True])
def test_keys_of_rows_agree_with_keys_of_calls(endpoint, as_text):
    pd = pytest.importorskip("pandas")
    keys = [f"c{i}" if as_text else i for i in range(2000)]
    frame = pd.DataFrame({"b": np.arange(2000.0), "unused": 1.0, "a": 2.0})
    scored = endpoint.score(frame, row_keys=keys)
    assert scored.served_name is None
    for i in range(0, 2000, 37):
        assert endpoint.score(ROWS, key=keys[i]).predictions[0] == scored.predictions[i]
    assert (scored.predictions == scored.served + 1).all()
    with pytest.raises(ValueError, match="expected row_keys for 2000 rows, found 3"):
        endpoint.score(frame, row_keys=[1, 2, 3])


def test_another_process_can_take_the_slots(endpoint):
    endpoint.set_traffic({"fraud_model-2": 100})
    endpoint.set_traffic({"fraud_model-1": 90, "fraud_model-2": 10})
    other = scoreline.Endpoint({**CONFIG, "slots": endpoint.slots}, models=models(), name=endpoint.name)
    assert other.slots == endpoint.slots
    assert scoreline.Endpoint(CONFIG, models=models()).slots != endpoint.slots


def test_the_configuration_can_be_read_back(endpoint):
    endpoint.set_shadows(["fraud_model-2"])
    assert endpoint.config == {
        "served_entities": [
            {"name": f"fraud_model-{k}", "entity_name": "fraud_model", "entity_version": str(k)} for k in (1, 2)
        ],
        "traffic_config": {
            "routes": [
                {"served_model_name": "fraud_model-1", "traffic_percentage": 90},
                {"served_model_name": "fraud_model-2", "traffic_percentage": 10},
            ]
        },
        "shadow_names": ["fraud_model-2"],
    }


def changed(**parts):
    return {**CONFIG, **parts}


@pytest.mark.parametrize(
    "config, message",
    [
        (changed(served_entities=[]), r"^served_entities: expected 1 to 255, found 0"),
        (changed(served_entities=CONFIG["served_entities"][:1]), r"^traffic_config.routes\[1\].served_model_name: 'fraud_model-2'"),
        (
            changed(traffic_config={"routes": [{"served_model_name": "fraud_model-1", "traffic_percentage": 99}]}),
            r"^traffic_config.routes: traffic_percentage sums to 99, expected 100",
        ),
        (
            changed(traffic_config={"routes": [{"served_model_name": "fraud_model-1", "traffic_percentage": 99.5}]}),
            r"^traffic_config.routes\[0\].traffic_percentage: expected an integer, found 99.5",
        ),
        (changed(served_entities=CONFIG["served_entities"][:1] * 2), r"^served_entities\[1\].name: 'fraud_model-1' is the name"),
        (changed(traffic="x"), r"^traffic: unknown"),
        (changed(served_entities=[{"entity_name": "x", "entity_version": "1"}]), r"^served_entities\[0\].model: there is none"),
        (changed(shadow_names=["x"]), r"^shadow_names\[0\]: 'x' is not the name"),
        (changed(slots=["fraud_model-1"] * 99), r"^slots: expected 100 names"),
    ],
)
def test_bad_configurations_name_their_field(endpoint, config, message):
    with pytest.raises(ValueError, match=message):
        endpoint.update(config)
    assert endpoint.generation == 1
    assert endpoint.predict(ROWS, served_name="fraud_model-2")[0] == 2.0
    with pytest.raises(ValueError, match=message):
        scoreline.Endpoint(config, models=models())


def test_models_live_as_long_as_they_are_served():
    model, late = answering(1.0), answering(7.0)
    gone, stays = weakref.ref(model), weakref.ref(late)
    endpoint = scoreline.Endpoint({"served_entities": [{"entity_name": "m", "entity_version": "1", "model": model}]})
    del model
    gc.collect()
    assert endpoint.predict(ROWS)[0] == 1.0
    endpoint.replace("m-1", {"entity_name": "m", "entity_version": "7", "model": late})
    del late
    assert endpoint.predict(ROWS)[0] == 7.0
    endpoint.rollback()
    assert endpoint.predict(ROWS)[0] == 1.0
    endpoint.rollback()
    endpoint._like = None  # the first model gives its feature names until the next update
    assert endpoint.settle() == 0
    gc.collect()
    assert gone() is None and stays() is not None
    with pytest.raises(scoreline.ArgumentError, match="no configuration before"):
        endpoint.rollback()
    del endpoint
    gc.collect()
    assert stays() is None


def test_statistics_count_their_version(endpoint):
    model = answering(5.0)
    statistics = scoreline.Statistics(model)
    endpoint.add({"entity_name": "fraud_model", "entity_version": "5", "model": model, "statistics": statistics})
    endpoint.predict(ROWS, served_name="fraud_model-5")
    endpoint.set_shadows(["fraud_model-5"])
    endpoint.predict(ROWS, served_name="fraud_model-1")
    snapshot = statistics.snapshot()
    assert snapshot.calls == 2 and snapshot.rows == 10


def test_all_calls_are_captured(tmp_path):
    capture = scoreline.Capture(tmp_path, prefix="fraud_detection")
    endpoint = scoreline.Endpoint({**CONFIG, "shadow_names": ["fraud_model-2"]}, models=models(), name="fraud", capture=capture)
    for i in range(10):
        endpoint.predict(ROWS, key=i, request_id=f"r{i}", served_name="fraud_model-1")
    assert capture.drain() == 20 and capture.info["n_kept"] == 20
    assert any(tmp_path.iterdir())
    capture.start()
    endpoint.predict(ROWS, served_name="fraud_model-1")
    capture.stop()
    assert capture.info["n_written"] == 22 and capture.info["n_lost_full"] == 0
    with pytest.raises(ValueError, match="sampling_fraction"):
        scoreline.Capture(tmp_path, sampling_fraction=0)
    with pytest.raises(scoreline.FileError):
        scoreline.Capture(tmp_path / "nowhere")


@pytest.mark.parametrize("number", [2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1])
def test_the_command_writes_all_digits_of_integers(tmp_path, number):
    """Also beside a name that holds what the command makes of them underway."""
    import pandas

    if not COMMAND.exists():
        pytest.skip("the command is not built")
    names = ["id", 'a {"18446744073709551615":true}']
    model = scoreline.Builder(2, feature_names=names).set_linear(np.zeros((1, 2))).finish()
    capture = scoreline.Capture(tmp_path, prefix="ids")
    entity = {"entity_name": "m", "entity_version": "1", "model": model}
    endpoint = scoreline.Endpoint({"served_entities": [entity]}, capture=capture)
    endpoint.predict(pandas.DataFrame({names[0]: np.array([number], np.uint64), names[1]: np.zeros(1)}))
    capture.drain()

    def told(*options):
        return subprocess.run([COMMAND, "log", *options, tmp_path], check=True, capture_output=True, text=True).stdout

    assert json.loads(told("cat"))["inputs"] == {"columns": names, "data": [[number, 0]]}
    assert json.loads(json.loads(told("cat", "--view", "payload"))["request"])["dataframe_split"]["data"] == [[number, 0]]
    assert json.loads(told("export", "--view", "predictions"))["inputs"] == {names[0]: number, names[1]: 0}
    (row,) = csv.DictReader(io.StringIO(told("export", "--view", "predictions", "--format", "csv")))
    assert json.loads(row["inputs"]) == {names[0]: number, names[1]: 0}


def test_outputs_of_different_width_and_labels(endpoint):
    assert endpoint.predict(ROWS, "margin").shape == (5,)
    with pytest.raises(ValueError, match="expected output to be one of"):
        endpoint.predict(ROWS, "x")
    with pytest.raises(scoreline.ArgumentError, match="score_request.served_name: 'x'"):
        endpoint.predict(ROWS, served_name="x")
    with pytest.raises(scoreline.ShapeError):
        endpoint.predict(np.zeros((2, 3)))


def test_versions_change_while_threads_score(endpoint):
    """Each answer is of the configuration whose generation it names."""
    versions = [answering(float(k)) for k in range(20)]
    served = {1: (1.0, 2.0)}
    wrong, stop = [], threading.Event()

    def score():
        rng = np.random.default_rng(threading.get_ident() % 1000)
        while not stop.is_set():
            scored = endpoint.score(ROWS, row_keys=rng.integers(0, 1000, 5)) if rng.random() < 0.5 else endpoint.score(ROWS)
            expected = np.take(served[scored.generation], scored.served)
            if not (scored.predictions == expected).all():
                wrong.append(scored)

    threads = [threading.Thread(target=score) for _ in range(4)]
    for thread in threads:
        thread.start()
    for i in range(200):
        first, second = versions[i % 20], versions[(i * 7 + 1) % 20]
        served[i + 2] = (float(i % 20), float((i * 7 + 1) % 20))
        entities = [{"entity_name": "m", "entity_version": str(k), "model": model} for k, model in enumerate((first, second))]
        share = i % 101
        routes = [{"served_model_name": "m-0", "traffic_percentage": share}, {"served_model_name": "m-1", "traffic_percentage": 100 - share}]
        endpoint.update({"served_entities": entities, "traffic_config": {"routes": routes}})
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong


class Lent(np.ndarray):
    """Memory that its owner takes back: nobody must read it afterwards."""

    def __del__(self):
        self.view(np.ndarray)[...] = np.nan


def stream_of(sizes):
    """A stream of batches to whose memory nobody else refers."""
    import pyarrow

    def batches():
        for size in sizes:
            lent = np.arange(size, dtype=np.float64).view(Lent)
            column = pyarrow.Array.from_buffers(pyarrow.float64(), size, [None, pyarrow.py_buffer(lent)])
            del lent
            yield pyarrow.RecordBatch.from_arrays([column, column], ["a", "b"])
            del column

    schema = pyarrow.schema([("a", pyarrow.float64()), ("b", pyarrow.float64())])
    return pyarrow.RecordBatchReader.from_batches(schema, batches())


def test_a_stream_is_scored_before_its_memory_is_given_back():
    builder = scoreline.Builder(2, feature_names=["a", "b"])
    model = builder.set_linear(np.array([[1.0, 10.0]])).finish()
    statistics = scoreline.Statistics(model)
    entity = {"entity_name": "m", "entity_version": "1", "model": model, "statistics": statistics}
    endpoint = scoreline.Endpoint({"served_entities": [entity]})
    for sizes in ([4], [0, 4], [4, 0, 0], [0, 4, 0]):
        assert endpoint.predict(stream_of(sizes)).tolist() == [0, 11, 22, 33]
    assert len(endpoint.predict(stream_of([]))) == len(endpoint.predict(stream_of([0, 0]))) == 0
    assert model.predict(stream_of([2, 3])).tolist() == [0, 11, 0, 11, 22]
    before = statistics.snapshot().calls
    with pytest.raises(ValueError, match="expected one table, found a stream of several"):
        endpoint.predict(stream_of([2, 3]))
    assert statistics.snapshot().calls == before, "a call that is refused is none"


def test_keys_of_rows_of_every_kind(endpoint):
    import pandas
    import pyarrow

    rows = np.zeros((200, 2))
    numbers, texts = list(range(200)), [f"customer-{i}" for i in range(200)]
    for keys, kinds in (
        (numbers, (np.array(numbers, np.uint16), pandas.Series(numbers, dtype="Int64"), pyarrow.array(numbers))),
        (texts, (np.array(texts), pandas.Series(texts), pyarrow.chunked_array([texts[:9], texts[9:]]))),
    ):
        wanted = [endpoint.score(rows[:1], key=key).served[0] for key in keys]
        assert len(set(wanted)) == 2
        for given in (keys, *kinds):
            assert endpoint.score(rows, row_keys=given).served.tolist() == wanted
    for missing in (pyarrow.array([None, *texts[1:]]), pandas.Series([None, *numbers[1:]], dtype="Int64"),
                    np.ma.array(numbers, mask=[True] + [False] * 199)):
        with pytest.raises(TypeError, match="expected a key as str, bytes or int, found"):
            endpoint.score(rows, row_keys=missing)
