"""Pattern 1 in Flink SQL: a streaming job over files on Flink's own mini-cluster, with the golden set in its rows.

Relies on: apache-flink and its Java (11 or 17); SCORELINE_LIBRARY; scoreline, golden_set and scoreline_flink on PYTHONPATH.
"""
import json
import os
import pathlib
import re
import tempfile
import unittest

import golden_set
from pyflink.table import EnvironmentSettings, TableEnvironment

import scoreline
import scoreline_flink

# What must change in the pattern's query: brackets are not Flink's quotes, and INTO becomes INSERT INTO in front. The
# function lives in the database udf of the catalog, so `udf.AnomalyScore` is a name like any other.
FIXES = (("[iot-input]", "`iot-input`"), ("INTO [scored-output]\n", ""),
         ("-- Stream Analytics with Azure ML\n", "INSERT INTO `scored-output`\n"))


def text_of(value):
    """JSON has no NaN and no infinities: numbers travel as text, in Java's words, and are cast by a view over the files."""
    words = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
    return words.get(repr(value), repr(value)) if isinstance(value, float) else value


class Flink(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)
        self.env = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
        for key, value in (("parallelism.default", "2"), ("python.execution-mode", os.environ.get("SCORELINE_FLINK_MODE", "process")),
                           ("restart-strategy.type", "none"), ("python.fn-execution.bundle.size", "1000")):
            self.env.get_config().set(key, value)
        self.env.execute_sql("CREATE DATABASE udf")

    def source(self, table, golden):
        """Several files, so that the source is split between the workers."""
        folder = self.directory / table
        folder.mkdir()
        for part in range(4):
            lines = [json.dumps({"device_id": i, **{n: text_of(v) for n, v in zip(golden.names, row)}})
                     for i, row in enumerate(golden.rows) if i % 4 == part]
            (folder / f"{part}.json").write_text("\n".join(lines) + "\n")
        columns = ", ".join(f"`{n}` STRING" for n in golden.names)
        self.env.execute_sql(f"CREATE TEMPORARY TABLE `{table} files` (device_id INT, {columns}) WITH ('connector' = 'filesystem', "
                             f"'path' = 'file://{folder}', 'format' = 'json')")
        casts = ", ".join(f"CAST(`{n}` AS DOUBLE) AS `{n}`" if t == "double" else f"`{n}`" for n, t in zip(golden.names, golden.types))
        self.env.execute_sql(f"CREATE TEMPORARY VIEW `{table}` AS SELECT device_id, {casts} FROM `{table} files`")

    def collect(self, sql):
        with self.env.execute_sql(sql).collect() as rows:
            return [tuple(row) for row in rows]

    def test_pattern_1(self):
        iot = golden_set.load("iot")
        self.source("iot-input", iot)
        out = self.directory / "out"
        self.env.create_temporary_function("udf.AnomalyScore", scoreline_flink.scorer(str(iot.path)))
        self.env.execute_sql("CREATE TEMPORARY TABLE `scored-output` (device_id INT, temperature DOUBLE, humidity DOUBLE, "
                             "pressure DOUBLE, anomaly_score DOUBLE, status STRING) WITH ('connector' = 'filesystem', "
                             f"'path' = 'file://{out}', 'format' = 'csv')")
        self.env.execute_sql(golden_set.replaced(golden_set.PATTERN_1, *FIXES)).wait(120000)
        lines = [line for file in out.rglob("*") if file.is_file() for line in file.read_text().splitlines()]
        rows = sorted((int(line.split(",")[0]), *line.rsplit(",", 2)[1:]) for line in lines)
        golden_set.compare("Flink", iot.prediction, [float(score) for _, score, _ in rows])
        self.assertEqual([golden_set.status(p) for p in iot.prediction], [status.strip('"') for *_, status in rows])
        self.assertEqual({"CRITICAL", "WARNING", "NORMAL"}, {status for *_, status in rows})

    def test_categories(self):
        fraud = golden_set.load("fraud")
        self.source("transactions", fraud)
        self.env.create_temporary_function("fraud", scoreline_flink.scorer(str(fraud.path)))
        rows = sorted(self.collect(f"SELECT device_id, fraud({', '.join(fraud.names)}) FROM transactions"))
        golden_set.compare("Flink", fraud.prediction, [score for _, score in rows])

    def test_wide_models(self):
        """All features in an array; one that is NULL gives NULL."""
        wide = golden_set.load("wide")
        self.source("rows", wide)
        self.env.create_temporary_function("wide", scoreline_flink.array_scorer(str(wide.path)))
        array = f"ARRAY[{', '.join(f'`{name}`' for name in wide.names)}]"
        rows = sorted(self.collect(f"SELECT device_id, wide(CASE WHEN device_id <> 3 THEN {array} END) FROM `rows`"))
        self.assertIsNone(rows[3][1])
        golden_set.compare("Flink", wide.prediction[:3] + wide.prediction[4:], [score for i, score in rows if i != 3])
        with self.assertRaisesRegex(Exception, "expected an array of 300 features, found 2"):
            self.collect(f"SELECT wide(ARRAY[`{wide.names[0]}`, `{wide.names[1]}`]) FROM `rows`")

    def test_several_values(self):
        """One value of a row is chosen where the function is made; without a choice nothing is planned."""
        model = self.classes()
        iot = golden_set.load("iot")
        scores = scoreline.load(model).predict([dict(zip(iot.names, row)) for row in iot.rows])
        self.source("iot-input", iot)
        for name, wanted, how in (("second", scores[:, 1], {"value": 1}), ("class", scores.argmax(axis=1), {"output": "class"})):
            self.env.create_temporary_function(f"udf.{name}", scoreline_flink.scorer(model, **how))
            self.env.create_temporary_function(f"udf.{name}OfArray", scoreline_flink.array_scorer(model, **how))
            for call in (f"`{name}`({', '.join(iot.names)})", f"{name}OfArray(ARRAY[{', '.join(iot.names)}])"):
                with self.subTest(call):
                    rows = sorted(self.collect(f"SELECT device_id, udf.{call} FROM `iot-input`"))
                    golden_set.compare("Flink", [float(score) for score in wanted], [score for _, score in rows])
        for make in (scoreline_flink.scorer, scoreline_flink.array_scorer):
            with self.subTest(make.__name__):
                with self.assertRaisesRegex(ValueError, "has 3 values of the output 'prediction' per row; choose one with "
                                                        "value=0 to value=2, or the number of the class with output='class'"):
                    make(model)
                for value in (3, -1, "1", True):
                    with self.assertRaisesRegex(ValueError, "expected value as a number from 0 to 2, found " + repr(value)):
                        make(model, value=value)
                with self.assertRaisesRegex(ValueError, "expected output 'prediction', 'margin' or 'class', found 'leaf'"):
                    make(model, "leaf")

    def classes(self):
        """A model of three classes, of the features of the golden set's "iot"."""
        iot = golden_set.load("iot")
        builder = scoreline.Builder(len(iot.names), n_outputs=3, feature_names=iot.names, link="softmax")
        for output, cut in enumerate((50.0, 45.0, 1000.0)):
            builder.add_tree(left=[1, -1, -1], right=[2, -1, -1], feature=[output, 0, 0], value=[cut, -1.0, 1.0], output=output)
        path = self.directory / "classes.slm"
        builder.finish().save(path)
        return str(path)

    def test_errors(self):
        """Wrong inputs are refused before a job starts."""
        iot = golden_set.load("iot")
        with self.assertRaisesRegex(scoreline.ScorelineError, "cannot open '/no/such.slm'"):
            scoreline_flink.scorer("/no/such.slm")
        self.env.create_temporary_function("udf.AnomalyScore", scoreline_flink.scorer(str(iot.path)))
        takes = re.escape("AnomalyScore(arg0 => DOUBLE, arg1 => DOUBLE, arg2 => DOUBLE)")
        for arguments in ("1E0, 2E0", "1E0, 2E0, TRUE"):
            with self.subTest(arguments), self.assertRaisesRegex(Exception, takes):
                self.env.execute_sql(f"SELECT udf.AnomalyScore({arguments})")
        with self.assertRaisesRegex(Exception, "No match found for function signature nobody"):
            self.env.execute_sql("SELECT nobody(1E0)")


if __name__ == "__main__":
    unittest.main()
