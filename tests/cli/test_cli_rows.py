"""Rows as the command reads them: CSV, JSON lines and .npy, right and wrong."""
import csv
import io
import json
import math
import random
import subprocess

import numpy as np
import pytest

from conftest import COMMAND, DATA, HEADER, fail, margins, parse_scores, run, same_bits, succeed

NAN = math.nan
ROWS = [(17, 10, 0), (40, 60000, 0.5), (NAN, NAN, NAN), (20, 1000, 0.1), (30.5, 999, NAN), (-1e30, math.inf, -math.inf)]


def check(done, rows):
    assert done.returncode == 0, done.err
    assert same_bits(parse_scores(done.out), margins(rows)), (done.out, margins(rows))


# ---- CSV, as it should be ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, rows", [
    (HEADER + "17,10,0\n40,60000,0.5\n", [(17, 10, 0), (40, 60000, 0.5)]),
    (HEADER + "17,10,0", [(17, 10, 0)]),
    (HEADER.strip() + "\r\n17,10,0\r\n40,60000,0.5\r\n", [(17, 10, 0), (40, 60000, 0.5)]),
    (HEADER + "17,10,0\r", [(17, 10, 0)]),
    ("\ufeff" + HEADER + "17,10,0\n", [(17, 10, 0)]),
    (HEADER + ",,\n", [(NAN, NAN, NAN)]),
    (HEADER + "NA,NaN,null\nna,nan,NULL\n-nan,+nan,\"\"\n", [(NAN, NAN, NAN)] * 3),
    (HEADER + "40,inf,-Infinity\n", [(40, math.inf, -math.inf)]),
    (HEADER + " 17 ,\t10\t, \n", [(17, 10, NAN)]),
    (HEADER + '"17","10","0"\n', [(17, 10, 0)]),
    (HEADER + "true,FALSE,True\n", [(1, 0, 1)]),
    (HEADER + "+1.7e1,.1e2,0.\n", [(17, 10, 0)]),
    (HEADER + "1e999,1,1e-999\n", [(math.inf, 1, 0)]),
    (HEADER + "\n17,10,0\n\n\r\n40,60000,0.5\n\n", [(17, 10, 0), (40, 60000, 0.5)]),
    (HEADER, []),
    (HEADER.strip(), []),
    (HEADER + "\n\n", []),
    # Other columns may hold anything, in any order.
    ('note,"rate, %",id,income,age\n"a ""b"", c\nd",0,x7,10,17\nplain "quote" \r here,0.5,,60000,40\n',
     [(17, 10, 0), (40, 60000, 0.5)]),
    # An unused column may even be called like another one.
    ('x,age,income,x,"rate, %"\nfoo,17,10,bar,0\n', [(17, 10, 0)]),
])
def test_csv(score_text, text, rows):
    check(score_text(text), rows)


def test_csv_reads_numbers_exactly(score_text):
    """The threshold 0.1f lies between these two doubles' floats; one rounding too many would show."""
    edge = np.float32(0.1)
    below = np.nextafter(edge, np.float32(0))
    exact = [f"{float(edge):.60f}", f"{float(below):.60f}", repr(float(edge)), repr(float(below)), "0.1", "0.09999999",
             "100000000000000005551e-21", "0.00000000000000000000001e22"]
    done = score_text(HEADER + "".join(f"17,10,{text}\n" for text in exact))
    check(done, [(17, 10, float(text)) for text in exact])


def test_csv_does_not_depend_on_where_the_window_ends(score_text):
    """Records of all lengths around the reader's window of 256 KiB, quoted and not."""
    for shift in (0, 1, 2, 3, 5, 9):
        text, rows = ['note,age,income,"rate, %"\r\n'], []
        text.append('"' + "x" * (262144 - 40 + shift) + '",17,10,0\r\n')
        rows.append((17, 10, 0))
        for i in range(3000):
            note = ['"a ""quoted"" note\r\nof two lines"', "plain", ""][i % 3]
            row = (i % 97, i * 37 % 100000, i % 7 / 10)
            text.append(f"{note},{row[0]},{row[1]},{row[2]}\r\n")
            rows.append(row)
        check(score_text("".join(text)), rows)


