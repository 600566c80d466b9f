#!/usr/bin/env python3
"""Lines and branches of lib/ that tests reach, per room, and whether any room fell below what was reached once.

    tests/coverage.py BUILD [--update] [--missing PATTERN]

Comes in: a build with -Db_coverage=true whose tests ran, read by gcovr; tests/coverage.minimum with "room lines% branches%".
Goes out: a table; exit code 1 if a room is below its minimum. --update records the new figures, a tenth of a percent lower
(threads make a branch come and go); --missing prints what no test reaches in the files that the pattern matches.

What counts: the objects of the library alone, not those of the copy with simulated instructions in BUILD/tests, whose
optimised branches are not those of the source. SL_NEVER() (lib/base/base.h) leaves no code in this build, and no function is
copied into its callers, so that a branch on a caller's constant counts once. Instruction sets that this
machine can't run are named apart: a file that the compiler skips has no lines to count, one that the processor skips has
only missed ones.
"""
import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
from collections import defaultdict

ROOT = pathlib.Path(__file__).resolve().parents[1]
MINIMUM = ROOT / "tests" / "coverage.minimum"
KERNELS = re.compile(r"lib/engine/isa/(\w*?)(avx512|avx2|sse42|neon)\w*\.h$")


def read(build: pathlib.Path) -> list[dict]:
    """gcovr's files: name, lines with counts and branches."""
    command = ["gcovr", "-r", ".", "--object-directory", str(build), "--filter", "lib/", "--json", "-", str(build / "lib")]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["files"]


def foreign_instruction_sets() -> set[str]:
    """Those of the kernels that this processor lacks."""
    flags = set(re.findall(r"\w+", pathlib.Path("/proc/cpuinfo").read_text()))
    needs = {"avx512": {"avx512f", "avx512bw", "avx512vl", "avx512vbmi"}, "avx2": {"avx2"}, "sse42": {"sse4_2"}, "neon": {"asimd"}}
    return {name for name, wanted in needs.items() if not wanted <= flags}


def code_lines(file: dict) -> list[dict]:
    return [line for line in file["lines"] if not line.get("gcovr/noncode")]


def count(lines: list[dict]) -> list[int]:
    """Reached lines, lines, reached branches, branches."""
    branches = [branch["count"] > 0 for line in lines for branch in line["branches"]]
    return [sum(line["count"] > 0 for line in lines), len(lines), sum(branches), len(branches)]


def percent(reached: int, all_: int) -> float:
    return 100.0 * reached / all_ if all_ else 100.0


def print_missing(files: list[dict], pattern: str) -> None:
    for file in files:
        if not re.search(pattern, file["file"]):
            continue
        text = (ROOT / file["file"]).read_text().splitlines()
        for line in code_lines(file):
            marks = "".join("+" if branch["count"] else "-" for branch in line["branches"])
            if not line["count"] or "-" in marks:
                place = f"{file['file']}:{line['line_number']}"
                print(f"{place:<45} {'never' if not line['count'] else marks:<8} {text[line['line_number'] - 1].strip()}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--missing", metavar="PATTERN")
    given = parser.parse_args()
    files, foreign = read(given.build.resolve()), foreign_instruction_sets()
    if given.missing:
        print_missing(files, given.missing)
        return 0
    rooms: dict[str, list[int]] = defaultdict(lambda: [0] * 4)
    apart: dict[str, list[int]] = defaultdict(lambda: [0] * 4)
    for file in files:
        kernel = KERNELS.search(file["file"])
        table = apart if kernel and kernel[2] in foreign else rooms
        room = file["file"] if table is apart else file["file"].split("/")[1]
        for name in [room, "lib"] if table is rooms else [room]:
            table[name] = [a + b for a, b in zip(table[name], count(code_lines(file)))]
    seen = {file["file"] for file in files}
    for path in sorted((ROOT / "lib/engine/isa").glob("*.h")):
        name = str(path.relative_to(ROOT))
        kernel = KERNELS.search(name)
        if kernel and kernel[2] in foreign and name not in seen:
            apart[name] = [0] * 4
    minimum = {}
    if MINIMUM.exists():
        minimum = {room: (float(lines), float(branches)) for room, lines, branches in map(str.split, MINIMUM.read_text().splitlines())}
    wrong, recorded = [], []
    print(f"{'room':<8} {'lines':>15} {'':>7} {'branches':>15}")
    for room in sorted(rooms, key=lambda room: (room == "lib", room)):
        a, b, c, d = rooms[room]
        lines, branches = percent(a, b), percent(c, d)
        print(f"{room:<8} {f'{a} / {b}':>15} {lines:6.2f}% {f'{c} / {d}':>15} {branches:6.2f}%")
        recorded.append(f"{room} {math.floor(lines * 10 - 1) / 10:.1f} {math.floor(branches * 10 - 1) / 10:.1f}\n")
        for what, value, least in zip(("lines", "branches"), (lines, branches), minimum.get(room, (0.0, 0.0))):
            if value < least:
                wrong.append(f"{room}: {value:.2f} % of {what} are reached, below the recorded {least} % (tests/coverage.minimum)")
    for name, (a, b, c, d) in sorted(apart.items()):
        print(f"apart, not for this processor: {name}" + (f", {a} of {b} lines" if b else ", not compiled"))
    if given.update:
        MINIMUM.write_text("".join(recorded))
        return 0
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
