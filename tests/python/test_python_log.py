"""Capture logs in Python: what tests/capture_writer wrote comes back as Arrow, in every view; damage is reported."""

import json
import os
import pathlib
import subprocess

import pyarrow as pa
import pytest

import scoreline
import scoreline.log

ROOT = pathlib.Path(__file__).resolve().parents[2]
WRITER = pathlib.Path(os.environ.get("SCORELINE_BUILD", ROOT / "build")) / "tests" / "capture_writer"
N = 500
START_NS = 1795816800000000000


def rows_of(i):
    """The rows of call i, as capture_writer.c describes them, with their scores."""
    rows = []
    for k in range(3 if i % 10 == 9 else 1):
        amount = (i + k) * 1.5 % 300
        category = ("grocery", "travel", None)[(i + k) % 3]
        score = 0.125 if amount <= 100 else 0.875 if category == "travel" else 0.375
        rows.append((amount, category, i / 8, score))
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("log")
    subprocess.run([WRITER, path, str(N)], check=True)
    return path


def test_calls(folder):
    table = scoreline.log.read(folder, batch_rows=64).read_all()
    assert table.num_rows == N
    for i, call in enumerate(table.cast(pa.schema([f.with_type(pa.int64()) if f.name == "started_at" else f
                                                   for f in table.schema])).to_pylist()):
        failed = i % 25 == 24
        assert call["request_id"] == f"r{i}" and call["started_at"] == START_NS + i * 60 * 10**9
        assert call["endpoint"] == "fraud-detection-endpoint" and call["served_name"] == f"fraud_model-{1 + i % 2}"
        assert call["entity_name"] == "fraud_model" and call["entity_version"] == str(1 + i % 2)
        assert call["model_name"] == "fraud" and call["model_hash"] is None
        assert call["status"] == ("shape" if failed else "ok") and call["latency_ns"] == (1 + i % 7) * 10**6
        assert call["sampling_fraction"] == 1 and call["shadow"] == (i % 15 == 14) and call["output"] == "prediction"
        rows = rows_of(i)
        assert call["call_rows"] == len(rows) and call["first_row"] == 0
        frame = json.loads(call["inputs"])["dataframe_split"]
        assert frame["columns"] == ["amount", "merchant_category", "distance_from_home"]
        assert frame["data"] == ([] if failed else [list(row[:3]) for row in rows])
        assert call["outputs"] == ([] if failed else [[row[3]] for row in rows])


def expected_predictions(shadows):
    return [(i, k, row) for i in range(N) if i % 25 != 24 and (shadows or i % 15 != 14) for k, row in enumerate(rows_of(i))]


@pytest.mark.parametrize("shadows", [None, False, True])
def test_predictions(folder, shadows):
    table = scoreline.log.read(folder, "predictions", score_name="fraud_score", shadows=shadows).read_all()
    assert table.schema.field("scored_at").type == pa.timestamp("us")
    expected = expected_predictions(bool(shadows))
    assert table.num_rows == len(expected)
    for got, (i, k, row) in zip(table.to_pylist(), expected):
        assert got["request_id"] == f"r{i}" and got["row"] == k and got["model_version"] == str(1 + i % 2)
        assert got["fraud_score"] == row[3] and got["outputs"] == [row[3]] and got["latency_ms"] == 1 + i % 7
        assert json.loads(got["inputs"]) == dict(zip(["amount", "merchant_category", "distance_from_home"], row))