def test_csv_huge_field(score_text):
    text = 'note,' + HEADER + '"' + 'long "" field\n' * 300000 + '",17,10,0\nx,40,60000,0.5\n'
    check(score_text(text), [(17, 10, 0), (40, 60000, 0.5)])
    done = score_text(text + "x,17,oops,0\n")
    assert done.returncode == 1 and "(line 300004)" in done.err


def test_csv_without_header(score_text):
    check(score_text("17,10,0\n40,60000,0.5\n", "--no-header"), [(17, 10, 0), (40, 60000, 0.5)])
    check(score_text("", "--no-header"), [])
    done = score_text("17,10,0\n40,60000\n", "--no-header")
    assert done.returncode == 1 and "too few fields" in done.err and "(line 2)" in done.err


@pytest.mark.parametrize("option", ["--no-header", "--by-position"])
def test_npy_takes_no_options_of_csv(model, tmp_path, option):
    np.save(tmp_path / "rows.npy", np.zeros((2, 3), np.float32))
    assert f"is an .npy file, which has no names: leave out {option}" in fail(1, "score", model, tmp_path / "rows.npy", option).err


def test_csv_by_position(score_text):
    check(score_text("a,b,c\n17,10,0\n", "--by-position"), [(17, 10, 0)])
    done = score_text("a,b\n17,10\n", "--by-position")
    assert done.returncode == 1 and "2 columns" in done.err and "3 features" in done.err


def test_csv_many_blocks(score_text):
    rows = [(i % 60, i * 17 % 90000, (i % 11) / 50) for i in range(20000)]
    check(score_text(HEADER + "".join(f"{a},{b},{c}\n" for a, b, c in rows)), rows)


@pytest.mark.parametrize("seed", range(60))
def test_csv_as_python_writes_it(score_text, seed):
    """Random quoting, line ends and line breaks inside fields, as Python's csv module writes them."""
    choose = random.Random(seed)
    rows, out = [], io.StringIO()
    writer = csv.writer(out, quoting=choose.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC]),
                        lineterminator=choose.choice(["\n", "\r\n"]))
    columns = ["age", "income", "rate, %", "note", "more"]
    choose.shuffle(columns)
    writer.writerow(columns)
    for _ in range(choose.randrange(200)):
        row = {"age": choose.choice([choose.uniform(0, 60), choose.randrange(60), ""]),
               "income": choose.choice([choose.lognormvariate(9, 3), "", "NA", 1e-320]),
               "rate, %": choose.choice([choose.uniform(-1, 1), choose.random() * 10.0 ** choose.randrange(-30, 30), "null"]),
               "note": "".join(choose.choice('a",\n\r ') for _ in range(choose.randrange(12))), "more": "x"}
        writer.writerow([row[name] for name in columns])
        rows.append([NAN if isinstance(row[name], str) else row[name] for name in ("age", "income", "rate, %")])
    check(score_text(out.getvalue()), rows)


@pytest.mark.parametrize("seed", range(60))
def test_random_bytes(score_text, seed):
    """Whatever comes in: scores for every row, or one message."""
    choose = random.Random(seed)
    kind = choose.choice(["csv", "jsonl", "npy"])
    if kind == "npy":
        data = bytearray(npy_bytes(np.array(ROWS[:2])))
        for _ in range(choose.randrange(5)):
            data[choose.randrange(len(data))] = choose.randrange(256)
        data = bytes(data[:choose.choice([len(data), choose.randrange(len(data))])])
    else:
        pieces = ["17", ",", ",", '"', "\n", "\r\n", " ", "a", "\0", "{", "}", '"age":', "null", "1e5", "-", "[", "\ufeff"]
        data = (HEADER * (kind == "csv") + "".join(choose.choices(pieces, k=choose.randrange(60)))).encode()
    done = score_text(data, "--format", kind)
    assert done.returncode == 0 or done.out == ""


