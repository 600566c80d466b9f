"""Train the models, and convert and compile them for the peers: python bench/prepare.py FOLDER [KEY …]

As many steps at a time as there are processors, each in a process of its own and on one thread: none of this is measured, and a
processor of its own for each step leaves none of them waiting for the others. What is there from before stays.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

import models
import peers

LONGEST = ("forest", "wide")  # started first, so that no processor waits for them at the end


def train(root: pathlib.Path, key: str) -> None:
    subprocess.run([sys.executable, models.__file__, root, key], check=True)


def main() -> None:
    root = pathlib.Path(sys.argv[1])
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = sorted(sys.argv[2:] or [*models.MODELS, "scale"], key=lambda key: key not in LONGEST)
        training = {pool.submit(train, root, key): key for key in keys}
        steps = []
        for trained in concurrent.futures.as_completed(training):
            trained.result()
            key = training[trained]
            if key in models.MODELS and (root / "models" / key / "made.json").exists():
                place = peers.Place(models.MODELS[key], root / "models" / key)
                steps += [pool.submit(peers.prepare, place, name) for name in peers.preparations(place.model)]
        for step in steps:
            step.result()


if __name__ == "__main__":
    main()
