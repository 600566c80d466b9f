"""Score rows with tree ensembles and linear models, bit-identical to the library that trained them.

>>> import scoreline
>>> model = scoreline.convert(booster)      # a live XGBoost, LightGBM, CatBoost or scikit-learn model, or a file
>>> model.predict(X)                        # NumPy, pandas, Arrow (pyarrow, polars), dictionaries
>>> model.save("model.slm")
>>> model = scoreline.load("model.slm")
"""

from ._binned import BinColumn, Binned
from ._build import Builder, Step
from ._capture import Capture
from ._contributions import Explainer
from ._convert import convert
from ._endpoint import Endpoint, Scored
from ._errors import (
    ArgumentError,
    CorruptError,
    FileError,
    LimitError,
    OutOfMemoryError,
    ScorelineError,
    ShapeError,
    UnsupportedError,
    VerifyError,
    VersionError,
)
from ._library import __version__, library_path
from ._model import Model, ModelInfo, load
from ._statistics import Drift, Histogram, Snapshot, Statistics, prometheus_text, reference_of

__all__ = [
    "ArgumentError",
    "BinColumn",
    "Binned",
    "Builder",
    "Capture",
    "CorruptError",
    "Drift",
    "Endpoint",
    "Explainer",
    "FileError",
    "Histogram",
    "LimitError",
    "Model",
    "ModelInfo",
    "OutOfMemoryError",
    "Scored",
    "ScorelineError",
    "ShapeError",
    "Snapshot",
    "Statistics",
    "Step",
    "UnsupportedError",
    "VerifyError",
    "VersionError",
    "__version__",
    "convert",
    "library_path",
    "load",
    "prometheus_text",
    "reference_of",
]
