"""Staged scores, prediction early stopping and decisions, against LightGBM and XGBoost."""

import lightgbm
import numpy as np
import pytest

import scoreline
from conftest import NAMES, make_rows, same_bits, target


@pytest.mark.parametrize("step", [1, 5, 100])
def test_staged_predict(model, booster, rows, step):
    stages = model.staged_predict(rows, step, "margin")
    assert stages.shape == (len(rows), -(-12 // step))
    for i in range(stages.shape[1]):
        theirs = booster.inplace_predict(
            rows, iteration_range=(0, min(12, (i + 1) * step)), predict_type="margin", validate_features=False
        )
        same_bits(stages[:, i], theirs)
    same_bits(model.staged_predict(rows[:3], step, "margin"), stages[:3])
    same_bits(model.staged_predict(rows, step)[:, -1], model.predict(rows))


@pytest.mark.parametrize("n_class", [1, 3])
def test_lightgbm_stages_and_early_stopping(n_class, rows):
    y = np.digitize(target(rows), [0.0] if n_class == 1 else [-1.0, 1.0])
    params = {"objective": "binary" if n_class == 1 else "multiclass", "verbosity": -1, "num_leaves": 9, "num_threads": 1}
    booster = lightgbm.train({**params, **({"num_class": 3} if n_class == 3 else {})}, lightgbm.Dataset(rows, y), 40)
    model, new = scoreline.convert(booster), make_rows(n=700, seed=9)
    staged = model.staged_predict(new, 7)
    for i in range(6):
        same_bits(staged[:, i], booster.predict(new, num_iteration=min(40, 7 * (i + 1))))
    stopped = 0
    for every, margin in ((1, 0.5), (3, 1.0), (10, 1.5), (50, 0.1), (5, 1e9)):
        how = {"pred_early_stop": True, "pred_early_stop_freq": every, "pred_early_stop_margin": margin}
        for output, raw in (("margin", True), ("prediction", False)):
            theirs = booster.predict(new, raw_score=raw, **how)
            same_bits(model.predict_early_stop(new, every, margin, output), theirs)
            same_bits(model.predict_early_stop(new[:3], every, margin, output), theirs[:3])
        stopped += int((theirs != booster.predict(new)).any())
    assert stopped >= 3


def test_decide(model, rows, margins):
    for cutoff in (*margins[:20], 0.0, 1e30, -1e30):
        answers = model.decide(rows, cutoff)
        assert answers.dtype == bool and np.array_equal(answers, margins > cutoff)
        assert np.array_equal(model.decide(rows[:2], cutoff), margins[:2] > cutoff)


def test_tables_and_mistakes(model, rows):
    import pandas

    frame = pandas.DataFrame(rows[:, ::-1], columns=NAMES[::-1])
    same_bits(model.staged_predict(frame, 4), model.staged_predict(rows, 4))
    for call in (lambda n: model.staged_predict(rows, n), lambda n: model.predict_early_stop(rows, n, 1.0)):
        with pytest.raises(ValueError, match="at least 1"):
            call(0)
        with pytest.raises(ValueError, match="(step|every) as a whole number of iterations, found 1.5"):
            call(1.5)
        same_bits(call(2**32 + 1), call(100))
        same_bits(call(np.int64(3)), call(3))
    with pytest.raises(ValueError, match="two whole numbers, found .0.5, 1.7."):
        model.predict(rows, tree_range=(0.5, 1.7))
    with pytest.raises(scoreline.ArgumentError):
        model.staged_predict(rows, 1, "leaf")
    with pytest.raises(scoreline.ArgumentError):
        model.decide(rows, float("nan"))


def test_sparse_rows(model, booster, rows):
    """Every call that takes rows takes sparse ones."""
    from scipy import sparse

    known = ~np.isnan(rows)
    entries = sparse.coo_matrix((rows[known], np.nonzero(known)), shape=rows.shape)
    same_bits(model.staged_predict(entries, 5, absent="missing"), model.staged_predict(rows, 5))
    same_bits(model.predict_early_stop(entries, 2, 1.0, absent="missing"), model.predict_early_stop(rows, 2, 1.0))
    assert np.array_equal(model.decide(entries, 0.5, absent="missing"), model.decide(rows, 0.5))
    assert model.reasons(entries, absent="missing") == model.reasons(rows)
    for background in (entries.tocsr()[:9], rows[:9]):
        explained = model.contributions(entries.tocsr()[9:19], background, absent="missing")
        same_bits(explained, model.contributions(rows[9:19], rows[:9]))
    with pytest.raises(scoreline.UnsupportedError, match="absent='zero' or absent='missing'"):
        model.staged_predict(entries)
    with pytest.raises(ValueError, match="'zero' or 'missing', found 'nan'"):
        model.decide(entries, 0.5, absent="nan")
