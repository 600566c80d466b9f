"""A model as a vectorised function of Flink SQL.

Flink hands over a pandas Series per argument, of 1,000 rows or so, and takes one back. Missing values arrive as NaN or None.
A worker opens the model once, by its path, when the first rows come.
"""
import functools
from typing import Optional

import numpy as np
import pandas as pd
import pyarrow
from pyflink.table import DataTypes
from pyflink.table.udf import udf

import scoreline


@functools.lru_cache(maxsize=16)
def _model(path: str) -> scoreline.Model:
    return scoreline.load(path)


def _chosen(path: str, output: str, value: Optional[int]) -> int:
    """Which of a row's values is the score; ValueError unless there is exactly one, or `value` chooses it."""
    if output not in ("prediction", "margin", "class"):
        raise ValueError(f"expected output 'prediction', 'margin' or 'class', found {output!r}")
    info = _model(path).info
    width = {"prediction": info.n_predictions, "margin": info.n_outputs, "class": 1}[output]
    if value is None and width > 1:
        raise ValueError(f"{path} has {width} values of the output {output!r} per row; choose one with value=0 to value={width - 1}, "
                         "or the number of the class with output='class'")
    if value is not None and (type(value) is not int or not 0 <= value < width):
        raise ValueError(f"expected value as a number from 0 to {width - 1}, found {value!r}")
    return value or 0


def _scores(path: str, rows, output: str, value: int) -> np.ndarray:
    """float64 [n_rows]"""
    scores = _model(path).predict(rows, output).astype(np.float64, copy=False)
    return scores if scores.ndim == 1 else scores[:, value]


def scorer(path: str, output: str = "prediction", value: Optional[int] = None):
    """A function for `create_temporary_function`: the model's features in its order → DOUBLE.

    The model is opened here once, so that a wrong path fails at once, and so that Flink knows the arguments: it refuses another
    number or another type of them when it plans the query, before a job starts. The workers open `path` for themselves.
    Of a model with several values per row `value` chooses one, from 0.
    """
    model, chosen = _model(path), _chosen(path, output, value)
    names = model.features
    types = [DataTypes.STRING() if name in model.categories else DataTypes.DOUBLE() for name in names]

    @udf(input_types=types, result_type=DataTypes.DOUBLE(), func_type="pandas", name="scoreline")
    def score(*columns: pd.Series) -> pd.Series:
        table = pyarrow.table([pyarrow.array(column, from_pandas=True) for column in columns], names=names)
        return pd.Series(_scores(path, table, output, chosen))

    return score


def array_scorer(path: str, output: str = "prediction", value: Optional[int] = None):
    """The same for wide models of numbers: all features in one ARRAY<DOUBLE>, NULL where one is missing. A NULL array gives NULL;
    one of another length fails the job, with the number of features that the model takes.
    """
    n_features, chosen = len(_model(path).features), _chosen(path, output, value)

    @udf(input_types=[DataTypes.ARRAY(DataTypes.DOUBLE())], result_type=DataTypes.DOUBLE(), func_type="pandas", name="scoreline")
    def score(arrays: pd.Series) -> pd.Series:
        is_row = arrays.notna().to_numpy()
        rows = [np.asarray(row, dtype=np.float64) for row in arrays[is_row]]
        wrong = next((row for row in rows if len(row) != n_features), None)
        if wrong is not None:
            raise ValueError(f"{path}: expected an array of {n_features} features, found {len(wrong)}")
        scores = np.full(len(arrays), None, dtype=object)
        if rows:
            scores[is_row] = _scores(path, np.stack(rows), output, chosen)
        return pd.Series(scores)

    return score