@pytest.mark.parametrize("name", ["PAR1", "PAR1 ", "ARROW1", "ARROW1x", "PK", "SLM"])
def test_csv_whose_first_column_is_called_as_other_files_begin(score_text, name):
    check(score_text(f"{name},{HEADER}x,17,10,0\n"), [(17, 10, 0)])


# ---- CSV, wrong -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("text, words", [
    ("", ["empty"]),
    (HEADER + "17,10\n", ["too few fields", "2", "column 3", "(line 2)"]),
    (HEADER + "17,10,0\n17,10,0,\n", ["too many fields", "column 4", "(line 3)"]),
    (HEADER + "17,10,0\n17,ten,0\n", ["column 2 (income)", '"ten"', "(line 3)"]),
    (HEADER + "17,10,0x1p3\n", ["column 3 (rate, %)", '"0x1p3"', "(line 2)"]),
    (HEADER + "17,1.5.2,0\n", ["column 2", '"1.5.2"']),
    (HEADER + "17,\"1,5\",0\n", ["column 2", '"1,5"']),
    (HEADER + "17,1 0,0\n", ["column 2", '"1 0"']),
    (HEADER + "17,1e,0\n", ["column 2", '"1e"']),
    (HEADER + "17,-,0\n", ["column 2", '"-"']),
    (HEADER + "17,nan(7),0\n", ["column 2"]),
    (HEADER + "17,10,0\r18,10,0\n", ["column 3", "(line 2)"]),
    (HEADER + "17,10\0,0\n", ["column 2", "(line 2)"]),
    (HEADER + '17,10,"0\n', ["column 3", "never closed", "(line 2)"]),
    (HEADER + '17,"10"x,0\n', ["column 2", "closing quote", "(line 2)"]),
    ('"age,income\n17,10\n', ["never closed"]),
    ('"age"x,income\n17,10\n', ["closing quote", "column 1"]),
    ("age,income\n17,10\n", ["rate, %"]),
    ('age,income,age,"rate, %"\n17,10,18,0\n', ["age"]),
    ("17,10,0\n40,60000,0.5\n", ["--no-header"]),
    ("age;income;rate\n40;60000;0\n", ["by commas"]),
    ("age\tincome\trate\n40\t60000\t0\n", ["by commas"]),
    ("alter,einkommen,rate\n40,60000,0.5\n", ["--by-position"]),
    ("\n" + HEADER + "17,10,0\n", ["first line is empty"]),
    (",5,\n1,2,3\n", ["--no-header"]),
    (HEADER.encode("utf-16"), ["UTF-16"]),
    (HEADER.encode("utf-16-le"), ["UTF-16", "column 1", "(line 1)"]),
    ('age\0x,income,"rate, %"\n17,10,0\n', ["column 1", "byte 0", "(line 1)"]),
    (b"PAR1\x15\x04\x15" + bytes(100), ["Parquet"]),
    (b"ARROW1\0\0" + bytes(100), ["Arrow"]),
    (b"\x1f\x8b\x08" + bytes(100), ["gzip"]),
    (b"PK\x03\x04" + bytes(100), ["zip"]),
    (bytes(range(256)) * 5, []),
])
def test_csv_wrong(score_text, tmp_path, text, words):
    done = score_text(text)
    assert done.returncode == 1 and done.out == ""
    assert "rows.csv" in done.err
    for word in words:
        assert word in done.err
    # A file that was there before stays as it was, and nothing else is left behind.
    (tmp_path / "out.csv").write_text("before")
    assert score_text(text, "-o", tmp_path / "out.csv").returncode == 1
    assert (tmp_path / "out.csv").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"rows.csv", "out.csv"}


