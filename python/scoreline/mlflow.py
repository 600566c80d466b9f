"""MLflow flavor: models in ``.slm`` files, for MLflow 2.9 and later.

    import scoreline.mlflow
    scoreline.mlflow.log_model(booster, name="fraud", registered_model_name="fraud_model")
    mlflow.pyfunc.load_model("models:/fraud_model/1").predict(frame)

The logged model is also a ``python_function``, so that ``mlflow models serve``, ``mlflow.pyfunc.spark_udf`` and everything
else that takes one serve it. Spark loads a model anew for every task; this flavor opens the file once per process.

The signature is made from the model: a ``double`` per numeric feature (missing values stay possible), a ``string`` per
feature whose categories are known by their labels. ``predict`` takes ``params={"output": …}`` with the outputs of
:meth:`scoreline.Model.predict`, or ``"class"`` for labels.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional, Union

import mlflow
import numpy as np
import yaml
from mlflow.models import Model as MLModel
from mlflow.models import ModelSignature
from mlflow.models.utils import _save_example
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
from mlflow.utils.environment import (
    _CONDA_ENV_FILE_NAME,
    _PYTHON_ENV_FILE_NAME,
    _REQUIREMENTS_FILE_NAME,
    _mlflow_conda_env,
    _PythonEnv,
)

from ._convert import convert
from ._library import __version__
from ._model import Model
from ._opened import open_cached

FLAVOR_NAME = "scoreline"
_DATA = "model.slm"


def get_default_pip_requirements() -> List[str]:
    """What a server of such a model must install."""
    return [f"scoreline=={__version__}"]


def get_default_conda_env() -> Dict[str, Any]:
    """A conda environment with :func:`get_default_pip_requirements`."""
    return _mlflow_conda_env(additional_pip_deps=get_default_pip_requirements())


def signature_of(model: Model, columns: Iterable[str] = ()) -> ModelSignature:
    """Inputs, outputs and parameters of a model, as MLflow describes them.

    Args:
        columns: of the tables to come. MLflow hands over the columns that a signature names and no others, so a feature has
            here the name of the one that feeds it, which may be another than its own: see :meth:`scoreline.Model.predict`.
    """
    known, fed = model.categories, model._names.columns(columns)
    text = [kind == "category" and bool(known.get(name)) for name, kind in zip(model.features, model.feature_types)]
    inputs = Schema(
        [
            ColSpec(DataType.string if is_text else DataType.double, str(fed.get(name, name)))
            for name, is_text in zip(model.features, text)
        ]
    )
    outputs = Schema([ColSpec(DataType.double)])
    params = ParamSchema([ParamSpec("output", DataType.string, "prediction")])
    return ModelSignature(inputs, outputs, params)


def save_model(
    model: Any,
    path: Union[str, "os.PathLike[str]"],
    mlflow_model: Optional[MLModel] = None,
    signature: Optional[ModelSignature] = None,
    input_example: Any = None,
    pip_requirements: Optional[List[str]] = None,
    conda_env: Optional[Dict[str, Any]] = None,
    metadata: Optional[Dict[str, Any]] = None,
) -> None:
    """Write a model as an MLflow model directory.

    Args:
        model: a :class:`scoreline.Model`, the path of a ``.slm`` file, or anything that :func:`scoreline.convert` takes.
        path: of the directory, which must not exist or must be empty.
        signature: instead of the one that :func:`signature_of` makes of the model and the columns of `input_example`.
        input_example: rows that are stored beside the model. Without them, tables whose columns have other names than the
            features, as ``"a b"`` for ``a_b``, need ``signature=signature_of(model, columns)``: MLflow refuses them before
            this flavor can say which feature a name means.
        pip_requirements: instead of :func:`get_default_pip_requirements`.
        conda_env: instead of :func:`get_default_conda_env`.
        metadata: stored in the file ``MLmodel``.
    """
    directory = Path(path)
    if directory.exists() and any(directory.iterdir()):
        raise mlflow.MlflowException(f"the directory {directory} is not empty", error_code="RESOURCE_ALREADY_EXISTS")
    directory.mkdir(parents=True, exist_ok=True)
    scored = _write_data(model, directory / _DATA)

    described = mlflow_model if mlflow_model is not None else MLModel()
    described.signature = signature or signature_of(scored, getattr(input_example, "columns", ()))
    if metadata is not None:
        described.metadata = metadata
    if input_example is not None:
        _save_example(described, input_example, str(directory))
    requirements = pip_requirements or get_default_pip_requirements()
    _write_environment(directory, requirements, conda_env or _mlflow_conda_env(additional_pip_deps=requirements))
    mlflow.pyfunc.add_to_model(
        described,
        loader_module="scoreline.mlflow",
        data=_DATA,
        conda_env=_CONDA_ENV_FILE_NAME,
        python_env=_PYTHON_ENV_FILE_NAME,
    )
    described.add_flavor(FLAVOR_NAME, scoreline_version=__version__, data=_DATA, model_hash=scored.info.hash)
    described.save(str(directory / "MLmodel"))


def log_model(
    model: Any,
    name: str = "model",
    registered_model_name: Optional[str] = None,
    signature: Optional[ModelSignature] = None,
    input_example: Any = None,
    pip_requirements: Optional[List[str]] = None,
    conda_env: Optional[Dict[str, Any]] = None,
    metadata: Optional[Dict[str, Any]] = None,
    **kwargs: Any,
) -> Any:
    """Log a model to the current run, and register it if a name is given. Arguments as in :func:`save_model`; returns
    MLflow's ``ModelInfo``."""
    # MLflow 3 gives a model a name of its own; before, it is the run's folder that has one.
    has_names = "name" in inspect.signature(MLModel.log).parameters
    return MLModel.log(
        **({"artifact_path": None, "name": name} if has_names else {"artifact_path": name}),
        flavor=sys.modules[__name__],
        model=model,
        registered_model_name=registered_model_name,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        conda_env=conda_env,
        metadata=metadata,
        **kwargs,
    )