def test_payload_and_gateway(folder):
    payload = scoreline.log.read(folder, "payload").read_all().to_pylist()
    gateway = scoreline.log.read(folder, "gateway").read_all().to_pylist()
    kept = [i for i in range(N) if i % 15 != 14]
    assert len(payload) == len(gateway) == len(kept)
    for i, p, g in zip(kept, payload, gateway):
        assert p["databricks_request_id"] == g["databricks_request_id"] == f"r{i}"
        assert p["status_code"] == g["status_code"] == (400 if i % 25 == 24 else 200)
        assert p["timestamp_ms"] == (START_NS + i * 60 * 10**9) // 10**6 and p["execution_time_ms"] == 1 + i % 7
        assert p["date"] == g["request_date"] == g["request_time"].date()
        assert dict(p["request_metadata"]) == {"endpoint_name": "fraud-detection-endpoint", "model_name": "fraud_model",
                                               "model_version": str(1 + i % 2)}
        assert g["served_entity_id"] == f"fraud_model-{1 + i % 2}"
        if i % 25 == 24:
            assert json.loads(p["response"]) == {"error_code": "shape"}
        else:
            assert json.loads(p["response"]) == {"predictions": [row[3] for row in rows_of(i)]}


def test_the_command_says_the_same(folder):
    command = WRITER.parents[1] / "cli" / "scoreline"
    for view in ("payload", "gateway", "predictions"):
        lines = subprocess.run([command, "log", "cat", "--view", view, folder], check=True, capture_output=True).stdout
        ours = scoreline.log.read(folder, view).read_all()
        theirs = [json.loads(line) for line in lines.splitlines()]
        assert ours.num_rows == len(theirs)
        assert ours.schema.names == list(theirs[0])
        for name in ours.schema.names:
            column = ours.column(name).to_pylist()
            if name in ("request", "response"):
                assert [json.loads(a) for a in column] == [json.loads(b[name]) for b in theirs]
            elif name == "request_metadata":
                assert [dict(a) for a in column] == [b[name] for b in theirs]
            elif name == "inputs":
                assert [json.loads(a) for a in column] == [b[name] for b in theirs]
            elif name == "outputs":
                assert [a[0] for a in column] == [b[name] for b in theirs]
            elif name in ("scored_at", "request_time"):
                assert [a.strftime("%Y-%m-%d %H:%M:%S.%f") for a in column] == [b[name] for b in theirs]
            elif name in ("date", "request_date"):
                assert [str(a) for a in column] == [b[name] for b in theirs]
            else:
                assert column == [b[name] for b in theirs], name


def test_segments_and_torn_tails(folder, tmp_path):
    (segment,) = scoreline.log.segments(folder)
    assert segment.closed and segment.end == "whole" and segment.records == N and segment.good_bytes == segment.bytes
    data = pathlib.Path(segment.path).read_bytes()
    torn = tmp_path / "torn.slog.active"
    torn.write_bytes(data[:-3])
    with pytest.warns(RuntimeWarning, match="in the middle of a frame"):
        assert scoreline.log.read(torn).read_all().num_rows == N - 1
    with pytest.raises(scoreline.CorruptError, match="in the middle"):
        scoreline.log.read(torn, on_damage="raise").read_all()
    assert scoreline.log.read([torn], on_damage="ignore").read_all().num_rows == N - 1
    (found,) = scoreline.log.segments(torn)
    assert not found.closed and found.end == "torn" and 0 < found.good_bytes < found.bytes == len(data) - 3
    changed = tmp_path / "changed.slog"
    changed.write_bytes(data[:5000] + bytes([data[5000] ^ 1]) + data[5001:])
    with pytest.raises(scoreline.CorruptError, match="checksum"):
        scoreline.log.read(changed).read_all()


def test_bad_arguments(folder, tmp_path):
    with pytest.raises(scoreline.FileError, match="nowhere"):
        scoreline.log.read(tmp_path / "nowhere")
    for bad in ({"view": "views"}, {"view": "predictions", "score_name": "latency_ms"}, {"view": "predictions", "score_index": -1},
                {"batch_rows": 0}, {"on_damage": "hide"}, {"view": "predictions", "score_name": ""}):
        with pytest.raises(ValueError):
            scoreline.log.read(folder, **bad)
    assert scoreline.log.read(tmp_path).read_all().num_rows == 0


def test_a_score_that_is_not_there_is_null(folder):
    table = scoreline.log.read(folder, "predictions", score_index=1).read_all()
    assert table.column("score").null_count == table.num_rows > 0
