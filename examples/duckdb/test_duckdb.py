"""The DuckDB extension inside DuckDB: pattern 1's query, the golden set, NULLs in columns, threads, errors.

Comes in: SCORELINE_DUCKDB, the extension. Relies on: the installed duckdb.
"""
import dataclasses
import os
import threading
import unittest

import duckdb
import golden_set

# What must change in the pattern's query: brackets are not DuckDB's quotes, and there is no SELECT … INTO. The schema udf
# and its function are made by a macro.
FIXES = (("[iot-input]", '"iot-input"'), ("INTO [scored-output]\n", ""),
         ("WITH ScoredEvents", 'CREATE TABLE "scored-output" AS\nWITH ScoredEvents'))


def connect():
    db = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    db.execute(f"LOAD '{os.environ['SCORELINE_DUCKDB']}'")
    return db


def fill(db, golden, table):
    columns = ", ".join(f'"{n}" {"DOUBLE" if t == "double" else "VARCHAR"}' for n, t in zip(golden.names, golden.types))
    db.execute(f'CREATE TABLE "{table}" (device_id INTEGER, {columns})')
    marks = ", ".join("?" * (len(golden.names) + 1))
    db.executemany(f'INSERT INTO "{table}" VALUES ({marks})', [[i, *row] for i, row in enumerate(golden.rows)])


