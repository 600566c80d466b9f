"""Rows that find faults: values at thresholds and one step beside them, signed zeros, infinities, denormals, missing
values, categories that no model has seen, among rows like those the model was trained on.
"""
import numpy as np

TINY = float(np.float32(1e-35))  # LightGBM's own idea of zero
SPECIAL = np.array([0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 5e-324, -5e-324, 1e-36, -1e-36, TINY, -TINY,
                    np.nextafter(TINY, 1), -np.nextafter(TINY, 1), 2e-35, -2e-35, 1e-30, 3.4e38, -3.4e38, 1.0, -1.0])
# Beyond what a float holds: an infinity once it is narrowed.
ENDLESS = np.array([np.inf, -np.inf, 1e300, -1e300, 3.5e38, -3.5e38])
CATEGORIES = np.array([-1.0, -0.5, -0.99, -0.0, 0.5, 1.9, 31.0, 32.0, 33.5, 63.0, 64.0, 65.0, 127.0, 128.0, 255.0,
                       256.0, 1000.0, 1e6, 16777215.0, 16777216.0, 2147483646.0, 2147483647.0, 2147483648.0, 3e9,
                       4294967296.0, 1e18, -2147483648.0, -3e9])


def beside(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each value itself, or the next double or float above or below."""
    values = values.astype(np.float64)
    narrow = values.astype(np.float32)
    with np.errstate(over="ignore"):
        choices = np.stack([values, values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf),
                            np.nextafter(narrow, np.float32(np.inf)).astype(np.float64),
                            np.nextafter(narrow, np.float32(-np.inf)).astype(np.float64),
                            (values + np.nextafter(values, np.inf)) / 2])
    return choices[rng.integers(0, len(choices), len(values)), np.arange(len(values))]


def probe(rng: np.random.Generator, seen: np.ndarray, thresholds: dict[int, np.ndarray], n: int, *,
          categories=frozenset(), nan_rate=0.1, endless=True) -> np.ndarray:
    """`n` rows of doubles: `seen` are rows of the training data, `thresholds` the model's own per feature."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows = seen[rng.integers(0, len(seen), n)].astype(np.float64)
        for j in range(rows.shape[1]):
            if j in categories:
                column = _categories(rng, rows[:, j], endless)
            else:
                column = _numbers(rng, rows[:, j], thresholds.get(j), endless)
            if nan_rate:
                column[rng.random(n) < nan_rate * rng.choice([0.0, 0.5, 1.0, 2.0])] = np.nan
            rows[:, j] = column
    return rows


def _numbers(rng, column, cuts, endless):
    n = len(column)
    column = column * (1 + rng.normal(0, 1e-9, n))
    if cuts is not None and len(cuts):
        at = rng.random(n) < 0.35
        column[at] = beside(rng.choice(cuts, at.sum()), rng)
    odd = rng.random(n) < 0.06
    column[odd] = rng.choice(SPECIAL, odd.sum())
    if endless:
        odd = rng.random(n) < 0.03
        column[odd] = rng.choice(ENDLESS, odd.sum())
    else:
        huge = np.isfinite(column) & (np.abs(column) > 3e38)
        column[huge | np.isinf(column)] = 3e38
    return column


def _categories(rng, column, endless):
    odd = rng.random(len(column)) < 0.15
    column[odd] = rng.choice(CATEGORIES, odd.sum())
    if endless:
        odd = rng.random(len(column)) < 0.01
        column[odd] = rng.choice([np.inf, -np.inf, 1e300], odd.sum())
    return column
