"""scoreline export: the command's side. What the code answers is tested in examples/javascript, with engines that run it."""
import pytest

from conftest import BINARY, DATA, STUMPS, fail, succeed


def test_writes_a_function(tmp_path):
    out = tmp_path / "f.js"
    assert succeed("export", STUMPS, "--js", "Risk\n*/", "-o", out).out == ""
    text = out.read_text()
    assert text.startswith("// Risk?*/: written by Scoreline ") and "\nfunction main(age,income,$2) {\n" in text
    assert succeed("export", STUMPS, "--js", "Risk\n*/").out == text
    margin = succeed("export", STUMPS, "--js", "Risk", "--output", "margin").out
    assert len(margin) < len(text) and "function predict" not in margin


def test_parameters_hide_nothing_that_the_function_uses(tmp_path):
    model = tmp_path / "model.json"
    text = STUMPS.read_text()
    for old, new in (("age", "Math"), ("income", "undefined")):
        assert f'"{old}"' in text
        text = text.replace(f'"{old}"', f'"{new}"')
    model.write_text(text)
    assert "function main($0,$1,$2)" in succeed("export", model, "--js", "Risk").out


def test_a_model_with_categories():
    assert "function main(height,colour)" in succeed("export", BINARY, "--js", "F").out


@pytest.mark.parametrize("arguments", [[], [STUMPS], ["--js", "A"], [STUMPS, STUMPS, "--js", "A"], [STUMPS, "--js"],
                                       [STUMPS, "--js", "A", "--output", "leaf"], [STUMPS, "--js", "A", "--frob"]])
def test_usage(arguments):
    assert "export" in fail(2, "export", *arguments).err


def test_refuses_by_name(tmp_path):
    refused = [fail(1, "export", path, "--js", "A").err for path in sorted((DATA.parent / "lightgbm").glob("*linear*.txt"))[:1]]
    assert refused and all("cannot be written as JavaScript" in text or "leaves" in text for text in refused)
    assert "cannot be opened" in fail(1, "export", "/no/such.slm", "--js", "A").err
    out = tmp_path / "none.js"
    fail(1, "export", "/no/such.slm", "--js", "A", "-o", out)
    assert not out.exists()


def test_the_model_is_not_overwritten(tmp_path):
    model = tmp_path / "model.json"
    model.write_bytes(STUMPS.read_bytes())
    assert "would overwrite" in fail(2, "export", model, "--js", "A", "-o", model).err
    assert model.read_bytes() == STUMPS.read_bytes()
