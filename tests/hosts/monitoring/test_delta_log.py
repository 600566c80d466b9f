"""The log of calls in a Delta table, by delta-rs: the monitoring query, verbatim, and every call once whatever happens.

Comes in: monitoring.sql, tests/capture_writer, the golden fraud model. Goes out: rows that plain Python computes, or the log's own.
"""

import os
import random
import signal
import subprocess
import sys
import time

import deltalake
import duckdb
import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

import golden_set
import scoreline
import scoreline.log
from test_monitoring_query import BUILD, N, QUERY, check, expected, folder  # noqa: F401: the fixtures

OPTIONS = {"score_name": "fraud_score"}


def keys_of(table):
    """(request, row) of the rows of a Delta table, sorted."""
    columns = deltalake.DeltaTable(table).to_pyarrow_table(columns=["request_id", "row"])
    return sorted(zip(columns["request_id"].to_pylist(), columns["row"].to_pylist()))


def keys_of_log(paths):
    columns = scoreline.log.read(paths, "predictions", on_damage="ignore").read_all()
    return sorted(zip(columns["request_id"].to_pylist(), columns["row"].to_pylist()))


def test_the_query_over_a_delta_table(folder, expected, tmp_path):  # noqa: F811
    print(f"\nhost: delta-rs {deltalake.__version__}")
    table = tmp_path / "fraud_detection"
    assert scoreline.log.to_delta(folder, table, **OPTIONS) == sum(row[2] for row in expected)
    assert scoreline.log.to_delta(folder, table, **OPTIONS) == 0, "what the table has is not written again"
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS ml")
        connection.execute("CREATE SCHEMA ml.inference_logs")
        connection.register("lake", deltalake.DeltaTable(table).to_pyarrow_dataset())
        connection.execute("CREATE VIEW ml.inference_logs.fraud_detection AS SELECT * FROM lake")
        check(connection.execute(QUERY).fetchall(), expected)


def test_rows_are_those_of_the_log(folder, tmp_path):  # noqa: F811
    for view in ("calls", "payload", "gateway", "predictions"):
        theirs = scoreline.log.read(folder, view).read_all()
        assert scoreline.log.to_delta(folder, tmp_path / view, view=view, commit_rows=700) == len(theirs)
        assert len(deltalake.DeltaTable(tmp_path / view).history()) >= 4
        ours = deltalake.DeltaTable(tmp_path / view).to_pyarrow_table()
        assert ours.column_names == theirs.column_names
        if view == "calls":  # Delta has microseconds
            theirs = theirs.set_column(1, "started_at", theirs["started_at"].cast(pa.timestamp("us", "UTC"), safe=False))
        assert sorted(map(str, ours.to_pylist())) == sorted(map(str, theirs.to_pylist()))


def test_a_log_that_is_being_written(tmp_path):
    """Exported between drains, while the segment is open, and after it was closed: each call once."""
    golden = golden_set.load("fraud")
    log, table = tmp_path / "calls", tmp_path / "table"
    log.mkdir()
    capture = scoreline.Capture(log)
    config = {"served_entities": [{"entity_name": "fraud", "entity_version": "1", "model": scoreline.load(golden.path)}]}
    endpoint = scoreline.Endpoint(config, capture=capture)
    kinds = [pa.float64() if kind == "double" else pa.string() for kind in golden.types]
    n_rows = []
    for i in range(4):
        for k in range(5):
            columns = [pa.array([value], kind) for value, kind in zip(golden.rows[5 * i + k], kinds)]
            endpoint.predict(pa.table(columns, golden.names), request_id=f"{i}-{k}")
        capture.rotate() if i == 2 else capture.drain()
        n_rows.append(scoreline.log.to_delta(log, table, on_damage="ignore"))
    assert n_rows == [5, 5, 5, 5]
    assert keys_of(table) == sorted((f"{i}-{k}", 0) for i in range(4) for k in range(5))
    scores = deltalake.DeltaTable(table).to_pyarrow_table(columns=["request_id", "score"]).sort_by("request_id")
    golden_set.compare("Delta", golden.prediction[:20], scores["score"].to_pylist())


KILLED = """
import sys, deltalake, os, signal
import scoreline.log
write, left = deltalake.write_deltalake, [int(sys.argv[3])]
def write_and_die(*arguments, **options):
    write(*arguments, **options)
    print("commit", flush=True)
    left[0] -= 1
    if left[0] == 0:
        signal.pause() if sys.argv[4:] else os.kill(os.getpid(), signal.SIGKILL)
deltalake.write_deltalake = write_and_die
scoreline.log.to_delta(sys.argv[1], sys.argv[2], commit_rows=60, score_name="fraud_score")
"""


