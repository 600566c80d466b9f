#!/usr/bin/env python3
"""Mutants of the library's files: one operator, constant or condition changed at a time; do the unit tests notice?

    tests/mutate.py [--seed N] [--mutants N] [--seconds N] [--least PERCENT] [--build DIRECTORY] FILE…

Comes in: files of lib/; per file the number of mutants, drawn with the seed. Each is compiled (of a header, what includes it) and
linked before the static library with the tests of tests/mutate.list that concern the file, which run one after the other until one fails, each for
ten times what it takes otherwise, and --seconds at most. Goes out: a line per mutant and the sums; exit code 1 if fewer than
--least percent of those that are not equivalent were killed: a mutant survives if no test notices it. The sources are never
touched. A mutant that does not compile, or compiles to the same code, is none.

Relies on: a finished build by meson. tests/mutate.equivalent lists survivors that were looked at and change nothing that a
test could see, "file | the line's text | change | why"; they are told apart from the others.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Comments, strings, characters and preprocessor lines are skipped.
SKIP = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
TOKEN = re.compile(r"->|\+\+|--|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%&|^]=|[-+*/%&|^~!<>=?:;,.(){}\[\]]|"
                   r"0[xX][0-9a-fA-F]+[uUlL]*|(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?[uUlLfF]*|\w+")
REPLACE = {
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"], "==": ["!="], "!=": ["=="],
    "&&": ["||"], "||": ["&&"], "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["*"], "&": ["|"], "|": ["&"], "^": ["|"],
    "<<": [">>"], ">>": ["<<"], "+=": ["-="], "-=": ["+="], "|=": ["&="], "&=": ["|="], "++": ["--"], "--": ["++"],
    "!": [""], "true": ["false"], "false": ["true"], "continue": ["break"], "break": ["continue"],
}
OPERAND_END = re.compile(r"[\w)\]]")
BINARY = {"+", "-", "*", "&"}


@dataclass
class Mutant:
    path: pathlib.Path
    begin: int
    end: int
    new: str
    line: int
    old: str

    def change(self) -> str:
        return f"{self.old} -> {self.new or 'nothing'}"

    def text(self) -> str:
        return self.path.read_text().splitlines()[self.line - 1].strip()

    def key(self) -> tuple[str, ...]:
        return str(self.path.relative_to(ROOT)), self.text(), self.change()


def candidates(path: pathlib.Path) -> list[Mutant]:
    """Every change of one token inside a function's body. Lists of initialisers outside functions count as data and are left."""
    text = path.read_text()
    blank = SKIP.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    found, depth, in_function, before = [], 0, False, ""
    for token in TOKEN.finditer(blank):
        word = token.group()
        if word == "{":
            if depth == 0:
                in_function = before == ")"
            depth += 1
        elif word == "}":
            depth -= 1
        elif depth and in_function:
            for new in changes(word, before, blank[token.end():token.end() + 1]):
                line = text.count("\n", 0, token.start()) + 1
                found.append(Mutant(path, token.start(), token.end(), new, line, word))
        before = word
    return found


def changes(word: str, before: str, after: str) -> list[str]:
    if re.fullmatch(r"\d+[uUlL]*", word) and before not in ("[",):
        number, suffix = re.fullmatch(r"(\d+)(\D*)", word).groups()
        return [f"{int(number) + 1}{suffix}"] + ([f"{int(number) - 1}{suffix}"] if int(number) else [])
    if word not in REPLACE:
        return []
    # A sign, a pointer, an address: no operator between two values. A declaration `char *p` has a space before and none after.
    if word in BINARY and (not OPERAND_END.match(before[-1:]) or after != " " or before in ("return", "case")):
        return []
    return REPLACE[word]


def tests_of(path: pathlib.Path) -> list[str]:
    """tests/mutate.list: "pattern | test…"; the first line that matches."""
    for line in (ROOT / "tests" / "mutate.list").read_text().splitlines():
        pattern, _, names = line.partition(" | ")
        if names and re.search(pattern.strip(), str(path.relative_to(ROOT))):
            return names.split()
    sys.exit(f"{path}: no line of tests/mutate.list says which tests concern it")


def known_equivalent() -> set[tuple[str, ...]]:
    lines = (ROOT / "tests" / "mutate.equivalent").read_text().splitlines()
    return {tuple(line.split(" | ")[:3]) for line in lines if line and not line.startswith("#")}