def test_csv_error_in_a_late_block(score_text, tmp_path):
    text = HEADER + "17,10,0\n" * 50000 + "17,oops,0\n"
    done = score_text(text, "-o", tmp_path / "out.csv")
    assert done.returncode == 1 and "(line 50002)" in done.err and not (tmp_path / "out.csv").exists()
    done = score_text(text)
    assert done.returncode == 1 and done.out.endswith("\n")
    assert len(set(done.out.splitlines()[1:])) == 1


def test_csv_record_without_end(score_text):
    done = score_text(HEADER + '17,10,"' + "x\n" * (33 << 20))
    assert done.returncode == 1 and "64 MiB" in done.err and "(line 2)" in done.err


def test_csv_empty_line_in_one_column(tmp_path):
    """With one column, an empty line could be a row: never guess."""
    model = DATA / "one_feature.json"
    rows = tmp_path / "rows.csv"
    rows.write_text("x\n1\n\n")
    assert len(succeed("score", model, rows).out.splitlines()) == 2
    rows.write_text('x\n1\n""\nNA\n3\n')
    assert len(succeed("score", model, rows).out.splitlines()) == 5
    rows.write_text("x\n1\n\n3\n")
    assert "(line 3)" in fail(1, "score", model, rows).err


# ---- JSON lines -------------------------------------------------------------------------------------------------

def as_lines(rows):
    names = ("age", "income", "rate, %")
    return "".join(json.dumps(dict(zip(names, row))) + "\n" for row in rows)


@pytest.mark.parametrize("text, rows", [
    (as_lines([(17, 10, 0), (40, 60000, 0.5)]), [(17, 10, 0), (40, 60000, 0.5)]),
    (as_lines([(17, 10, 0)]).strip(), [(17, 10, 0)]),
    (as_lines([(17, 10, None)]).replace("\n", "\r\n"), [(17, 10, NAN)]),
    ("\ufeff" + as_lines([(17, 10, 0)]), [(17, 10, 0)]),
    ("\n  \n" + as_lines([(17, 10, 0)]) + "\n\n", [(17, 10, 0)]),
    (as_lines([(True, False, 0)]), [(1, 0, 0)]),
    ('{"id": "x", "rate, %": 0, "more": [1, {}], "income": 1.0e1, "age": 17}\n', [(17, 10, 0)]),
    (as_lines([(17, 10, 0)]) + '{"age": 40}\n{}\n', [(17, 10, 0), (40, NAN, NAN), (NAN, NAN, NAN)]),
    ('{"age":17,"income":10,"rate, %":100000000000000005551e-21}', [(17, 10, 0.1)]),
    ('{"age":18446744073709551617,"income":10,"rate, %":0}', [(2.0 ** 64, 10, 0)]),
    ("", []),
    ("\n\n", []),
])
def test_jsonl(score_text, text, rows):
    check(score_text(text, name="rows.jsonl"), rows)
    check(score_text(text, "--format", "jsonl"), rows)


@pytest.mark.parametrize("text, words", [
    ('{"age": 17}\n{"age": "17"}\n', ['"age"', "a string", "(line 2)"]),
    ('{"age": [17]}\n', ['"age"', "an array", "(line 1)"]),
    ('{"age": {}}\n', ['"age"', "an object", "(line 1)"]),
    ('{"age": NaN}\n', ["null", "(line 1)"]),
    ('{"age": Infinity}\n', ["null", "(line 1)"]),
    ('{"age": 17, "age": 18}\n', ["(line 1)"]),
    ('{"age": 17}\n{"age": 1\n', ["(line 2)"]),
    ('{"age": 17} {"age": 18}\n', ["(line 1)"]),
    ('[{"age": 17}]\n', ["object per line", "(line 1)"]),
    ('[\n{"age": 17}\n]\n', ["one object per line", "(line 1)"]),
    ('{"age": 1e999}\n', ["(line 1)"]),
    ('{"AGE": 17}\n{"Alter": 18}\n', ["no line has", '"age"']),
    ('{"age": 17, "x": "\xff"}\n'.encode("latin-1"), ["(line 1)"]),
    ("{" + '"age": 17, ' * 10 + "\n", ["(line 1)"]),
    ("{\"a\":" * 5000 + "\n", ["(line 1)"]),
])
def test_jsonl_wrong(score_text, tmp_path, text, words):
    done = score_text(text, "-o", tmp_path / "out.csv", name="rows.jsonl")
    assert done.returncode == 1 and not (tmp_path / "out.csv").exists()
    for word in words:
        assert word in done.err


