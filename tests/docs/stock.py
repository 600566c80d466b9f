"""What a reader of the documentation has at hand: the files and the Python objects that its blocks name without making them.

Comes in: the command, the tests' data, for a host the program of README.md. Goes out: a folder of files, and names for Python blocks.
"""

import gzip
import pathlib
import shutil
import subprocess

import numpy as np

import code_blocks

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data"
NAMES = ["amount", "hour", "distance"]


def numbers(n, seed=1):
    rng = np.random.default_rng(seed)
    return rng.gamma(2.0, [30.0, 6.0, 10.0], size=(n, 3))


def booster(rounds=60, seed=1, n=400):
    import xgboost

    rows = numbers(n, seed)
    matrix = xgboost.DMatrix(rows, label=rows[:, 0] + rows[:, 2] > 80, feature_names=NAMES)
    return xgboost.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, matrix, rounds)


def lightgbm_booster():
    import lightgbm

    rows = numbers(300)
    return lightgbm.train({"verbose": -1, "num_threads": 1, "num_leaves": 4},
                          lightgbm.Dataset(rows, rows[:, 0] * 0.1, feature_name=NAMES), 101)


def onnx_pipeline():
    """A text and a number, as skl2onnx writes them."""
    import pandas
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    from sklearn.compose import make_column_transformer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.tree import DecisionTreeRegressor

    people = pandas.DataFrame({"city": ["Bern", "", "Oslo"], "age": [31.0, 44.0, 27.0]})
    encoder = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["city"]), ("passthrough", ["age"]))
    fitted = make_pipeline(encoder, DecisionTreeRegressor()).fit(people, [1.0, 2.0, 3.0])
    types = [("city", StringTensorType([None, 1])), ("age", FloatTensorType([None, 1]))]
    return to_onnx(fitted, initial_types=types).SerializeToString()


def looked_up_model():
    """Features that a request has, and features that a table has."""
    import scoreline

    builder = scoreline.Builder(3, feature_names=["amount", "avg_transaction_amount", "transaction_frequency"])
    builder.add_tree([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [1, 0, 2, 0, 0], [40.0, 0.25, 5.0, 1.0, -2.0])
    return builder.finish()


def model_files(folder, command):
    import scoreline

    for name in ("model.json", "model.ubj"):
        booster().save_model(folder / name)
    lightgbm_booster().save_model(folder / "lightgbm.txt")
    shutil.copy(DATA / "onnx" / "classifier.onnx", folder / "model.onnx")
    (folder / "pipeline.onnx").write_bytes(onnx_pipeline())
    subprocess.run([command, "convert", "-q", folder / "model.json", "-o", folder / "model.slm"], check=True)
    shutil.copy(folder / "model.slm", folder / "iot.slm")
    looked_up_model().save(folder / "fraud.slm")
    (folder / "models").mkdir()
    for version in (1, 2):
        path = folder / f"fraud-{version}.slm"
        scoreline.convert(booster(seed=version), name="fraud").save(path)
        shutil.copy(path, folder / "models" / f"fraud_model-{version}.slm")


def row_files(folder):
    rows = numbers(20, seed=2)
    lines = [",".join(NAMES), *(",".join(map(repr, row)) for row in rows.tolist())]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    np.save(folder / "rows.npy", rows)
    with gzip.open(folder / "rows.jsonl.gz", "wt") as out:
        out.writelines(f'{{"amount": {a!r}, "hour": {h!r}, "distance": {d!r}}}\n' for a, h, d in rows.tolist())


def table_files(folder, command):
    (folder / "profile.csv").write_text("customer_id,avg_transaction_amount,transaction_frequency\n4711,30.5,7\n4712,12,3\n")
    (folder / "balance.csv").write_text(
        "customer_id,ts,balance\n4711,2024-01-14T08:00:00Z,120.5\n4711,2024-01-15T09:00:00Z,80\n4711,2024-01-16T09:00:00Z,3\n")
    build = [command, "table", "build", "-q", "--key", "customer_id"]
    subprocess.run([*build, "profile.csv", "-o", "profile.sft"], cwd=folder, check=True)
    subprocess.run([*build, "balance.csv", "--timestamp", "ts", "-o", "balance.sft"], cwd=folder, check=True)


def count_and_log(folder):
    """Statistics of two days, and a log of their calls."""
    import scoreline

    model = scoreline.convert(booster(), name="fraud", reference=numbers(300, seed=3))
    model.save(folder / "model.slm")
    for seed, day in enumerate(("monday", "tuesday")):
        statistics = scoreline.Statistics(model, endpoint="scoring", entity_version="1")
        statistics.predict(numbers(50, seed))
        statistics.snapshot().save(folder / f"{day}.sls")
    entity = {"entity_name": "fraud_model", "entity_version": "1", "model": model}
    for log in ("calls", "log"):
        (folder / log).mkdir()
        capture = scoreline.Capture(folder / log)
        endpoint = scoreline.Endpoint({"served_entities": [entity]}, capture=capture)
        endpoint.score(numbers(5))
        capture.rotate()


def sign(folder):
    """As docs/release.md does."""
    openssl = ["openssl", "genpkey", "-algorithm", "ed25519", "-out", "key.pem"], ["openssl", "pkey", "-in", "key.pem", "-pubout", "-out",
               "public.pem"], ["openssl", "pkeyutl", "-sign", "-inkey", "key.pem", "-rawin", "-in", "model.slm", "-out", "model.slm.sig"]
    for command in openssl:
        subprocess.run(command, cwd=folder, check=True)


def fill(folder: pathlib.Path, command: str) -> None:
    """Make every file that a page names."""
    model_files(folder, command)
    row_files(folder)
    table_files(folder, command)
    count_and_log(folder)
    sign(folder)
    program = next(block for block in code_blocks.markdown("README.md", (ROOT / "README.md").read_text()) if block.language == "c")
    (folder / "host.c").write_text(program.text)


def names() -> dict:
    """What Python blocks name: live models, rows in several forms, keys."""
    import pandas

    import scoreline

    rows = numbers(30, seed=4)
    return {
        "booster": booster(), "rows": rows, "X": rows, "X_valid": numbers(200, seed=5),
        "frame": pandas.DataFrame(rows, columns=NAMES),
        "customer_id": "customer-4711",
        "refitted": scoreline.convert(booster()),
        "profile": pandas.DataFrame({"customer_id": [4711, 4712], "avg_transaction_amount": [30.5, 12.0],
                                     "transaction_frequency": [7.0, 3.0]}),
        "transactions": pandas.DataFrame({"customer_id": [4711, 4713], "amount": [99.0, 1.0]}),
        "store": {"apple": 2.5},
    }
