"""The SQLite extension inside SQLite: pattern 1's query, the golden set, NULLs in columns, threads, errors.

Comes in: SCORELINE_SQLITE, the path of the extension without its suffix. Relies on: a Python whose sqlite3 loads extensions.
"""
import array
import json
import os
import pathlib
import shutil
import sqlite3
import tempfile
import threading
import time
import unittest

import golden_set

EXTENSION = os.environ["SCORELINE_SQLITE"]

# What must change in the pattern's query: SQLite has no functions in schemas, and creates tables by CREATE TABLE … AS.
FIXES = (("udf.AnomalyScore", "udf_AnomalyScore"), ("INTO [scored-output]\n", ""),
         ("WITH ScoredEvents", "CREATE TABLE [scored-output] AS\nWITH ScoredEvents"))


def connect(path=":memory:"):
    db = sqlite3.connect(path)
    db.enable_load_extension(True)
    db.load_extension(EXTENSION)
    return db


def load(db, name, spec):
    return db.execute("SELECT scoreline_load(?, ?)", (name, str(spec))).fetchone()[0]


def fill(db, golden, table):
    columns = ", ".join(f'"{n}" {"REAL" if t == "double" else "TEXT"}' for n, t in zip(golden.names, golden.types))
    db.execute(f'CREATE TABLE "{table}" (device_id INTEGER PRIMARY KEY, {columns})')
    marks = ", ".join("?" * (len(golden.names) + 1))
    db.executemany(f'INSERT INTO "{table}" VALUES ({marks})', [(i, *row) for i, row in enumerate(golden.rows)])
    db.commit()


