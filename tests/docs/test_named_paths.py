"""What the pages name is there: the files that they link, headings, paths of the repository, names of the C interface; and what
they list is complete."""
import re

import pytest

from conftest import ROOT
from test_code_blocks import MANUAL, PAGES

PATH = re.compile(r"(?<![\w/.$-])(?:bench|cli|docs|examples|include|lib|plugins|python|tests|tools|\.ci)/[\w./-]*\w(?![\w*{…/]|\.\*)")
PLACEHOLDER = "NAME"  # of what a reader is about to write


@pytest.mark.parametrize("page", PAGES)
def test_links(page):
    folder, text = (ROOT / page).parent, (ROOT / page).read_text()
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, heading = link.partition("#")
        if re.match(r"\w+:", path):
            continue
        target = folder / path if path else ROOT / page
        assert target.exists(), f"{page} links {link}"
        if heading:
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.M)
            assert heading in [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings], f"{page} links {link}"


@pytest.mark.parametrize("page", [*PAGES, MANUAL])
def test_paths(page):
    for path in PATH.findall((ROOT / page).read_text()):
        assert PLACEHOLDER in path or (ROOT / path).exists() or (ROOT / page).parent.joinpath(path).exists(), f"{page} names {path}"


@pytest.mark.parametrize("page", [*PAGES, MANUAL])
def test_names_of_the_interface(page):
    headers = "".join(path.read_text() for path in (ROOT / "include").rglob("*.h"))
    public = set(re.findall(r"\w+", headers))
    text = (ROOT / page).read_text()
    named = re.findall(r"\bscore_\w+(?=\(\))|\bSCORE_\w*[A-Z0-9]\b(?!\*)", text)
    assert set(named) <= public | {"score_samples"}, "score_samples() is scikit-learn's"


def test_frozen_structs():
    """docs/stability.md lists the structs that do not say how large they are, and tests/abi/growth.suppr lets none of them grow."""
    structs = [re.findall(r"^typedef struct (\w+) \{\n(.*?)^\}", path.read_text(), re.M | re.S) for path in (ROOT / "include").rglob("*.h")]
    frozen = {name for each in structs for name, members in each if not members.lstrip().startswith("size_t struct_size;")}
    promise = re.search(r"^\| structs \|(.*)\|$", (ROOT / "docs/stability.md").read_text(), re.M)[1]
    assert set(re.findall(r"`(score_\w+)`", promise)) == frozen
    held = re.search(r"name_not_regexp = \^score_\((.*)\)\$", (ROOT / "tests/abi/growth.suppr").read_text())[1]
    assert {f"score_{name}" for name in held.split("|")} == frozen


def test_versions_agree():
    """Where docs/release.md says that the version stands."""
    places = {
        "meson.build": r"version: '([\d.]+)'", "lib/meson.build": r"version: '([\d.]+)'",
        "include/scoreline.h": r'SCORE_VERSION_STRING "([\d.]+)"', "python/scoreline/_library.py": r'__version__ = "([\d.]+)"',
        "docs/scoreline.1": r'^\.TH .*"Scoreline ([\d.]+)"',
    }
    found = {path: re.search(pattern, (ROOT / path).read_text(), re.M)[1] for path, pattern in places.items()}
    assert len(set(found.values())) == 1, found
    header = (ROOT / "include/scoreline.h").read_text()
    numbers = [re.search(rf"SCORE_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH")]
    assert ".".join(numbers) == found["include/scoreline.h"]
    page = (ROOT / "docs/release.md").read_text()
    assert all(f"`{path}`" in page for path in places)


def test_extras_of_the_package():
    """docs/python.md lists what pip may be asked for."""
    extras = re.findall(r"^optional-dependencies\.(\w+)", (ROOT / "pyproject.toml").read_text(), re.M)
    listed = re.search(r"`pip install '\.\[serving\]'`:((?: `\w+`,?)+)\.", (ROOT / "docs/python.md").read_text())[1]
    assert re.findall(r"`(\w+)`", listed) == sorted(extras)
