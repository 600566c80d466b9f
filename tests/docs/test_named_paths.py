"""What the pages name is there: the files that they link, headings, paths of the repository, names of the C interface."""
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