class Builder:
    """Compiles a mutant as meson compiles the original, and links tests with it."""

    def __init__(self, build: pathlib.Path) -> None:
        self.build = build
        self.compiles = {}
        for entry in json.loads((build / "compile_commands.json").read_text()):
            if entry["output"].startswith("lib/"):
                self.compiles[(build / entry["file"]).resolve()] = shlex.split(entry["command"])
        commands = subprocess.run(["ninja", "-C", str(build), "-t", "commands", "all"], capture_output=True, text=True, check=True)
        self.links = {}
        for line in commands.stdout.splitlines():
            if " -o tests/test_" in line and " -c " not in line:
                words = shlex.split(line)
                self.links[words[words.index("-o") + 1]] = words

    def sources(self, path: pathlib.Path) -> list[pathlib.Path]:
        """The file itself, or of a header the library's sources that include it."""
        if path.suffix == ".c":
            return [path]
        deps = subprocess.run(["ninja", "-C", str(self.build), "-t", "deps"], capture_output=True, text=True, check=True).stdout
        names = [[(self.build / name).resolve() for name in re.findall(r"^ +(.+)", part, re.M)] for part in deps.split("\n\n")]
        return sorted({name for part in names if path in part for name in part if name in self.compiles})

    def compile(self, path: pathlib.Path, text: str, output: pathlib.Path) -> list[pathlib.Path]:
        """Objects in a new folder, none if it does not compile. A mutated header stands in a copy of all headers."""
        headers = ROOT / "lib"
        output.mkdir(exist_ok=True)
        if path.suffix == ".h":
            headers = output / "headers"
            shutil.copytree(ROOT / "lib", headers, ignore=shutil.ignore_patterns("*.c"), dirs_exist_ok=True)
            (headers / path.relative_to(ROOT / "lib")).write_text(text)
        objects = []
        for source in self.sources(path):
            objects.append(output / f"{source.stem}.o")
            if not self.compile_source(source, text if source == path else source.read_text(), headers, objects[-1]):
                return []
        return objects

    def compile_source(self, path: pathlib.Path, text: str, headers: pathlib.Path, output: pathlib.Path) -> bool:
        words = [word for word in self.compiles[path] if word not in ("ccache", "-MD")]
        for option in ("-MQ", "-MF", "-o", "-c"):
            at = words.index(option)
            del words[at:at + 2]
        # The text comes from standard input; -iquote finds its neighbours.
        words += ["-w", "-g0", "-iquote", str(headers / path.parent.relative_to(ROOT / "lib")), "-x", "c", "-c", "-", "-o", str(output)]
        return subprocess.run(words, cwd=self.build, input=text, text=True, capture_output=True).returncode == 0

    def link(self, test: str, objects: list[pathlib.Path], output: pathlib.Path) -> bool:
        words = list(self.links[f"tests/test_{test}"])
        words[words.index("-o") + 1] = str(output)
        # Before the archive, whose members of the same functions are then not needed.
        at = words.index("lib/libscoreline.a")
        words[at:at] = map(str, objects)
        return subprocess.run(words, cwd=self.build, capture_output=True).returncode == 0


def run(program: pathlib.Path, seconds: float, work: pathlib.Path) -> str:
    """"" if the test passes, else how it failed."""
    # A build for coverage must not count what mutants reach.
    environment = {**os.environ, "SCORELINE_TEST_DATA": str(ROOT / "tests" / "data"), "GCOV_PREFIX": str(work)}
    try:
        done = subprocess.run([program], capture_output=True, timeout=seconds, env=environment, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return "time"
    return "" if done.returncode == 0 else f"exit code {done.returncode}"


def own_seconds(builder: Builder, test: str, original: list[pathlib.Path], work: pathlib.Path) -> float:
    """What a test takes without a mutant; it must pass."""
    program, began = work / f"test_{test}", time.monotonic()
    if not builder.link(test, original, program) or run(program, 3600, work):
        sys.exit(f"test_{test} fails without a mutant")
    return time.monotonic() - began


def judge(builder: Builder, mutant: Mutant, original: list[pathlib.Path], seconds: dict[str, float], most: float,
          work: pathlib.Path) -> str:
    text = mutant.path.read_text()
    objects = builder.compile(mutant.path, text[:mutant.begin] + mutant.new + text[mutant.end:], work / "mutant")
    if not objects or all(a.read_bytes() == b.read_bytes() for a, b in zip(objects, original)):
        return ""
    for test in tests_of(mutant.path):
        if test not in seconds:
            seconds[test] = own_seconds(builder, test, original, work)
        program = work / f"test_{test}"
        if not builder.link(test, objects, program):
            sys.exit(f"test_{test} does not link")
        failed = run(program, min(most, 10 + 10 * seconds[test]), work)
        if failed:
            return f"killed by {test} ({failed})"
    return "survived"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutants", type=int, default=20, help="per file")
    parser.add_argument("--seconds", type=float, default=600.0, help="a test's longest time; a mutant may loop for ever")
    parser.add_argument("--least", type=float, default=100.0, help="percent that must be killed")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    given = parser.parse_args()
    known, sums = known_equivalent(), {"killed": 0, "survived": 0, "equivalent": 0}
    builder = Builder(given.build.resolve())
    seconds: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        for path in [path.resolve() for path in given.files]:
            found, n = candidates(path), 0
            random.Random(f"{given.seed} {path.relative_to(ROOT)}").shuffle(found)
            original = builder.compile(path, path.read_text(), work / "original")
            if not original:
                sys.exit(f"{path} does not compile")
            for mutant in found:
                if n == given.mutants:
                    break
                verdict = judge(builder, mutant, original, seconds, given.seconds, work)
                if not verdict:
                    continue
                if verdict == "survived" and mutant.key() in known:
                    verdict = "equivalent"
                n += 1
                sums[verdict.split()[0]] += 1
                print(f"{path.relative_to(ROOT)}:{mutant.line}: {mutant.change()}: {verdict}"
                      + (f"\n    {mutant.text()}" if verdict == "survived" else ""), flush=True)
    print(", ".join(f"{n} {what}" for what, n in sums.items()))
    return 100 * sums["killed"] < given.least * (sums["killed"] + sums["survived"])


if __name__ == "__main__":
    sys.exit(main())
