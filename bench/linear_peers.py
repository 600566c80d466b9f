"""Linear models beside NumPy and onnxruntime, one thread each.

    SCORELINE_LIBRARY=build/lib/libscoreline.so PYTHONPATH=python python3 bench/linear_peers.py [ROUNDS]

Comes in: nothing; rows are made up. The model has double weights, as scikit-learn's LinearRegression has, and scores
float rows. NumPy computes `X @ w + b` in float by its BLAS; onnxruntime, if it is installed, a LinearRegressor. They take
turns; the best round of each counts. Goes out: a line per shape with times, throughput and ratios (above 1: Scoreline is
faster). NumPy and onnxruntime sum in float and in an order of their own; Scoreline's bits are those of
docs/numerics.md.
"""

import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np  # noqa: E402: the number of threads is read at import

import scoreline  # noqa: E402

try:
    import onnxruntime
    from onnx import TensorProto, helper
except ImportError:
    onnxruntime = None

SHAPES = [(100_000, 32), (100_000, 1000), (1000, 32)]


def scoreline_scorer(weights, bias, dtype="f64"):
    builder = scoreline.Builder(len(weights), base=bias, base_position="last", compare=dtype, sum=dtype)
    model = builder.set_linear(weights[:, None]).finish()
    return lambda x: model.predict(x)


def numpy_scorer(weights, bias):
    narrow = weights.astype(np.float32)
    return lambda x: x @ narrow + np.float32(bias)


def onnxruntime_scorer(weights, bias):
    node = helper.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=1,
                            coefficients=[float(w) for w in weights], intercepts=[bias])
    graph = helper.make_graph([node], "linear",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, len(weights)])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 1])])
    model = helper.make_model(graph, ir_version=8,
                              opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x})[0]


def best_times(scorers, x, rounds):
    """Seconds of each scorer's best round. Calls on small inputs are repeated until a round is long enough to time."""
    calls = max(1, 2_000_000 // x.size)
    best = dict.fromkeys(scorers, float("inf"))
    for _ in range(rounds + 1):  # the first one warms up
        for name, score in scorers.items():
            start = time.perf_counter()
            for _ in range(calls):
                score(x)
            best[name] = min(best[name], (time.perf_counter() - start) / calls)
    return best


def main(rounds):
    rng = np.random.default_rng(0)
    for n_rows, n_features in SHAPES:
        x = rng.standard_normal((n_rows, n_features), dtype=np.float32)
        weights, bias = rng.standard_normal(n_features) / n_features, 0.5
        scorers = {"scoreline": scoreline_scorer(weights, bias), "numpy": numpy_scorer(weights, bias)}
        if onnxruntime:
            scorers["onnxruntime"] = onnxruntime_scorer(weights, bias)
        exact = x.astype(np.float64) @ weights + bias
        for name, score in scorers.items():
            assert np.allclose(np.ravel(score(x)), exact, atol=1e-4), name
        del exact
        best = best_times(scorers, x, rounds)
        parts = [f"{name} {t * 1e3:.3f} ms ({x.nbytes / t / 1e9:.1f} GB/s)" for name, t in best.items()]
        ratios = [f"{t / best['scoreline']:.2f} x {name}" for name, t in best.items() if name != "scoreline"]
        print(f"{n_rows} rows of {n_features}: {', '.join(parts)}; {', '.join(ratios)}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
