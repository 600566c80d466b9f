"""scoreline table: build from CSV, inspect, get; what is refused names the line or the column."""
import csv
import io
import json
import random

import pytest
from conftest import fail, run, succeed

PROFILE = """customer_id,avg_amount,frequency,is_new,city,note
17,12.5,3,true,Oslo,"a, ""quoted"" text"
-4,,7,false,,x
9007199254740993,1e3,NA,true,"",x
"""


def build(tmp_path, text, *arguments, name="table.sft"):
    source = tmp_path / "table.csv"
    source.write_text(text)
    done = run("table", "build", source, "-o", tmp_path / name, *arguments)
    return done, tmp_path / name


def get(table, *key, at=None):
    options = [] if at is None else ["--at", at]
    return json.loads(succeed("table", "get", *options, table, *key).out)


def test_types_are_found_and_rows_come_back(tmp_path):
    done, table = build(tmp_path, PROFILE, "--key", "customer_id")
    assert done.returncode == 0 and done.out.startswith("3 rows of 3 keys, 5 features"), (done.out, done.err)
    assert get(table, "17") == {
        "avg_amount": 12.5, "frequency": 3, "is_new": True, "city": "Oslo", "note": 'a, "quoted" text'}
    assert get(table, "-4") == {"avg_amount": None, "frequency": 7, "is_new": False, "city": None, "note": "x"}
    assert get(table, "9007199254740993") == {
        "avg_amount": 1000.0, "frequency": None, "is_new": True, "city": "", "note": "x"}
    described = json.loads(succeed("table", "inspect", table, "--json").out)
    assert {c["name"]: c["type"] for c in described["columns"]} == {
        "avg_amount": "f64", "frequency": "i64", "is_new": "bool", "city": "string", "note": "string"}
    assert described["key_columns"] == [{"name": "customer_id", "type": "i64"}]
    assert {c["name"]: c["nulls"] for c in described["columns"]} == {
        "avg_amount": 1, "frequency": 1, "is_new": 0, "city": 1, "note": 0}
    assert "verified" in succeed("table", "inspect", table, "--verify").out


def test_keys_that_are_not_numbers_as_written_stay_texts(tmp_path):
    done, table = build(tmp_path, "zip,x\n007,1\n7,2\n", "--key", "zip")
    assert done.returncode == 0
    assert get(table, "007") == {"x": 1} and get(table, "7") == {"x": 2}


def test_a_column_of_nothing_but_missing_values_is_numbers(tmp_path):
    _, table = build(tmp_path, "id,a,b,c,d\n1,NA,,NaN,NA\n2,null,,,true\n", "--key", "id")
    described = json.loads(succeed("table", "inspect", table, "--json").out)
    assert [(c["type"], c["nulls"]) for c in described["columns"]] == [("f64", 2), ("f64", 2), ("f64", 2), ("bool", 1)]


def test_infinite_numbers_are_no_nulls(tmp_path):
    _, table = build(tmp_path, "id,x,y\n1,inf,-inf\n2,1e400,NA\n", "--key", "id", "--type", "y=f32")
    assert get(table, "1") == {"x": "Infinity", "y": "-Infinity"}
    assert get(table, "2") == {"x": "Infinity", "y": None}


def test_composite_keys_in_the_order_of_the_options(tmp_path):
    text = "id,country,x\n1,no,1\n1,se,2\n2,no,3\n"
    done, table = build(tmp_path, text, "--key", "country", "--key", "id")
    assert done.returncode == 0, done.err
    assert get(table, "se", "1") == {"x": 2}
    assert "its key has 2 parts, found 1" in fail(1, "table", "get", table, "se").err
    assert "no row for this key" in fail(1, "table", "get", table, "se", "2").err


def test_rows_over_time(tmp_path):
    text = ("id,ts,x\n1,2024-01-15T10:30:00Z,1\n1,2024-01-15 10:30:00.5,2\n1,2024-01-16,3\n"
            "2,2024-01-15T12:30:00+02:00,4\n")
    done, table = build(tmp_path, text, "--key", "id", "--timestamp", "ts")
    assert done.returncode == 0 and "4 rows of 2 keys" in done.out
    assert get(table, "1") == {"x": 3}
    assert get(table, "1", at="2024-01-15T10:30:00Z") == {"x": 1}
    assert get(table, "1", at="2024-01-15T23:59:59Z") == {"x": 2}
    assert get(table, "2", at="2024-01-15T10:30:00Z") == {"x": 4}
    assert "at this time" in fail(1, "table", "get", "--at", "2024-01-15T10:29:59Z", table, "1").err


@pytest.mark.parametrize("unit, per_second", [("s", 1), ("ms", 1000), ("us", 10**6), ("ns", 10**9)])
def test_dates_in_the_unit_of_the_table(tmp_path, unit, per_second):
    text = f"id,ts,x\n1,{-per_second},1\n1,0,2\n1,{1705314600 * per_second},3\n"
    done, table = build(tmp_path, text, "--key", "id", "--timestamp", "ts", "--unit", unit)
    assert done.returncode == 0, done.err
    for at, x in (("1969-12-31T23:59:59Z", 1), ("1969-12-31T23:59:59.999999Z", 1), ("1970-01-01", 2),
                  ("2024-01-15T10:29:59.999999Z", 2), ("2024-01-15T10:30:00Z", 3), ("2262-04-12", 3), ("9999-12-31", 3)):
        assert get(table, "1", at=at) == {"x": x}, at
    for at in ("1969-12-31T23:59:58.999999Z", "1677-09-21", "0001-01-01"):
        assert "at this time" in fail(1, "table", "get", "--at", at, table, "1").err