@pytest.mark.parametrize("text", ["{}\n", '{"Age": 17}\n' * 10000, '{"x": {"age": 17}}\n\n{"y": null}'])
def test_jsonl_without_a_known_key_gives_nothing(score_text, tmp_path, text):
    for where in ([], ["-o", tmp_path / "out.csv"], ["-o", tmp_path / "out.npy"]):
        done = score_text(text, *where, name="rows.jsonl")
        assert done.returncode == 1 and done.out == "" and "no line has a key that the model knows" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


@pytest.mark.parametrize("n", [1, 4095, 4096, 4097, 10000])
def test_jsonl_rows_before_the_first_known_key(score_text, n):
    done = score_text('{"x": 1}\n' * n + '{"age": 17, "income": 10, "rate, %": 0}\n{}\n')
    missing = (np.nan, np.nan, np.nan)
    assert same_bits(parse_scores(done.out), margins([missing] * n + [(17, 10, 0), missing]))


def test_jsonl_warns_of_features_in_no_line(score_text):
    done = score_text('{"age": 17}\n{"age": 18}\n')
    assert done.returncode == 0 and "2 of 3 features" in done.err and "income" in done.err
    assert score_text('{"age": 17}\n', "--quiet").err == ""


# ---- .npy -------------------------------------------------------------------------------------------------------

