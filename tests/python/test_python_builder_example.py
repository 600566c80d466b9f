"""examples/builder: the C program and the Python script answer what the trees say by hand, and write the same file. The C programs there
and of the quickstart fail where their answers go to a full disk."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pandas
import pytest

import scoreline

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/builder"
LIBRARY = pathlib.Path(os.environ.get("SCORELINE_LIBRARY", ROOT / "build/lib/libscoreline.so"))
MARGINS = [0.0625 - 0.75 + 0.125, 0.0625 - 0.25 - 0.5, 0.0625 + 0.5 + 0.125, 0.0625 - 0.75 - 0.5]


def run(*command) -> np.ndarray:
    done = subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, timeout=300)
    return np.array([[float(number) for number in line.split()] for line in done.stdout.splitlines()])


def compiled(source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    program = folder / source.stem
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", source, "-o", program,
                    LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}", "-lm"], check=True, timeout=300)
    return program


def fails_on_a_full_disk(*command) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(part) for part in command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (1, "standard output could not be written\n")


def test_a_full_disk(tmp_path):
    flights, model = ROOT / "examples/quickstart", tmp_path / "flights.slm"
    fails_on_a_full_disk(compiled(EXAMPLE / "build_model.c", tmp_path))
    scoreline.convert(flights / "flights.ubj").save(model)
    fails_on_a_full_disk(compiled(flights / "score_flights.c", tmp_path), model, flights / "rows.f32")


def test_both_make_the_same_model(tmp_path):
    program, by_c, by_python = compiled(EXAMPLE / "build_model.c", tmp_path), tmp_path / "c.slm", tmp_path / "python.slm"
    answers = run(program, by_c)
    assert np.array_equal(answers[:, 0], MARGINS)
    assert np.allclose(answers[:, 1], 1 / (1 + np.exp(-np.array(MARGINS))), rtol=1e-15)
    assert np.array_equal(run(sys.executable, EXAMPLE / "build_model.py", by_python), answers)
    assert by_c.read_bytes() == by_python.read_bytes()
    model = scoreline.load(by_c)
    assert model.verify() > 0
    people = pandas.DataFrame({"city": ["Oslo", "Rome", "Bern", "Paris"], "age": [24, 25, 60, np.nan], "income": [3000, 1800.5, None, 10]})
    assert np.array_equal(np.ravel(model.predict(people, "margin")), MARGINS)
