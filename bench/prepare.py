"""Convert and compile the models for the peers, two at a time: python bench/prepare.py FOLDER [KEY …]"""
import concurrent.futures
import os
import pathlib
import sys

import models
import peers

root = pathlib.Path(sys.argv[1]) / "models"
places = [peers.Place(models.MODELS[key], root / key) for key in sys.argv[2:] or models.MODELS
          if (root / key / "made.json").exists()]
with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    list(pool.map(peers.prepare, places))
