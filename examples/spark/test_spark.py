"""Pattern 3 inside Spark: the guide's own code, and the route by Arrow.

Comes in: the golden fraud rows as a Delta table. What must come out: the golden predictions, bit for bit, once each.
"""
import dataclasses
import os
import pathlib
import subprocess
import time

import pytest
from pyspark.errors import StreamingQueryException
from pyspark.sql import functions as F
from pyspark.sql import types as T

import golden_set
import scoreline
import scoreline.log
from scoreline.spark import with_scores

MONITORING = (pathlib.Path(golden_set.__file__).parent / "monitoring" / "monitoring.sql").read_text()
PATTERN_3 = (pathlib.Path(__file__).parent / "pattern3.txt").read_text()
# Names of three levels are those of Unity Catalog; the catalog of open-source Spark has two.
TWO_LEVELS = [('"ml.scores.transactions"', '"scores.transactions"'), ('"ml.alerts.fraud"', '"alerts.fraud"')]
SECONDS = 900  # a bound for machines that other programs keep busy; a stream here takes some seconds otherwise
ONCE = ('.trigger(processingTime="10 seconds")', ".trigger(availableNow=True)")


def frame_of(spark, golden, first=0, last=None):
    kinds = {"double": T.DoubleType(), "string": T.StringType()}
    fields = [T.StructField(n, kinds[k]) for n, k in zip(golden.names, golden.types)]
    schema = T.StructType([T.StructField("transaction_id", T.LongType()), *fields])
    rows = [(i, *row) for i, row in enumerate(golden.rows)]
    return spark.createDataFrame(rows[first:last], schema)


def compare(golden, frame, column="fraud_score", first=0, last=None):
    rows = frame.select("transaction_id", column).orderBy("transaction_id").collect()
    assert [row[0] for row in rows] == list(range(len(golden.rows)))[first:last], "rows were lost or doubled"
    golden_set.compare("Spark", golden.prediction[first:last], [row[1] for row in rows])


@pytest.fixture
def tables(spark, fraud):
    """The pattern's databases; bronze.transactions holds the first 30 golden rows."""
    for database in ("bronze", "scores", "alerts"):
        spark.sql(f"DROP DATABASE IF EXISTS {database} CASCADE")
        spark.sql(f"CREATE DATABASE {database}")
    frame_of(spark, fraud, 0, 30).write.format("delta").saveAsTable("bronze.transactions")


def run_pattern(spark, checkpoint, *fixes):
    """The guide's code with the given fixes and nothing else changed; gives its streaming query."""
    text = golden_set.replaced(PATTERN_3, *TWO_LEVELS, ("/checkpoints/fraud_scoring", str(checkpoint)), *fixes)
    names = {"spark": spark}
    exec(compile(text, "pattern3.txt", "exec"), names)
    return names["query"]


def test_the_pattern_scores_every_row_once_and_goes_on_from_its_checkpoint(spark, registry, fraud, tables, tmp_path):
    assert run_pattern(spark, tmp_path / "c", ONCE).awaitTermination(SECONDS)
    compare(fraud, spark.table("scores.transactions"), last=30)
    frame_of(spark, fraud, 30).write.format("delta").mode("append").saveAsTable("bronze.transactions")
    assert run_pattern(spark, tmp_path / "c", ONCE).awaitTermination(SECONDS)
    compare(fraud, spark.table("scores.transactions"))
    alerts = [row[0] for row in spark.table("alerts.fraud").orderBy("transaction_id").select("transaction_id").collect()]
    assert alerts == [i for i, score in enumerate(fraud.prediction) if score > 0.7] != []


def test_the_pattern_with_its_own_trigger(spark, registry, fraud, tables, tmp_path):
    query = run_pattern(spark, tmp_path / "c")
    try:
        until = time.monotonic() + SECONDS
        while not spark.catalog.tableExists("scores.transactions") and time.monotonic() < until:
            time.sleep(0.2)
        query.processAllAvailable()
        compare(fraud, spark.table("scores.transactions"), last=30)
    finally:
        query.stop()


def test_the_registry_alias(spark, registry, fraud, tables, tmp_path):
    fix = ("models:/fraud_model/Production", "models:/fraud_model@Production")
    assert run_pattern(spark, tmp_path / "c", ONCE, fix).awaitTermination(SECONDS)
    compare(fraud, spark.table("scores.transactions"), last=30)


def test_by_arrow(spark, fraud):
    frame = frame_of(spark, fraud).repartition(3)
    scored = with_scores(frame, fraud.path, column="fraud_score")
    assert scored.columns == [*frame.columns, "fraud_score"]
    compare(fraud, scored)
    margins = with_scores(frame, fraud.path, column="margin", output="margin")
    golden_set.compare("Spark", fraud.margin, [row.margin for row in margins.orderBy("transaction_id").collect()])


