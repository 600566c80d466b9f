"""Every code block of the documentation works as it is printed: shell blocks run, Python blocks run, C blocks compile without a
warning and run, in the order of their page, in one folder and one set of names. Blocks that cannot run here stand in NOT_RUN.
"""
import ast
import importlib
import inspect
import os
import pathlib
import re
import subprocess

import pytest

import code_blocks
from conftest import COMMAND, ROOT

DOORS = ["bench", "cli", "docs", "examples", "include", "lib", "plugins", "python", "tests", "tools"]
PAGES = sorted(str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *(p for door in DOORS for p in (ROOT / door).rglob("*.md"))])
MANUAL = "docs/scoreline.1"
COMMANDS = ["", "convert", "export", "inspect", "log", "report", "score", "table", "verify"]
HOSTS = "a program that tests/hosts/run.sh installs; that runs {}"

INSTALL = "meson setup build -Dtests=false && ninja -C build && meson install -C build"

# Blocks by their page and first line, and why nobody runs them here. What they name is looked at all the same.
NOT_RUN = {
    ("README.md", "bash examples/quickstart.sh   # on a fresh Debian 12: installs, builds, converts a real model, scores it three ways"):
        "tests/run.sh runs the first and is the second",
    ("README.md", INSTALL): "it would install into the system; tests/house/check_install.sh does so elsewhere, and a test below sets up",
    ("docs/capture.md", 'scoreline.log.to_duckdb("calls/", "ml.db", "fraud_detection", score_name="fraud_score")'):
        HOSTS.format("tests/hosts/monitoring"),
}
# Pages about other programs, whose own tests run what stands there.
OF_HOSTS = {page for page in PAGES if page.startswith("examples/") and page != "examples/builder/README.md"}


def blocks_of(page):
    if page == MANUAL:
        return code_blocks.manual(page, (ROOT / page).read_text())
    if page.startswith("scoreline"):
        done = subprocess.run([COMMAND, *page.split()[1:]], capture_output=True, text=True, check=True)
        return code_blocks.help_text(page, done.stdout)
    return code_blocks.markdown(page, (ROOT / page).read_text())


def is_run(block):
    if block.page in OF_HOSTS:
        return block.language == "sh" and block.first_line.startswith("scoreline ")
    return block.language != "text" and (block.page, block.first_line) not in NOT_RUN


def pages_that_run():
    helps = [" ".join(f"scoreline {command} --help".split()) for command in COMMANDS]
    return [page for page in [*PAGES, MANUAL] if any(map(is_run, blocks_of(page)))] + helps


@pytest.mark.parametrize("page", pages_that_run())
def test_blocks_run(page, reader):
    reading, printed, n = reader(page), "", 0
    for block in blocks_of(page):
        if page not in PAGES:  # examples of a command, each for itself
            reading = reader(page)
        if block.info == code_blocks.PRINTED:
            assert printed == block.text, f"{block.where} is not what the block before prints"
        elif is_run(block):
            printed, n = getattr(reading, block.language)(block), n + 1
    assert n > 0


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page):
    unknown = [block.where for block in blocks_of(page) if block.language not in code_blocks.LANGUAGES]
    assert not unknown, f"a fence names one of {sorted(code_blocks.LANGUAGES)}"
    assert not code_blocks.indented(page, (ROOT / page).read_text()), "code stands between fences that name its language"


def test_what_is_not_run_is_there():
    blocks = {(block.page, block.first_line) for page in PAGES for block in blocks_of(page)}
    assert NOT_RUN.keys() <= blocks


def named(node):
    """`scoreline.log.read` of a call, or None."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return (before := named(node.value)) and f"{before}.{node.attr}"
    return None


@pytest.mark.parametrize("page", sorted({page for page, _ in NOT_RUN} | OF_HOSTS))
def test_blocks_that_are_not_run(page):
    """Python is Python, and calls of scoreline.log take what they are given."""
    for block in blocks_of(page):
        if block.language != "python" or is_run(block):
            continue
        for node in ast.walk(ast.parse(block.text)):
            name = isinstance(node, ast.Call) and named(node.func)
            if name and name.startswith("scoreline.log."):
                function = getattr(importlib.import_module("scoreline.log"), name.split(".")[2])
                inspect.signature(function).bind(*node.args, **{keyword.arg: keyword.value for keyword in node.keywords})


def test_installing_needs_what_the_readme_says(tmp_path):
    """With nothing but the Debian packages of the README, as far as pkg-config sees."""
    listed = re.findall(r"lib([a-z-]+)-dev\b", (ROOT / "README.md").read_text())
    variable = subprocess.run(["pkg-config", "--variable", "pc_path", "pkg-config"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "pkgconfig").mkdir()
    for name in listed:
        found = [path for folder in variable.strip().split(":") for path in pathlib.Path(folder).glob(f"*{name}.pc")]
        assert found, f"pkg-config knows nothing of lib{name}-dev"
        for path in found:
            (tmp_path / "pkgconfig" / path.name).symlink_to(path)
    options = [word for word in INSTALL.split(" && ")[0].split() if word.startswith("-D")]
    done = subprocess.run(["meson", "setup", tmp_path / "build", ROOT, *options], capture_output=True, text=True,
                          env={**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path / "pkgconfig"), "PKG_CONFIG_PATH": ""})
    assert done.returncode == 0, done.stdout[-2000:]


def test_names_of_segments(workshop):
    """A capture log's files are called as docs/capture.md says."""
    pattern = re.search(r"`PREFIX-(\w+)Z-PROCESS-NUMBER\.slog`", (ROOT / "docs/capture.md").read_text())[1]
    shape = re.sub("[YMDhmsn]", r"\\d", pattern)
    names = [path.name for path in (workshop / "files" / "calls").iterdir()]
    assert names and all(re.fullmatch(rf"calls-{shape}Z-\d+-\d+\.slog", name) for name in names), names
