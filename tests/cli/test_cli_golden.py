"""Files of the first version of feature tables and of capture logs (tests/data/make_format.sh): read for ever, and written the same."""
import json

import pytest
from conftest import ROOT, succeed

FORMAT = ROOT / "tests" / "data" / "format"
LONG = "a name that is longer than any register, so that its hash takes the path for long texts"
NOTHING = {"temperature": None, "samples": None, "valid": None, "operator": None, "note": None}


def test_a_feature_table_is_written_the_same(tmp_path):
    """Places of keys depend on hashes: a table of another hash reads its own files, and not these."""
    succeed("table", "build", FORMAT / "readings.csv", "--key", "station", "--key", "hour", "--timestamp", "day",
            "--type", "samples=i64", "-o", tmp_path / "readings.sft")
    assert (tmp_path / "readings.sft").read_bytes() == (FORMAT / "readings.sft").read_bytes()


@pytest.mark.parametrize("key, at, row", [
    (("north", "6"), "2024-01-15T06:00:00Z", (-3.25, 9007199254740993, True, "Åse", 'a, "quoted" text')),
    (("north", "6"), "2024-01-16T06:00:00Z", (None, 12, False, None, None)),
    (("north", "18"), "2030-01-01T00:00:00Z", (1e300, None, True, "", "x")),
    (("Süd-Ost / 7", "-1"), "1970-01-01T00:00:00Z", ("Infinity", -4, False, "Ivo", "x")),
    ((LONG, "2147483647"), "2038-01-19T03:14:08Z", (0.1, 0, None, "Ivo", "x")),
])
def test_a_feature_table_is_read(key, at, row):
    assert "verified" in succeed("table", "inspect", FORMAT / "readings.sft", "--verify").out
    assert json.loads(succeed("table", "get", "--at", at, FORMAT / "readings.sft", *key).out) == dict(zip(NOTHING, row))


def test_a_capture_log_is_read():
    done = succeed("log", "cat", FORMAT / "calls.slog")
    assert done.out == (FORMAT / "calls.jsonl").read_text() and done.err == ""
    assert len(done.out.splitlines()) == 30
    stats = json.loads(succeed("log", "stats", "--json", FORMAT / "calls.slog").out)
    assert [s["end"] for s in stats["segments"]] == ["whole"]
    assert sum(v["calls"] for v in stats["versions"]) == 30
