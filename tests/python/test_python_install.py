"""`pip install .` builds the library, puts it inside the package, and nothing else is needed to score."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

SCORE = """
import pathlib, scoreline
assert pathlib.Path(scoreline.library_path).parent == pathlib.Path(scoreline.__file__).parent
builder = scoreline.Builder(1)
builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.5, 1.0, 2.0])
model = scoreline.load(builder.finish().to_bytes(), verify=True)
print(model.predict([[0.0], [1.0]]).tolist(), scoreline.__version__)
"""


def test_pip_install(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key not in ("SCORELINE_LIBRARY", "PYTHONPATH")}
    site = tmp_path / "site"
    # numpy is there already, and fetching it again would be most of the time
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--no-deps", "--target", str(site), str(ROOT)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr

    installed = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    package = {path for path in installed if not path.split(os.sep)[0].endswith(".dist-info") and ".pyc" not in path}
    sources = {
        str(path.relative_to(ROOT / "python"))
        for path in (ROOT / "python" / "scoreline").rglob("*")
        if path.suffix in (".py", ".typed")
    }
    assert package == sources | {"scoreline/libscoreline.so"}
    (licence,) = site.glob("scoreline-*.dist-info/licenses/LICENSE")  # which its own terms want in every copy
    assert licence.read_text() == (ROOT / "LICENSE").read_text()

    environment["PYTHONPATH"] = str(site)
    done = subprocess.run([sys.executable, "-c", SCORE], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split() == ["[1.0,", "2.0]", "0.1.0"], done.stderr