def npy_bytes(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


@pytest.mark.parametrize("dtype", ["<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_npy(model, tmp_path, dtype, order, version):
    rows = ROWS * 1500
    data = npy_bytes(np.array(rows, dtype, order=order), version)
    (tmp_path / "x.npy").write_bytes(data)
    done = succeed("score", model, tmp_path / "x.npy")
    assert same_bits(parse_scores(done.out), margins(rows))
    with open(tmp_path / "x.npy") as file:
        assert succeed("score", model, "-", stdin_file=file).out == done.out
    if order == "C":
        assert succeed("score", model, "-", stdin=data).out == done.out
    else:
        assert "pipe" in fail(1, "score", model, "-", stdin=data).err


def test_npy_narrows_as_xgboost_does(model, tmp_path):
    """0.1f - 1e-12 is 0.1f as a float."""
    row = np.array([[17, 10, float(np.float32(0.1)) - 1e-12]])
    (tmp_path / "x.npy").write_bytes(npy_bytes(row))
    assert same_bits(parse_scores(succeed("score", model, tmp_path / "x.npy").out), margins(row))


def npy_with_header(text):
    header = text.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


GOOD = npy_bytes(np.array(ROWS, "<f8"))


@pytest.mark.parametrize("data, words", [
    (npy_bytes(np.zeros((2, 3), "<i8")), ["'<i8'", "float64"]),
    (npy_bytes(np.zeros((2, 3), "<f2")), ["'<f2'"]),
    (npy_bytes(np.zeros((2, 3), "U4")), ["'<U4'"]),
    (npy_bytes(np.zeros(2, [("a", "<f4")])), ["structured"]),
    (npy_bytes(np.zeros(3)), ["1 dimensions"]),
    (npy_bytes(np.zeros((2, 3, 1))), ["3 dimensions"]),
    (npy_bytes(np.zeros((2, 4))), ["4 columns", "3 features"]),
    (npy_bytes(np.array(1.0)), ["0 dimensions"]),
    (GOOD[:-1], ["too early"]),
    (GOOD + b"x", ["goes on"]),
    (GOOD[:60], ["header"]),
    (GOOD[:9], ["header"]),
    (GOOD[:7], []),
    (b"\x93NUMPY\x09\x00" + GOOD[8:], ["version 9.0"]),
    (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + GOOD[10:], ["header"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 3), }"), ["rows"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999, 3), }"), ["shape"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }"), ["shape"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': 0, 'shape': (0, 3), }"), ["fortran_order"]),
    (npy_with_header("{'descr': '<f8', 'shape': (0, 3), }"), ["incomplete"]),
    (npy_with_header("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }"), ["doubled"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), 'x': 1}"), ["unknown"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3)} x"), ["header"]),
    (npy_with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3"), ["shape"]),
    (npy_with_header("hello"), ["header"]),
])
def test_npy_wrong(model, tmp_path, data, words):
    (tmp_path / "x.npy").write_bytes(data)
    done = fail(1, "score", model, tmp_path / "x.npy", "-o", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()
    for word in words:
        assert word in done.err
    assert fail(1, "score", model, "-", "--format", "npy", stdin=data).err.startswith("scoreline: standard input")


def test_npy_zero_rows(model, tmp_path):
    (tmp_path / "x.npy").write_bytes(npy_bytes(np.zeros((0, 3))))
    assert succeed("score", model, tmp_path / "x.npy").out == "prediction\n"


def test_npy_truncated_at_every_place(model, tmp_path):
    for length in range(0, len(GOOD), 3):
        (tmp_path / "x.npy").write_bytes(GOOD[:length])
        assert run("score", model, tmp_path / "x.npy", "--format", "npy").returncode == 1


# ---- standard input ---------------------------------------------------------------------------------------------

def test_stdin(model):
    text = HEADER + "17,10,0\n"
    check(run("score", model, "-", stdin=text), [(17, 10, 0)])
    check(run("score", model, "-", "--format", "jsonl", stdin=as_lines([(17, 10, 0)])), [(17, 10, 0)])
    check(run("score", model, "-", stdin=as_lines([(17, 10, 0)])), [(17, 10, 0)])
    assert "empty" in fail(1, "score", model, "-").err
    assert "standard input" in fail(1, "score", model, "-", stdin=HEADER + "1\n").err


def test_stdin_in_small_pieces(model):
    """A pipe gives what it has; the rows must not depend on where it is cut."""
    rows = ROWS[:5] * 40
    text = (HEADER + "".join(f'"{a}",{b},{c}\r\n' for a, b, c in rows)).encode()
    process = subprocess.Popen([COMMAND, "score", str(model), "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    for i in range(0, len(text), 7):
        process.stdin.write(text[i:i + 7])
        process.stdin.flush()
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    assert same_bits(parse_scores(out.decode()), margins(rows))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_row_is_scored_when_it_comes(model, kind):
    """Programs that talk through pipes get an answer to each row before they send the next."""
    process = subprocess.Popen([COMMAND, "score", str(model), "-", "--format", kind], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    if kind == "csv":
        process.stdin.write(HEADER.encode())
    for i, row in enumerate([(17, 10, 0), (40, 60000, 0.5), (20, 1000, 0.1)]):
        line = ",".join(map(str, row)) + "\n" if kind == "csv" else as_lines([row])
        process.stdin.write(line.encode())
        process.stdin.flush()
        if i == 0:
            assert process.stdout.readline() == b"prediction\n"
        assert np.float32(process.stdout.readline()) == margins([row])[0]
    process.stdin.close()
    assert process.wait(timeout=300) == 0 and process.stdout.read() == b""


def test_stdin_closed(model):
    code = 'exec "$0" score "$1" - <&-'
    done = subprocess.run(["sh", "-c", code, COMMAND, str(model)], capture_output=True, timeout=300)
    assert done.returncode == 1 and done.stderr.count(b"\n") == 1
