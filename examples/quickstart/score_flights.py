"""Score rows from Python: the model and the CSV file come in, one margin per line goes out."""
import sys

import numpy as np
import scoreline

model = scoreline.load(sys.argv[1])
rows = np.genfromtxt(sys.argv[2], delimiter=",", skip_header=1, dtype=np.float32)
for margin in model.predict(rows, output="margin").ravel():
    print(f"{margin:.9g}")
