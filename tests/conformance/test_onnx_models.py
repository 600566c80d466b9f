"""ONNX files against onnxruntime: graphs made at random in every form that the operators have, and what skl2onnx and
onnxmltools write for real models. Every model comes from its seed alone.

onnxruntime runs on one thread: with several it sums trees in another order. Tree operators of versions 1 and 3 answer in
float, so the margins of models in double are compared through the identity link, which rounds them. Links are onnxruntime's own code: logistic and softmax call an expf of the C library that
NumPy's wheels and onnxruntime's need not share, so transformed scores may differ by a few units of the last place.
"""
import numpy as np
import pytest

import bit_check
import c_interface
import onnx_models as om
import probe_rows
from conftest import MODE

N = {"quick": 1, "default": 4, "long": 16}[MODE]
SPECIFICATION, RUNTIME = 0, 1


def seeds(*parts):
    return np.random.default_rng([sum(map(ord, str(p))) for p in parts] + [len(parts)])


def rows_for(rng, f, n=1100, nan_rate=0.15):
    seen = rng.standard_normal((200, f.n_features))
    seen[:, ::2] = np.round(seen[:, ::2] * 3)
    return probe_rows.probe(rng, seen, f.thresholds(), n, nan_rate=nan_rate)


def check(tally, kind, name, data, f, rng, compat=SPECIFICATION, ulp=0, margins=True):
    s = om.session(data)

    def answer(x):
        with np.errstate(over="ignore"):
            return om.scores(s, x.astype(f.dtype))

    oracle = bit_check.Oracle(margin=answer if margins else None, prediction=answer, prediction_ulp=ulp,
                              prediction_type=np.float32)
    return bit_check.Checker(name, data, oracle, rows_for(rng, f), tally("ONNX", kind), onnx_compat=compat).run()


# ---- regressors --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(4 * N))
@pytest.mark.parametrize("mode", [*om.MODES, "mixed"])
def test_modes(mode, seed, tally):
    rng = seeds("mode", mode, seed)
    f = om.random_forest(rng, modes=om.MODES[:4] if mode == "mixed" else [mode], depth=4, integral={0, 2, 4})
    check(tally, "regressor, " + mode.removeprefix("BRANCH_"), f"onnx-{mode}-{seed}", om.single(om.regressor(f), f), f, rng)
