"""`scoreline report`: the page is looked at as a browser builds it, and every number in it is compared with the statistics.

Relies on: chromium (Debian package).
"""

import ctypes
import html
import os
import re
import shutil
import subprocess

import numpy as np
import pytest

from conftest import STUMPS, fail, succeed

import scoreline
from scoreline import _library, _statistics

NAMES = ["amount", "<b>bold</b> & \"quoted\"", "hour"]
TRICKY = "<script>alert(1)</script>"


def make_rows(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 3))
    rows[:, 0] += shift
    rows[rng.random((n, 3)) < 0.05] = np.nan
    return rows


@pytest.fixture(scope="module")
def model():
    builder = scoreline.Builder(3, feature_names=NAMES)
    builder.add_tree([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [0, 0, 1, 0, 0], [0.3, -1.0, 0.0, 0.5, 2.0])
    return builder.finish().add_reference(make_rows(4000, 1))


def statistics_of(model, version, shift, path):
    statistics = scoreline.Statistics(
        model, entity_name=TRICKY, entity_version=version, served_name=f"served-{version}", sample_every=1)
    for seed in range(20):
        statistics.predict(make_rows(100, 10 + seed, shift))
    with pytest.raises(scoreline.ShapeError):
        statistics.predict(np.zeros((2, 2)))
    snapshot = statistics.snapshot()
    snapshot.save(path)
    return snapshot


def dom_of(page, tmp_path):
    """The document as a browser builds it, without network."""
    browser = shutil.which("chromium")
    if browser is None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("not installed: chromium")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


def text_of(markup):
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def rows_of(section):
    """Text of the cells of all tables, without charts and small print."""
    plain = re.sub(r"(?s)<svg.*?</svg>|<small>.*?</small>", "", section)
    return [
        [text_of(cell) for cell in re.findall(r"(?s)<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"(?s)<tr>(.*?)</tr>", plain)
    ]


def section_of(dom, name):
    return re.search(rf'(?s)<section id="{name}">(.*?)</section>', dom)[1]


def test_a_page_of_two_versions(model, tmp_path):
    one = statistics_of(model, "1", 0.0, tmp_path / "1.sls")
    two = statistics_of(model, "2", 1.0, tmp_path / "2.sls")
    page = tmp_path / "report.html"
    succeed("report", tmp_path / "1.sls", tmp_path / "2.sls", "-o", page, "--title", "Fraud & <co>")
    written = page.read_text()
    assert "<script" not in written and "alert(1)" in written
    assert not re.search(r"(src|href)=|url\(|@import|https?://", written), "the page asks for something outside"
    dom = dom_of(page, tmp_path)
    assert text_of(re.search(r"(?s)<h1>(.*?)</h1>", dom)[1]) == "Fraud & <co>"
    versions = {cells[0]: cells[1:] for cells in rows_of(section_of(dom, "versions"))}
    assert versions[""] == [f"{TRICKY} {v} (served-{v})" for v in "12"]
    assert versions["rows"] == ["2,000", "2,000"] and versions["failed calls"] == ["1", "1"]
    assert versions["mean score"] == [f"{s.scores[0].sum / 2000:.3g}" for s in (one, two)]
    assert len(re.findall("<svg", section_of(dom, "scores"))) == 2
    drift = section_of(dom, "drift")
    for part, snapshot in zip(drift.split("<h3>")[1:], (one, two)):
        lines = rows_of(part)[1:]
        expected = snapshot.drift()
        features = sorted(snapshot.features, key=lambda feature: -feature.drift.psi)
        assert [line[0] for line in lines] == [f"score: {snapshot.scores[0].name}", *(feature.name for feature in features)]
        for line in lines:
            found = expected[line[0].removeprefix("score: ")]
            assert line[1].split()[1] == found.level and line[2] == f"{found.psi:.4f}"
            assert line[6].startswith(f"{100 * found.missing_rate:.2f} %")
        bars = [re.findall("<title>", svg) for svg in re.findall(r"(?s)<svg.*?</svg>", part)]
        for bar, h in zip(bars, [snapshot.scores[0], *features]):
            assert len(bar) == len(h.counts) + bool(h.missing or h.expected_missing)
    assert "2 shifted" not in drift.split("<h3>")[1] and "1 shifted" in drift.split("<h3>")[2]
    assert ["shape", "1"] == rows_of(section_of(dom, "errors"))[1][1:]


def test_statistics_of_one_version_are_added_up(model, tmp_path):
    statistics_of(model, "1", 0.0, tmp_path / "a.sls")
    shutil.copy(tmp_path / "a.sls", tmp_path / "b.sls")
    succeed("report", tmp_path / "a.sls", tmp_path / "b.sls", "-o", tmp_path / "r.html")
    versions = {cells[0]: cells[1:] for cells in rows_of(section_of((tmp_path / "r.html").read_text(), "versions"))}
    assert versions["rows"] == ["4,000"]


# ---- logs --------------------------------------------------------------------------------------------------------


def write_log(model, rows, directory, latency_ns):
    """One call, larger than a record."""
    lib = _library.lib
    capture, error = scoreline.Capture(directory), _library.Error()
    handle = ctypes.c_void_p(capture._handle)
    _library.check(lib.score_capture_add_model(handle, ctypes.c_void_p(model._handle), ctypes.byref(error)), error)
    values = model.predict(rows)
    struct = _library.filled(_library.Input)
    struct.layout, struct.dtype, (struct.n_rows, struct.n_columns) = _library.LAYOUT_ROWS, _library.F64, rows.shape
    struct.u.rows.data = rows.ctypes.data
    struct.u.rows.row_stride_bytes, struct.u.rows.column_stride_bytes = rows.strides
    call = _library.filled(_statistics.Call)
    call.model, call.input, call.out, call.out_width = model._handle, ctypes.pointer(struct), values.ctypes.data, 1
    call.latency_ns, call.started_unix_ns, call.entity_name, call.entity_version = latency_ns, 10**18, b"logged", b"5"
    assert lib.score_capture_record(handle, ctypes.byref(call)) == 1
    capture.rotate()


def test_a_page_of_a_log(model, tmp_path):
    log = tmp_path / "log"
    log.mkdir()
    rows = make_rows(6000, 77)
    stored = tmp_path / "model.slm"
    model.save(stored)
    model = scoreline.load(stored)
    write_log(model, rows, log, 1500)
    statistics = scoreline.Statistics(model, sample_every=1)
    statistics.predict(rows)
    wanted = statistics.snapshot()
    for with_model in (True, False):
        succeed("report", log, "-o", tmp_path / "r.html", *(["--model", stored] if with_model else []))
        page = (tmp_path / "r.html").read_text()
        versions = {cells[0]: cells[1:] for cells in rows_of(section_of(page, "versions"))}
        assert versions[""] == ["logged 5"]
        assert versions["rows"] == ["6,000"] and versions["calls"] == ["1"] and versions["slowest call"] == ["1.5 µs"]
        assert versions["share of calls logged"] == ["100 %"]
        lines = {line[0]: line for line in rows_of(section_of(page, "drift"))[1:]}
        for feature in wanted.features:
            line = lines[feature.name]
            assert line[2] == (f"{feature.drift.psi:.4f}" if with_model else "–")
            assert line[6].startswith(f"{feature.missing / 60:.2f} %")
        assert ("no reference" in page) != with_model
    with open(next(log.iterdir()), "ab") as segment:
        segment.write(b"\x20\0\0\0torn")
    succeed("report", log, "-o", tmp_path / "r.html", "--model", stored)
    assert "could be read up to byte" in text_of(section_of((tmp_path / "r.html").read_text(), "notes"))
    segment = next(log.iterdir())
    whole = segment.read_bytes()
    for at, is_written in ((len(whole) - 100, True), (60, False)):
        segment.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        (tmp_path / "r.html").unlink(missing_ok=True)
        error = fail(1, "report", log, "-o", tmp_path / "r.html").err
        assert segment.name in error and "checksum" in error
        assert (tmp_path / "r.html").exists() == is_written
        assert not is_written or "could be read up to byte" in (tmp_path / "r.html").read_text()


def test_models_without_a_file_are_told_apart_by_their_features(tmp_path):
    """Neither the logged model nor the given one comes from an .slm file, so both have the same hash: none."""
    builder = scoreline.Builder(3, feature_names=NAMES)
    builder.add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0.3, -1.0, 2.0])
    model = builder.finish()
    log = tmp_path / "log"
    log.mkdir()
    write_log(model, make_rows(100, 77), log, 1500)
    succeed("report", log, "-o", tmp_path / "r.html", "--model", STUMPS)
    page = (tmp_path / "r.html").read_text()
    assert {"amount", "hour"} <= {line[0] for line in rows_of(section_of(page, "drift"))}


# ---- wrong arguments ---------------------------------------------------------------------------------------------


def test_wrong_arguments(model, tmp_path):
    statistics_of(model, "1", 0.0, tmp_path / "1.sls")
    assert "-o" in fail(2, "report", tmp_path / "1.sls").err
    assert "found none" in fail(2, "report", "-o", tmp_path / "r.html").err
    assert "no.sls" in fail(1, "report", tmp_path / "no.sls", "-o", tmp_path / "r.html").err
    (tmp_path / "bad.sls").write_bytes((tmp_path / "1.sls").read_bytes()[:-5])
    assert "bad.sls" in fail(1, "report", tmp_path / "bad.sls", "-o", tmp_path / "r.html").err
    (tmp_path / "empty").mkdir()
    assert "no calls" in fail(1, "report", tmp_path / "empty", "-o", tmp_path / "r.html").err
    assert not (tmp_path / "r.html").exists()
    assert "Usage: scoreline report" in succeed("report", "--help").out


def test_sources_and_models_are_not_overwritten(model, tmp_path):
    statistics_of(model, "1", 0.0, tmp_path / "1.sls")
    model.save(tmp_path / "model.slm")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    for out in before:
        assert "would overwrite" in fail(2, "report", tmp_path / "1.sls", "-m", tmp_path / "model.slm", "-o", out).err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
