"""Scores as columns of Spark data frames, batch and streaming, without pandas.

    from scoreline.spark import with_scores
    scored = with_scores(frame, model, column="fraud_score")

Rows travel to the Python worker as Arrow record batches and are scored where they lie. A worker opens a model once,
however many tasks and micro-batches it serves. ``mlflow.pyfunc.spark_udf`` over the flavor of :mod:`scoreline.mlflow`
does the same by way of pandas.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Iterator, Union

import numpy as np

from ._model import Model, load

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame

_opened: Dict[str, Model] = {}


def with_scores(
    frame: "DataFrame",
    model: Union[Model, str, "os.PathLike[str]"],
    column: str = "prediction",
    output: str = "prediction",
) -> "DataFrame":
    """The frame with one more column.

    Args:
        frame: with a column for every feature of the model, by name as in :meth:`scoreline.Model.predict`; further columns
            are kept and not read.
        model: a model, or the path of a ``.slm`` file that the driver can read; the workers get its bytes.
        column: name of the new column: ``double``, or ``array<double>`` for a model of several values per row.
        output: as in :meth:`scoreline.Model.predict`: "prediction", "margin" or "class".

    Raises:
        ValueError: the frame has a column of that name, or lacks features (they are listed).
    """
    from pyspark.sql import types

    scorer = model if isinstance(model, Model) else load(model, verify=True)
    if column in frame.columns:
        raise ValueError(f"the frame has a column {column!r} already: name the scores otherwise")
    fed = scorer._names.columns(frame.columns)
    absent = [name for name in scorer.features if name not in fed]
    if absent:
        raise ValueError(f"the frame lacks the features {', '.join(map(repr, absent))}")
    values = scorer.info.n_predictions if output == "prediction" else scorer.info.n_outputs
    kind = types.DoubleType() if values == 1 or output == "class" else types.ArrayType(types.DoubleType(), False)
    schema = types.StructType([*frame.schema.fields, types.StructField(column, kind, True)])
    return frame.mapInArrow(_Task(scorer, output, column), schema)


class _Task:
    """What a worker runs: the model as bytes, so that no file system has to be shared."""

    def __init__(self, model: Model, output: str, column: str):
        self._bytes = model.to_bytes()
        self._hash = load(self._bytes).info.hash
        self._output = output
        self._column = column

    def __call__(self, batches: "Iterator[pyarrow.RecordBatch]") -> "Iterator[pyarrow.RecordBatch]":
        model = _opened.get(self._hash)
        if model is None:
            model = _opened[self._hash] = load(self._bytes)
        for batch in batches:
            yield self._scored(model, batch)

    def _scored(self, model: Model, batch: "pyarrow.RecordBatch") -> "pyarrow.RecordBatch":
        import pyarrow

        scores = _scores(model, batch, self._output) if batch.num_rows else np.empty(0)
        if scores.ndim == 2:
            flat = pyarrow.array(scores.ravel())
            new: Any = pyarrow.FixedSizeListArray.from_arrays(flat, scores.shape[1]).cast(pyarrow.list_(pyarrow.float64()))
        else:
            new = pyarrow.array(scores, pyarrow.float64())
        return pyarrow.RecordBatch.from_arrays(
            [*batch.columns, new], names=[*batch.schema.names, self._column]
        )


def _scores(model: Model, batch: "pyarrow.RecordBatch", output: str) -> np.ndarray:
    known, names = set(model.features), model._names.as_features(batch.schema.names)
    scores = model.predict(batch.select([i for i, name in enumerate(names) if name in known]), output)
    return scores.astype(np.float64) if output == "class" else scores
