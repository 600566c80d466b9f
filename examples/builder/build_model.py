"""The same model as build_model.c, from NumPy arrays.

python3 examples/builder/build_model.py credit.slm
"""

import sys

import numpy as np
import scoreline

AGE, INCOME, CITY = range(3)

builder = scoreline.Builder(
    3,
    feature_names=["age", "income", "city"],
    feature_types=["numeric", "numeric", "category"],
    base=0.0625,
    link="sigmoid",
    metadata={"name": "credit"},
)
builder.set_dictionary(CITY, ["Rome", "Oslo", "Bern"])  # codes 0, 1, 2; other texts are missing
# A node per place; children by number, -1 in a leaf, whose value stands where a split has its threshold.
builder.add_tree(
    left=[1, -1, 3, -1, -1],
    right=[2, -1, 4, -1, -1],
    feature=[AGE, 0, INCOME, 0, 0],
    value=[25.0, -0.75, 1800.5, -0.25, 0.5],
    test=["lt", "le", "le", "le", "le"],
    missing_left=[True, False, False, False, False],
    leaf_ids=[0, 0, 0, 1, 2],
)
builder.add_tree(
    left=[1, -1, -1],
    right=[2, -1, -1],
    feature=[CITY, 0, 0],
    value=[0.0, 0.125, -0.5],
    test="in_left",
    categories={0: [1, 2]},
    leaf_ids=[0, 0, 1],
)
model = builder.finish()

rows = np.array([[24.0, 3000.0, 1.0], [25.0, 1800.5, 0.0], [60.0, np.nan, 2.0], [np.nan, 10.0, np.nan]])
for margin, prediction in zip(model.predict(rows, "margin"), model.predict(rows)):
    print(f"{margin:.17g} {prediction:.17g}")
if len(sys.argv) > 1:
    model.save(sys.argv[1])
