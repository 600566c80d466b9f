"""Mode and matrix of the conformance tests: what was compared is added up over all workers and printed at the end."""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

MODE = os.environ.get("SCORELINE_TEST_MODE", "default")
matrix: dict[tuple[str, str], dict] = {}


@pytest.fixture
def tally(request):
    """tally(source, kind) gives a Tally whose rows appear in the matrix."""
    import bit_check
    made = []

    def make(source: str, kind: str):
        made.append(bit_check.Tally(source, kind))
        return made[-1]

    yield make
    for one in made:
        request.node.user_properties.append(("tally", (one.source, one.kind, one.rows)))


def pytest_runtest_logreport(report):
    if report.when != "teardown":
        return
    for name, value in report.user_properties:
        if name == "tally":
            source, kind, rows = value
            entry = matrix.setdefault((source, kind), {"models": 0, "rows": {}})
            entry["models"] += 1
            for layout, n in rows.items():
                entry["rows"][layout] = entry["rows"].get(layout, 0) + n


def matrix_lines(failed: int) -> list[str]:
    layouts = sorted({layout for entry in matrix.values() for layout in entry["rows"]})
    lines = ["Conformance: rows compared bit for bit with the source library, by source, kind and layout",
             f"{'source':<10}{'kind':<26}{'models':>7}" + "".join(f"{layout:>21}" for layout in layouts)]
    for (source, kind), entry in sorted(matrix.items()):
        lines.append(f"{source:<10}{kind:<26}{entry['models']:>7}"
                     + "".join(f"{entry['rows'].get(layout, 0):>21,}" for layout in layouts))
    models = sum(entry["models"] for entry in matrix.values())
    total = sum(sum(entry["rows"].values()) for entry in matrix.values())
    lines.append(f"{models} models, {total:,} rows scored; {failed} tests found a difference or another fault")
    return lines


def pytest_terminal_summary(terminalreporter):
    if hasattr(terminalreporter.config, "workerinput") or not matrix:
        return
    import c_interface
    failed = len(terminalreporter.stats.get("failed", [])) + len(terminalreporter.stats.get("error", []))
    lines = matrix_lines(failed)
    absent = [name for isa, name in c_interface.ISA_NAMES.items() if isa not in c_interface.available_isas()]
    lines.append("instruction sets: " + ", ".join(c_interface.ISA_NAMES[i] for i in c_interface.available_isas())
                 + (f"; not run: {', '.join(absent)}" if absent else ""))
    terminalreporter.write_line("")
    for line in lines:
        terminalreporter.write_line(line)
    if os.environ.get("SCORELINE_MATRIX"):
        pathlib.Path(os.environ["SCORELINE_MATRIX"]).write_text("\n".join(lines) + "\n")
    if os.environ.get("SCORELINE_NOT_RUN") and absent:
        with open(os.environ["SCORELINE_NOT_RUN"], "a") as out:
            out.writelines(f"kernels for {name}: this processor does not have it\n" for name in absent)