def test_by_arrow_names_with_spaces(spark, fraud):
    """LightGBM writes spaces as underscores; a column of a feature's own name goes before one that has spaces."""
    spaced = frame_of(spark, dataclasses.replace(fraud, names=[name.replace("_", " ") for name in fraud.names]))
    scored = with_scores(spaced, fraud.path, column="fraud_score")
    assert scored.columns == [*spaced.columns, "fraud_score"]
    compare(fraud, scored)
    compare(fraud, with_scores(frame_of(spark, fraud).withColumn("distance from home", F.lit(1e9)), fraud.path, column="fraud_score"))
    with pytest.raises(ValueError, match="lacks the features 'distance_from_home'"):
        with_scores(spaced.drop("distance from home"), fraud.path)


def test_by_arrow_no_rows_and_wrong_frames(spark, fraud):
    frame = frame_of(spark, fraud)
    assert with_scores(frame.filter("amount > 1e300 and amount < 0"), fraud.path).collect() == []
    with pytest.raises(ValueError, match="lacks the features 'amount', 'distance_from_home'"):
        with_scores(frame.drop("amount", "distance_from_home"), fraud.path)
    with pytest.raises(ValueError, match="a column 'amount' already"):
        with_scores(frame, fraud.path, column="amount")


class Crash(RuntimeError):
    """The driver's process ends between writing a batch and recording it in the checkpoint."""


def stream_by_arrow(spark, fraud, checkpoint, crash_in=None):
    """What to run where nothing may be lost or doubled: Delta ignores a batch that it has written before."""

    def score(batch, batch_id):
        scored = with_scores(batch, fraud.path, column="fraud_score")
        writer = scored.write.format("delta").mode("append")
        writer.option("txnAppId", "fraud").option("txnVersion", batch_id).saveAsTable("scores.transactions")
        if batch_id == crash_in:
            raise Crash("after the write, before the checkpoint")

    stream = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).table("bronze.transactions")
    return stream.writeStream.foreachBatch(score).option("checkpointLocation", str(checkpoint)).trigger(
        availableNow=True
    ).start()


def test_a_crash_between_write_and_checkpoint_loses_and_doubles_nothing(spark, fraud, tables, tmp_path):
    frame_of(spark, fraud, 30).write.format("delta").mode("append").saveAsTable("bronze.transactions")
    with pytest.raises(StreamingQueryException, match="after the write, before the checkpoint"):
        stream_by_arrow(spark, fraud, tmp_path / "c", crash_in=1).awaitTermination(SECONDS)
    written = spark.table("scores.transactions").count()
    assert 0 < written
    assert stream_by_arrow(spark, fraud, tmp_path / "c").awaitTermination(SECONDS)
    compare(fraud, spark.table("scores.transactions"))


def test_nulls_are_missing_values(spark, fraud):
    rows = [i for i, row in enumerate(fraud.rows) if None in row]
    assert rows, "the golden set has rows with NULL"
    scored = with_scores(frame_of(spark, fraud).filter(F.col("transaction_id").isin(rows)), fraud.path)
    assert scored.filter(F.col("prediction").isNull()).count() == 0


EXPORT = "import sys, scoreline.log; scoreline.log.to_delta(sys.argv[1], sys.argv[2], score_name='fraud_score')"


def test_the_monitoring_query_over_a_capture_log_in_delta(spark, fraud, tmp_path):
    """Calls that an endpoint captured, in a Delta table that delta-rs has written: Spark reads it, and what was appended later."""
    capture = scoreline.Capture(tmp_path)
    config = {"served_entities": [{"entity_name": "fraud_model", "entity_version": "1", "model": scoreline.load(fraud.path)}]}
    endpoint = scoreline.Endpoint(config, capture=capture)
    rows = frame_of(spark, fraud).drop("transaction_id").toArrow().combine_chunks()
    query = golden_set.replaced(MONITORING, ("FROM ml.inference_logs.fraud_detection", f"FROM delta.`{tmp_path}/table`")).rstrip(";\n ")
    for n_calls in (1, 2):
        endpoint.predict(rows)
        capture.drain()
        subprocess.run([os.environ["EXPORT_PYTHON"], "-c", EXPORT, tmp_path, tmp_path / "table"], check=True)
        found = spark.sql(query).collect()
        assert {row.model_version for row in found} == {"1"}
        assert sum(row.predictions for row in found) == n_calls * len(fraud.rows)
        assert sum(row.flagged_count for row in found) == n_calls * sum(score > 0.5 for score in fraud.prediction) > 0
    scores = spark.sql(f"SELECT row, fraud_score FROM delta.`{tmp_path}/table` ORDER BY row").collect()
    golden_set.compare("Spark", [score for score in fraud.prediction for _ in range(2)], [row.fraud_score for row in scores])
