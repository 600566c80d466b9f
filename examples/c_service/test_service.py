"""The service over HTTP: the golden set bit for bit, two clients at a time, wrong inputs, a clean end.

Comes in: the program's path as the only argument. Relies on: Python alone; golden_set on PYTHONPATH.
"""
import array
import http.client
import signal
import subprocess
import sys
import threading
import time
import unittest
import urllib.parse

import golden_set

PROGRAM = sys.argv.pop()


class Served:
    def __init__(self, model):
        self.process = subprocess.Popen([PROGRAM, str(model), "0", "2"], stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().split()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(120)
        self.process.stdout.close()
        assert code == 0, f"the service ended with {code}"

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)

    def ask(self, method, path, body=None, connection=None):
        own = connection or self.connect()
        own.request(method, path, body)
        response = own.getresponse()
        status, content = response.status, response.read()
        if connection is None:
            own.close()
        return status, content

    def score(self, values, connection=None):
        status, content = self.ask("POST", "/score", array.array("d", values).tobytes(), connection)
        assert status == 200, content
        return array.array("d", content).tolist()

    def value(self, feature, value):
        if not isinstance(value, str):
            return float("nan") if value is None else value
        status, content = self.ask("GET", "/code?" + urllib.parse.urlencode({"feature": feature, "label": value}))
        assert status == 200, content
        return array.array("d", content)[0]


class Service(unittest.TestCase):
    def test_golden_set(self):
        for name in ("iot", "fraud", "wide"):
            golden = golden_set.load(name)
            with self.subTest(name), Served(golden.path) as service:
                rows = [[service.value(i, v) for i, v in enumerate(row)] for row in golden.rows]
                golden_set.compare("the service", golden.prediction, service.score(v for row in rows for v in row))
                golden_set.compare("the service", golden.prediction, [service.score(row)[0] for row in rows])

    def test_two_clients_at_a_time(self):
        iot = golden_set.load("iot")
        rows = [float("nan") if v is None else v for row in iot.rows for v in row]
        done = [0, 0]
        with Served(iot.path) as service:
            def client(number):
                connection = service.connect()
                for _ in range(200):
                    golden_set.compare("the service", iot.prediction, service.score(rows, connection))
                    done[number] += 1
                connection.close()

            threads = [threading.Thread(target=client, args=(number,)) for number in (0, 1)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual([200, 200], done)

    def test_wrong_inputs(self):
        with Served(golden_set.load("iot").path) as service:
            for (method, path, body), status, words in (
                    (("POST", "/score", b"12345"), 400, b"rows of 3 float64 values, 24 bytes each, found 5 bytes"),
                    (("GET", "/score", None), 405, b"expected POST"),
                    (("POST", "/code", b""), 405, b"expected GET"),
                    (("GET", "/", None), 404, b"expected /score or /code"),
                    (("GET", "/code?feature=0&label=x", None), 400, b"feature with labels"),
                    (("GET", "/code?feature=9&label=x", None), 400, b"feature with labels"),
                    (("GET", "/code?label=x", None), 400, b"feature=I"),
                    (("POST", "/score", bytes((64 << 20) + 24)), 413, b"at most 64 MiB")):
                with self.subTest(path=path, status=status):
                    found, content = service.ask(method, path, body)
                    self.assertEqual(status, found)
                    self.assertIn(words, content)
            self.assertEqual([], service.score([]))

    def test_no_model(self):
        found = subprocess.run([PROGRAM, "/no/such.slm", "0"], capture_output=True, text=True, timeout=120)
        self.assertEqual(1, found.returncode)
        self.assertIn("cannot open '/no/such.slm'", found.stderr)
        self.assertEqual(2, subprocess.run([PROGRAM], capture_output=True, timeout=120).returncode)

    def test_what_a_request_costs(self):
        with Served(golden_set.load("iot").path) as service:
            connection, n = service.connect(), 2000
            began = time.perf_counter()
            for _ in range(n):
                service.score([98.5, 35.25, 1012.5], connection)
            print(f"\n{(time.perf_counter() - began) / n * 1e6:.0f} µs for a request with one row, Python's client included")
            connection.close()


if __name__ == "__main__":
    unittest.main()
