"""A Kafka broker of one node on 127.0.0.1 for tests: started, awaited, stopped."""
import contextlib
import os
import socket
import subprocess
import time

from confluent_kafka.admin import AdminClient, NewTopic

import servers

PROPERTIES = """
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
log.dirs={directory}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
"""


def java(*arguments):
    return ["java", "-Xmx512m", "-cp", os.environ["KAFKA_JARS"] + "/*", *arguments]


@contextlib.contextmanager
def kafka(directory):
    """Gives the address of the broker, once it answers."""
    port, controller = servers.free_port(), servers.free_port()
    properties = directory / "server.properties"
    properties.write_text(PROPERTIES.format(port=port, controller=controller, directory=directory))
    identity = subprocess.run(java("kafka.tools.StorageTool", "random-uuid"), check=True, capture_output=True, text=True)
    cluster = identity.stdout.split()[-1]
    format_it = java("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster, "-c", str(properties))
    subprocess.run(format_it, check=True, capture_output=True, timeout=300)
    log = open(directory / "broker.log", "w")
    process = subprocess.Popen(java("kafka.Kafka", str(properties)), stdout=log, stderr=subprocess.STDOUT)
    try:
        address = f"127.0.0.1:{port}"
        wait(process, address, directory / "broker.log")
        yield address
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(60)
        log.close()


def wait(process, address, log):
    host, port = address.split(":")
    until = time.monotonic() + 300
    while time.monotonic() < until:
        assert process.poll() is None, f"the broker ended:\n{log.read_text()[-3000:]}"
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=10).close()
            return
        time.sleep(0.2)
    raise AssertionError(f"the broker did not answer:\n{log.read_text()[-3000:]}")


def create_topics(address, *names):
    admin = AdminClient({"bootstrap.servers": address})
    for future in admin.create_topics([NewTopic(name, 1, 1) for name in names], request_timeout=300).values():
        future.result(300)

