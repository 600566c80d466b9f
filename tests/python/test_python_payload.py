"""Bodies of requests: what is wrong with one is a PayloadError, never another exception."""

import numpy as np
import pytest

import scoreline
from scoreline import payload


@pytest.mark.parametrize(
    "body, message",
    [
        ("", "not valid JSON"),
        (b"\xff", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[[" + "1" * 5000 + "]]", "not valid JSON: Exceeds the limit"),
        ("5", "expected a JSON object or list, found a number"),
        ('{"inputs": {}}', "expected the columns of rows in inputs, found an empty object"),
        ('{"inputs": {"a": [1], "b": [1, 2]}}', "differ in length"),
        ('{"instances": [[1], [1, 2]]}', "row 1 of instances has 2 values"),
        ('{"instances": [1], "inputs": [1]}', "exactly one of the keys"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_wrong_bodies(body, message):
    with pytest.raises(payload.PayloadError, match=message):
        payload.rows_of_text(body)


@pytest.mark.parametrize("value", ["1" * 400, '"x"', "{}", "[1]"])
def test_wrong_values(value):
    model = scoreline.Builder(1).set_linear([1.0]).finish()
    with pytest.raises(payload.PayloadError, match="expected numbers, found .* for feature 'f0' in row 0"):
        payload.predict_rows(model, payload.rows_of_text('[{"f0": ' + value + "}]"))
    assert np.isnan(payload.predict_rows(model, payload.rows_of_text('[{"f0": null}]')))
