"""The commands of `scoreline`: what they print, what they write, how they fail."""
import csv
import ctypes
import errno
import json
import math
import os
import pty
import re
import select
import signal
import subprocess
import time

import numpy as np
import pytest

import scoreline
from conftest import (BINARY, BUILD, COMMAND, DATA, HEADER, SANITIZED, STUMPS, fail, margins, parse_scores, run, same_bits,
                      succeed)

ROWS = [(17, 10, 0), (40, 60000, 0.5), (math.nan, math.nan, math.nan), (20, 1000, 0.1)]
CSV = HEADER + "17,10,0\n40,60000,0.5\n,,\n20,1000,0.1\n"
XGBOOST = DATA.parent / "xgboost"
# tests/data/cli/binary.txt: height is numeric, colour a category; the margins are LightGBM's own.
CATEGORY_CSV = "colour,height\n0,1\n1,1\n2,1\n,1\n0,2\n9,4.0000000000000009\n1,5\n0,\n"
CATEGORY_MARGINS = [0.75 + 0.1, 0.125 + 0.1, 0.75 + 0.1, 0.125 + 0.1, -0.5 + 0.1, -0.5 + 0.1, -0.5 - 0.2, 0.75 - 0.2]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(CSV)
    return path


# ---- command line -----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("command", ["convert", "export", "inspect", "score", "verify"])
def test_help(command):
    done = succeed(command, "--help")
    assert done.out.startswith(f"Usage: scoreline {command} ") and "Example" in done.out and done.err == ""
    assert succeed(command, "-h").out == succeed("help", command).out == done.out
    assert all(len(line) <= 118 for line in done.out.splitlines())
    assert command in succeed("--help").out


def test_version():
    assert succeed("--version").out.split() == ["scoreline", "0.1.0"]


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["--frobnicate"], ["help", "frobnicate"],
    ["convert"], ["convert", STUMPS], ["convert", STUMPS, STUMPS, "-o", "x.slm"], ["convert", STUMPS, "-o"],
    ["convert", STUMPS, "-o", "x.slm", "--meta", "novalue"], ["convert", STUMPS, "-o", "x.slm", "--meta", "=x"],
    ["convert", STUMPS, "-o", "x.slm", "--meta", "a=1", "--meta", "a=2"],
    ["convert", STUMPS, "-o", "x.slm", "--iterations", "3"], ["convert", STUMPS, "-o", "x.slm", "--iterations", "3:3"],
    ["convert", STUMPS, "-o", "x.slm", "--iterations", "-1:3"], ["convert", STUMPS, "-o", STUMPS],
    ["convert", STUMPS, "-o", "x.slm", "--iterations", "0:4294967296"],
    ["inspect"], ["inspect", STUMPS, STUMPS], ["inspect", STUMPS, "--jsno"], ["inspect", STUMPS, "--json=1"],
    ["score", STUMPS], ["score", STUMPS, "-", "-"], ["score", STUMPS, "-", "--output", "probability"],
    ["score", STUMPS, "-", "--format", "tsv"], ["score", STUMPS, "-", "--trees", "1-2"],
    ["score", STUMPS, "-", "--isa", "mmx"], ["score", STUMPS, "-", "--regime", "linear"],
    ["score", STUMPS, "-", "--no-header", "--by-position"], ["score", STUMPS, "-", "--no-header", "--format", "npy"],
    ["score", STUMPS, "-", "-o", STUMPS], ["score", STUMPS, "-", "-Z"],
    ["verify"], ["verify", STUMPS, STUMPS],
])
def test_usage_errors(arguments):
    done = fail(2, *arguments)
    assert done.out == "" and "--help" in done.err


@pytest.mark.parametrize("arguments, message", [
    (["score", "--quiet", "-xq", "m", "-"], "unknown option -x"), (["score", "m", "-", "-qx"], "unknown option -x"),
    (["score", "--output=leaf", "-xq", "m", "-"], "unknown option -x"), (["score", "--quiet=1", "-q"], "option --quiet=1 takes no"),
    (["score", "--no-header=1", "-q"], "option --no-header=1 takes no"), (["inspect", "--json=x", "-j"], "option --json=x takes no"),
    (["score", "-é", "m"], "unknown option -é"), (["score", "--quiet", "-éq"], "unknown option -éq"),
    (["score", "-q", "-\x1b[31m"], "unknown option -?[31m"), (["score", "m", "-", "-o"], "option -o needs a value"),
    (["score", "--out"], "option --out needs a value"), (["score", "--ou=x"], "unknown option --ou=x"),
])
def test_the_wrong_option_is_named(arguments, message):
    assert fail(2, *arguments).err.startswith(f"scoreline {arguments[0]}: {message}")


