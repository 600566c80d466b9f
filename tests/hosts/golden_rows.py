"""The golden set as plain text, for hosts without a reader of JSON.

    python3 tests/hosts/golden_rows.py FOLDER

Goes out: FOLDER/MODEL.rows, a line for each row with the values, the margin and the prediction between tabs: numbers in hex,
"NaN", "Infinity", "-Infinity", and "label:…" for a category's label; FOLDER/MODEL.path, where the model is.
"""
import math
import pathlib
import sys

import golden_set


def text_of(value):
    if isinstance(value, str):
        return "label:" + value
    if value is None or math.isnan(value):
        return "NaN"
    return ("" if value > 0 else "-") + "Infinity" if math.isinf(value) else value.hex()


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("iot", "fraud", "wide"):
        golden = golden_set.load(name)
        lines = ["\t".join(map(text_of, (*row, margin, prediction)))
                 for row, margin, prediction in zip(golden.rows, golden.margin, golden.prediction)]
        (folder / f"{name}.rows").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / f"{name}.path").write_text(f"{golden.path}\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
