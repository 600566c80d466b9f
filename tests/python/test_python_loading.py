"""Where the shared library is looked for, and what is said when it does not fit."""

import os
import pathlib
import shutil
import subprocess
import sys

import scoreline

PACKAGE = pathlib.Path(scoreline.__file__).parent


def import_in_new_process(library=None, path=None, code="import scoreline; print(scoreline.library_path)"):
    environment = {key: value for key, value in os.environ.items() if key not in ("SCORELINE_LIBRARY", "PYTHONPATH")}
    if library is not None:
        environment["SCORELINE_LIBRARY"] = str(library)
    environment["PYTHONPATH"] = str(path or PACKAGE.parent)
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)


def compiled(tmp_path, source):
    """A shared library of a line of C."""
    (tmp_path / "fake.c").write_text(source)
    library = tmp_path / "libfake.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(tmp_path / "fake.c")], check=True)
    return library


def bare_package(tmp_path):
    """A copy of the package without any library beside it."""
    shutil.copytree(PACKAGE, tmp_path / "scoreline", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    return tmp_path


def test_environment_comes_first():
    done = import_in_new_process(scoreline.library_path)
    assert done.stdout.strip() == scoreline.library_path, done.stderr


def test_library_beside_the_package(tmp_path):
    path = bare_package(tmp_path)
    shutil.copy(scoreline.library_path, path / "scoreline" / "libscoreline.so")
    done = import_in_new_process(path=path)
    assert done.stdout.strip() == str(path / "scoreline" / "libscoreline.so"), done.stderr


def test_no_library(tmp_path):
    done = import_in_new_process(path=bare_package(tmp_path))
    assert done.returncode != 0
    assert "ImportError: no Scoreline library found" in done.stderr and "SCORELINE_LIBRARY" in done.stderr


def test_named_library_that_is_not_there(tmp_path):
    done = import_in_new_process(tmp_path / "absent.so")
    assert done.returncode != 0 and "SCORELINE_LIBRARY names" in done.stderr and "absent.so" in done.stderr


def test_foreign_library(tmp_path):
    done = import_in_new_process(compiled(tmp_path, "int other(void) { return 1; }\n"))
    assert done.returncode != 0 and "is not a Scoreline library" in done.stderr


def test_other_version(tmp_path):
    done = import_in_new_process(compiled(tmp_path, "unsigned score_version_number(void) { return 20300; }\n"))
    assert done.returncode != 0
    assert "is Scoreline 2.3.0, and this Python package needs 0.1.0" in done.stderr


def test_incomplete_library(tmp_path):
    done = import_in_new_process(compiled(tmp_path, "unsigned score_version_number(void) { return 100; }\n"))
    assert done.returncode != 0 and "has no function score_" in done.stderr


def test_imports_no_other_library():
    """Importing and scoring must not pull in the trainers or the table libraries."""
    code = """
import sys, numpy, scoreline
b = scoreline.Builder(2)
b.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, 1.0, 2.0])
assert b.finish().predict([[0.0, 1.0], [1.0, 1.0]]).tolist() == [1.0, 2.0]
print([name for name in ("pandas", "pyarrow", "xgboost", "lightgbm", "sklearn", "polars") if name in sys.modules])
"""
    done = import_in_new_process(scoreline.library_path, code=code)
    assert done.stdout.strip() == "[]", done.stderr
