"""Pattern 2: real clients against our serving host.

The control plane of Databricks is emulated by the host itself; the SDK, MLflow's client and Triton's are the real ones.
"""
import shutil
import sys
import threading
import time

import numpy as np
import pytest
import requests
import tritonclient.http
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import InvalidParameterValue, ResourceDoesNotExist
from databricks.sdk.service.serving import DataframeSplitInput, EndpointCoreConfigInput, Route, ServedEntityInput
from databricks.sdk.service.serving import TrafficConfig
from mlflow.deployments import get_deploy_client
from prometheus_client.parser import text_string_to_metric_families

import golden_set
import scoreline
import scoreline.log
import servers

FRAUD = golden_set.load("fraud")
PATTERN_2 = (servers.HERE.parent / "serving" / "pattern2.txt").read_text()
TOKEN = "a-token-of-a-test"
NAME = "fraud-detection-endpoint"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two versions of fraud_model; the second is the first with another name inside, so another file."""
    directory = tmp_path_factory.mktemp("models") / "fraud_model"
    directory.mkdir()
    shutil.copy(FRAUD.path, directory / "1.slm")
    scoreline.load(FRAUD.path)._with({"name": "second"}, None).save(directory / "2.slm")
    return directory.parent


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="module")
def url(models, logs, tmp_path_factory):
    port = servers.free_port()
    command = [sys.executable, "-m", "scoreline.serving", "--models", str(models), "--logs", str(logs)]
    command += ["--port", str(port), "--token-variable", "TOKENS"]
    log = tmp_path_factory.mktemp("host") / "log"
    with servers.server(command, f"http://127.0.0.1:{port}/ping", log, TOKENS=TOKEN):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def client(url, monkeypatch):
    monkeypatch.setenv("DATABRICKS_HOST", url)
    monkeypatch.setenv("DATABRICKS_TOKEN", TOKEN)
    workspace = WorkspaceClient(host=url, token=TOKEN)
    yield workspace
    for endpoint in workspace.serving_endpoints.list():
        workspace.serving_endpoints.delete(endpoint.name)


# The SDK takes its own type where the guide gives a dictionary; the dictionary is read by the SDK itself.
FIX = (
    "w.serving_endpoints.create_and_wait(**endpoint_config)",
    "w.serving_endpoints.create_and_wait(name=endpoint_config['name'], "
    "config=EndpointCoreConfigInput.from_dict({'name': endpoint_config['name'], **endpoint_config['config']}))",
)


def create_by_pattern():
    names = {"EndpointCoreConfigInput": EndpointCoreConfigInput}
    exec(compile(golden_set.replaced(PATTERN_2, FIX), "pattern2.txt", "exec"), names)
    return names


def entity(version):
    return ServedEntityInput(entity_name="fraud_model", entity_version=version, workload_size="Small",
                             scale_to_zero_enabled=False)


def split(first, second):
    return TrafficConfig([Route(served_model_name="fraud_model-1", traffic_percentage=first),
                          Route(served_model_name="fraud_model-2", traffic_percentage=second)])


def json_rows():
    """Golden rows without infinities, which JSON does not have; NaN is null."""
    chosen = [i for i, row in enumerate(FRAUD.rows)
              if not any(isinstance(v, float) and np.isinf(v) for v in row)]
    rows = [[None if isinstance(v, float) and np.isnan(v) else v for v in FRAUD.rows[i]] for i in chosen]
    return rows, [FRAUD.prediction[i] for i in chosen]


def records(rows):
    return [dict(zip(FRAUD.names, row)) for row in rows]


def post(url, path, body, **headers):
    return requests.post(url + path, json=body, headers={"Authorization": f"Bearer {TOKEN}", **headers}, timeout=120)


def test_the_pattern_and_both_clients(client):
    create_by_pattern()
    found = client.serving_endpoints.get(NAME)
    assert found.state.ready.value == "READY" and found.config.served_entities[0].name == "fraud_model-1"
    rows, expected = json_rows()
    answer = client.serving_endpoints.query(NAME, dataframe_split=DataframeSplitInput(columns=FRAUD.names, data=rows))
    golden_set.compare("the SDK", expected, answer.predictions)
    assert answer.served_model_name == "fraud_model-1"
    deployments = get_deploy_client("databricks")
    answer = deployments.predict(endpoint=NAME, inputs={"dataframe_records": records(rows)})
    golden_set.compare("MLflow's client", expected, answer["predictions"])


def test_created_by_mlflows_client_from_the_dictionary(client):
    names = {}
    text = PATTERN_2.replace("w = WorkspaceClient()", "").split("w.serving_endpoints")[0]
    exec(text.replace("from databricks.sdk import WorkspaceClient", ""), names)
    config = names["endpoint_config"]
    get_deploy_client("databricks").create_endpoint(name=config["name"], config=config["config"])
    assert [endpoint.name for endpoint in client.serving_endpoints.list()] == [NAME]


def test_traffic_is_split_exactly(client, url):
    client.serving_endpoints.create_and_wait(NAME, config=EndpointCoreConfigInput(
        name=NAME, served_entities=[entity("1"), entity("2")], traffic_config=split(90, 10)))
    path, body = f"/serving-endpoints/{NAME}/invocations", {"dataframe_records": records(FRAUD.rows[:1])}
    by_turn = [post(url, path, body).headers["served-model-name"] for _ in range(200)]
    assert [by_turn.count(f"fraud_model-{v}") for v in (1, 2)] == [180, 20]
    keys = [f"customer {i}" for i in range(300)]

    def by_key():
        return [post(url, path, body, **{"scoreline-key": key}).headers["served-model-name"] for key in keys]

    before = by_key()
    assert before == by_key(), "a key keeps its version"
    local = scoreline.Endpoint(
        {"served_entities": [{"entity_name": "fraud_model", "entity_version": v, "model": str(FRAUD.path)} for v in "12"],
         "traffic_config": {"routes": [{"served_model_name": f"fraud_model-{v}", "traffic_percentage": p}
                                       for v, p in (("1", 90), ("2", 10))]}}, name=NAME)
    assert before == [local.score(records(FRAUD.rows[:1]), key=key).served_name for key in keys], "the library's own split"
    client.serving_endpoints.update_config(NAME, served_entities=[entity("1"), entity("2")], traffic_config=split(80, 20))
    moved = [(a, b) for a, b in zip(before, by_key()) if a != b]
    assert moved and set(moved) == {("fraud_model-1", "fraud_model-2")}
    answer = post(url, f"/serving-endpoints/{NAME}/served-models/fraud_model-2/invocations", body)
    assert answer.headers["served-model-name"] == "fraud_model-2"


def test_versions_change_under_load_without_an_error(client, url):
    client.serving_endpoints.create_and_wait(NAME, config=EndpointCoreConfigInput(
        name=NAME, served_entities=[entity("1")]))
    rows, expected = json_rows()
    stop, answers, wrong = threading.Event(), [], []

    def ask():
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {TOKEN}"
            while not stop.is_set():
                answer = session.post(f"{url}/serving-endpoints/{NAME}/invocations",
                                      json={"dataframe_records": records(rows)}, timeout=120)
                answers.append(answer.headers.get("served-model-name"))
                if answer.status_code != 200 or answer.json()["predictions"] != expected:
                    wrong.append(answer.text)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(20):
        version, n = str(1 + i % 2), len(answers)
        client.serving_endpoints.update_config(NAME, served_entities=[entity(version)])
        until = time.monotonic() + 120
        while f"fraud_model-{version}" not in answers[n:] and not wrong and time.monotonic() < until:
            time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong and set(answers) == {"fraud_model-1", "fraud_model-2"}, wrong[:1]


def test_payload_is_captured(client, url, logs):
    create_by_pattern()
    for i in range(5):
        body = {"dataframe_records": records(FRAUD.rows[:2]), "client_request_id": f"request {i}"}
        assert post(url, f"/serving-endpoints/{NAME}/invocations", body).status_code == 200
    client.serving_endpoints.delete(NAME)
    table = scoreline.log.read(logs / "ml" / "inference_logs" / "fraud_detection_payload", view="payload").read_all()
    rows = [row for row in table.to_pylist() if row["databricks_request_id"].startswith("request ")]
    assert sorted(row["databricks_request_id"] for row in rows) == [f"request {i}" for i in range(5)]
    assert {row["status_code"] for row in rows} == {200}


def test_metrics(client, url):
    create_by_pattern()
    rows, _ = json_rows()
    post(url, f"/serving-endpoints/{NAME}/invocations", {"dataframe_records": records(rows)})
    text = requests.get(f"{url}/api/2.0/serving-endpoints/{NAME}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert sum(sample.value for sample in families["scoreline_rows"].samples) == len(rows)


@pytest.mark.parametrize("config, text", [
    ({"served_entities": []}, "served_entities"),
    ({"served_entities": [{"entity_name": "../x", "entity_version": "1"}]}, "served_entities[0].entity_name"),
    ({"served_entities": [{"entity_name": "fraud_model", "entity_version": "1"}] * 2}, "served_entities[1].name"),
    ({"served_entities": [{"entity_name": "fraud_model", "entity_version": "1"}],
      "traffic_config": {"routes": [{"served_model_name": "fraud_model-1", "traffic_percentage": 99}]}}, "traffic"),
    ({"served_entities": [{"entity_name": "fraud_model", "entity_version": "1"}],
      "traffic_config": {"routes": [{"served_model_name": "other", "traffic_percentage": 100}]}},
     "traffic_config.routes[0].served_model_name"),
    (3, "config"),
])
def test_bad_configurations_are_refused_by_field_and_the_running_one_stays(client, url, config, text):
    create_by_pattern()
    answer = requests.put(f"{url}/api/2.0/serving-endpoints/{NAME}/config", json=config,
                          headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120)
    assert answer.status_code == 400 and text in answer.json()["message"], answer.text
    rows, expected = json_rows()
    golden_set.compare("still", expected, post(url, "/invocations", {"dataframe_records": records(rows)}).json()["predictions"])


def test_what_does_not_exist(client, url):
    with pytest.raises(ResourceDoesNotExist):
        client.serving_endpoints.get("nothing")
    with pytest.raises(ResourceDoesNotExist, match="no version '7' of the model 'fraud_model'"):
        client.serving_endpoints.create(NAME, config=EndpointCoreConfigInput(name=NAME, served_entities=[entity("7")]))
    create_by_pattern()
    with pytest.raises(InvalidParameterValue, match="lacks the features 'amount'"):
        client.serving_endpoints.query(NAME, dataframe_records=[{}])
    assert post(url, "/nowhere", {}).status_code == 404
    assert requests.get(url + "/api/2.0/serving-endpoints", timeout=120).status_code == 401


def test_open_inference_protocol(client, url):
    create_by_pattern()
    triton = tritonclient.http.InferenceServerClient(url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert triton.is_server_live() and triton.is_model_ready(NAME, headers=headers)
    described = triton.get_model_metadata(NAME, headers=headers)
    assert [tensor["name"] for tensor in described["inputs"]] == FRAUD.names
    chosen = [i for i, row in enumerate(FRAUD.rows)
              if all(v is not None and not (isinstance(v, float) and not np.isfinite(v)) for v in row)]
    inputs = []
    for f, (name, kind) in enumerate(zip(FRAUD.names, FRAUD.types)):
        column = [FRAUD.rows[i][f] for i in chosen]
        array = np.array(column, dtype=object if kind == "string" else np.float64).reshape(-1, 1)
        tensor = tritonclient.http.InferInput(name, array.shape, "BYTES" if kind == "string" else "FP64")
        tensor.set_data_from_numpy(array, binary_data=False)
        inputs.append(tensor)
    outputs = [tritonclient.http.InferRequestedOutput("prediction", binary_data=False)]
    for version in ("", "1"):
        answer = triton.infer(NAME, inputs, model_version=version, outputs=outputs, request_id="a", headers=headers)
        golden_set.compare("Triton's client", [FRAUD.prediction[i] for i in chosen], answer.as_numpy("prediction").ravel())
        assert answer.get_response()["id"] == "a" and answer.get_response()["model_version"] == "1"
    with pytest.raises(tritonclient.utils.InferenceServerException, match="no version '9'"):
        triton.infer(NAME, inputs, model_version="9", headers=headers)
    bad = post(url, f"/v2/models/{NAME}/infer", {"inputs": [{"name": "amount", "shape": [2], "datatype": "FP64", "data": [1]}]})
    assert bad.status_code == 400 and "expected 2 values" in bad.json()["error"]
