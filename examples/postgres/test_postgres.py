"""The PostgreSQL extension inside PostgreSQL: pattern 1's query, the golden set, NULLs in columns, parallel workers, errors.

Comes in: PGHOST and the like, a server whose scoreline.model_directory holds the golden models.
"""
import dataclasses
import pathlib
import threading
import time
import unittest

import golden_set
import psycopg

# All that must change in the pattern's query: brackets are not PostgreSQL's quotes.
FIXES = (("[iot-input]", '"iot-input"'), ("[scored-output]", '"scored-output"'))


def connect():
    return psycopg.connect(autocommit=True)


def fill(db, golden, table):
    columns = ", ".join(f'"{n}" {"float8" if t == "double" else "text"}' for n, t in zip(golden.names, golden.types))
    db.execute(f'DROP TABLE IF EXISTS "{table}"')
    db.execute(f'CREATE TABLE "{table}" (device_id int, {columns})')
    marks = ", ".join(["%s"] * (len(golden.names) + 1))
    db.cursor().executemany(f'INSERT INTO "{table}" VALUES ({marks})', [(i, *row) for i, row in enumerate(golden.rows)])


class PostgreSQL(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with connect() as db:
            db.execute("DROP EXTENSION IF EXISTS scoreline CASCADE")
            db.execute("CREATE EXTENSION scoreline")

    def setUp(self):
        self.db = connect()
        self.addCleanup(self.db.close)
        self.iot, self.fraud, self.wide = map(golden_set.load, ("iot", "fraud", "wide"))

    def scores(self, sql, *parameters):
        return [row[0] for row in self.db.execute(sql, parameters or None).fetchall()]

    def refused(self, sql, *words):
        with self.assertRaises(psycopg.Error) as caught:
            self.db.execute(sql)
        for word in words:
            self.assertIn(word, str(caught.exception))

    def test_pattern_1(self):
        fill(self.db, self.iot, "iot-input")
        self.db.execute('DROP TABLE IF EXISTS "scored-output"; DROP SCHEMA IF EXISTS udf CASCADE; CREATE SCHEMA udf')
        self.db.execute("CREATE FUNCTION udf.AnomalyScore(float8, float8, float8) RETURNS float8 STABLE PARALLEL SAFE "
                        "LANGUAGE sql RETURN public.scoreline('iot', $1, $2, $3)")
        self.db.execute(golden_set.replaced(golden_set.PATTERN_1, *FIXES))
        rows = self.db.execute('SELECT anomaly_score, status FROM "scored-output" ORDER BY device_id').fetchall()
        golden_set.compare("PostgreSQL", self.iot.prediction, [score for score, _ in rows])
        self.assertEqual([golden_set.status(p) for p in self.iot.prediction], [status for _, status in rows])
        self.assertEqual({"CRITICAL", "WARNING", "NORMAL"}, {status for _, status in rows})
        self.db.execute("DROP SCHEMA udf CASCADE")

    def test_margins_and_categories(self):
        fill(self.db, self.iot, "i")
        golden_set.compare("PostgreSQL", self.iot.margin, self.scores(
            "SELECT scoreline('iot#margin', temperature, humidity, pressure) FROM i ORDER BY device_id"))
        fill(self.db, self.fraud, "f")
        for what in (", ".join(self.fraud.names), "f"):
            golden_set.compare("PostgreSQL", self.fraud.prediction,
                               self.scores(f"SELECT scoreline('fraud', {what}) FROM f ORDER BY device_id"))
        self.refused("SELECT scoreline('iot', f) FROM f", "lacks 3 of the model's features: temperature, humidity, pressure")

    def test_names_with_spaces(self):
        """LightGBM writes spaces as underscores; a column of a feature's own name goes before one that has spaces."""
        spaced = dataclasses.replace(self.fraud, names=[name.replace("_", " ") for name in self.fraud.names])
        fill(self.db, spaced, "spaced")
        fill(self.db, self.fraud, "f")
        own = "(SELECT f.*, 1e9::float8 AS \"distance from home\", 'x'::text AS \"merchant category\" FROM f)"
        for table in ("spaced", own):
            golden_set.compare("PostgreSQL", self.fraud.prediction,
                               self.scores(f"SELECT scoreline('fraud', o) FROM {table} AS o ORDER BY device_id"))
        self.refused("SELECT scoreline('fraud', o) FROM (SELECT spaced.*, 1::float8 AS \"distance_from home\" FROM spaced) AS o",
                     "has twice 1 of the model's features: distance_from_home")
        self.db.execute('ALTER TABLE spaced DROP COLUMN "distance from home"')
        self.refused("SELECT scoreline('fraud', spaced) FROM spaced", "lacks 1 of the model's features: distance_from_home")
        self.refused("SELECT scoreline('iot', o) FROM (SELECT 1::float8 AS temperature, 2::float8 AS humidity) AS o", "pressure")

    def test_a_column_twice(self):
        """Only a subquery's row can have one. Which is meant, nobody knows: refused unless the model has no such feature."""
        row = "44 AS temperature, 41.5 AS humidity, 1013.25 AS pressure"
        self.refused(f"SELECT scoreline('iot', o) FROM (SELECT {row}, 9 AS temperature) AS o",
                     "has twice 1 of the model's features: temperature")
        golden_set.compare("PostgreSQL", self.iot.prediction[2:3], self.scores(
            f"SELECT scoreline('iot', o) FROM (SELECT {row}, 9 AS other, 8 AS other) AS o"))

    def test_wide_models(self):
        fill(self.db, self.wide, "w")
        names = ", ".join(self.wide.names)
        for what in ("w", f"VARIADIC ARRAY[{names}]"):
            golden_set.compare("PostgreSQL", self.wide.prediction,
                               self.scores(f"SELECT scoreline('wide', {what}) FROM w ORDER BY device_id"))
        self.assertEqual([None, None], self.scores(
            "SELECT scoreline('wide', VARIADIC x) FROM (VALUES (NULL::float8[]), (NULL)) AS t(x)"))
        self.refused("SELECT scoreline('wide', VARIADIC ARRAY[1.5, 2])", "300 features", "in one array, found 2")

    def test_types(self):
        for t, h, p in (("44", "41.5", "1013.25"), ("44::smallint", "41.5::float4", "1013.25::float8"),
                        ("44::bigint", "41.5::numeric(10, 4)", "1013.25")):
            golden_set.compare(f"PostgreSQL, {t}", self.iot.prediction[2:3], self.scores(f"SELECT scoreline('iot', {t}, {h}, {p})"))
        golden_set.compare("PostgreSQL, varchar", self.fraud.prediction[:1], self.scores(
            "SELECT scoreline('fraud', 120.5, 'jewellery'::varchar(20), 30, 80.25)"))
        golden_set.compare("PostgreSQL, literal", self.fraud.prediction[:1], self.scores(
            "SELECT scoreline('fraud', 120.5, 'jewellery', 30, 80.25)"))

    def test_models_of_a_column(self):
        found = self.scores("SELECT scoreline(CASE i % 3 WHEN 0 THEN 'iot' WHEN 1 THEN 'iot#margin' END, 44, 41.5, 1013.25) "
                            "FROM generate_series(0, 2999) AS i ORDER BY i")
        self.assertTrue(all(score is None for score in found[2::3]))
        golden_set.compare("PostgreSQL", self.iot.prediction[2:3] * 1000, found[0::3])
        golden_set.compare("PostgreSQL", self.iot.margin[2:3] * 1000, found[1::3])

    def test_parallel_workers(self):
        fill(self.db, self.iot, "i")
        self.db.execute("DROP TABLE IF EXISTS many; CREATE TABLE many AS SELECT i.* FROM i, generate_series(1, 3000)")
        self.db.execute("ANALYZE many; SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; "
                        "SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0")
        query = ("SELECT device_id, count(*), min(s), max(s) FROM (SELECT device_id, scoreline('iot', temperature, humidity, "
                 "pressure) AS s FROM many OFFSET 0) AS t GROUP BY device_id ORDER BY device_id")
        plan = "\n".join(self.scores("EXPLAIN (ANALYZE, VERBOSE) " + query))
        self.assertRegex(plan, r"Workers Launched: [12]")
        self.assertRegex(plan, r"Parallel Seq Scan on public.many.*\n.*Output: .*scoreline")
        rows = self.db.execute(query).fetchall()
        self.assertEqual([3000] * len(rows), [row[1] for row in rows])
        golden_set.compare("PostgreSQL, least", self.iot.prediction, [row[2] for row in rows])
        golden_set.compare("PostgreSQL, largest", self.iot.prediction, [row[3] for row in rows])

    def test_two_connections(self):
        fill(self.db, self.iot, "two")
        found = [[], []]

        def work(mine):
            with connect() as db:
                for _ in range(100):
                    mine.append([row[0] for row in db.execute(
                        "SELECT scoreline('iot', temperature, humidity, pressure) FROM two ORDER BY device_id").fetchall()])

        threads = [threading.Thread(target=work, args=(mine,)) for mine in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([100, 100], [len(mine) for mine in found])
        for scores in found[0] + found[1]:
            golden_set.compare("PostgreSQL", self.iot.prediction, scores)

    def test_errors(self):
        self.refused("SELECT scoreline('nobody', 1, 2, 3)", "cannot open", "nobody.slm")
        self.refused("SELECT scoreline('../iot', 1, 2, 3)", "without its directory")
        self.refused("SELECT scoreline('/etc/passwd', 1, 2, 3)", "without its directory")
        self.refused("SELECT scoreline('', 1, 2, 3)", "expected the name of a model")
        self.refused("SELECT scoreline('iot', 1, 2)", "3 features (temperature, humidity, pressure), found 2")
        self.refused("SELECT scoreline('iot', 1, 2, 'damp')", '"pressure", takes numbers', "damp")
        self.refused("SELECT scoreline('iot', 1, 2, now())", '"pressure"', "timestamp with time zone", "Cast it")
        self.refused("SELECT scoreline('iot#3', 1, 2, 3)", "number below 1")
        self.refused("SET scoreline.nonsense = 1", "scoreline")
        # After errors the connection goes on.
        golden_set.compare("PostgreSQL", self.iot.prediction[2:3], self.scores("SELECT scoreline('iot', 44, 41.5, 1013.25)"))

    def test_directory_is_for_superusers(self):
        self.db.execute("DROP ROLE IF EXISTS somebody; CREATE ROLE somebody LOGIN")
        with psycopg.connect(user="somebody", autocommit=True) as db:
            # Before the library is loaded nobody knows whose setting it is; the value is dropped when it is loaded.
            db.execute("SET scoreline.model_directory = '/etc'")
            found = db.execute("SELECT scoreline('iot', 44, 41.5, 1013.25)").fetchall()
            golden_set.compare("PostgreSQL", self.iot.prediction[2:3], [found[0][0]])
            with self.assertRaises(psycopg.errors.InsufficientPrivilege):
                db.execute("SET scoreline.model_directory = '/etc'")

    def copy_model(self, name, new):
        """NEW.slm in the server's directory of models, put there by rename."""
        directory = pathlib.Path(self.scores("SHOW scoreline.model_directory")[0])
        self.db.execute(f"COPY (SELECT 1) TO PROGRAM 'cat >/dev/null && cp {directory}/{name}.slm {directory}/new.tmp && "
                        f'mv {directory}/new.tmp "{directory}/{new}.slm"\'')

    def test_marks_in_names(self):
        """What stands behind the last '#' chooses a value, unless it has a '.'."""
        for name in ("marked#2", "marked#2.1"):
            self.copy_model("iot", name)
        for name, expected in (("marked#2#prediction", self.iot.prediction), ("marked#2#margin", self.iot.margin),
                               ("marked#2.1", self.iot.prediction), ("marked#2.1#margin", self.iot.margin)):
            with self.subTest(name):
                golden_set.compare("PostgreSQL", expected[2:3], self.scores(f"SELECT scoreline('{name}', 44, 41.5, 1013.25)"))
        self.refused("SELECT scoreline('marked#2', 1, 2, 3)", "cannot open", "marked.slm")

    def test_replaced_file(self):
        """A file that takes the name is the model of the next query; a query keeps the one that it began with."""
        self.copy_model("iot", "swapped")
        golden_set.compare("PostgreSQL", self.iot.prediction[2:3], self.scores("SELECT scoreline('swapped', 44, 41.5, 1013.25)"))
        self.copy_model("fraud", "swapped")
        golden_set.compare("PostgreSQL", self.fraud.prediction[:1], self.scores(
            "SELECT scoreline('swapped', 120.5, 'jewellery', 30, 80.25)"))

    def test_speed(self):
        self.db.execute("SET max_parallel_workers_per_gather = 0")
        seconds = []
        for what in ("scoreline('iot', 20 + i % 60, i % 97, 1013)", "20 + i % 60 + i % 97 + 1013"):
            began = time.perf_counter()
            self.db.execute(f"SELECT sum({what}) FROM generate_series(1, 300000) AS i")
            seconds.append(time.perf_counter() - began)
        print(f"\n300,000 rows: {(seconds[0] - seconds[1]) / 300000 * 1e6:.2f} µs a row for the score, "
              f"{seconds[1] / 300000 * 1e6:.2f} µs for the query around it")


if __name__ == "__main__":
    unittest.main()
