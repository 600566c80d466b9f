"""What the tests of the `scoreline` command share: running it, and what its small model must answer.

Relies on: SCORELINE_BUILD, the build folder with cli/scoreline; default: build/.
"""
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "cli"
BUILD = pathlib.Path(os.environ.get("SCORELINE_BUILD", ROOT / "build"))
COMMAND = str((BUILD / "cli" / "scoreline").resolve())
# Tests that build models with the Python package take the library of the same build.
os.environ.setdefault("SCORELINE_LIBRARY", str((BUILD / "lib" / "libscoreline.so").resolve()))
sys.path.insert(0, str(ROOT / "python"))
SANITIZED = b"__asan_init" in pathlib.Path(COMMAND).read_bytes()
STUMPS = DATA / "stumps.json"   # XGBoost, three numeric features
BINARY = DATA / "binary.txt"    # LightGBM, one numeric and one category feature
HEADER = 'age,income,"rate, %"\n'


def run(*arguments, stdin=b"", env=None, **options):
    """Run the command. Whatever happens, it must not crash, and a failure is exactly one line on stderr."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    if "stdin_file" in options:
        options["stdin"] = options.pop("stdin_file")
    else:
        options["input"] = stdin
    done = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, timeout=300, env=env, **options)
    done.out = done.stdout.decode(errors="replace")
    done.err = done.stderr.decode(errors="replace")
    assert done.returncode in (0, 1, 2), done
    assert "Sanitizer" not in done.err and "runtime error" not in done.err, done.err
    if done.returncode != 0:
        assert done.err.startswith("scoreline"), done.err
        assert done.err.count("\n") == 1 and done.err.endswith("\n"), done.err
    return done


def succeed(*arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == 0, done.err
    return done


def fail(code, *arguments, **options):
    done = run(*arguments, **options)
    assert done.returncode == code, (done.returncode, done.out, done.err)
    return done


def walk_stumps(age, income, rate):
    """The margin of tests/data/cli/stumps.json, summed in float as XGBoost does."""
    age, income, rate = np.float32(age), np.float32(income), np.float32(rate)
    first = 0.25 if np.isnan(age) or age < np.float32(30.5) else -0.5
    second = 1.0 if income < np.float32(1000) else 2.0
    third = -4.0 if np.isnan(rate) or rate < np.float32(0.1) else 4.0
    if age < np.float32(18):
        fourth = 8.0
    else:
        fourth = 16.0 if np.isnan(income) or income < np.float32(50000) else 32.1
    margin = np.float32(0.5)
    for leaf in (first, second, third, fourth):
        margin = np.float32(margin + np.float32(leaf))
    return margin


def margins(rows):
    return np.array([walk_stumps(*row) for row in rows], np.float32)


def parse_scores(text, dtype=np.float32):
    """Scores of a CSV with one column, in the type that the text was shortened for."""
    lines = text.splitlines()
    assert lines[0] in ("prediction", "margin", "leaf"), lines[:1]
    return np.array(lines[1:], dtype) if len(lines) > 1 else np.empty(0, dtype)


def same_bits(a, b):
    a, b = np.asarray(a), np.asarray(b)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """stumps.json as .slm."""
    path = tmp_path_factory.mktemp("model") / "stumps.slm"
    succeed("convert", STUMPS, "-o", path)
    return path


@pytest.fixture
def score_text(model, tmp_path):
    """Score a text as CSV or JSON lines; returns the finished process."""
    def score(text, *arguments, name="rows.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return run("score", model, path, *arguments)
    return score
