"""A model as a vectorised function of Flink SQL.

Flink hands over a pandas Series per argument, of 1,000 rows or so, and takes one back. Missing values arrive as NaN or None.
A worker opens the model once, by its path, when the first rows come.
"""
import functools

import numpy as np
import pandas as pd
import pyarrow
from pyflink.table import DataTypes
from pyflink.table.udf import udf

import scoreline


@functools.lru_cache(maxsize=16)
def _model(path: str) -> scoreline.Model:
    return scoreline.load(path)


def scorer(path: str, output: str = "prediction"):
    """A function for `create_temporary_function`: the model's features in its order → DOUBLE.

    The model is opened here once, so that a wrong path fails at once, and so that Flink knows the arguments: it refuses another
    number or another type of them when it plans the query, before a job starts. The workers open `path` for themselves.
    """
    model = _model(path)
    names = model.features
    types = [DataTypes.STRING() if name in model.categories else DataTypes.DOUBLE() for name in names]

    @udf(input_types=types, result_type=DataTypes.DOUBLE(), func_type="pandas", name="scoreline")
    def score(*columns: pd.Series) -> pd.Series:
        table = pyarrow.table([pyarrow.array(column, from_pandas=True) for column in columns], names=names)
        return pd.Series(_model(path).predict(table, output))

    return score


def array_scorer(path: str, output: str = "prediction"):
    """The same for wide models of numbers: all features in one ARRAY<DOUBLE>, NULL where one is missing. A NULL array gives NULL;
    one of another length fails the job, with the number of features that the model takes.
    """
    n_features = len(_model(path).features)

    @udf(input_types=[DataTypes.ARRAY(DataTypes.DOUBLE())], result_type=DataTypes.DOUBLE(), func_type="pandas", name="scoreline")
    def score(arrays: pd.Series) -> pd.Series:
        is_row = arrays.notna().to_numpy()
        rows = [np.asarray(row, dtype=np.float64) for row in arrays[is_row]]
        wrong = next((row for row in rows if len(row) != n_features), None)
        if wrong is not None:
            raise ValueError(f"{path}: expected an array of {n_features} features, found {len(wrong)}")
        scores = np.full(len(arrays), None, dtype=object)
        if rows:
            scores[is_row] = _model(path).predict(np.stack(rows), output)
        return pd.Series(scores)

    return score
