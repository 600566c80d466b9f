"""Contributions and reasons in Python: shapes, forms of rows, backgrounds, and what is refused."""
import numpy as np
import pytest

import scoreline


@pytest.fixture(scope="module")
def model() -> scoreline.Model:
    """income < 50: -2 for 30 rows, else 1 for 60 if age < 40, 4 for 10 if not."""
    builder = scoreline.Builder(3, feature_names=["age", "income", "unused"], base=0.5)
    builder.add_tree([1, -1, 3, -1, -1], [2, -1, 4, -1, -1], [1, 0, 0, 0, 0], [50, -2, 40, 1, 4], test="lt",
                     covers=[100, 30, 70, 60, 10])
    return builder.finish()


ROWS = np.array([[30.0, 20.0, 0.0], [50.0, 80.0, 0.0]])
MEAN = (30 * -2 + 60 * 1 + 10 * 4) / 100


def test_values_by_hand(model):
    assert model.info.has_covers
    found = model.contributions(ROWS)
    # Knowing income alone the second row's mean is 10 / 7; knowing age alone 0.3 * -2 + 0.7 * 4.
    income = ((10 / 7 - MEAN) + (4 - (0.3 * -2 + 0.7 * 4))) / 2
    assert np.allclose(found[1], [4 - MEAN - income, income, 0, MEAN + 0.5], rtol=1e-14)
    assert np.allclose(found.sum(axis=1), model.predict(ROWS), rtol=1e-14)


def test_rows_in_any_form(model):
    expected = model.contributions(ROWS)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=model.features)[["unused", "income", "age"]]
    assert np.array_equal(model.contributions(frame), expected)
    assert np.array_equal(model.contributions(ROWS[1]), expected[1:])
    assert np.array_equal(model.contributions([dict(zip(model.features, row)) for row in ROWS]), expected)
    assert np.array_equal(model.predict(ROWS[0], "contribution"), expected[:1])
    assert np.array_equal(scoreline.load(model.to_bytes()).contributions(ROWS), expected)


def test_backgrounds(model):
    found = model.contributions(ROWS[1:], ROWS[:1])
    # Against the one row: income alone moves -2 to 1, age alone nothing, both to 4.
    assert np.allclose(found, [[1.5, 4.5, 0, -1.5]], rtol=1e-14)
    explainer = model.explainer(ROWS)
    assert np.array_equal(model.contributions(ROWS, explainer), model.contributions(ROWS, ROWS))
    assert np.allclose(model.contributions(ROWS, explainer)[:, -1], model.predict(ROWS).mean())
    other = scoreline.load(model.to_bytes())
    with pytest.raises(scoreline.ArgumentError, match="another model"):
        other.contributions(ROWS, explainer)
    with pytest.raises(scoreline.ShapeError, match="at least one row"):
        model.explainer(ROWS[:0])
    with pytest.raises(scoreline.ShapeError):
        model.explainer(ROWS[:, :2])


def test_reasons(model):
    found = model.contributions(ROWS)
    assert model.reasons(ROWS, 1) == [[("income", found[0, 1])], [("age" if abs(found[1, 0]) > abs(found[1, 1]) else
                                                                  "income", max(found[1, :2], key=abs))]]
    for row, reasons in zip(found, model.reasons(ROWS, 9)):
        assert [value for _, value in reasons] == sorted((v for v in row[:3] if v), key=abs, reverse=True)
    assert all(value > 0 for row in model.reasons(ROWS, direction="up") for _, value in row)
    assert all(value < 0 for row in model.reasons(ROWS, direction="down") for _, value in row)
    for wrong in ({"k": 0}, {"output": 1}, {"direction": "sideways"}):
        with pytest.raises(ValueError):
            model.reasons(ROWS, **wrong)


def test_several_outputs():
    builder = scoreline.Builder(2, 2)
    for output in range(2):
        builder.add_tree([1, -1, -1], [2, -1, -1], [output, 0, 0], [0, -1, 1 + output], output=output, covers=[2, 1, 1])
    found = builder.finish().contributions(np.ones((3, 2)))
    assert found.shape == (3, 2, 3)
    assert np.allclose(found, [[[1, 0, 0], [0, 1.5, 0.5]]] * 3)


def test_without_covers():
    model = scoreline.Builder(1).add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0, -1, 1]).finish()
    assert not model.info.has_covers
    with pytest.raises(scoreline.UnsupportedError, match="no covers"):
        model.contributions([[1.0]])
    assert np.allclose(model.contributions([[1.0]], [[-1.0]]), [[2, -1]])
    with pytest.raises(scoreline.ShapeError):
        scoreline.Builder(1).add_tree([1, -1, -1], [2, -1, -1], [0, 0, 0], [0, -1, 1], covers=[1, 1])
