"""Pattern 4: score.py in Azure Machine Learning's inference server, behind a front that checks keys.

The control plane (creating the endpoint in Azure) is out of a test's reach; what runs in the container is the real server.
"""
import math
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import golden_set
import servers

BEARER = {"Authorization": f"Bearer {servers.KEYS['PRIMARY_KEY']}"}
FRAUD = golden_set.load("fraud")


def model_directory(tmp_path_factory, name="fraud"):
    directory = tmp_path_factory.mktemp("model")
    shutil.copy(golden_set.GOLDEN / f"{name}.slm", directory)
    return directory


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with servers.endpoint(model_directory(tmp_path_factory), tmp_path_factory.mktemp("logs")) as address:
        yield address


def ask(url, body, headers=BEARER, **more):
    return requests.post(url, json=body, headers=headers, timeout=120, **more)


def rows_for_json():
    """Golden rows that JSON can hold: NaN and NULL are both null, infinities are left out."""
    chosen = [i for i, row in enumerate(FRAUD.rows) if not any(isinstance(v, float) and math.isinf(v) for v in row)]
    rows = [[None if isinstance(v, float) and math.isnan(v) else v for v in FRAUD.rows[i]] for i in chosen]
    return rows, [FRAUD.prediction[i] for i in chosen]


def records(rows):
    return [dict(zip(FRAUD.names, row)) for row in rows]


ENVELOPES = {
    "data, records": lambda rows: {"data": records(rows)},
    "input_data, split": lambda rows: {"input_data": {"columns": FRAUD.names, "index": list(range(len(rows))), "data": rows}},
    "input_data, records": lambda rows: {"input_data": records(rows)},
    "Inputs": lambda rows: {"Inputs": {"WebServiceInput0": records(rows)}},
    "dataframe_split": lambda rows: {"dataframe_split": {"columns": FRAUD.names, "data": rows}},
    "dataframe_split, other order": lambda rows: {
        "dataframe_split": {"columns": FRAUD.names[::-1], "data": [row[::-1] for row in rows]}
    },
    "dataframe_records": lambda rows: {"dataframe_records": records(rows)},
    "instances, records": lambda rows: {"instances": records(rows)},
    "inputs, columns": lambda rows: {"inputs": {n: [row[i] for row in rows] for i, n in enumerate(FRAUD.names)}},
    "a bare list": records,
}


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_every_envelope_gives_the_golden_bits(url, envelope):
    rows, expected = rows_for_json()
    answer = ask(url, ENVELOPES[envelope](rows))
    assert answer.status_code == 200, answer.text
    golden_set.compare("the endpoint", expected, answer.json()["predictions"])


def test_one_row(url):
    rows, expected = rows_for_json()
    golden_set.compare("one row", expected[:1], ask(url, records(rows)[0]).json()["predictions"])
    assert ask(url, {"data": []}).json() == {"predictions": []}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic " + servers.KEYS["PRIMARY_KEY"]}])
def test_a_bad_key_is_refused(url, headers):
    assert ask(url, {"data": []}, headers).status_code == 401


def test_both_keys_and_the_deployment_header(url):
    second = {"Authorization": f"Bearer {servers.KEYS['SECONDARY_KEY']}"}
    assert ask(url, {"data": []}, second).status_code == 200
    assert ask(url, {"data": []}, {**BEARER, "azureml-model-deployment": "production"}).status_code == 200
    assert ask(url, {"data": []}, {**BEARER, "azureml-model-deployment": "canary"}).status_code == 404


GOOD = dict(zip(FRAUD.names, FRAUD.rows[0]))
WRONG = {
    "no JSON": (b'{"data": [', "not valid JSON"),
    "nothing": (b"", "not valid JSON"),
    "a number": (b"3", "expected a JSON object or list, found a number"),
    "other key": ({"rows": [GOOD]}, "expected one of the keys"),
    "two keys": ({"data": [GOOD], "instances": [GOOD]}, "found instances and data"),
    "missing feature": ({"data": [{k: v for k, v in GOOD.items() if k != "amount"}]}, "row 0 lacks the features 'amount'"),
    "text for a number": ({"data": [{**GOOD, "amount": "much"}]}, "'much' for feature 'amount' in row 0"),
    "a list for a number": ({"data": [{**GOOD, "amount": [1]}]}, "'amount' in row 0"),
    "ragged rows": ({"data": [[1, 2, 3, 4], [1, 2]]}, "row 1 of data has 2 values"),
    "too few values": ({"data": [[1, 2]]}, "2"),
    "mixed rows": ({"data": [GOOD, [1, 2, 3, 4]]}, "a mixture"),
    "split without data": ({"dataframe_split": {"columns": FRAUD.names}}, "columns and data"),
    "deep": (b'{"data": ' + b"[" * 100000 + b"]" * 100000 + b"}", "not valid JSON"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_requests_get_a_clear_400_and_no_stack_trace(url, case):
    body, text = WRONG[case]
    raw = body if isinstance(body, bytes) else None
    if raw is None:
        answer = ask(url, body)
    else:
        answer = requests.post(url, data=raw, headers={**BEARER, "Content-Type": "application/json"}, timeout=120)
    # What the container refuses reaches the caller as 424 with the container's own status beside it.
    assert answer.status_code == 424 and answer.headers["ms-azureml-model-error-statuscode"] == "400", answer.text
    assert text in answer.json()["error"]["message"]
    assert "Traceback" not in answer.text and ".py" not in answer.text


def test_bytes_that_are_no_text_are_refused_by_the_server_itself(url):
    answer = requests.post(url, data=b'{"data": "\xff"}', headers={**BEARER, "Content-Type": "application/json"}, timeout=120)
    assert answer.status_code == 424 and answer.headers["ms-azureml-model-error-statuscode"] == "400"
    assert "Traceback" not in answer.text


def test_the_server_itself_answers_400(tmp_path_factory, tmp_path):
    with servers.inference_server(model_directory(tmp_path_factory), tmp_path / "log") as backend:
        answer = requests.post(backend + "/score", json={"data": [{}]}, timeout=120)
        assert answer.status_code == 400 and answer.json()["error"]["code"] == "BadArgument"


def test_a_model_that_does_not_open_stops_the_server(tmp_path_factory, tmp_path):
    directory = model_directory(tmp_path_factory)
    content = bytearray((directory / "fraud.slm").read_bytes())
    content[len(content) // 2] ^= 1
    (directory / "fraud.slm").write_bytes(content)
    with pytest.raises(AssertionError, match="(?s)the server ended.*CorruptError"):
        with servers.inference_server(directory, tmp_path / "log"):
            pass


def test_latency_with_two_workers(tmp_path_factory, tmp_path):
    """Reported, not judged: seconds belong to the machine."""
    body = {"data": [GOOD]}
    with servers.endpoint(model_directory(tmp_path_factory), tmp_path, workers=2) as url:

        def client(_):
            took = []
            with requests.Session() as session:
                for _ in range(300):
                    began = time.perf_counter()
                    assert session.post(url, json=body, headers=BEARER, timeout=120).status_code == 200
                    took.append(time.perf_counter() - began)
            return took

        with ThreadPoolExecutor(2) as pool:
            took = sorted(t * 1000 for part in pool.map(client, range(2)) for t in part)
    p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
    print(f"\none row over HTTP, 2 workers, 2 clients, {len(took)} requests: p50 {p50:.2f} ms, p99 {p99:.2f} ms")
