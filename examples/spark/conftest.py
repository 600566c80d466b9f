"""A local Spark with Delta Lake, and a registry with the golden fraud model. All files go below pytest's own directory."""
import os

import mlflow
import pytest
from pyspark.sql import SparkSession

import golden_set
import scoreline.mlflow


@pytest.fixture(scope="session")
def spark(tmp_path_factory):
    home = tmp_path_factory.mktemp("spark")
    session = (
        SparkSession.builder.master("local[2]")
        .appName("scoreline")
        .config("spark.jars", os.environ["SPARK_JARS"].rstrip(","))
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .config("spark.driver.extraJavaOptions", f"-Dderby.system.home={home}")
        .config("spark.driver.memory", "3g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.ui.enabled", "false")
        # Snappy's library takes a machine that has musl too for one that has nothing else, and fails to load.
        .config("spark.sql.parquet.compression.codec", "zstd")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def fraud():
    return golden_set.load("fraud")


@pytest.fixture(scope="session")
def registry(tmp_path_factory, fraud):
    """MLflow's registry with fraud_model version 1, in stage Production and with the alias Production."""
    home = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    experiment = mlflow.create_experiment("fraud", artifact_location=(home / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        scoreline.mlflow.log_model(fraud.path, name="fraud", registered_model_name="fraud_model")
    client = mlflow.MlflowClient()
    client.transition_model_version_stage("fraud_model", "1", "Production")
    client.set_registered_model_alias("fraud_model", "Production", "1")
    return client
