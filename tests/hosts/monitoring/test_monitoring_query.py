"""The monitoring query, verbatim, over a log of calls: in DuckDB (ATTACH … AS ml) and in PostgreSQL (database ml).

Comes in: monitoring.sql, tests/capture_writer, PostgreSQL 15 of the system. Goes out: the rows that plain Python computes.
"""

import contextlib
import datetime
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

import duckdb
import psycopg
import pytest

import scoreline.log

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ["SCORELINE_BUILD"])
QUERY = (HERE / "monitoring.sql").read_text()
POSTGRES = pathlib.Path("/usr/lib/postgresql/15/bin")
N = 3000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("log")
    subprocess.run([BUILD / "tests" / "capture_writer", path, str(N)], check=True)
    return path


@pytest.fixture(scope="module")
def expected():
    """What capture_writer.c says that it writes, without failed calls and shadows."""
    groups = {}
    for i in range(N):
        if i % 25 == 24 or i % 15 == 14:
            continue
        date = (datetime.datetime(2026, 11, 27, 22) + datetime.timedelta(minutes=i)).date()
        for k in range(3 if i % 10 == 9 else 1):
            travel = (i + k) % 3 == 1
            score = 0.125 if (i + k) * 1.5 % 300 <= 100 else 0.875 if travel else 0.375
            groups.setdefault((date, str(1 + i % 2)), []).append((score, 1 + i % 7))
    rows = []
    for (date, version), found in groups.items():
        n = len(found)
        # Sums of eighths and of small whole numbers are exact in any order.
        rows.append((date, version, n, sum(s for s, _ in found) / n, sum(s > 0.5 for s, _ in found), sum(m for _, m in found) / n))
    return rows


def check(rows, expected):
    """Dates descend; the query leaves the order of versions within a date open."""
    rows = [tuple(row) for row in rows]
    assert len(rows) > 4 and [row[0] for row in rows] == sorted((row[0] for row in rows), reverse=True)
    assert sorted(rows) == sorted(expected)


def test_duckdb(folder, expected, tmp_path):
    print(f"\nhost: DuckDB {duckdb.__version__}")
    options = {"table": "fraud_detection", "score_name": "fraud_score"}
    n = scoreline.log.to_duckdb(folder, tmp_path / "ml.db", **options)
    assert n == sum(row[2] for row in expected)
    with pytest.raises(duckdb.CatalogException):
        scoreline.log.to_duckdb(folder, tmp_path / "ml.db", **options)
    assert scoreline.log.to_duckdb(folder, tmp_path / "ml.db", replace=True, **options) == n
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path / 'ml.db'}' AS ml")
        check(connection.execute(QUERY).fetchall(), expected)


def test_duckdb_reads_what_the_command_exports(folder, expected, tmp_path):
    """The same through CSV, without Python's reader."""
    subprocess.run([BUILD / "cli" / "scoreline", "log", "export", "--score-name", "fraud_score", "--format", "csv", "-o",
                    tmp_path / "log.csv", folder], check=True)
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{tmp_path / 'ml.db'}' AS ml")
        connection.execute("CREATE SCHEMA ml.inference_logs")
        connection.execute(f"""CREATE VIEW ml.inference_logs.fraud_detection AS
            SELECT * REPLACE (model_version::VARCHAR AS model_version) FROM read_csv('{tmp_path / 'log.csv'}')""")
        check(connection.execute(QUERY).fetchall(), expected)


def test_duckdb_takes_the_payload(folder, tmp_path):
    scoreline.log.to_duckdb(folder, tmp_path / "ml.db", "fraud_detection_payload", view="payload")
    with duckdb.connect(str(tmp_path / "ml.db")) as connection:
        row = connection.execute("""SELECT COUNT(*), SUM(CASE WHEN status_code = 200 THEN 1 ELSE 0 END),
            COUNT(DISTINCT request_metadata['model_version']) FROM inference_logs.fraud_detection_payload""").fetchone()
    kept = [i for i in range(N) if i % 15 != 14]
    assert row == (len(kept), sum(i % 25 != 24 for i in kept), 2)


@pytest.fixture(scope="module")
def postgres():
    """A server of its own, run by the user postgres (it refuses root), that listens on a socket in its directory only."""
    if not (POSTGRES / "initdb").exists():
        pytest.fail("PostgreSQL 15 is not installed (Debian: postgresql-15)")
    below = HERE.parents[2] / "build"
    user = "postgres" if os.getuid() == 0 else None
    reachable = user is None or subprocess.run(["runuser", "-u", user, "--", "test", "-x", below]).returncode == 0
    # A socket's path has at most 107 bytes, and its directory must be one that the user can enter.
    root = pathlib.Path(tempfile.mkdtemp(prefix="pg-", dir=below if reachable and len(str(below)) < 70 else None))
    if user:
        os.chown(root, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)

    def run(*command):
        prefix = ["runuser", "-u", user, "--"] if user else []
        subprocess.run([*prefix, *map(str, command)], check=True, stdout=subprocess.DEVNULL, timeout=600, cwd=root)

    try:
        run(POSTGRES / "initdb", "-D", root / "data", "-A", "trust", "-U", "postgres", "-N", "-E", "UTF8", "--locale=C.UTF-8")
        run(POSTGRES / "pg_ctl", "-D", root / "data", "-w", "-t", "300", "-l", root / "log", "-o",
            f"-k {root} -c listen_addresses='' -c fsync=off", "start")
        try:
            yield root
        finally:
            run(POSTGRES / "pg_ctl", "-D", root / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextlib.contextmanager
def connect(root, database):
    with psycopg.connect(host=str(root), user="postgres", dbname=database, autocommit=True) as connection:
        yield connection


def test_postgresql(folder, expected, postgres):
    with connect(postgres, "postgres") as connection:
        print("\nhost: PostgreSQL " + connection.execute("SHOW server_version").fetchone()[0])
        connection.execute("CREATE DATABASE ml")
    with connect(postgres, "ml") as connection:
        connection.execute("SET TIME ZONE 'Pacific/Kiritimati'")  # days are UTC wherever the session is
        options = {"table": "fraud_detection", "score_name": "fraud_score"}
        n = scoreline.log.to_postgres(folder, connection, **options)
        assert n == sum(row[2] for row in expected)
        with pytest.raises(psycopg.errors.DuplicateTable):
            scoreline.log.to_postgres(folder, connection, **options)
        assert scoreline.log.to_postgres(folder, connection, replace=True, **options) == n
        rows = connection.execute(QUERY).fetchall()
        check([(*row[:4], int(row[4]), row[5]) for row in rows], expected)
        for view in ("calls", "payload", "gateway"):
            n = scoreline.log.to_postgres(folder, connection, view, view=view)
            assert connection.execute(f"SELECT COUNT(*) FROM inference_logs.{view}").fetchone() == (n,) and n > N * 0.9
        version = connection.execute("SELECT request_metadata->>'model_version' FROM inference_logs.payload LIMIT 1").fetchone()
        assert version == ("1",)
