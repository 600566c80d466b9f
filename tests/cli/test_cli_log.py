"""scoreline log: cat, stats and export of logs that tests/capture_writer wrote."""
import csv
import io
import json
import os
import sqlite3
import subprocess

import pytest
from conftest import BUILD, fail, run, succeed

N = 300
QUERY = """SELECT DATE(scored_at) AS date, model_version, COUNT(*), AVG(fraud_score),
SUM(CASE WHEN fraud_score > 0.5 THEN 1 ELSE 0 END), AVG(latency_ms) FROM fraud_detection GROUP BY 1, 2 ORDER BY 1, 2"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("log")
    subprocess.run([BUILD / "tests" / "capture_writer", path, str(N)], check=True)
    return path


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def score_of(call, row):
    values = dict(zip(call["inputs"]["columns"], call["inputs"]["data"][row]))
    return 0.125 if values["amount"] <= 100 else 0.875 if values["merchant_category"] == "travel" else 0.375


def test_cat(folder):
    calls = lines(succeed("log", "cat", folder).out)
    assert [call["request_id"] for call in calls] == [f"r{i}" for i in range(N)]
    for i, call in enumerate(calls):
        assert call["shadow"] == (i % 15 == 14) and call["status"] == ("shape" if i % 25 == 24 else "ok")
        assert call["n_rows"] == (0 if i % 25 == 24 else 3 if i % 10 == 9 else 1)
        assert call["outputs"] == [score_of(call, row) for row in range(call["n_rows"])]
    assert lines(succeed("log", "cat", *folder.iterdir()).out) == calls


def test_stats(folder):
    out = json.loads(succeed("log", "stats", "--json", folder).out)
    calls = lines(succeed("log", "cat", folder).out)
    assert [s["end"] for s in out["segments"]] == ["whole"] and out["segments"][0]["records"] == N
    assert len(out["versions"]) == 2
    for version in out["versions"]:
        mine = [call for call in calls if call["entity_version"] == version["model_version"]]
        scores = [score for call in mine for score in call["outputs"]]
        assert version["calls"] == len(mine) and version["rows"] == len(scores)
        assert version["failed_calls"] == sum(call["status"] != "ok" for call in mine)
        assert version["shadow_calls"] == sum(call["shadow"] for call in mine)
        assert version["mean_output"] == pytest.approx(sum(scores) / len(scores), rel=1e-12)  # the order of the sum
        assert version["first_at"] == mine[0]["started_at"] and version["last_at"] == mine[-1]["started_at"]
    text = succeed("log", "stats", folder).out
    assert "1 segment (0 open, 0 torn, 0 corrupt)" in text and "fraud_model-2, version 2" in text


def test_csv_and_sqlite_hold_the_same(folder, tmp_path):
    succeed("log", "export", "--score-name", "fraud_score", "--format", "csv", "-o", tmp_path / "out.csv", folder)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    objects = lines(succeed("log", "export", "--score-name", "fraud_score", folder).out)
    assert len(rows) == len(objects) > N * 0.8
    assert all(row["fraud_score"] == format(o["fraud_score"], "g") for row, o in zip(rows, objects))
    assert all(json.loads(row["inputs"]) == o["inputs"] for row, o in zip(rows, objects))
    database = tmp_path / "out.db"
    done = run("log", "export", "--score-name", "fraud_score", "--format", "sqlite", "--table", "fraud_detection", "-o",
               database, folder)
    if "has no SQLite" in done.err:
        pytest.skip("this build has no libsqlite3")
    assert done.returncode == 0, done.err
    connection = sqlite3.connect(database)
    assert connection.execute("SELECT COUNT(*) FROM fraud_detection").fetchone() == (len(objects),)
    expected = {}
    for o in objects:
        expected.setdefault((o["scored_at"][:10], o["model_version"]), []).append(o)
    got = connection.execute(QUERY).fetchall()
    assert len(got) == len(expected) == 4  # two days, two versions
    for date, version, n, mean, flagged, latency in got:
        mine = expected[date, version]
        assert n == len(mine) and flagged == sum(o["fraud_score"] > 0.5 for o in mine)
        assert mean == sum(o["fraud_score"] for o in mine) / n  # eighths: exact in any order
        assert latency == sum(o["latency_ms"] for o in mine) / n


def test_payload_names_the_platform_columns(folder):
    (first, *_) = lines(succeed("log", "cat", "--view", "payload", folder).out)
    assert list(first) == ["databricks_request_id", "client_request_id", "date", "timestamp_ms", "status_code",
                           "execution_time_ms", "request", "response", "sampling_fraction", "request_metadata"]
    (first, *_) = lines(succeed("log", "cat", "--view", "gateway", folder).out)
    assert list(first) == ["request_date", "databricks_request_id", "request_time", "status_code", "sampling_fraction",
                           "execution_duration_ms", "request", "response", "served_entity_id", "logging_error_codes", "requester"]
    with_shadows = lines(succeed("log", "cat", "--view", "payload", "--shadows", folder).out)
    without = lines(succeed("log", "cat", "--view", "payload", folder).out)
    assert len(with_shadows) == N and len(without) == N - N // 15


def test_torn_and_corrupt_segments(folder, tmp_path):
    (segment,) = folder.iterdir()
    data = segment.read_bytes()
    (tmp_path / "a.slog").write_bytes(data[:-1])
    done = succeed("log", "cat", tmp_path / "a.slog")
    assert len(lines(done.out)) == N - 1 and "warning" in done.err and "(byte " in done.err
    assert succeed("log", "cat", "-q", tmp_path / "a.slog").err == ""
    (tmp_path / "b.slog").write_bytes(data[:6000] + b"x" + data[6001:])
    done = fail(1, "log", "cat", tmp_path / "b.slog")
    assert 0 < len(lines(done.out)) < N and "checksum" in done.err
    out = json.loads(succeed("log", "stats", "--json", "-q", tmp_path / "a.slog").out)
    assert out["segments"][0]["end"] == "torn" and out["segments"][0]["good_bytes"] < len(data) - 1


@pytest.mark.parametrize("arguments, code, word", [
    ([], 2, "expected cat"), (["cat"], 2, "expected cat"), (["show", "."], 2, '"show"'),
    (["cat", "/nowhere/x"], 1, "no such file"), (["cat", "--view", "x", "."], 2, "--view x"),
    (["export", "--format", "parquet", "."], 2, "--format parquet"), (["export", "--format", "sqlite", "."], 2, "-o FILE"),
    (["cat", "-o", "x", "."], 2, "-o and --format"), (["cat", "--score-name", "a b", "."], 2, "--score-name a b"),
    (["cat", "--score-name", "latency_ms", "."], 2, "another column"), (["cat", "--score-index", "-1", "."], 2, "--score-index"),
    (["export", "--table", "1x", "."], 2, "--table 1x"), (["export", "--table", "x", "."], 2, "--format sqlite"),
    (["cat", "--table", "x", "."], 2, "--format sqlite"), (["stats", "--view", "payload", "."], 2, "stats counts all"),
    (["stats", "--shadows", "."], 2, "stats counts all"), (["stats", "--score-name", "x", "."], 2, "stats counts all"),
    (["stats", "--score-index", "1", "."], 2, "stats counts all"), (["cat", "--json", "."], 2, "--json"), (["cat", "--nope", "."], 2, "--nope"),
])
def test_bad_command_lines(arguments, code, word, tmp_path):
    assert word in fail(code, "log", *arguments, cwd=tmp_path).err


def test_nothing_half_is_left(folder, tmp_path):
    for kind in ("csv", "sqlite"):
        fail(1, "log", "export", "--format", kind, "-o", tmp_path / "no" / "out", folder)
    assert list(tmp_path.iterdir()) == []
    assert succeed("log", "cat", tmp_path).out == ""


def export_to_sqlite(folder, target, **options):
    done = run("log", "export", "--format", "sqlite", "-o", target, folder, **options)
    if "has no SQLite" in done.err:
        pytest.skip("this build has no libsqlite3")
    return done


def test_a_database_takes_the_place_of_files_only(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    done = export_to_sqlite(folder, tmp_path / "pipe")
    assert done.returncode == 1 and "is not a regular file" in done.err and (tmp_path / "pipe").is_fifo()
    done = export_to_sqlite(folder, tmp_path / "folder")
    assert done.returncode == 1 and "is a directory" in done.err
    done = export_to_sqlite(folder, "")
    assert done.returncode == 1 and "expected the name of a file" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


@pytest.mark.parametrize("name", ["file:log.db", "file:log.db?mode=memory", ":memory:"])
def test_a_database_has_the_name_that_was_given(folder, tmp_path, name):
    done = export_to_sqlite(folder, name, cwd=tmp_path)
    assert done.returncode == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == [name]
    count = sqlite3.connect(tmp_path / name).execute("SELECT COUNT(*) FROM calls").fetchone()
    assert count == (N,)


@pytest.mark.parametrize("command", [
    ["log", "export"], ["log", "export", "--format", "csv"], ["log", "export", "--format", "sqlite"], ["report"]])
def test_a_log_is_not_overwritten_by_what_is_made_of_it(folder, tmp_path, command):
    (segment,) = folder.iterdir()
    path = tmp_path / "calls.slog"
    path.write_bytes(segment.read_bytes())
    (tmp_path / "other-name").symlink_to(path)
    for out in (path, tmp_path / "other-name"):
        for source in (path, tmp_path):
            assert "would overwrite" in fail(2, *command, source, "-o", out).err
    assert path.read_bytes() == segment.read_bytes()
