"""Models of other libraries, from their files or from live objects.

Comes in: a path, bytes, or an object of XGBoost, LightGBM or scikit-learn. Goes out: a Model. The other libraries are
recognised by the names of an object's classes, so none is imported that is not in use already.

A live booster answers its own golden rows: the margins stored as the model's self-test are what the source library
itself says, and a difference in one bit is an error.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from ctypes import byref, c_double, pointer
from typing import Any, Callable, Dict, Mapping, Optional, Tuple

import numpy as np

from ._catboost import catboost_rows, refuse_catboost, save_catboost
from ._errors import UnsupportedError, VerifyError
from ._library import ImportOptions, c_path, filled, has_importers, lib, new_handle
from ._model import Model, borrowed
from ._sklearn import KINDS as _TREES
from ._sklearn import SUPPORTED as _SUPPORTED_TREES
from ._sklearn import of_sklearn_ensemble
from ._sklearn_ensemble import plain_list
from ._sklearn_linear import READERS as _LINEAR
from ._sklearn_linear import build, linear_of
from ._sklearn_pipeline import WRAPPERS as _PIPELINES
from ._sklearn_pipeline import HOLDERS, held, of_sklearn_pipeline

Golden = Tuple[np.ndarray, np.ndarray]
_Converted = Tuple[Model, Optional[Callable[[np.ndarray], Golden]], Dict[str, str]]


_ONNX_COMPAT = {"specification": 0, "onnxruntime": 1}


def convert(
    obj: Any,
    *,
    name: Optional[str] = None,
    metadata: Optional[Mapping[str, str]] = None,
    golden: bool = True,
    onnx_compat: str = "specification",
    missing: Optional[float] = None,
    reference: Any = None,
) -> Model:
    """Make a model of another library's model.

    Args:
        obj: path of a model file (XGBoost JSON or UBJSON, LightGBM text, CatBoost JSON, ONNX; recognised from the
            content),
            its bytes, or

            - ``xgboost.Booster`` (all its trees) or an XGBoost scikit-learn estimator (its best iteration, if any),
            - ``lightgbm.Booster`` or a LightGBM scikit-learn estimator (their best iteration, if any),
            - ``catboost.CatBoost`` and its estimators, trained on numeric and categorical features,
            - tree ensembles of scikit-learn: trees, forests, gradient boosting and histogram gradient boosting,
              isolation forests, AdaBoost, bagging and votes over those, calibrated classifiers,
            - a search of scikit-learn (its best estimator) or a FrozenEstimator over any of these,
            - linear models of scikit-learn: regressors, generalised linear models and classifiers. These sum in the
              order of Scoreline's own contract, so they agree with scikit-learn to rounding, not to the bit.
        name: stored as metadata "name".
        metadata: more metadata, text by key.
        golden: ask a live booster for the margins of the golden rows, compare all bits and store them.
        onnx_compat: whose answers an ONNX file gives where onnxruntime departs from the specification: those of the
            "specification", or of "onnxruntime".
        missing: for XGBoost, a value that counts as missing beside NaN, as its own ``missing=`` says; compared as float32.
            Estimators bring theirs along, files and boosters do not hold it.
        reference: rows like those of training, best ones that the model was not trained on, in any form that Model.predict()
            takes: their histograms go into the model, for statistics and drift. Model.add_reference() does the same later.

    Raises:
        UnsupportedError: the model uses something that Scoreline does not have; the message names it.
        CorruptError, VersionError, FileError: the file cannot be read.
        VerifyError: the source library answers other margins than Scoreline.
    """
    model = _convert(obj, name, metadata, golden, onnx_compat, missing)
    return model if reference is None else model.add_reference(reference)


def _convert(
    obj: Any,
    name: Optional[str],
    metadata: Optional[Mapping[str, str]],
    golden: bool,
    onnx_compat: str,
    missing: Optional[float],
) -> Model:
    if onnx_compat not in _ONNX_COMPAT:
        raise ValueError(f"onnx_compat must be one of {', '.join(_ONNX_COMPAT)}, not {onnx_compat!r}")
    more: Dict[str, Optional[str]] = dict(metadata or {})
    if name is not None:
        more["name"] = name
    if isinstance(obj, (str, os.PathLike)):
        model = _import(lib.score_import_file, c_path(obj), onnx_compat=onnx_compat, missing=missing)
        return _labelled(model, more)
    if isinstance(obj, (bytes, bytearray, memoryview)):
        model = _import(lib.score_import_memory, *borrowed(obj), onnx_compat=onnx_compat, missing=missing)
        return _labelled(model, more)
    obj = held(obj)
    for kind in type(obj).__mro__:
        converter = _CONVERTERS.get((kind.__module__.partition(".")[0], kind.__name__))
        if converter is not None:
            if missing is not None and converter not in (_of_xgboost, _of_xgboost_estimator):
                raise ValueError(f"missing= is for models of XGBoost, not for {type(obj).__qualname__}: leave it out")
            model, margins_of, found = converter(obj) if missing is None else converter(obj, missing=missing)
            pair = _golden_of(model, margins_of) if golden and margins_of is not None else None
            return _labelled(model, {**found, **more}, pair)
    raise UnsupportedError(
        f"cannot convert {type(obj).__module__}.{type(obj).__qualname__}: expected a path, bytes, a model of XGBoost, "
        f"LightGBM or CatBoost, or of scikit-learn one of {', '.join([*_LINEAR, *_SUPPORTED_TREES, *_PIPELINES, *HOLDERS])}"
    )


def _import(
    function: Callable,
    *source: Any,
    iterations: Tuple[int, int] = (0, 0),
    onnx_compat: str = "specification",
    missing: Optional[float] = None,
) -> Model:
    if not has_importers:
        raise UnsupportedError("this Scoreline library was built without importers (meson option `import`)")
    options = filled(ImportOptions)
    options.iteration_begin, options.iteration_end = iterations
    options.onnx_compat = _ONNX_COMPAT[onnx_compat]
    if missing is not None:
        options.missing = pointer(c_double(missing))
    return Model._of_handle(new_handle(function, *source, byref(options)))


def _labelled(model: Model, metadata: Mapping[str, Optional[str]], golden: Optional[Golden] = None) -> Model:
    return model._with(metadata, golden) if metadata or golden is not None else model


def _golden_of(model: Model, margins_of: Callable[[np.ndarray], Golden]) -> Optional[Golden]:
    """The model's golden rows with the source library's own margins."""
    rows, margins = margins_of(model.golden()[0])
    if len(rows) == 0:
        return None
    margins = np.asarray(margins, dtype=np.float64).reshape(len(rows), model.n_outputs)
    ours = model.predict(rows, "margin").reshape(margins.shape)
    differs = (ours.view(np.uint64) != margins.view(np.uint64)) & ~(np.isnan(ours) & np.isnan(margins))
    if differs.any():
        r, o = (int(number[0]) for number in np.nonzero(differs))
        raise VerifyError(
            f"{int(differs.any(axis=1).sum())} of {len(rows)} golden rows differ from the source library: "
            f"expected margin {margins[r, o]!r}, found {ours[r, o]!r} in golden row {r}, output {o}. "
            "This model is not supported as it should be; please report it. golden=False converts it "
            "without this promise"
        )
    return rows, margins


# ---- XGBoost -------------------------------------------------------------------------------------------------------


def _of_xgboost_estimator(estimator: Any, missing: Optional[float] = None) -> _Converted:
    if missing is None:
        missing = getattr(estimator, "missing", None)
    booster = estimator.get_booster()
    best = getattr(estimator, "best_iteration", None)
    iterations = (0, 0) if best is None or estimator.booster == "gblinear" else (0, best + 1)
    model, margins_of, found = _of_xgboost(booster, iterations, _classes(estimator), missing)
    if found and model.metadata.get("objective") == "binary:logitraw":
        found["class_rule"] = "margin > 0.5"  # as XGBClassifier.predict() has it
    return model, margins_of, found


def _of_xgboost(
    booster: Any,
    iterations: Tuple[int, int] = (0, 0),
    found: Optional[dict] = None,
    missing: Optional[float] = None,
) -> _Converted:
    raw = bytes(booster.save_raw("ubj"))
    model = _import(lib.score_import_memory, *borrowed(raw), iterations=iterations, missing=missing)
    given = np.nan if missing is None else float(missing)
    kind = json.loads(booster.save_config())["learner"]["gradient_booster"]["name"]

    def margins_of(rows: np.ndarray) -> Golden:
        # DART's in-place path rounds differently from its DMatrix path, and gblinear has none.
        if kind == "gbtree":
            return rows, booster.inplace_predict(
                rows.astype(np.float32),
                iteration_range=iterations,
                predict_type="margin",
                validate_features=False,
                missing=given,
            )
        import xgboost

        with np.errstate(over="ignore"):
            rows = rows[~np.isinf(rows.astype(np.float32)).any(axis=1)]  # a DMatrix refuses infinities
        if len(rows) == 0:
            return rows, np.empty(0)
        matrix = xgboost.DMatrix(rows.astype(np.float32), missing=given)
        return rows, booster.predict(matrix, output_margin=True, iteration_range=iterations, validate_features=False)

    return model, margins_of, found or {}


def _classes(estimator: Any) -> Dict[str, str]:
    """Metadata "class_labels" of a classifier: its labels in the order of their numbers, as JSON."""
    try:
        return {"class_labels": json.dumps(plain_list(estimator.classes_))}
    except (AttributeError, TypeError):
        return {}


# ---- LightGBM ------------------------------------------------------------------------------------------------------


def _of_lightgbm_estimator(estimator: Any) -> _Converted:
    return _of_lightgbm(estimator.booster_, _classes(estimator))


def _of_lightgbm(booster: Any, found: Optional[dict] = None) -> _Converted:
    # Both calls stop at the best iteration by themselves, if there is one.
    model = _import(lib.score_import_memory, *borrowed(booster.model_to_string().encode()))

    def margins_of(rows: np.ndarray) -> Golden:
        return rows, booster.predict(rows, raw_score=True, pred_early_stop=False, num_threads=1)

    return model, margins_of, found or {}


# ---- CatBoost ------------------------------------------------------------------------------------------------------


def _of_catboost(booster: Any) -> _Converted:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        refuse_catboost(booster)
        save_catboost(booster, path)
        model = _import(lib.score_import_file, c_path(path))

    categories = [i for i, kind in enumerate(model.feature_types) if kind == "category"]

    def margins_of(rows: np.ndarray) -> Golden:
        catboost = sys.modules["catboost"]
        given: Any = catboost_rows(rows, categories)
        if categories:
            given = catboost.Pool(given, cat_features=categories, thread_count=1)
        # A ranker's own predict() has no prediction type.
        return rows, catboost.CatBoost.predict(booster, given, prediction_type="RawFormulaVal", thread_count=1)

    return model, margins_of, {}


# ---- scikit-learn --------------------------------------------------------------------------------------------------

def _of_sklearn_linear(estimator: Any) -> _Converted:
    return build(linear_of(estimator)), None, {}


_CONVERTERS: Dict[Tuple[str, str], Callable] = {
    ("xgboost", "Booster"): _of_xgboost,
    ("xgboost", "XGBModel"): _of_xgboost_estimator,
    ("lightgbm", "Booster"): _of_lightgbm,
    ("lightgbm", "LGBMModel"): _of_lightgbm_estimator,
    ("catboost", "CatBoost"): _of_catboost,
    **{("sklearn", kind): _of_sklearn_linear for kind in _LINEAR},
    **{("sklearn", kind): of_sklearn_ensemble for kind in _TREES},
    **{("sklearn", kind): of_sklearn_pipeline for kind in _PIPELINES},
}