def test_killed_behind_a_commit(folder, tmp_path):  # noqa: F811
    """The process dies when a commit has been made and before it could note that anywhere else."""
    for n_commits in (1, 1, 3, 2):
        done = subprocess.run([sys.executable, "-c", KILLED, folder, tmp_path / "t", str(n_commits)],
                              stdout=subprocess.DEVNULL)
        assert done.returncode == -signal.SIGKILL
    found = keys_of(tmp_path / "t")
    assert 400 < len(found) < len(keys_of_log(folder)) and len(set(found)) == len(found)
    scoreline.log.to_delta(folder, tmp_path / "t", commit_rows=100, **OPTIONS)
    assert keys_of(tmp_path / "t") == keys_of_log(folder)


def test_killed_anywhere(folder, tmp_path):  # noqa: F811
    """Killed a random moment after some commits: while rows are read, a file is written, or the next commit is made."""
    draw, sizes = random.Random(6), []
    while len(sizes) < 8:
        n_commits = draw.randint(1, 3)
        # It waits behind one commit more: were this process held up, it could export everything meanwhile.
        process = subprocess.Popen([sys.executable, "-c", KILLED, folder, tmp_path / "t", str(n_commits + 1), "wait"],
                                   stdout=subprocess.PIPE)
        for _ in range(n_commits):
            assert process.stdout.readline() == b"commit\n"
        time.sleep(draw.uniform(0, 0.02))
        process.kill()
        process.wait()
        sizes.append(len(keys_of(tmp_path / "t")))
    print(f"\nrows after each kill: {sizes}")
    assert sizes == sorted(set(sizes)), "each run went on where the one before was killed"
    scoreline.log.to_delta(folder, tmp_path / "t", commit_rows=100, **OPTIONS)
    assert keys_of(tmp_path / "t") == keys_of_log(folder)


def test_two_exporters_at_once(folder, tmp_path, monkeypatch):  # noqa: F811
    """Both read the table before either writes: the second to commit fails, and appends nothing when it runs again."""
    table = tmp_path / "t"
    first = tmp_path / "first"
    first.mkdir()
    subprocess.run([BUILD / "tests" / "capture_writer", first, "40"], check=True)
    scoreline.log.to_delta(first, table)  # so that it exists
    write = deltalake.write_deltalake

    def be_second(*arguments, **options):
        monkeypatch.setattr(deltalake, "write_deltalake", write)
        assert scoreline.log.to_delta(folder, table) > 3000
        write(*arguments, **options)

    monkeypatch.setattr(deltalake, "write_deltalake", be_second)
    with pytest.raises(CommitFailedError):
        scoreline.log.to_delta(folder, table)
    assert scoreline.log.to_delta(folder, table) == 0
    assert keys_of(table) == sorted(keys_of_log(folder) + keys_of_log(first))


def test_an_exporter_of_other_segments_meanwhile(folder, tmp_path, monkeypatch):  # noqa: F811
    table, other = tmp_path / "t", tmp_path / "other"
    other.mkdir()
    subprocess.run([BUILD / "tests" / "capture_writer", other, "40"], check=True)
    scoreline.log.to_delta(other, tmp_path / "unused")
    write = deltalake.write_deltalake

    def after_another(*arguments, **options):
        monkeypatch.setattr(deltalake, "write_deltalake", write)
        scoreline.log.to_delta(other, table)
        write(*arguments, **options)

    third = tmp_path / "third"
    third.mkdir()
    subprocess.run([BUILD / "tests" / "capture_writer", third, "40"], check=True)
    scoreline.log.to_delta(third, table)
    monkeypatch.setattr(deltalake, "write_deltalake", after_another)
    assert scoreline.log.to_delta(folder, table) > 3000
    assert keys_of(table) == sorted(keys_of_log(folder) + keys_of_log(other) + keys_of_log(third))


def test_damage_is_reported_behind_what_is_whole(folder, tmp_path):  # noqa: F811
    log = tmp_path / "calls"
    log.mkdir()
    [segment] = folder.iterdir()
    (log / segment.name).write_bytes(segment.read_bytes()[:-5])
    with pytest.warns(RuntimeWarning, match="byte"):
        n_rows = scoreline.log.to_delta(log, tmp_path / "t")
    assert n_rows == len(keys_of(tmp_path / "t")) == len(keys_of_log(log)) > 3000
    with pytest.raises(scoreline.CorruptError):
        scoreline.log.to_delta(log, tmp_path / "t", on_damage="raise")


def test_what_does_not_fit_is_refused(folder, tmp_path):  # noqa: F811
    with pytest.raises(ValueError, match="commit_rows is 0"):
        scoreline.log.to_delta(folder, tmp_path / "t", commit_rows=0)
    with pytest.raises(ValueError, match="view is 'rows'"):
        scoreline.log.to_delta(folder, tmp_path / "t", view="rows")
    assert not os.path.exists(tmp_path / "t")
