"""Compare margins bit for bit: XGBoost's own (floats) with what each way of scoring printed, one per line."""
import sys

import numpy as np

own = np.fromfile(sys.argv[1], "<f4")
differing = 0
for argument in sys.argv[2:]:
    name, path = argument.split("=")
    with open(path) as lines:
        text = [line.strip().split(",")[-1] for line in lines]
    if not text[0].lstrip("-").replace(".", "").replace("e-", "").isdigit():
        del text[0]  # the header of a CSV file
    margins = np.array(text, np.float64)
    if len(margins) != len(own):
        sys.exit(f"{name}: {len(margins)} margins instead of {len(own)}")
    different = int((margins.astype(np.float32).view(np.uint32) != own.view(np.uint32)).sum())
    print(f"    {name:<16}{len(own):>6,} rows, {different} differ from XGBoost's own margins")
    differing += different
sys.exit(1 if differing else 0)
