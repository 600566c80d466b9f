"""Mode and matrix of the conformance tests: what was compared is added up over all workers and printed at the end."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import matrix  # noqa: E402: the folder of these tests is no package

MODE = os.environ.get("SCORELINE_TEST_MODE", "default")
results = matrix.Matrix()


@pytest.fixture
def tally(request):
    """tally(source, kind) gives a Tally whose rows appear in the matrix. `version` is the source's, if it is not the one
    that is installed."""
    import bit_check
    made = []

    def make(source: str, kind: str, version: str | None = None):
        made.append(bit_check.Tally(source, kind, matrix.installed(source) if version is None else version))
        return made[-1]

    yield make
    for one in made:
        rows = [[output, layout, n] for (output, layout), n in one.rows.items()]
        request.node.user_properties.append(("tally", (one.source, one.version, one.kind, rows)))


def pytest_runtest_logreport(report):
    if report.when != "teardown":
        return
    for name, value in report.user_properties:
        if name == "tally":
            source, version, kind, rows = value
            results.add(source, version, kind, {(output, layout): n for output, layout, n in rows})


def pytest_terminal_summary(terminalreporter):
    if hasattr(terminalreporter.config, "workerinput") or not results.cells:
        return
    import c_interface
    failed = len(terminalreporter.stats.get("failed", [])) + len(terminalreporter.stats.get("error", []))
    models, rows = results.totals()
    lines = ["Conformance: rows compared with the source library"] + results.lines()
    lines.append(f"{models} models, {rows:,} rows scored; {failed} tests found a difference or another fault")
    absent = [name for isa, name in c_interface.ISA_NAMES.items() if isa not in c_interface.available_isas()]
    lines.append("instruction sets: " + ", ".join(c_interface.ISA_NAMES[i] for i in c_interface.available_isas())
                 + (f"; not run: {', '.join(absent)}" if absent else ""))
    terminalreporter.write_line("")
    for line in lines:
        terminalreporter.write_line(line)
    if os.environ.get("SCORELINE_MATRIX"):
        path = pathlib.Path(os.environ["SCORELINE_MATRIX"])
        path.write_text("\n".join(lines) + "\n")
        results.save(path.with_suffix(".json"))
    if os.environ.get("SCORELINE_NOT_RUN") and absent:
        with open(os.environ["SCORELINE_NOT_RUN"], "a") as out:
            out.writelines(f"kernels for {name}: this processor does not have it\n" for name in absent)