def test_many_rows_against_a_dictionary(tmp_path):
    rng = random.Random(5)
    rows = {rng.randrange(-10**9, 10**9): (rng.random(), rng.choice(["a", "b\nb", 'c"c', "long enough to stand elsewhere"]))
            for _ in range(5000)}
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["key,with comma", "x", "kind"])
    writer.writerows([key, repr(x), kind] for key, (x, kind) in rows.items())
    done, table = build(tmp_path, out.getvalue(), "--key", "key,with comma")
    assert done.returncode == 0, done.err
    for key in rng.sample(list(rows), 25):
        assert get(table, str(key)) == {"x": rows[key][0], "kind": rows[key][1]}


@pytest.mark.parametrize("text, arguments, words", [
    ("id,x\n1,2\n2,3\n1,4\n", ["--key", "id"], ["the key of line 2 is there again", "timestamp", "(line 4)"]),
    ("id,x\n1,2\n,3\n", ["--key", "id"], ["'id' is a key and has no value", "(line 3)"]),
    ("id,x\n1,2\n2\n", ["--key", "id"], ["1 fields, but the header has 2 columns", "(line 3)"]),
    ("id,x\n1,2\n", ["--key", "customer"], ['no column "customer"', "a key"]),
    ("id,x\n1,2\n", ["--key", "id", "--timestamp", "ts"], ['no column "ts"', "the timestamp"]),
    ("id,x\n1,abc\n", ["--key", "id", "--type", "x=f64"], ["column 2 (x)", '"abc" is no number', "(line 2)"]),
    ("id,x\n1,3000000000\n", ["--key", "id", "--type", "x=i32"], ["outside the range of i32", "(line 2)"]),
    ("id,x\n1,2\n", ["--key", "id", "--type", "id=f64"], ['the key "id" is f64']),
    ("id,ts,x\n1,5,1\n1,2024-01-15,1\n", ["--key", "id", "--timestamp", "ts"], ['the timestamp "ts" mixes']),
    ("id,ts,x\n1,5,1\n1,5,1\n", ["--key", "id", "--timestamp", "ts"], ["key and time of line 2", "(line 3)"]),
    ("id,x,x\n1,2,3\n", ["--key", "id"], ["'x' is given twice"]),
    ("id\n1\n", ["--key", "id"], ["1 to 65536 feature columns"]),
    ('id,x\n1,"2\n', ["--key", "id"], ["never closed", "(line 2)"]),
    ("id,x\n1,3.4028235e38\n2,-3.4028236e38\n", ["--key", "id", "--type", "x=f32"],
     ["(x)", "-3.4028236e38", "range of f32", "(line 3)"]),
    ("", ["--key", "id"], ["is empty"]),
    ("id\0x,x\n1,2\n", ["--key", "id"], ["column 1", "byte 0", "(line 1)"]),
])
def test_bad_files_are_refused_and_nothing_is_written(tmp_path, text, arguments, words):
    done, table = build(tmp_path, text, *arguments)
    assert done.returncode == 1, (done.out, done.err)
    assert all(word in done.err for word in words), done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["table.csv"]


def test_bad_command_lines(tmp_path):
    source = tmp_path / "table.csv"
    source.write_text("id,x\n1,2\n")
    out = ["-o", tmp_path / "t.sft"]
    assert "expected build, inspect or get" in fail(2, "table").err
    assert "--key NAME is needed" in fail(2, "table", "build", source, *out).err
    assert "-o OUT.sft is needed" in fail(2, "table", "build", source, "--key", "id").err
    assert "cannot be standard input" in fail(2, "table", "build", "-", "--key", "id", *out).err
    assert "overwrite" in fail(2, "table", "build", source, "--key", "id", "-o", source).err
    assert "--type" in fail(2, "table", "build", source, "--key", "id", "--type", "x=decimal", *out).err
    assert "unknown option --index" in fail(2, "table", "build", source, "--key", "id", "--index", *out).err
    assert "cannot be standard output" in fail(2, "table", "build", source, "--key", "id", "-o", "-", cwd=tmp_path).err
    assert "--type: the timestamp" in fail(
        2, "table", "build", source, "--key", "id", "--timestamp", "x", "--type", "x=string", *out).err
    assert "given twice" in fail(2, "table", "build", source, "--key", "id", "--key", "id", *out).err
    assert "scoreline table build" in succeed("table", "--help").out


def test_a_table_that_is_damaged_is_refused(tmp_path):
    _, table = build(tmp_path, PROFILE, "--key", "customer_id")
    data = bytearray(table.read_bytes())
    data[70] ^= 1
    table.write_bytes(data)
    assert "does not have the hash" in fail(1, "table", "inspect", table, "--verify").err
    table.write_bytes(data[:-1])
    assert "cut short" in fail(1, "table", "inspect", table).err


def test_building_is_refused_when_memory_does_not_suffice(tmp_path):
    text = "id,name\n" + "".join(f"{i},a text of its own number {i} that is no category\n" for i in range(60000))
    done, _ = build(tmp_path, text, "--key", "id", "--memory", "9")
    assert done.returncode == 1 and "memory_bytes" in done.err, done.err


def test_a_table_is_replaced_while_it_is_read(tmp_path):
    _, table = build(tmp_path, "id,x\n1,2\n", "--key", "id")
    with table.open("rb") as held:
        done, _ = build(tmp_path, "id,x\n1,3\n", "--key", "id")
        assert done.returncode == 0
        assert get(table, "1") == {"x": 3}
        old = tmp_path / "old.sft"
        old.write_bytes(held.read())
    assert get(old, "1") == {"x": 2}
