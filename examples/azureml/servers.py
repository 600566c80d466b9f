"""Servers for tests: started on a free port of 127.0.0.1, awaited, stopped."""
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from free_port import free_port

HERE = Path(__file__).resolve().parent
KEYS = {"PRIMARY_KEY": "primary-key-of-a-test", "SECONDARY_KEY": "secondary-key-of-a-test"}


@contextlib.contextmanager
def server(command, url, log, expected=(200,), seconds=300, **environment):
    """Runs `command` while the block runs; it is ready when `url` answers with an expected status."""
    with open(log, "w") as out:
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait(process, url, log, expected, seconds)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def wait(process, url, log, expected, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{Path(log).read_text()[-3000:]}"
        with contextlib.suppress(requests.RequestException):
            if requests.get(url, timeout=30).status_code in expected:
                return
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {seconds} s:\n{Path(log).read_text()[-3000:]}")


@contextlib.contextmanager
def inference_server(model_directory, log, workers=1):
    """Azure's inference server with this folder's score.py; gives its address."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-b", f"127.0.0.1:{port}", "-w", str(workers), "-t", "300"]
    command.append("azureml_inference_server_http.server.entry:app")
    environment = {"AML_APP_ROOT": str(HERE), "AZUREML_ENTRY_SCRIPT": "score.py", "AZUREML_MODEL_DIR": str(model_directory)}
    with server(command, f"http://127.0.0.1:{port}/", log, **environment):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def endpoint(model_directory, directory, workers=1):
    """The inference server behind the front that checks keys; gives the address of its /score."""
    with inference_server(model_directory, directory / "server.log", workers) as backend:
        port = free_port()
        command = [sys.executable, str(HERE / "front.py"), str(port), backend]
        with server(command, f"http://127.0.0.1:{port}/score", directory / "front.log", (405,), REQUEST_TIMEOUT_MS="60000", **KEYS):
            yield f"http://127.0.0.1:{port}/score"