class DuckDB(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.iot, self.fraud, self.wide = map(golden_set.load, ("iot", "fraud", "wide"))

    def scores(self, sql):
        return [row[0] for row in self.db.execute(sql).fetchall()]

    def refused(self, sql, *words):
        with self.assertRaises(duckdb.Error) as caught:
            self.db.execute(sql).fetchall()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_pattern_1(self):
        fill(self.db, self.iot, "iot-input")
        self.db.execute("CREATE SCHEMA udf")
        self.db.execute(f"CREATE MACRO udf.AnomalyScore(t, h, p) AS scoreline('{self.iot.path}', t, h, p)")
        self.db.execute(golden_set.replaced(golden_set.PATTERN_1, *FIXES))
        rows = self.db.execute('SELECT anomaly_score, status FROM "scored-output" ORDER BY device_id').fetchall()
        golden_set.compare("DuckDB", self.iot.prediction, [score for score, _ in rows])
        self.assertEqual([golden_set.status(p) for p in self.iot.prediction], [status for _, status in rows])
        self.assertEqual({"CRITICAL", "WARNING", "NORMAL"}, {status for _, status in rows})

    def test_margins_and_categories(self):
        fill(self.db, self.iot, "i")
        golden_set.compare("DuckDB", self.iot.margin, self.scores(
            f"SELECT scoreline('{self.iot.path}#margin', temperature, humidity, pressure) FROM i ORDER BY device_id"))
        fill(self.db, self.fraud, "f")
        golden_set.compare("DuckDB", self.fraud.prediction, self.scores(
            f"SELECT scoreline('{self.fraud.path}', {', '.join(self.fraud.names)}) FROM f ORDER BY device_id"))

    def test_rows_by_name(self):
        fill(self.db, self.fraud, "f")
        golden_set.compare("DuckDB", self.fraud.prediction,
                           self.scores(f"SELECT scoreline('{self.fraud.path}', f) FROM f ORDER BY device_id"))
        self.refused(f"SELECT scoreline('{self.iot.path}', f) FROM f", "lacks 3 of the model's features: temperature, humidity, pressure")

    def test_names_with_spaces(self):
        """LightGBM writes spaces as underscores; a field of a feature's own name goes before one that has spaces."""
        fill(self.db, dataclasses.replace(self.fraud, names=[name.replace("_", " ") for name in self.fraud.names]), "s")
        fill(self.db, self.fraud, "f")
        own = "(SELECT f.*, 1e9 AS \"distance from home\", 'x' AS \"merchant category\" FROM f)"
        for table in ("s", own):
            golden_set.compare("DuckDB", self.fraud.prediction, self.scores(
                f"SELECT scoreline('{self.fraud.path}', o) FROM {table} AS o ORDER BY device_id"))
        self.refused(f"SELECT scoreline('{self.fraud.path}', o) FROM (SELECT s.*, 1.0 AS \"distance_from home\" FROM s) o",
                     "has twice 1 of the model's features: distance_from_home")
        fill(self.db, dataclasses.replace(self.wide, names=[name.replace("_", " ") for name in self.wide.names]), "w")
        self.refused(f"SELECT scoreline('{self.wide.path}', w) FROM w", "lacks 300 of the model's features: sensor_000")

    def test_wide_models(self):
        fill(self.db, self.wide, "w")
        names = ", ".join(self.wide.names)
        for what in (names, "w", f"[{names}]", f"[{names}]::DOUBLE[300]"):
            golden_set.compare(f"DuckDB, {what[:20]}", self.wide.prediction, self.scores(
                f"SELECT scoreline('{self.wide.path}', {what}) FROM w ORDER BY device_id"))
        self.assertEqual([None], self.scores(f"SELECT scoreline('{self.wide.path}', NULL::DOUBLE[])"))
        self.refused(f"SELECT scoreline('{self.wide.path}', [1.5::DOUBLE, 2])", "300 features", "found 2")
        self.refused(f"SELECT scoreline('{self.wide.path}', ['a'])", "DOUBLE[]")

    def test_nulls_in_every_column_of_long_tables(self):
        """Many vectors; the golden rows follow each other in them."""
        fill(self.db, self.iot, "i")
        n = 500
        self.db.execute(f"CREATE TABLE many AS SELECT * FROM i, range({n}) AS r(k)")
        found = self.scores(f"SELECT scoreline('{self.iot.path}', temperature, humidity, pressure) FROM many ORDER BY k, device_id")
        golden_set.compare("DuckDB", self.iot.prediction * n, found)

    def test_types(self):
        golden = self.iot.prediction[2:3]
        for t, h, p in (("44", "41.5", "1013.25"), ("44::TINYINT", "41.5::FLOAT", "1013.25::DECIMAL(38, 4)"),
                        ("44::HUGEINT", "41.5::DECIMAL(4, 1)", "1013.25::DOUBLE"), ("44::UBIGINT", "41.5", "1013.25::DECIMAL(18, 2)")):
            golden_set.compare(f"DuckDB, {t}", golden, self.scores(f"SELECT scoreline('{self.iot.path}', {t}, {h}, {p})"))
        golden_set.compare("DuckDB, negative decimals", self.scores(f"SELECT scoreline('{self.iot.path}', -44.5::DOUBLE, 1, 2)"),
                           self.scores(f"SELECT scoreline('{self.iot.path}', -44.5::DECIMAL(38, 3), true, 2)"))

    def test_models_of_a_column(self):
        """The model may differ from row to row; where it is NULL, so is the score."""
        self.db.execute("CREATE TABLE m AS SELECT i, CASE i % 3 WHEN 0 THEN ? WHEN 1 THEN ? END AS model FROM range(5000) AS r(i)",
                        [str(self.iot.path), f"{self.iot.path}#margin"])
        found = self.scores("SELECT scoreline(model, 44, 41.5, 1013.25) FROM m ORDER BY i")
        self.assertTrue(all(score is None for score in found[2::3]))
        golden_set.compare("DuckDB", [self.iot.prediction[2]] * len(found[0::3]), found[0::3])
        golden_set.compare("DuckDB", [self.iot.margin[2]] * len(found[1::3]), found[1::3])

    def test_errors(self):
        self.refused("SELECT scoreline('/no/such.slm', 1, 2, 3)", "cannot open '/no/such.slm'")
        self.refused(f"SELECT scoreline('{__file__}', 1, 2, 3)", ".slm")
        self.refused(f"SELECT scoreline('{self.iot.path}', 1, 2)", "3 features (temperature, humidity, pressure), found 2")
        self.refused(f"SELECT scoreline('{self.iot.path}')", "found 0")
        self.refused(f"SELECT scoreline('{self.iot.path}', 1, 2, 'damp')", '"pressure", takes numbers', "damp")
        self.refused(f"SELECT scoreline('{self.iot.path}', 1, 2, DATE '2026-01-01')", '"pressure"', "cast it")
        self.refused(f"SELECT scoreline('{self.iot.path}#1', 1, 2, 3)", "number below 1")

    def test_two_threads(self):
        """DuckDB's own threads over one table, and two connections at once."""
        fill(self.db, self.iot, "i")
        self.db.execute("SET threads = 2")
        self.db.execute("CREATE TABLE many AS SELECT * FROM i, range(20000) AS r(k)")
        query = (f"SELECT count(DISTINCT s), count(*) FROM (SELECT device_id, scoreline('{self.iot.path}', temperature, humidity, "
                 "pressure) AS s FROM many) GROUP BY device_id")
        found = [[], []]
        threads = [threading.Thread(target=lambda mine, db: mine.extend(db.execute(query).fetchall()),
                                    args=(mine, self.db.cursor())) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([(1, 20000)] * len(self.iot.rows), found[0])
        self.assertEqual(found[0], found[1])


if __name__ == "__main__":
    unittest.main()
