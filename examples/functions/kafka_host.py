"""Runs an Event Hubs function over Kafka: topics are hubs, and what the Functions host does around a function is here.

    python kafka_host.py BOOTSTRAP_SERVERS      MAX_EVENTS in the environment stops it after so many

A batch is polled, the function runs, its outputs are delivered, and only then the batch's offsets are committed: a process
that dies anywhere in between leaves no event out, and may answer some twice.
"""
import asyncio
import importlib
import json
import os
import sys

import azure.functions as func
from azure.functions import meta
from azure.functions.eventhub import EventHubConverter, EventHubTriggerConverter
from confluent_kafka import Consumer, Producer


class Output(func.Out):
    def __init__(self):
        self.value = None

    def set(self, val):
        self.value = val

    def get(self):
        return self.value


class Collection:
    def __init__(self, bodies):
        self.bytes = bodies


def decoded(messages):
    """Events as the Functions worker makes them of what its host sends."""
    properties = [{"SequenceNumber": m.offset(), "Offset": str(m.offset())} for m in messages]
    metadata = {"SystemPropertiesArray": meta.Datum(json.dumps(properties), "json")}
    data = meta.Datum(Collection([m.value() for m in messages]), "collection_bytes")
    return EventHubTriggerConverter.decode(data, trigger_metadata=metadata)


def run_once(function, messages):
    output = Output()
    asyncio.run(function(decoded(messages), output))
    return json.loads(EventHubConverter.encode(output.get(), expected_type=None).value)


def main():
    module = importlib.import_module(os.environ.get("FUNCTION_APP", "function_app"))
    (function,) = [f.get_user_function() for f in module.app.get_functions()]
    servers = {"bootstrap.servers": sys.argv[1]}
    consumer = Consumer(
        {**servers, "group.id": "$Default", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
    )
    producer = Producer({**servers, "acks": "all", "enable.idempotence": True})
    consumer.subscribe(["transactions"])
    left = int(os.environ.get("MAX_EVENTS", sys.maxsize))
    while left > 0:
        messages = [m for m in consumer.consume(min(100, left), timeout=1.0) if not m.error()]
        if not messages:
            continue
        for text in run_once(function, messages):
            producer.produce("scored-transactions", text.encode())
        if producer.flush(300):
            raise RuntimeError("the scored events could not be delivered: the batch will be read again")
        if os.environ.get("DIE_BEFORE_COMMIT"):
            os._exit(9)
        consumer.commit(asynchronous=False)
        left -= len(messages)
    consumer.close()


if __name__ == "__main__":
    main()
