#!/usr/bin/env python3
"""The instructions that scoring a row takes stay within a twentieth of those in tests/instructions/expected.json.

    tests/house/check_instructions.py [BUILD] [--update]    --update writes what was counted as the new expectation

A time says something about the machine, a count about the code: it finds a kernel that lost its vectors or a feature
that slowed every row, on any machine, however busy. Fewer instructions are a failure too: then the file would allow
to lose what was won. Counts belong to a compiler; with another one, or another kind of build, there is nothing to
compare. AVX-512 and NEON are not counted: valgrind does not know the one, and cannot run the other here.
"""
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = ROOT / "tests/instructions/expected.json"
PROGRAM = ROOT / "tests/instructions/count_scores.c"
TOLERANCE = 0.05


def note_not_run(what, why):
    """The same words as not_run in tests/machine.sh."""
    line = f"{what}: NOT RUN, {why}"
    print(line)
    with open(os.environ.get("SCORELINE_NOT_RUN", os.devnull), "a") as notes:
        print(line, file=notes)


def nothing_to_compare(why):
    """No failure, in CI neither: nothing is missing."""
    note_not_run("instructions per row", why)
    sys.exit(0)


def compiler_of(library):
    """What the compilers wrote into the library: "gcc 12.2 (Debian)", or all their names if there were several."""
    text = subprocess.run(["readelf", "-p", ".comment", library], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"\]\s+(.+)", text)
    gcc = re.fullmatch(r"GCC: \((Debian|\w+)[^)]*\) (\d+\.\d+)\.\d+", names[0]) if len(names) == 1 else None
    return f"gcc {gcc[2]} ({gcc[1]})" if gcc else ", ".join(names)


def unusual_options(build):
    usual = {"buildtype": "release", "b_sanitize": "none", "b_lto": False, "b_pgo": "off", "b_coverage": False,
             "c_args": []}
    options = {o["name"]: o["value"] for o in json.loads((build / "meson-info/intro-buildoptions.json").read_text())}
    return [f"{name}={options[name]}" for name in usual if options.get(name, usual[name]) != usual[name]]


def count(build):
    """{instruction set: {case: instructions per row}}"""
    place = build / "instructions"
    place.mkdir(exist_ok=True)
    program, out = place / "count_scores", place / "callgrind.out"
    out.unlink(missing_ok=True)
    subprocess.run(["gcc", "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", PROGRAM, "-o", program,
                    f"-L{build}/lib", "-lscoreline", f"-Wl,-rpath,{build}/lib", "-Wl,-z,now", "-lm"], check=True)
    # LD_BIND_NOW: the loader's search for names does not belong to the count.
    run = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=yes",
                          f"--callgrind-out-file={out}", program], capture_output=True, text=True,
                         env={**os.environ, "LD_BIND_NOW": "1"})
    if run.returncode:
        sys.exit(f"counting failed with exit code {run.returncode}:\n{run.stdout}{run.stderr}")
    counts, case = {}, None
    for line in out.read_text().splitlines():
        if line.startswith("desc: Trigger:"):
            case = re.fullmatch(r"desc: Trigger: Client Request: (.+)\|(.+)\|(\d+)", line)
        elif line.startswith("totals:") and case:
            counts.setdefault(case[1], {})[case[2]] = round(int(line.split()[1]) / int(case[3]), 1)
            case = None
    return counts


def compare(counts, expected):
    """Print all, return the number of failures."""
    n_bad = 0
    for isa, cases in expected.items():
        if isa not in counts:
            note_not_run(f"instructions per row on {isa}", "this processor has not got it")
            continue
        for case in {**cases, **counts[isa]}:
            was, now = cases.get(case), counts[isa].get(case)
            ratio = now / was if was and now else 0.0
            good = abs(ratio - 1) <= TOLERANCE
            n_bad += not good
            print(f"{isa:9} {case:50} expected {was or '-':>8} counted {now or '-':>8} {ratio:6.3f}"
                  f"{'' if good else '  <-- off'}")
    for isa in set(counts) - set(expected):
        print(f"{isa}: no expected numbers")
        n_bad += 1
    return n_bad


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    build = Path(arguments[0] if arguments else "build").resolve()
    library = build / "lib/libscoreline.so"
    if os.uname().machine != "x86_64":
        nothing_to_compare("the numbers are of x86-64")
    if not shutil.which("valgrind"):
        note_not_run("instructions per row", "needs valgrind")
        sys.exit(1 if os.environ.get("CI") == "true" else 0)
    if not library.exists():
        sys.exit(f"no {library}: build first")
    compiler, odd = compiler_of(library), unusual_options(build)
    if odd:
        nothing_to_compare(f"{build.name} was configured with {', '.join(odd)}")
    expected = json.loads(EXPECTED.read_text())
    is_update = "--update" in sys.argv
    if compiler != expected["compiler"] and not is_update:
        nothing_to_compare(f"the numbers are of {expected['compiler']}, this library is of {compiler}")
    counts = count(build)
    n_bad = compare(counts, expected["instructions per row"])
    if is_update:
        if set(expected["instructions per row"]) - set(counts):
            sys.exit("not updated: update on a processor with all the instruction sets")
        EXPECTED.write_text(json.dumps({"compiler": compiler, "instructions per row": counts}, indent="\t") + "\n")
        print(f"wrote {EXPECTED.relative_to(ROOT)}; {n_bad} counts had been off")
    elif n_bad:
        sys.exit(f"{n_bad} counts are off by more than {TOLERANCE:.0%}. If the change is meant, or if the code became "
                 "faster: tests/house/check_instructions.py --update, and say in the commit what it bought.")


if __name__ == "__main__":
    main()
