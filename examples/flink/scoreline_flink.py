"""A model as a vectorised function of Flink SQL.

Flink hands over a pandas Series per argument, of 1,000 rows or so, and takes one back. Missing values arrive as NaN or None.
The model is loaded once per Python worker, by its path, when the first rows come.
"""
import functools

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

    The number of arguments is checked by every batch: another one fails the job with a message that names the features.
    """

    @udf(result_type=DataTypes.DOUBLE(), func_type="pandas", name="scoreline")
    def score(*columns: pd.Series) -> pd.Series:
        model = _model(path)
        names = model.features
        if len(columns) != len(names):
            raise ValueError(f"the model takes {len(names)} features ({', '.join(names)}), found {len(columns)}")
        table = pyarrow.table([pyarrow.array(column, from_pandas=True) for column in columns], names=names)
        return pd.Series(model.predict(table, output))

    return score
