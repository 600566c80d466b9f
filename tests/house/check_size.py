#!/usr/bin/env python3
"""Sizes: nine C functions in ten have at most 45 lines, at most one in twenty more than 60; a file has at most 600
lines (templates: 800); the name of a source file is used once in the tree.

Comes in: the C files of lib/ and cli/, by universal-ctags. Goes out: what is too large; exit code 1 if anything is.
"""
import json
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED_NAMES = {"meson.build", "README.md", "run.sh", "test.sh", "__init__.py", "__main__.py", "conftest.py"}


def functions(files: list[pathlib.Path]) -> list[tuple[int, str]]:
    """(lines, place) of every function definition."""
    command = ["ctags", "--output-format=json", "--fields=+ne", "--c-kinds=f", "--language-force=C", "-f", "-",
               *map(str, files)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = []
    for tag in map(json.loads, lines):
        if tag.get("kind") == "function" and "end" in tag:
            place = f"{pathlib.Path(tag['path']).relative_to(ROOT)}:{tag['line']} {tag['name']}"
            found.append((tag["end"] - tag["line"] + 1, place))
    return sorted(found, reverse=True)


def check_functions(files: list[pathlib.Path]) -> list[str]:
    found = functions(files)
    if not found:
        return ["ctags found no function"]
    wrong = []
    p90 = found[len(found) // 10][0]
    over = [f"{place}: {lines} lines" for lines, place in found if lines > 60]
    if p90 > 45:
        wrong.append(f"one function in ten has {p90} lines or more (45 are allowed)")
        wrong += [f"  {place}: {lines} lines" for lines, place in found if lines > 45]
    if len(over) * 20 > len(found):
        wrong += [f"{len(over)} of {len(found)} functions have more than 60 lines (one in twenty may)", *over]
    print(f"{len(found)} functions, 90 % of them within {p90} lines, {len(over)} over 60, longest {found[0]}")
    return wrong


def check_files(files: list[pathlib.Path]) -> list[str]:
    wrong = []
    for path in files:
        n_lines = path.read_text().count("\n")
        limit = 800 if "template" in path.name else 600
        if n_lines > limit:
            wrong.append(f"{path.relative_to(ROOT)}: {n_lines} lines (at most {limit})")
    return wrong


def check_names() -> list[str]:
    seen, wrong = {}, []
    git = shutil.which("git")
    listed = git and subprocess.run([git, "-c", "safe.directory=*", "ls-files"], cwd=ROOT, capture_output=True,
                                    text=True)
    if listed and listed.returncode == 0:
        paths = [ROOT / line for line in listed.stdout.splitlines()]
    else:  # no git, or no checkout
        folders = ("include", "lib", "cli", "plugins", "python", "examples", "bench", "tests", "docs", "pkgconfig")
        paths = [p for folder in folders for p in (ROOT / folder).rglob("*") if p.is_file()]
    for path in sorted(paths):
        if path.suffix not in {".c", ".h", ".py", ".sh", ".md"} or path.name in SHARED_NAMES:
            continue
        if path.name in seen:
            wrong.append(f"the name {path.name} is used twice: {seen[path.name]} and {path.relative_to(ROOT)}")
        seen[path.name] = path.relative_to(ROOT)
    return wrong


def main() -> int:
    files = sorted(p for folder in ("lib", "cli", "plugins", "include") for p in (ROOT / folder).rglob("*.[ch]"))
    wrong = check_functions(files) + check_files(files) + check_names()
    print("\n".join(wrong) or "all within their sizes")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
