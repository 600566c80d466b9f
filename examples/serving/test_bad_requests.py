"""The host refuses what is wrong with a request by name: none is a fault of its own, and none changes what it serves."""
import json
import shutil
import sys

import pytest
import requests

import golden_set
import scoreline
import servers
from scoreline.serving import Deployments, Refusal

FRAUD = golden_set.load("fraud")
ENTITY = {"entity_name": "fraud_model", "entity_version": "1"}
ROW = dict.fromkeys(FRAUD.names)
ENDPOINTS = "/api/2.0/serving-endpoints"
TENSORS = [{"name": name, "shape": [1, 1], "datatype": "BYTES" if kind == "string" else "FP64", "data": [None]}
           for name, kind in zip(FRAUD.names, FRAUD.types)]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A host that serves two versions of one model, "fraud", each for half of the keys."""
    models, port = tmp_path_factory.mktemp("models"), servers.free_port()
    (models / "fraud_model").mkdir()
    for version in "12":
        shutil.copy(FRAUD.path, models / "fraud_model" / f"{version}.slm")
    command = [sys.executable, "-m", "scoreline.serving", "--models", str(models), "--port", str(port)]
    with servers.server(command, f"http://127.0.0.1:{port}/ping", models / "log"):
        address = f"http://127.0.0.1:{port}"
        routes = [{"served_model_name": f"fraud_model-{version}", "traffic_percentage": 50} for version in "12"]
        config = {"served_entities": [ENTITY, {**ENTITY, "entity_version": "2"}], "traffic_config": {"routes": routes}}
        made = requests.post(address + ENDPOINTS, json={"name": "fraud", "config": config}, timeout=120)
        assert made.status_code == 200, made.text
        yield address


def refused(answer, text):
    message = answer.json().get("message", answer.json().get("error"))
    assert answer.status_code == 400 and text in message, answer.text


@pytest.mark.parametrize("change, text", [
    ({"traffic_config": [1]}, "traffic_config: expected an object"),
    ({"traffic_config": {"routes": [5]}}, "routes[0]"),
    ({"served_entities": [{**ENTITY, "name": ["x"]}]}, "served_entities[0].name: expected text"),
    ({"served_entities": [{**ENTITY, "name": "a\0b"}]}, "zero byte"),
    ({"auto_capture_config": "x"}, "auto_capture_config: "),
])
def test_configurations(url, change, text):
    config = {"served_entities": [ENTITY], **change}
    refused(requests.post(url + ENDPOINTS, json={"name": "other", "config": config}, timeout=120), text)
    refused(requests.put(f"{url}{ENDPOINTS}/fraud/config", json=config, timeout=120), text)
    assert [found["name"] for found in requests.get(url + ENDPOINTS, timeout=120).json()["endpoints"]] == ["fraud"]


@pytest.mark.parametrize("tags", [5, "x", [5], [{}], [{"key": []}], {"key": "a"}])
def test_tags(url, tags):
    body = {"name": "other", "config": {"served_entities": [ENTITY]}, "tags": tags}
    refused(requests.post(url + ENDPOINTS, json=body, timeout=120), "tags: expected a list of objects with a key")
    for change in ({"add_tags": tags}, {"delete_tags": tags}):
        refused(requests.patch(f"{url}{ENDPOINTS}/fraud/tags", json=change, timeout=120), "tags: expected a list of")
    for change, tags in (({"add_tags": [{"key": "a", "value": "b"}]}, [{"key": "a", "value": "b"}]), ({"delete_tags": ["a"]}, [])):
        assert requests.patch(f"{url}{ENDPOINTS}/fraud/tags", json=change, timeout=120).json() == {"tags": tags}


@pytest.mark.parametrize("body, text", [
    ({"inputs": [*TENSORS, TENSORS[0]]}, f"'{FRAUD.names[0]}' is there twice"),
    ({"inputs": TENSORS, "outputs": 5}, "outputs: expected a list"),
    ({"inputs": [{**TENSORS[0], "datatype": []}]}, "inputs[0].datatype"),
    ({"inputs": [{**tensor, "shape": [0, 1], "data": []} for tensor in TENSORS]}, "at least one row"),
])
def test_open_inference_protocol(url, body, text):
    refused(requests.post(url + "/v2/models/fraud/infer", json=body, timeout=120), text)
    assert requests.post(url + "/v2/models/fraud/infer", json={"inputs": TENSORS}, timeout=120).status_code == 200


@pytest.mark.parametrize("number", ["1" * 400, "1" * 5000])
def test_numbers_that_no_double_holds(url, number):
    body = json.dumps({"instances": [ROW]}).replace("null", number, 1)
    answer = requests.post(url + "/invocations", data=body, timeout=120)
    refused(answer, "larger than every double" if len(number) < 4300 else "not valid JSON")


def test_request_ids_stay_in_their_header(url):
    """A client chooses them: they neither fail the request nor begin a header or an answer of their own."""
    for given, told in (("a b/c%", "a b/c%"), ("日", "%E6%97%A5"), ("a\r\nx-evil: 1\r\n\r\nbody", "a%0D%0Ax-evil: 1%0D%0A%0D%0Abody")):
        answer = requests.post(url + "/invocations", json={"instances": [ROW], "client_request_id": given}, timeout=120)
        assert answer.status_code == 200 and answer.headers["x-request-id"] == told and "x-evil" not in answer.headers
        assert len(answer.json()["predictions"]) == 1


def test_keys_beyond_ascii(url):
    """A header is bytes: those of a key's UTF-8 choose the version that the library gives the key."""
    routes = [{"served_model_name": f"fraud_model-{version}", "traffic_percentage": 50} for version in "12"]
    entities = [{**ENTITY, "entity_version": version, "model": str(FRAUD.path)} for version in "12"]
    local = scoreline.Endpoint({"served_entities": entities, "traffic_config": {"routes": routes}}, name="fraud")
    keys = [f"Kundin Nº {i} ü" for i in range(40)]

    def asked(key):
        answer = requests.post(url + "/invocations", json={"instances": [ROW]}, headers={"scoreline-key": key.encode()}, timeout=120)
        return answer.headers["served-model-name"]

    assert [asked(key) for key in keys] == [local.score([ROW], key=key).served_name for key in keys]


class Fleeting(dict):
    """Endpoints that another thread deletes as soon as someone has counted them."""

    def __len__(self):
        n = super().__len__()
        self.clear()
        return n


def test_the_only_endpoint_is_looked_for_once(tmp_path):
    deployments = Deployments(tmp_path)
    deployments._by_name = Fleeting(fraud="the endpoint")
    assert deployments.only() == "the endpoint"
    deployments._by_name = {}
    with pytest.raises(Refusal, match="there are 0: name one"):
        deployments.only()