def load_model(model_uri: str, dst_path: Optional[str] = None) -> Model:
    """The :class:`scoreline.Model` behind a model URI (``models:/name/1``, ``runs:/…``, a directory)."""
    local = mlflow.artifacts.download_artifacts(artifact_uri=model_uri, dst_path=dst_path)
    flavor = MLModel.load(local).flavors.get(FLAVOR_NAME)
    if flavor is None:
        raise mlflow.MlflowException(f"{model_uri} has no flavor {FLAVOR_NAME!r}", error_code="RESOURCE_DOES_NOT_EXIST")
    return open_cached(os.path.join(local, flavor["data"]))


class _PyFuncModel:
    """What MLflow calls: rows by name, in any order, with further columns."""

    def __init__(self, model: Model):
        self._model = model

    def predict(self, model_input: Any, params: Optional[Dict[str, Any]] = None) -> np.ndarray:
        output = (params or {}).get("output", "prediction")
        if output == "class":
            return self._model.predict_class(model_input)
        return self._model.predict(model_input, output)

    def get_raw_model(self) -> Model:
        return self._model


def _load_pyfunc(path: str) -> _PyFuncModel:
    return _PyFuncModel(open_cached(path))


def _write_data(model: Any, path: Path) -> Model:
    if isinstance(model, (str, os.PathLike)) and os.fspath(model).endswith(".slm"):
        shutil.copyfile(model, path)
    else:
        (model if isinstance(model, Model) else convert(model)).save(path)
    return open_cached(path)


def _write_environment(directory: Path, requirements: List[str], conda_env: Dict[str, Any]) -> None:
    (directory / _REQUIREMENTS_FILE_NAME).write_text("\n".join(["mlflow", *requirements]) + "\n")
    (directory / _CONDA_ENV_FILE_NAME).write_text(yaml.safe_dump(conda_env, default_flow_style=False))
    _PythonEnv.current().to_yaml(str(directory / _PYTHON_ENV_FILE_NAME))
