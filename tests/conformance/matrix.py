#!/usr/bin/env python3
"""What was compared with which library: source and version × kind of model × output, by input layout.

The conformance tests add every scored row to it (conftest.py), print it at their end and leave it as JSON. From that file

    matrix.py page JSON     writes docs/conformance.md
    matrix.py check JSON    fails if the page names other cells than the run had, or a source has fewer than 300 models

Counts on the page are those of the machine that wrote it; more instruction sets mean more rows.
"""
import importlib.metadata
import json
import pathlib
import sys

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/conformance.md"
DISTRIBUTIONS = {"XGBoost": "xgboost-cpu", "LightGBM": "lightgbm", "CatBoost": "catboost", "scikit-learn": "scikit-learn",
                 "onnxruntime": "onnxruntime"}
LEAST_MODELS = 300  # of each source, in every run but a quick one
HEAD = """# What is compared with the source libraries

Every number counts rows that were scored and compared in one run of `tests/run.sh`, over all instruction sets, regimes and
batch sizes of the machine. Margins, leaf numbers and classes must have the same bits. So must predictions, unless
[numerics.md](numerics.md) says why the source's own are not reproducible. `tests/conformance/matrix.py` writes this page from
a run, and the tests fail if a cell of it was not compared.

"""


def installed(source: str) -> str:
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(source, source))
    except importlib.metadata.PackageNotFoundError:
        return ""


class Matrix:
    """Counts by (source, version, kind, output)."""

    def __init__(self):
        self.cells: dict[tuple[str, str, str, str], dict] = {}

    def add(self, source: str, version: str, kind: str, rows: dict[tuple[str, str], int]) -> None:
        """One model; `rows` by (output, layout)."""
        for output in {output for output, _ in rows}:
            cell = self.cells.setdefault((source, version, kind, output), {"models": 0, "rows": {}})
            cell["models"] += 1
            for (name, layout), n in rows.items():
                if name == output:
                    cell["rows"][layout] = cell["rows"].get(layout, 0) + n

    def lines(self) -> list[str]:
        """One line per cell, layouts as columns."""
        layouts = sorted({layout for cell in self.cells.values() for layout in cell["rows"]})
        widths = [max([len(part)] + [len(key[i]) for key in self.cells]) + 2
                  for i, part in enumerate(("source", "version", "kind", "output"))]
        head = "".join(f"{part:<{w}}" for part, w in zip(("source", "version", "kind", "output"), widths))
        text = [head + f"{'models':>7}" + "".join(f"{layout:>{len(layout) + 2}}" for layout in layouts)]
        for key, cell in sorted(self.cells.items()):
            text.append("".join(f"{part:<{w}}" for part, w in zip(key, widths)) + f"{cell['models']:>7}"
                        + "".join(f"{short(cell['rows'].get(layout, 0)):>{len(layout) + 2}}" for layout in layouts))
        return text

    def models(self, only: str | None = None) -> int:
        """Models of one source or of all. A model counts once, by its margins or whatever it has."""
        most: dict[tuple, int] = {}
        for (source, version, kind, _), cell in self.cells.items():
            if only in (None, source):
                most[source, version, kind] = max(most.get((source, version, kind), 0), cell["models"])
        return sum(most.values())

    def totals(self) -> tuple[int, int]:
        """Models and rows."""
        return self.models(), sum(n for cell in self.cells.values() for n in cell["rows"].values())

    def save(self, path: pathlib.Path) -> None:
        path.write_text(json.dumps([[*key, cell] for key, cell in sorted(self.cells.items())], indent=0) + "\n")

    @classmethod
    def load(cls, path) -> "Matrix":
        made = cls()
        for *key, cell in json.loads(pathlib.Path(path).read_text()):
            made.cells[tuple(key)] = cell
        return made


def short(n: int) -> str:
    if n == 0:
        return "–"
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if n >= size:
            return f"{n / size:.3g} {unit}"
    return str(n)


def page(matrix: Matrix) -> str:
    models, rows = matrix.totals()
    text = HEAD + f"{models:,} models, {rows:,} rows.\n"
    for source in sorted({key[0] for key in matrix.cells}):
        cells = {key: cell for key, cell in matrix.cells.items() if key[0] == source}
        layouts = sorted({layout for cell in cells.values() for layout in cell["rows"]})
        text += f"\n## {source}\n\n{matrix.models(source):,} models.\n\n| version | kind | output | models | " + " | ".join(layouts) + " |\n"
        text += "|---|---|---|---:|" + "---:|" * len(layouts) + "\n"
        for (_, version, kind, output), cell in sorted(cells.items()):
            numbers = " | ".join(short(cell["rows"].get(layout, 0)) for layout in layouts)
            text += f"| {version} | {kind} | {output} | {cell['models']} | {numbers} |\n"
    return text


def named_cells(text: str) -> set[tuple]:
    """(source, version, kind, output, layout) of every count on the page."""
    found, source, layouts = set(), "", []
    for line in text.splitlines():
        if line.startswith("## "):
            source = line[3:]
        parts = [part.strip() for part in line.strip("|").split("|")]
        if line.startswith("| version"):
            layouts = parts[4:]
        elif line.startswith("| "):
            found |= {(source, *parts[:3], layout) for layout, n in zip(layouts, parts[4:]) if n != "–"}
    return found


def main(command: str, path: str) -> int:
    matrix = Matrix.load(path)
    if command == "page":
        PAGE.write_text(page(matrix))
        return 0
    on_page = named_cells(PAGE.read_text())
    in_run = {(*key, layout) for key, cell in matrix.cells.items() for layout, n in cell["rows"].items() if n}
    for cell in sorted(on_page - in_run):
        print("on the page, but nothing was compared:", ", ".join(cell))
    for cell in sorted(in_run - on_page):
        print("compared, but not on the page (matrix.py page adds it):", ", ".join(cell))
    few = [source for source in DISTRIBUTIONS if matrix.models(source) < LEAST_MODELS]
    for source in few:
        print(f"{source}: {matrix.models(source)} models, expected at least {LEAST_MODELS}")
    print(f"{len(in_run)} cells with numbers, {len(on_page)} on the page")
    return int(on_page != in_run or bool(few))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("page", "check"):
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2]))