class SQLite(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.iot = golden_set.load("iot")

    def scores(self, sql, *parameters):
        return [row[0] for row in self.db.execute(sql, parameters)]

    def refused(self, sql, *words):
        with self.assertRaises(sqlite3.OperationalError) as caught:
            self.db.execute(sql).fetchall()
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_pattern_1(self):
        load(self.db, "udf_AnomalyScore", self.iot.path)
        fill(self.db, self.iot, "iot-input")
        self.db.executescript(golden_set.replaced(golden_set.PATTERN_1, *FIXES))
        rows = self.db.execute("SELECT anomaly_score, status FROM [scored-output] ORDER BY device_id").fetchall()
        golden_set.compare("SQLite", self.iot.prediction, [score for score, _ in rows])
        self.assertEqual([golden_set.status(p) for p in self.iot.prediction], [status for _, status in rows])
        self.assertEqual({"CRITICAL", "WARNING", "NORMAL"}, {status for _, status in rows})

    def test_margins(self):
        load(self.db, "margin", f"{self.iot.path}#margin")
        fill(self.db, self.iot, "t")
        golden_set.compare("SQLite", self.iot.margin, self.scores(
            "SELECT margin(temperature, humidity, pressure) FROM t ORDER BY device_id"))

    def test_categories(self):
        fraud = golden_set.load("fraud")
        load(self.db, "fraud", fraud.path)
        fill(self.db, fraud, "t")
        golden_set.compare("SQLite", fraud.prediction, self.scores(
            f"SELECT fraud({', '.join(fraud.names)}) FROM t ORDER BY device_id"))

    def test_wide_models(self):
        wide = golden_set.load("wide")
        self.assertEqual(300, load(self.db, "wide", wide.path))
        packed = [array.array("d", [float("nan") if v is None else v for v in row]).tobytes() for row in wide.rows]
        golden_set.compare("SQLite, blobs", wide.prediction, [self.scores("SELECT wide(?)", p)[0] for p in packed])
        golden_set.compare("SQLite, JSON", wide.prediction,
                           [self.scores("SELECT wide(?)", json.dumps(row))[0] for row in wide.rows])
        self.refused("SELECT wide('[1, 2]')", "300 features", "found 2")
        self.refused("SELECT wide(x'00')", "300 features", "found 0")
        self.refused("SELECT wide('[1, ')", "expected a JSON array")

    def test_json_objects_are_not_taken_by_position(self):
        load(self.db, "f", self.iot.path)
        golden_set.compare("SQLite", self.iot.prediction[2:3], self.scores("SELECT f('[44, 41.5, 1013.25]')"))
        for row in ({"pressure": 1013.25, "humidity": 41.5, "temperature": 44}, {"a": 1}):
            self.refused(f"SELECT f('{json.dumps(row)}')", "expected a JSON array", "found an object")
        self.refused("SELECT f('5')", "3 features", "found 1")

    def test_loaded_twice_into_one_connection(self):
        """Pools and scripts load it again; what was loaded before goes on answering, and may be loaded anew."""
        load(self.db, "f", self.iot.path)
        for _ in range(3):
            self.db.load_extension(EXTENSION)
            self.scores("SELECT zeroblob(100) FROM (VALUES (1), (2))")  # takes memory that was given back
            golden_set.compare("SQLite", self.iot.prediction[2:3], self.scores("SELECT f(44, 41.5, 1013.25)"))
        load(self.db, "g", self.iot.path)
        load(self.db, "f", f"{self.iot.path}#margin")
        golden_set.compare("SQLite", self.iot.margin[2:3], self.scores("SELECT f(44, 41.5, 1013.25)"))
        golden_set.compare("SQLite", self.iot.prediction[2:3], self.scores("SELECT g(44, 41.5, 1013.25)"))
        self.db.create_function("scoreline_load", 2, lambda name, model: "another")
        self.assertEqual("another", load(self.db, "f", self.iot.path))
        self.scores("SELECT zeroblob(100) FROM (VALUES (1), (2))")
        golden_set.compare("SQLite", self.iot.prediction[2:3], self.scores("SELECT g(44, 41.5, 1013.25)"))
        self.db.create_function("g", -1, lambda *row: 7.0)
        self.assertEqual([7.0], self.scores("SELECT g(1)"))
        self.db.close()

    def test_numbers_as_text_and_integers(self):
        load(self.db, "f", self.iot.path)
        same = self.scores("SELECT f(44, '41.5', 1013.25)")
        golden_set.compare("SQLite", [self.iot.prediction[2]], same)

    def test_errors(self):
        self.refused("SELECT scoreline_load('f', '/no/such.slm')", "cannot open '/no/such.slm'")
        self.refused("SELECT scoreline_load('f', NULL)", "found NULL")
        self.refused(f"SELECT scoreline_load('f', '{__file__}')", "scoreline_load")
        self.refused(f"SELECT scoreline_load('f', '{self.iot.path}#7')", "number below 1", "#7")
        load(self.db, "f", self.iot.path)
        self.refused("SELECT f(1, 2)", "3 features (temperature, humidity, pressure)", "found 2")
        self.refused("SELECT f(1, 2, 'damp')", "\"pressure\", takes numbers", "damp")
        self.refused("SELECT f(1, 2, x'00')", "a blob")
        self.refused("SELECT g(1)", "no such function")

    def test_marks_in_names(self):
        """Names of folders and files may have '#'; a choice of a value has no '/' and no '.'."""
        with tempfile.TemporaryDirectory(prefix="a#b.c#1") as directory:
            for name in ("iot", "iot.slm", "iot#2.slm", "iot#2"):
                shutil.copy(self.iot.path, os.path.join(directory, name))
            for spec, expected in (("iot", self.iot.prediction), ("iot.slm", self.iot.prediction), ("iot#2.slm", self.iot.prediction),
                                   ("iot#2.slm#margin", self.iot.margin), ("iot#0", self.iot.prediction),
                                   ("iot#2#prediction", self.iot.prediction), ("iot#2#margin", self.iot.margin)):
                with self.subTest(spec):
                    load(self.db, "f", os.path.join(directory, spec))
                    golden_set.compare("SQLite", expected[2:3], self.scores("SELECT f(44, 41.5, 1013.25)"))
            for spec, words in (("iot#2", ("number below 1", "#2")), ("iot.slm#nonsense", ("#prediction, #margin", "#nonsense")),
                                ("none#1.slm", ("cannot open", "none#1.slm"))):
                with self.subTest(spec):
                    self.refused(f"SELECT scoreline_load('f', '{directory}/{spec}')", *words)

    def test_not_from_a_view(self):
        self.db.execute("PRAGMA trusted_schema = OFF")
        self.db.execute(f"CREATE VIEW v AS SELECT scoreline_load('f', '{self.iot.path}')")
        self.refused("SELECT * FROM v", "unsafe use of scoreline_load")

    def test_index_and_reload(self):
        load(self.db, "f", self.iot.path)
        fill(self.db, self.iot, "t")
        self.db.execute("CREATE INDEX by_score ON t (f(temperature, humidity, pressure))")
        query = "SELECT count(*) FROM t WHERE f(temperature, humidity, pressure) > 0.8"
        self.assertIn("by_score", self.db.execute("EXPLAIN QUERY PLAN " + query).fetchone()[3])
        self.assertEqual([sum(p > 0.8 for p in self.iot.prediction)], self.scores(query))
        self.db.execute("DROP INDEX by_score")
        load(self.db, "f", f"{self.iot.path}#margin")
        golden_set.compare("SQLite", self.iot.margin[2:3], self.scores("SELECT f(44, 41.5, 1013.25)"))

    def test_replaced_file(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "model.slm"
            shutil.copy(self.iot.path, path)
            load(self.db, "f", path)
            shutil.copy(golden_set.load("wide").path, path.with_suffix(".new"))
            path.with_suffix(".new").rename(path)
            self.assertEqual(300, load(self.db, "g", path))
            golden_set.compare("SQLite", self.iot.prediction[2:3], self.scores("SELECT f(44, 41.5, 1013.25)"))

    def test_two_threads(self):
        """Two connections of one process, each in a thread, over one file and one model."""
        with tempfile.TemporaryDirectory() as directory:
            path = f"{directory}/t.db"
            db = connect(path)
            fill(db, self.iot, "t")
            found = [[], []]

            def work(mine):
                own = connect(path)
                for _ in range(50):
                    load(own, "f", self.iot.path)
                    mine.append([r[0] for r in own.execute(
                        "SELECT f(temperature, humidity, pressure) FROM t ORDER BY device_id")])
                own.close()

            threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            for scores in found[0] + found[1]:
                golden_set.compare("SQLite", self.iot.prediction, scores)
            self.assertEqual([50, 50], [len(mine) for mine in found])

    def test_speed(self):
        load(self.db, "f", self.iot.path)
        series = "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM n WHERE i < 199999) SELECT {} FROM n"
        seconds = []
        for what in ("sum(f(20 + i % 60, i % 97, 1013))", "sum(20 + i % 60 + i % 97 + 1013)"):
            began = time.perf_counter()
            self.db.execute(series.format(what)).fetchone()
            seconds.append(time.perf_counter() - began)
        print(f"\n200,000 rows: {(seconds[0] - seconds[1]) / 200000 * 1e6:.2f} µs a row for the score, "
              f"{seconds[1] / 200000 * 1e6:.2f} µs for the query around it")


if __name__ == "__main__":
    unittest.main()