@pytest.mark.parametrize("command", [["inspect"], ["verify"], ["convert", "-o", "/nonexistent/x.slm"], ["score", "-"]])
def test_files_that_are_no_models(tmp_path, command):
    def refuse(path):
        done = fail(1, command[0], path, *command[1:])
        assert str(path) in done.err and done.out == ""

    refuse(tmp_path / "absent")
    refuse(tmp_path)
    bad = tmp_path / "bad"
    for content in (b"", b"\n", b"hello\n", bytes(1000), b"{", b"{}", b"[1,2]", STUMPS.read_bytes()[:700], b"tree\n",
                    b"tree\nversion=v4\n", BINARY.read_bytes()[:500]):
        bad.write_bytes(content)
        refuse(bad)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["score", "--help"], ["inspect", STUMPS],
                                       ["inspect", STUMPS, "--json"], ["verify", STUMPS]])
def test_full_disk(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([COMMAND, *map(str, arguments)], stdout=full, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == 1 and b"No space left" in done.stderr and done.stderr.count(b"\n") == 1


# ---- convert ----------------------------------------------------------------------------------------------------

def test_convert(tmp_path):
    out = tmp_path / "m.slm"
    done = succeed("convert", STUMPS, "-o", out)
    assert done.out.count("\n") == 1 and done.err == ""
    for word in ("stumps.json", "XGBoost", "m.slm", "ratio", "4 trees", "9 leaves", "3 features", "reg:squarederror"):
        assert word in done.out
    first = out.read_bytes()
    assert succeed("convert", STUMPS, "--out", out, "--quiet").out == ""
    assert out.read_bytes() == first
    assert os.listdir(tmp_path) == ["m.slm"]
    # From .slm to .slm, for other metadata.
    succeed("convert", out, "-o", tmp_path / "again.slm")
    assert (tmp_path / "again.slm").read_bytes() == first
    assert "LightGBM" in succeed("convert", BINARY, "-o", out).out


def test_convert_metadata(tmp_path):
    out = tmp_path / "m.slm"
    succeed("convert", STUMPS, "-o", out, "--name", "böse = gut", "--meta", "owner=risk", "--meta", "formula=a=b", "--meta",
            "empty=")
    description = json.loads(succeed("inspect", out, "--json").out)
    assert description["name"] == description["metadata"]["name"] == "böse = gut"
    assert description["metadata"]["owner"] == "risk" and description["metadata"]["formula"] == "a=b"
    assert description["metadata"]["empty"] == ""
    text = succeed("inspect", out).out
    assert "owner = risk" in text and "böse = gut" in text


def test_convert_iterations(tmp_path, rows):
    out = tmp_path / "m.slm"
    succeed("convert", STUMPS, "-o", out, "--iterations", "1:3")
    assert json.loads(succeed("inspect", out, "--json").out)["n_trees"] == 2
    assert parse_scores(succeed("score", out, rows, "--output", "margin").out).tolist() == [-2.5, 6.5, -1.5, 6.5]
    assert "iterations" in fail(1, "convert", out, "-o", tmp_path / "n.slm", "--iterations", "0:1").err
    fail(1, "convert", STUMPS, "-o", tmp_path / "n.slm", "--iterations", "3:5")
    assert not (tmp_path / "n.slm").exists()


def test_convert_leaves_what_is_there_alone(tmp_path):
    out = tmp_path / "m.slm"
    out.write_text("before")
    (tmp_path / "bad.json").write_bytes(STUMPS.read_bytes()[:-30])
    fail(1, "convert", tmp_path / "bad.json", "-o", out)
    assert out.read_text() == "before"
    fail(1, "convert", STUMPS, "-o", tmp_path)
    fail(1, "convert", STUMPS, "-o", tmp_path / "no" / "where.slm")
    (tmp_path / "link.slm").symlink_to(STUMPS)
    fail(2, "convert", STUMPS, "-o", tmp_path / "link.slm")
    assert sorted(os.listdir(tmp_path)) == ["bad.json", "link.slm", "m.slm"]


def test_convert_through_a_symbolic_link(tmp_path):
    (tmp_path / "real.slm").write_text("before")
    (tmp_path / "link.slm").symlink_to("real.slm")
    succeed("convert", STUMPS, "-o", tmp_path / "link.slm")
    assert (tmp_path / "link.slm").is_symlink()
    succeed("verify", tmp_path / "real.slm")
    (tmp_path / "dead.slm").symlink_to("nothing")
    fail(1, "convert", STUMPS, "-o", tmp_path / "dead.slm")


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    out = tmp_path / "m.slm"
    before = os.umask(0o022)
    try:
        succeed("convert", STUMPS, "-o", out)
        assert out.stat().st_mode & 0o777 == 0o644
        for mode in (0o600, 0o664):
            out.chmod(mode)
            succeed("convert", STUMPS, "-o", out)
            assert out.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)


def test_every_flipped_byte_is_noticed(model, tmp_path):
    good = model.read_bytes()
    bad = tmp_path / "bad.slm"
    step = max(1, len(good) // (60 if SANITIZED else 400))
    for i in range(0, len(good), step):
        bad.write_bytes(good[:i] + bytes([good[i] ^ 0x41]) + good[i + 1:])
        fail(1, "verify", bad)
    for length in range(0, len(good), step):
        bad.write_bytes(good[:length])
        fail(1, "inspect", bad)
    bad.write_bytes(good + b"\0")
    fail(1, "inspect", bad)


# ---- inspect ----------------------------------------------------------------------------------------------------

def test_inspect(model):
    text = succeed("inspect", model).out
    for word in ("xgboost 3.0.2", "reg:squarederror", "identity", "income", "rate, %", "trees", "leaves", "golden",
                 "scratch", "hash", ".slm"):
        assert word in text, word
    text = succeed("inspect", BINARY).out
    for word in ("LightGBM text", "trained by    lightgbm", "binary", "sigmoid", "colour", "category"):
        assert word in text, word


def test_inspect_json(model):
    description = json.loads(succeed("inspect", model, "--json").out)
    expected = {"format": "Scoreline .slm", "kind": "trees", "objective": "reg:squarederror", "link": "identity",
                "n_features": 3, "n_outputs": 1, "n_predictions": 1, "margin_type": "float32", "n_trees": 4,
                "trees_per_iteration": 1, "n_leaves": 9, "n_splits": 5, "n_tests": 5, "max_leaves": 3, "max_depth": 2,
                "max_cuts": 2, "n_categories": 0, "file_bytes": model.stat().st_size, "file": str(model)}
    assert {key: description[key] for key in expected} == expected
    assert description["features"] == [{"name": name, "type": "numeric"} for name in ("age", "income", "rate, %")]
    assert description["source_version"] == "3.0.2" and len(description["hash"]) == 32 and int(description["hash"], 16)
    assert description["n_golden_rows"] > 0 and description["memory_bytes"] > 0
    assert description["isa"] in ("portable", "sse42", "avx2", "avx512", "neon")
    source = json.loads(succeed("inspect", STUMPS, "--json").out)
    assert source["hash"] is None and source["n_leaves"] == 9 and "JSON" in source["format"]
    category = json.loads(succeed("inspect", BINARY, "--json").out)
    assert [feature["type"] for feature in category["features"]] == ["numeric", "category"]
    assert category["margin_type"] == "float64"


def test_inspect_many_features(tmp_path):
    """Only the first few, unless all are asked for; --json always lists all."""
    text = STUMPS.read_text().replace('"num_feature": "3"', '"num_feature": "40"')
    names = json.dumps(["age", "income", "rate, %"] + [f"extra \\u001b{i}" for i in range(37)]).replace("\\\\", "\\")
    text = text.replace('["age", "income", "rate, %"]', names)
    text = text.replace('["float", "float", "float"]', json.dumps(["float"] * 40)).replace('"num_feature":"3"',
                                                                                          '"num_feature":"40"')
    path = tmp_path / "wide.json"
    path.write_text(text)
    short, full = succeed("inspect", path).out, succeed("inspect", path, "--features").out
    assert "--features" in short and len(full.splitlines()) > len(short.splitlines()) + 25
    assert "\x1b" not in full
    assert len(json.loads(succeed("inspect", path, "--json").out)["features"]) == 40


@pytest.mark.parametrize("control", ["\x1b", "\x7f", "\n", "\x9b", "\x85"])
def test_terminals_are_sent_no_orders(control, tmp_path):
    document = json.loads(STUMPS.read_text())
    document["learner"]["feature_names"][1] = f"in{control}[31mcome é"
    path, rows = tmp_path / "model.json", tmp_path / "rows.csv"
    path.write_text(json.dumps(document))
    assert "in?[31mcome é" in succeed("inspect", path).out
    rows.write_text(f'age,"in{control}[31mcome é","rate, %"\n1,"éé{control}[31m{"é" * 40}",2\n', newline="")
    error = fail(1, "score", path, rows).err
    assert "column 2 (in?[31mcome é)" in error and 'found "éé?[31mé' in error and 'é..."' in error
    assert control not in error.rstrip("\n")


# ---- score ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("source", ["model", "import"])
def test_score(model, rows, source):
    file = model if source == "model" else STUMPS
    for output in ("prediction", "margin"):
        done = succeed("score", file, rows, "--output", output)
        assert done.out.splitlines()[0] == output and done.err == ""
        assert same_bits(parse_scores(done.out), margins(ROWS))
    done = succeed("score", file, rows, "--output", "leaf")
    assert done.out.splitlines() == ["leaf_0,leaf_1,leaf_2,leaf_3", "1,1,1,1", "2,2,2,4", "1,2,1,3", "1,2,2,3"]


def test_score_prints_floats_short(model, rows):
    assert succeed("score", model, rows).out.splitlines()[1:] == ["5.75", "38.1", "14.75", "22.75"]


def digits_of(text):
    return len(text.lstrip("-").split("e")[0].replace(".", "").strip("0"))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_are_as_short_as_they_can_be(dtype, tmp_path):
    choose = np.random.default_rng(3)
    denormals = np.finfo(dtype).smallest_subnormal * choose.integers(1, 2 ** 22, 60).astype(dtype)
    values = np.concatenate([denormals, np.finfo(dtype).smallest_subnormal * np.arange(1, 20).astype(dtype),
                             choose.normal(size=100).astype(dtype), (10.0 ** choose.integers(-30, 30, 60)).astype(dtype)])
    builder = scoreline.Builder(1, sum="f32" if dtype == np.float32 else "f64")
    builder.set_linear([1.0]).finish().save(tmp_path / "model.slm")
    np.save(tmp_path / "rows.npy", values[:, None])
    lines = succeed("score", tmp_path / "model.slm", tmp_path / "rows.npy").out.splitlines()[1:]
    assert same_bits(np.array(lines, dtype), values)
    assert [digits_of(line) for line in lines] == [digits_of(np.format_float_scientific(value)) for value in values]


def test_score_doubles(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text(CATEGORY_CSV)
    done = succeed("score", BINARY, rows, "--output", "margin")
    assert same_bits(parse_scores(done.out, float), np.array(CATEGORY_MARGINS))
    assert done.out.splitlines()[1:] == [repr(value) for value in CATEGORY_MARGINS]
    # The C library's own exp(), as LightGBM uses it.
    exp = ctypes.CDLL("libm.so.6").exp
    exp.restype, exp.argtypes = ctypes.c_double, [ctypes.c_double]
    done = succeed("score", BINARY, rows)
    expected = np.array([1.0 / (1.0 + exp(-margin)) for margin in CATEGORY_MARGINS])
    assert same_bits(parse_scores(done.out, float), expected)


def test_score_classes(model, rows, tmp_path):
    table = tmp_path / "rows.csv"
    table.write_text(CATEGORY_CSV)
    numbers = ["1" if margin > 0 else "0" for margin in CATEGORY_MARGINS]
    assert set(numbers) == {"0", "1"}
    assert succeed("score", BINARY, table, "--output", "class").out.splitlines() == ["class"] + numbers
    labelled = tmp_path / "labelled.slm"
    succeed("convert", BINARY, "-o", labelled, "--meta", 'class_labels=["no", "yes, \\"sure\\""]')
    expected = [{"0": "no", "1": '"yes, ""sure"""'}[number] for number in numbers]
    assert succeed("score", labelled, table, "--output", "class").out.splitlines() == ["class"] + expected
    # An empty label must not become an empty line, which is no row.
    nameless = tmp_path / "nameless.slm"
    succeed("convert", BINARY, "-o", nameless, "--meta", 'class_labels=["", "yes"]')
    expected = [{"0": '""', "1": "yes"}[number] for number in numbers]
    assert succeed("score", nameless, table, "--output", "class").out.splitlines() == ["class"] + expected
    out = tmp_path / "classes.npy"
    succeed("score", labelled, table, "--output", "class", "-o", out)
    assert np.load(out).dtype == np.int64 and np.load(out).tolist() == [int(number) for number in numbers]
    assert "no classifier" in fail(1, "score", model, rows, "--output", "class").err


@pytest.mark.parametrize("name, n_outputs", [("binary_logitraw-3.2.0", 1), ("softprob-3.2.0", 3)])
def test_score_contributions(name, n_outputs, tmp_path):
    source, model, covered = XGBOOST / f"{name}.json", tmp_path / "bare.slm", tmp_path / "covered.slm"
    succeed("convert", source, "-o", covered)
    features = [feature["name"] for feature in json.loads(succeed("inspect", covered, "--json").out)["features"]]
    table = np.random.default_rng(5).normal(size=(40, len(features)))
    table[::7, 1] = np.nan
    rows, out = tmp_path / "rows.npy", tmp_path / "out.npy"
    np.save(rows, table)
    done = succeed("score", covered, rows, "--output", "contribution")
    names = features + ["bias"]
    expected = names if n_outputs == 1 else [f"{name}_{k}" for k in range(n_outputs) for name in names]
    assert done.out.splitlines()[0].split(",") == expected
    values = np.array([line.split(",") for line in done.out.splitlines()[1:]], np.float64)
    succeed("score", covered, rows, "--output", "contribution", "-o", out)
    assert np.load(out).dtype == np.float64 and same_bits(np.load(out), values)
    # Shapley values are computed in double, margins in float.
    margins = np.array([line.split(",") for line in succeed("score", covered, rows, "--output", "margin").out.splitlines()[1:]],
                       np.float64)
    assert np.abs(values.reshape(40, n_outputs, -1).sum(axis=2) - margins).max() < 1e-5
    assert np.abs(values).max() > 0.01
    succeed("convert", source, "-o", model, "--no-covers")
    assert "no covers" in fail(1, "score", model, rows, "--output", "contribution").err


@pytest.mark.parametrize("name, n_outputs", [("binary_logitraw-3.2.0", 1), ("softprob-3.2.0", 3)])
def test_columns_of_contributions_have_the_names_of_features(name, n_outputs, tmp_path):
    document = json.loads((XGBOOST / f"{name}.json").read_text())
    n = int(document["learner"]["learner_model_param"]["num_feature"])
    names = ['rate, %', 'the "best"', *(f"f{i}" for i in range(n - 2))]
    document["learner"]["feature_names"] = names
    document["learner"]["feature_types"] = ["float"] * n
    source, rows = tmp_path / "model.json", tmp_path / "rows.npy"
    source.write_text(json.dumps(document))
    np.save(rows, np.zeros((1, n)))
    table = list(csv.reader(succeed("score", source, rows, "--output", "contribution").out.splitlines(), strict=True))
    names.append("bias")
    assert table[0] == (names if n_outputs == 1 else [f"{name}_{k}" for k in range(n_outputs) for name in names])
    assert len(table[1]) == len(table[0])


def test_score_category_by_label(tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("colour,height\n1,2\nred,1\n")
    error = fail(1, "score", BINARY, rows).err
    for word in ("the number of a category", "column 1 (colour)", '"red"', "(line 3)"):
        assert word in error


def test_score_trees(model, rows):
    done = succeed("score", model, rows, "--trees", "1:3", "--output", "margin")
    assert parse_scores(done.out).tolist() == [-2.5, 6.5, -1.5, 6.5]
    assert succeed("score", model, rows, "--trees", "3:4", "--output", "leaf").out.splitlines() == [
        "leaf", "1", "4", "3", "3"]
    assert "4 trees" in fail(1, "score", model, rows, "--trees", "3:5").err


def test_score_every_way_gives_the_same_bits(model, tmp_path):
    path = tmp_path / "rows.csv"
    random = np.random.default_rng(5)
    path.write_text(HEADER + "".join(f"{a},{b},{c}\n" for a, b, c in random.normal(30, 30, (5000, 3)).tolist()))
    expected = succeed("score", model, path).out
    assert succeed("score", model, path, "--isa", "auto", "--regime", "auto").out == expected
    for line in succeed("verify", model).out.splitlines()[1:]:
        isa = line.split()[0]
        for regime in ("auto", "batch", "walk", "row"):
            if "not run" in line:
                assert isa in fail(1, "score", model, path, "--isa", isa, "--regime", regime).err
            elif regime == "row" and isa != "avx512":
                assert "needs AVX-512" in fail(1, "score", model, path, "--isa", isa, "--regime", regime).err
            else:
                assert succeed("score", model, path, "--isa", isa, "--regime", regime).out == expected, (isa, regime)


def test_score_to_file(model, rows, tmp_path):
    expected = succeed("score", model, rows).out
    out = tmp_path / "out.csv"
    out.write_text("before, and longer than what comes\n" * 100)
    assert succeed("score", model, rows, "-o", out).out == ""
    assert out.read_text() == expected
    assert succeed("score", model, rows, "-o", "-").out == expected
    link = tmp_path / "link.csv"
    link.symlink_to(out)
    succeed("score", model, rows, "--out", link, "--output", "leaf")
    assert link.is_symlink() and out.read_text().startswith("leaf_0")
    succeed("score", model, rows, "-o", "/dev/null")
    assert not os.path.isfile("/dev/null")
    assert sorted(os.listdir(tmp_path)) == ["link.csv", "out.csv", "rows.csv"]


def test_score_to_npy(model, rows, tmp_path):
    out = tmp_path / "out.npy"
    succeed("score", model, rows, "-o", out, "--output", "margin")
    assert same_bits(np.load(out), margins(ROWS).astype(float))
    succeed("score", model, rows, "-o", out, "--output", "leaf")
    assert same_bits(np.load(out), np.array([[1, 1, 1, 1], [2, 2, 2, 4], [1, 2, 1, 3], [1, 2, 2, 3]]))
    rows.write_text(HEADER)
    succeed("score", model, rows, "-o", out, "--output", "leaf")
    assert np.load(out).shape == (0, 4)


def test_score_output_problems(model, rows, tmp_path):
    fail(1, "score", model, rows, "-o", tmp_path)
    fail(1, "score", model, rows, "-o", tmp_path / "no" / "where.csv")
    assert "No space left" in fail(1, "score", model, rows, "-o", "/dev/full").err
    fail(2, "score", model, rows, "-o", rows)
    fail(2, "score", model, rows, "-o", model)
    with open(rows) as file:
        assert "would overwrite" in fail(2, "score", model, "-", "-o", rows, stdin_file=file).err
    fail(1, "score", model, tmp_path / "absent.csv")
    fail(1, "score", model, tmp_path)
    assert rows.read_text() == CSV


def test_score_into_a_closed_pipe(model, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text(HEADER + "17,10,0\n" * 100000)
    code = '"$0" score "$1" "$2" | head -n 2; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(["bash", "-c", code, COMMAND, str(model), str(rows)], capture_output=True, timeout=300)
    assert done.stdout == b"prediction\n5.75\n1\n" and done.stderr.count(b"\n") == 1
    # A closed stdout is a failure too, and no other file is written instead.
    before = rows.read_bytes()
    done = subprocess.run(["sh", "-c", '"$0" score "$1" "$2" >&-', COMMAND, str(model), str(rows)], capture_output=True,
                          timeout=300)
    assert done.returncode == 1 and rows.read_bytes() == before


def test_names_of_files(model, rows, tmp_path):
    """As long as a file system takes them, and none at all."""
    for length in (240, 250, 255):
        name = tmp_path / ("n" * length)
        succeed("score", model, rows, "-o", name)
        assert name.read_text() == succeed("score", model, rows).out
        name.unlink()
    for arguments in (["score", model, rows], ["convert", STUMPS], ["export", STUMPS, "--js", "f"]):
        assert "expected the name of a file" in fail(1, *arguments, "-o", "").err
    assert os.listdir(tmp_path) == ["rows.csv"]


def test_limit_on_the_size_of_files(model, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text(HEADER + "17,10,0\n" * 100000)
    for command in ('score "$1" "$2" -o "$3"', 'score "$1" "$2" -o "$3.npy"', 'convert "$4" -o "$3"'):
        done = subprocess.run(["sh", "-c", f'ulimit -f 1; exec "$0" {command}', COMMAND, str(model), str(rows),
                               str(tmp_path / "out"), str(STUMPS)], capture_output=True, timeout=300)
        assert done.returncode == 1 and b"File too large" in done.stderr, done
        assert os.listdir(tmp_path) == ["rows.csv"]


def test_convert_to_standard_output(tmp_path):
    """Nothing but the model."""
    path = tmp_path / "model.slm"
    succeed("convert", STUMPS, "-o", path)
    done = succeed("convert", STUMPS, "-o", "-")
    assert done.stdout == path.read_bytes() and done.err == ""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU, signal.SIGALRM,
                                    signal.SIGUSR1])
def test_score_interrupted(model, tmp_path, number):
    """A signal leaves no half-written file behind."""
    # A shell without job control starts what runs in its background, such as all tests, with SIGINT and SIGQUIT ignored.
    process = subprocess.Popen([COMMAND, "score", str(model), "-", "-o", str(tmp_path / "out.csv")],
                               stdin=subprocess.PIPE, preexec_fn=lambda: signal.signal(number, signal.SIG_DFL))
    process.stdin.write((HEADER + "17,10,0\n" * 10000).encode())
    process.stdin.flush()
    until = time.monotonic() + 60
    while not os.listdir(tmp_path) and time.monotonic() < until:
        time.sleep(0.01)
    assert len(os.listdir(tmp_path)) == 1
    process.send_signal(number)
    assert process.wait(timeout=300) == -number
    process.stdin.close()
    assert os.listdir(tmp_path) == []


def preload(source, library):
    """C code as a shared library, whose functions go before the system's."""
    subprocess.run(["cc", "-x", "c", "-shared", "-fPIC", "-o", library, "-", "-ldl"], input=source, text=True, check=True)


SIGNAL_IN_MKSTEMP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>
static int create(const char *function, char *name)
{
    int fd = ((int (*)(char *))dlsym(RTLD_NEXT, function))(name);
    kill(getpid(), SIGTERM);
    return fd;
}
int mkstemp(char *name) { return create("mkstemp", name); }
int mkstemp64(char *name) { return create("mkstemp64", name); }
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' library would have to be loaded before the replaced function")
def test_score_interrupted_while_its_file_is_created(model, tmp_path):
    """The file exists and its name is not yet known to the handler."""
    library, folder = tmp_path / "signal.so", tmp_path / "results"
    folder.mkdir()
    preload(SIGNAL_IN_MKSTEMP, library)
    done = subprocess.run([COMMAND, "score", model, "-", "-o", folder / "out.csv"], input=HEADER.encode() + b"17,10,0\n",
                          env={**os.environ, "LD_PRELOAD": library}, timeout=300)
    assert done.returncode == -signal.SIGTERM
    assert os.listdir(folder) == []


FAILING_FOLDERS = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
int fsync(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISDIR(st.st_mode))
        return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
    errno = atoi(getenv("FOLDER_ERROR"));
    return -1;
}
"""


@pytest.mark.skipif(SANITIZED, reason="the sanitizers' library would have to be loaded before the replaced function")
def test_a_result_s_folder_is_synced_too(model, tmp_path):
    """The result has its name, but a loss of power might take it away again: the command says so. Some file systems sync no folders."""
    library, rows = tmp_path / "folders.so", HEADER + "17,10,0\n"
    preload(FAILING_FOLDERS, library)
    scores = succeed("score", model, "-", stdin=rows).out
    for place, cwd in ((tmp_path / "out.csv", None), ("out.csv", tmp_path)):
        for error, code in ((errno.EIO, 1), (errno.EINVAL, 0)):
            done = run("score", model, "-", "-o", place, stdin=rows, cwd=cwd,
                       env={**os.environ, "LD_PRELOAD": str(library), "FOLDER_ERROR": str(error)})
            assert (done.returncode, (tmp_path / "out.csv").read_text()) == (code, scores), done.err
            assert code == 0 or "was written, but its folder could not be synced: Input/output error" in done.err
            (tmp_path / "out.csv").unlink()
            assert os.listdir(tmp_path) == [library.name]


def test_score_progress_only_on_a_terminal(model):
    def stderr_of(*arguments, seconds=60):
        """What a terminal gets, when it gets something or the seconds are over."""
        master, slave = pty.openpty()
        process = subprocess.Popen([COMMAND, "score", str(model), "-", *arguments], stdin=subprocess.PIPE, stderr=slave,
                                   stdout=subprocess.DEVNULL)
        os.close(slave)
        process.stdin.write(HEADER.encode())
        until = time.monotonic() + seconds
        while not select.select([master], [], [], 0.01)[0] and time.monotonic() < until:
            process.stdin.write(b"17,10,0\n" * 1000)  # with which the command looks at the time
            process.stdin.flush()
        process.stdin.close()
        assert process.wait(timeout=300) == 0
        try:
            return os.read(master, 10000).decode()
        except OSError:
            return ""
        finally:
            os.close(master)

    assert "rows/s" in stderr_of()
    assert stderr_of("--quiet", seconds=1) == ""


def test_score_progress_not_between_the_scores_of_a_terminal(model):
    master, slave = pty.openpty()
    process = subprocess.Popen([COMMAND, "score", str(model), "-"], stdin=subprocess.PIPE, stdout=slave, stderr=slave)
    os.close(slave)
    for text in HEADER + "17,10,0\n" * 3, "17,10,0\n" * 3:
        process.stdin.write(text.encode())
        process.stdin.flush()
        time.sleep(0.4)
    process.stdin.close()
    assert process.wait(timeout=300) == 0
    assert os.read(master, 10000).decode().split() == ["prediction", *["5.75"] * 6]
    os.close(master)


def test_score_bounded_memory(model, tmp_path):
    """A file far larger than the limit on the process's memory."""
    if SANITIZED:
        pytest.skip("the sanitizers need terabytes of address space for themselves")
    rows = tmp_path / "rows.csv"
    with open(rows, "w") as file:
        file.write(HEADER)
        for _ in range(100):
            file.write("17.000000000000000000,10.00000000000000000000,0.0000000000000000000000000000000\n" * 10000)
    assert rows.stat().st_size > 75e6
    code = 'ulimit -v 60000; exec "$0" score "$1" "$2" -o "$3"'
    done = subprocess.run(["sh", "-c", code, COMMAND, str(model), str(rows), str(tmp_path / "out.csv")], timeout=300)
    assert done.returncode == 0
    assert (tmp_path / "out.csv").stat().st_size == len("prediction\n") + 1000000 * len("5.75\n")


# ---- verify -----------------------------------------------------------------------------------------------------

def test_verify(model):
    for file in (model, BINARY):
        lines = succeed("verify", file).out.splitlines()
        assert "golden rows" in lines[0]
        assert [line.split()[0] for line in lines[1:]] == ["portable", "sse42", "avx2", "avx512", "neon"]
        assert "ok" in lines[1] and all(" ok: " in line or " not run: " in line for line in lines[1:])
        assert "margins compared" in lines[1] and not lines[1].split("ok: ")[1].startswith("0 ")
    assert succeed("verify", model, "--quiet").out == ""


class SaveOptions(ctypes.Structure):
    """score_save_options"""
    _fields_ = [("struct_size", ctypes.c_size_t), ("golden_rows", ctypes.c_void_p), ("golden_margins", ctypes.c_void_p),
                ("n_golden_rows", ctypes.c_uint32), ("n_metadata", ctypes.c_uint32), ("metadata_keys", ctypes.c_void_p),
                ("metadata_values", ctypes.c_void_p)]


def save_with_golden_row(model, path, row, margin):
    """Write `model` with one golden row of our own choice, right or wrong, through the library."""
    library = ctypes.CDLL(str(BUILD / "lib" / "libscoreline.so"))
    handle = ctypes.c_void_p()
    assert library.score_model_open_file(os.fsencode(model), None, ctypes.byref(handle), None) == 0
    row, margin = np.array(row, float), np.array([margin], float)
    options = SaveOptions(ctypes.sizeof(SaveOptions), row.ctypes.data, margin.ctypes.data, 1, 0, None, None)
    status = library.score_model_save_file(handle, os.fsencode(path), ctypes.byref(options), None)
    library.score_model_free(handle)
    assert status == 0


@pytest.mark.skipif(SANITIZED, reason="Python cannot load a library that was built with sanitizers")
def test_verify_tells_a_difference(model, tmp_path):
    row = (40, 60000, 0.5)
    right, wrong = tmp_path / "right.slm", tmp_path / "wrong.slm"
    save_with_golden_row(model, right, row, float(margins([row])[0]))
    assert succeed("verify", right).out.startswith("1 golden row\n")
    save_with_golden_row(model, wrong, row, float(np.nextafter(margins([row])[0], np.float32(99))))
    done = run_failing_verify(wrong)
    assert "portable   FAILED" in done.stdout.decode() and str(wrong) in done.stderr.decode()
    # Such a model is not written again either.
    assert "nothing was written" in fail(1, "convert", wrong, "-o", tmp_path / "again.slm").err
    assert not (tmp_path / "again.slm").exists()


def run_failing_verify(path):
    """One message per instruction set that differs, so not the one line of other failures."""
    done = subprocess.run([COMMAND, "verify", str(path)], capture_output=True, timeout=300)
    assert done.returncode == 1 and done.stderr.count(b"\n") == done.stdout.count(b"FAILED") >= 1
    return done


def test_inspect_counts_derived_columns():
    model = DATA.parent / "format" / "derived.slm"
    assert json.loads(succeed("inspect", model, "--json").out)["n_derived"] == 40
    assert re.search(r"^derived +40 computed from the features$", succeed("inspect", model).out, re.M)
    assert "derived" not in succeed("inspect", STUMPS).out
    succeed("verify", model)
