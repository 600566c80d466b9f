"""Pattern 5: the guide's function over HTTP, the function that scores in its own process, and both behind a Kafka broker."""
import asyncio
import functools
import importlib
import json
import math
import os
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path

import azure.functions as func
import pytest
from confluent_kafka import Consumer, Producer

import broker
import golden_set
import kafka_host
import servers

HERE = Path(__file__).resolve().parent
PATTERN_5 = (HERE / "pattern5.txt").read_text()
FRAUD = golden_set.load("fraud")
# What the guide's code lacks to run at all, here and on Azure.
FIXES = [
    ("import os\n", "import os\nfrom datetime import datetime\n"),  # datetime is used and never imported
    (  # the host's default is one event per call, and the function iterates over several
        'connection="EventHubConnection"\n)\n@app.event_hub_output',
        'connection="EventHubConnection",\n    cardinality=func.Cardinality.MANY\n)\n@app.event_hub_output',
    ),
]


@pytest.fixture(scope="module")
def in_process():
    os.environ["SCORELINE_MODEL"] = str(FRAUD.path)
    return importlib.import_module("function_app")


@pytest.fixture(scope="module")
def by_http(tmp_path_factory):
    """The guide's module, asking our endpoint of pattern 4 with its key."""
    model = tmp_path_factory.mktemp("model")
    shutil.copy(FRAUD.path, model)
    with servers.endpoint(model, tmp_path_factory.mktemp("logs")) as url:
        os.environ.update(ML_ENDPOINT_URL=url, ML_ENDPOINT_KEY=servers.KEYS["PRIMARY_KEY"])
        module = types.ModuleType("pattern5")
        exec(compile(golden_set.replaced(PATTERN_5, *FIXES), "pattern5.txt", "exec"), module.__dict__)
        yield module


def transactions():
    """Golden rows that JSON can hold, as events, and their scores."""
    chosen = [i for i, row in enumerate(FRAUD.rows) if not any(isinstance(v, float) and not math.isfinite(v) for v in row)]
    events = [json.dumps({"id": i, **dict(zip(FRAUD.names, FRAUD.rows[i]))}).encode() for i in chosen]
    return events, [FRAUD.prediction[i] for i in chosen]


@functools.cache
def function_of(module):
    """The function as the library indexes it, which it does once."""
    (indexed,) = module.app.get_functions()
    return indexed


def call(module, bodies):
    """The function with real events."""
    indexed = function_of(module)
    output = kafka_host.Output()
    asyncio.run(indexed.get_user_function()([func.EventHubEvent(body=body) for body in bodies], output))
    return [json.loads(text) for text in output.get()]


def test_bindings(in_process, by_http):
    for module in (in_process, by_http):
        bindings = {b["direction"]: b for b in json.loads(function_of(module).get_function_json())["bindings"]}
        assert bindings["IN"]["type"] == "eventHubTrigger"
        assert bindings["IN"]["cardinality"] == "MANY"
        assert bindings["OUT"]["eventHubName"] == "scored-transactions"


@pytest.mark.parametrize("kind", ["in_process", "by_http"])
def test_golden_events(kind, request):
    bodies, expected = transactions()
    scored = call(request.getfixturevalue(kind), bodies)
    golden_set.compare(kind, expected, [event["fraud_score"] for event in scored])
    assert [event["id"] for event in scored] == [json.loads(body)["id"] for body in bodies], "the order of events"
    assert all(event["scored_at"] for event in scored)


POISON = {
    b"\xff\xfe": "not valid JSON",
    b"[1, 2]": "a JSON object",
    b"{}": "lacks the features 'amount'",
    json.dumps({**dict(zip(FRAUD.names, FRAUD.rows[0])), "amount": "much"}).encode(): "'much' for feature 'amount'",
}


def test_a_poisoned_event_is_marked_and_its_batch_survives(in_process):
    bodies, expected = transactions()
    mixed = bodies[:3] + list(POISON) + bodies[3:]
    scored = call(in_process, mixed)
    assert len(scored) == len(mixed)
    for event, text in zip(scored[3 : 3 + len(POISON)], POISON.values()):
        assert event["fraud_score"] is None and text in event["error"]
    good = scored[:3] + scored[3 + len(POISON) :]
    golden_set.compare("the others", expected, [event["fraud_score"] for event in good])
    assert not any("error" in event for event in good)


def test_an_empty_batch(in_process):
    assert call(in_process, []) == []


def test_side_by_side(in_process, by_http):
    """Reported, not judged: what the call costs that the process makes unnecessary."""
    bodies, _ = transactions()
    took = {}
    for name, module in (("by HTTP", by_http), ("in the process", in_process)):
        repetitions = []
        for _ in range(5):
            began = time.perf_counter()
            call(module, bodies)
            repetitions.append(time.perf_counter() - began)
        took[name] = min(repetitions) / len(bodies) * 1e6
    print(f"\nper event: by HTTP {took['by HTTP']:,.0f} µs, in the process {took['in the process']:,.1f} µs "
          f"({took['by HTTP'] / took['in the process']:,.0f} times)")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with broker.kafka(tmp_path_factory.mktemp("kafka")) as address:
        broker.create_topics(address, "transactions", "scored-transactions")
        yield address


def send(address, bodies):
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    for body in bodies:
        producer.produce("transactions", body)
    assert producer.flush(300) == 0


def host(address, **environment):
    """The function in a process of its own; what it exits with."""
    command = [sys.executable, str(HERE / "kafka_host.py"), address]
    env = {**os.environ, "SCORELINE_MODEL": str(FRAUD.path), **environment}
    return subprocess.run(command, env=env, timeout=600).returncode


def received(address, n):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "auto.offset.reset": "earliest",
                         "enable.auto.commit": False})
    consumer.subscribe(["scored-transactions"])
    found, until = [], time.monotonic() + 300
    while len(found) < n and time.monotonic() < until:
        found += [json.loads(m.value()) for m in consumer.consume(n - len(found), timeout=1.0) if not m.error()]
    more = [m for m in consumer.consume(1, timeout=2.0) if not m.error()]
    consumer.close()
    assert len(found) == n and not more, f"{len(found)} events and {len(more)} more, expected {n}"
    return found


def test_kafka_order_redelivery_and_a_poisoned_event(kafka):
    bodies, expected = transactions()
    sent = bodies[:5] + [b"\xff"] + bodies[5:]
    send(kafka, sent)
    # The first process dies after its outputs were delivered and before its offsets were committed.
    assert host(kafka, DIE_BEFORE_COMMIT="1") == 9
    first = received(kafka, len(sent))
    assert host(kafka, MAX_EVENTS=str(len(sent))) == 0
    everything = received(kafka, 2 * len(sent))
    for scored in (first, everything[: len(sent)], everything[len(sent) :]):
        assert scored[5]["fraud_score"] is None and "not valid JSON" in scored[5]["error"]
        good = scored[:5] + scored[6:]
        golden_set.compare("through Kafka", expected, [event["fraud_score"] for event in good])
    # What was committed is not read again.
    send(kafka, bodies[:1])
    assert host(kafka, MAX_EVENTS="1") == 0
    golden_set.compare("the last", expected[:1], [received(kafka, 2 * len(sent) + 1)[-1]["fraud_score"]])
