"""The flavor: what is logged, what comes back, and MLflow's own server around it."""
import math
import sys

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests

import golden_set
import scoreline
import scoreline.mlflow
import servers

FRAUD = golden_set.load("fraud")


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    home = tmp_path_factory.mktemp("mlflow")
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    experiment = mlflow.create_experiment("fraud", artifact_location=(home / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment):
        return scoreline.mlflow.log_model(
            FRAUD.path, name="fraud", registered_model_name="fraud_model", input_example=frame().head(2)
        )


def frame():
    return pd.DataFrame(FRAUD.rows, columns=FRAUD.names)


def test_signature(logged):
    inputs = {column.name: column.type.name for column in logged.signature.inputs}
    assert inputs == {name: kind for name, kind in zip(FRAUD.names, FRAUD.types)}


def test_loaded_by_mlflow(logged):
    model = mlflow.pyfunc.load_model("models:/fraud_model/1")
    shuffled = frame()[FRAUD.names[::-1]].assign(transaction_id=1)
    golden_set.compare("pyfunc", FRAUD.prediction, model.predict(shuffled))
    golden_set.compare("margins", FRAUD.margin, model.predict(frame(), params={"output": "margin"}))


def test_loaded_by_the_flavor_and_opened_once(logged):
    model = scoreline.mlflow.load_model("models:/fraud_model/1")
    assert isinstance(model, scoreline.Model)
    local = mlflow.artifacts.download_artifacts(artifact_uri="models:/fraud_model/1")
    raw = [scoreline.mlflow._load_pyfunc(f"{local}/model.slm").get_raw_model() for _ in range(2)]
    assert raw[0] is raw[1]


def test_a_live_model_and_a_directory_that_is_not_empty(tmp_path):
    built = scoreline.load(FRAUD.path)
    scoreline.mlflow.save_model(built, tmp_path / "saved")
    golden_set.compare("saved", FRAUD.prediction, mlflow.pyfunc.load_model(str(tmp_path / "saved")).predict(frame()))
    with pytest.raises(mlflow.MlflowException, match="is not empty"):
        scoreline.mlflow.save_model(built, tmp_path / "saved")


def test_names_with_spaces(tmp_path):
    """LightGBM writes spaces as underscores; the signature has the names that an example has."""
    spaced = frame().rename(columns=lambda name: name.replace("_", " "))
    scoreline.mlflow.save_model(FRAUD.path, tmp_path / "saved", input_example=spaced.head(2))
    model = mlflow.pyfunc.load_model(str(tmp_path / "saved"))
    assert model.metadata.signature.inputs.input_names() == list(spaced.columns)
    golden_set.compare("spaces", FRAUD.prediction, model.predict(spaced[spaced.columns[::-1]].assign(transaction_id=1)))
    scoreline.mlflow.save_model(FRAUD.path, tmp_path / "own")
    with pytest.raises(mlflow.MlflowException, match="distance_from_home"):
        mlflow.pyfunc.load_model(str(tmp_path / "own")).predict(spaced)
    signature = scoreline.mlflow.signature_of(scoreline.load(FRAUD.path), spaced.columns)
    scoreline.mlflow.save_model(FRAUD.path, tmp_path / "columns", signature=signature)
    golden_set.compare("a signature", FRAUD.prediction, mlflow.pyfunc.load_model(str(tmp_path / "columns")).predict(spaced))
    raw = scoreline.mlflow._load_pyfunc(str(FRAUD.path))
    golden_set.compare("without a signature", FRAUD.prediction, raw.predict(spaced))


def test_a_model_of_another_flavor(tmp_path):
    class Other(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):
            return model_input

    mlflow.pyfunc.save_model(tmp_path / "other", python_model=Other())
    with pytest.raises(mlflow.MlflowException, match="has no flavor 'scoreline'"):
        scoreline.mlflow.load_model(str(tmp_path / "other"))


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    directory = tmp_path_factory.mktemp("served")
    scoreline.mlflow.save_model(FRAUD.path, directory / "model")
    port = servers.free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(directory / "model"), "-h", "127.0.0.1"]
    command += ["-p", str(port), "--env-manager", "local", "--workers", "1"]
    with servers.server(command, f"http://127.0.0.1:{port}/ping", directory / "log"):
        yield f"http://127.0.0.1:{port}"


def finite_rows():
    chosen = [i for i, row in enumerate(FRAUD.rows) if not any(isinstance(v, float) and math.isinf(v) for v in row)]
    rows = [[None if isinstance(v, float) and math.isnan(v) else v for v in FRAUD.rows[i]] for i in chosen]
    return rows, [FRAUD.prediction[i] for i in chosen]


BODIES = {
    "dataframe_split": lambda rows: {"columns": FRAUD.names, "data": rows},
    "dataframe_records": lambda rows: [dict(zip(FRAUD.names, row)) for row in rows],
    "instances": lambda rows: [dict(zip(FRAUD.names, row)) for row in rows],
    "inputs": lambda rows: {name: [row[i] for row in rows] for i, name in enumerate(FRAUD.names)},
}


@pytest.mark.parametrize("key", BODIES)
def test_served(served, key):
    rows, expected = finite_rows()
    answer = requests.post(f"{served}/invocations", json={key: BODIES[key](rows)}, timeout=120)
    assert answer.status_code == 200, answer.text
    golden_set.compare("mlflow models serve", expected, answer.json()["predictions"])


@pytest.mark.parametrize(
    "body, text",
    [
        ({"dataframe_split": {"columns": ["amount"], "data": [[1.0]]}}, "missing inputs"),
        ({"rows": []}, "must be a JSON dictionary"),
        ({"dataframe_records": [dict(zip(FRAUD.names, ["much", "travel", 1.0, 2.0]))]}, "amount"),
    ],
)
def test_served_wrong_requests(served, body, text):
    answer = requests.post(f"{served}/invocations", json=body, timeout=120)
    assert answer.status_code == 400 and text in answer.text, (answer.status_code, answer.text)


def test_served_health(served):
    for route in ("/ping", "/health", "/version"):
        assert requests.get(served + route, timeout=120).status_code == 200


def test_one_row_and_no_rows():
    model = scoreline.mlflow._load_pyfunc(str(FRAUD.path))
    golden_set.compare("one row", FRAUD.prediction[:1], model.predict(frame().head(1)))
    assert np.asarray(model.predict(frame().head(0))).shape == (0,)
