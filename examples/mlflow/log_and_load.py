"""The flavor in whatever release of MLflow there is: a model logged, loaded both ways, and asked."""
import pathlib
import tempfile

import mlflow
import pandas as pd

import golden_set
import scoreline.mlflow

fraud = golden_set.load("fraud")
rows = pd.DataFrame(fraud.rows, columns=fraud.names)
with tempfile.TemporaryDirectory() as home:
    mlflow.set_tracking_uri((pathlib.Path(home) / "runs").as_uri())
    mlflow.set_experiment("fraud")
    with mlflow.start_run():
        logged = scoreline.mlflow.log_model(fraud.path, name="fraud", input_example=rows.head(2))
    served = mlflow.pyfunc.load_model(logged.model_uri)
    golden_set.compare("pyfunc", fraud.prediction, served.predict(rows[rows.columns[::-1]]).tolist())
    golden_set.compare("margins", fraud.margin, served.predict(rows, params={"output": "margin"}).tolist())
    golden_set.compare("the model", fraud.prediction, scoreline.mlflow.load_model(logged.model_uri).predict(rows).tolist())
