"""``score.py`` of an online endpoint of Azure Machine Learning (package azureml-inference-server-http).

A deployment's scoring script is one line, ``from scoreline.azureml import init, run``. The model is the one ``.slm``
file below ``AZUREML_MODEL_DIR``, or the file that ``SCORELINE_MODEL`` names (a path, absolute or below that directory).

``run`` takes every body of :mod:`scoreline.payload` and answers ``{"predictions": [...]}``, one entry per row. A wrong
request is answered with status 400 and ``{"error": {"code": …, "message": …}}``; only a fault of the server itself
becomes a 500.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

from . import payload as _payload
from ._errors import FileError
from ._model import Model, load

_model: Optional[Model] = None


def model_path() -> Path:
    """The model file of this deployment."""
    directory = Path(os.environ.get("AZUREML_MODEL_DIR", "."))
    named = os.environ.get("SCORELINE_MODEL")
    if named:
        return directory / named
    found = sorted(directory.rglob("*.slm"))
    if len(found) != 1:
        raise FileError(
            f"expected exactly one .slm file below AZUREML_MODEL_DIR ({directory}), found {len(found)}: "
            "name one in SCORELINE_MODEL"
        )
    return found[0]


def init() -> None:
    """Open the model and score its golden rows, once per worker; a model that differs in one bit does not start."""
    global _model
    _model = load(model_path(), verify=True)


def run(data: str) -> Any:
    """Score the body of a request.

    Args:
        data: the body as text, which is how the server hands it to a function without a schema.
    """
    if _model is None:
        raise RuntimeError("init() must run first")
    try:
        rows = _payload.rows_of_text(data)
        scores = _payload.predict_rows(_model, rows)
    except _payload.PayloadError as error:
        return _refusal(str(error))
    return {"predictions": _payload.to_json(scores)}


def _refusal(message: str) -> Any:
    from azureml_inference_server_http.api.aml_response import AMLResponse

    return AMLResponse({"error": {"code": "BadArgument", "message": message}}, 400, json_str=True)
