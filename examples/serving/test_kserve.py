"""KServe's own client against our serving host: the Open Inference Protocol, over JSON."""
import asyncio
import shutil
import sys

import httpx
import numpy as np
import pytest
import requests
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

import golden_set
import servers

TOKEN = "a-token-of-a-test"
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
GOLDEN = {name: golden_set.load(name) for name in ("iot", "fraud")}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A host with one endpoint for each model, called as the model is."""
    models, port = tmp_path_factory.mktemp("models"), servers.free_port()
    for name, golden in GOLDEN.items():
        (models / name).mkdir()
        shutil.copy(golden.path, models / name / "1.slm")
    command = [sys.executable, "-m", "scoreline.serving", "--models", str(models), "--port", str(port)]
    command += ["--token-variable", "TOKENS"]
    with servers.server(command, f"http://127.0.0.1:{port}/ping", models / "log", TOKENS=TOKEN):
        for name in GOLDEN:
            config = {"served_entities": [{"entity_name": name, "entity_version": "1"}]}
            made = requests.post(f"http://127.0.0.1:{port}/api/2.0/serving-endpoints", headers=HEADERS, timeout=120,
                                 json={"name": name, "config": config})
            assert made.status_code == 200, made.text
        yield f"http://127.0.0.1:{port}"


def ask(call):
    """The answer of `call`, which gets a client."""
    async def once():
        client = InferenceRESTClient(RESTConfig(protocol="v2", retries=0, timeout=120))
        try:
            return await call(client)
        finally:
            await client.close()

    return asyncio.run(once())


def infer(url, name, inputs, request_id="a request"):
    request = InferRequest(model_name=name, request_id=request_id, infer_inputs=inputs)
    return ask(lambda client: client.infer(url, request, model_name=name, headers=dict(HEADERS)))


def tensor(name, array, kind="FP64", binary=False):
    made = InferInput(name, list(array.shape), kind)
    made.set_data_from_numpy(array, binary_data=binary)
    return made


def without_infinities(golden):
    """Rows that JSON can carry: no infinity, and a label in every column of labels. KServe's client writes NaN as null."""
    chosen = [i for i, row in enumerate(golden.rows)
              if not any((isinstance(v, float) and np.isinf(v)) or (v is None and kind == "string")
                         for v, kind in zip(row, golden.types))]
    assert len(chosen) > 20
    return [golden.rows[i] for i in chosen], [golden.prediction[i] for i in chosen]


def number(value):
    return np.nan if value is None else value


def test_live_and_ready(url):
    assert ask(lambda client: client.is_server_live(url)) is True
    assert ask(lambda client: client.is_server_ready(url)) is True
    assert ask(lambda client: client.is_model_ready(url, "iot", headers=HEADERS)) is True
    assert ask(lambda client: client.is_model_ready(url, "nothing", headers=HEADERS)) is False


def test_golden_rows_as_one_tensor(url):
    rows, expected = without_infinities(GOLDEN["iot"])
    answer = infer(url, "iot", [tensor("rows", np.array([[number(v) for v in row] for row in rows]))])
    golden_set.compare("KServe's client", expected, answer.outputs[0].as_numpy().ravel())
    assert (answer.id, answer.model_name) == ("a request", "iot")


def test_golden_rows_as_a_tensor_for_each_feature(url):
    golden = GOLDEN["fraud"]
    rows, expected = without_infinities(golden)
    inputs = []
    for f, (name, kind) in enumerate(zip(golden.names, golden.types)):
        column = [row[f] if kind == "string" else number(row[f]) for row in rows]
        array = np.array(column, dtype=object if kind == "string" else np.float64).reshape(-1, 1)
        inputs.append(tensor(name, array, "BYTES" if kind == "string" else "FP64"))
    golden_set.compare("KServe's client", expected, infer(url, "fraud", inputs).outputs[0].as_numpy().ravel())


@pytest.mark.parametrize("name, make, status, text", [
    ("iot", lambda: tensor("rows", np.zeros((2, 4))), 400, r"inputs\[0\].shape: expected one tensor \[n, 3\]"),
    ("iot", lambda: tensor("humidity", np.zeros((2, 2))), 400, r"found \[2, 2\] of 'humidity'"),
    ("iot", lambda: tensor("temperature", np.zeros((2, 1))), 400, "humidity"),
    ("iot", lambda: tensor("rows", np.zeros((2, 3)), binary=True), 400, "must be JSON"),
    ("nothing", lambda: tensor("rows", np.zeros((2, 3))), 404, "nothing"),
])
def test_refusals_reach_the_caller_in_words(url, name, make, status, text):
    with pytest.raises(httpx.HTTPStatusError, match=text) as refused:
        infer(url, name, [make()])
    assert refused.value.response.status_code == status


def test_a_wrong_token(url):
    with pytest.raises(httpx.HTTPStatusError):
        ask(lambda client: client.infer(url, {"inputs": []}, model_name="iot", headers={"Authorization": "Bearer x"}))
