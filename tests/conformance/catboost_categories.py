"""Rows with categories for the CatBoost tests, and CatBoost's answers for them.

Scoreline sees a row as doubles: a category of integers is the integer, one of text its hash + 0.5. CatBoost sees the same
row as integers, texts and, for hashes that no text of the test has, bytes that were made to have that hash.
"""
import string

import catboost
import numpy as np

import city_hash

WORDS = ["", "a", "b", "ü€𝄞", " ", "nan", "-0", "0", "007", "1.0", "no", "yes", "None", "a\"b\\", "0x10", "+5", "1e3"]
UNKNOWN = "a category that no model has seen"


class Column:
    """Values of one categorical feature: text, integers, or both."""

    def __init__(self, rng, n_values: int = 0, kind: str = "text", values=()):
        made = list(values)
        while len(made) < n_values:
            long = "".join(rng.choice(list(string.printable + "éß漢"), int(rng.choice([3, 8, 14, 30, 50, 150]))))
            number = int(rng.choice([rng.integers(-40, 60), rng.integers(1 << 33), -(1 << 62), 1 << 60]))
            text = str(rng.choice(WORDS)) if rng.random() < 0.5 else long
            value = number if kind == "integers" or (kind == "both" and rng.random() < 0.5) else text
            if value not in made:
                made.append(value)
        self.values = made
        self.text_of = {city_hash.category_hash(v): v for v in made if isinstance(v, str)}

    def codes(self) -> np.ndarray:
        return np.array([code_of(value) for value in self.values])

    def given(self, code: float):
        """What CatBoost is given for a number."""
        if city_hash.hash_of_number(code) is None:
            return UNKNOWN
        if code == int(code):
            return str(int(code))
        return self.text_of[int(code)] if int(code) in self.text_of else city_hash.text_of_hash(int(code))


def code_of(value) -> float:
    return float(value) if isinstance(value, int) else city_hash.category_hash(value) + 0.5


class Table:
    """Columns of numbers (None) and categories, and rows of them as doubles."""

    def __init__(self, columns: list):
        self.columns = columns

    @property
    def categories(self) -> list[int]:
        return [i for i, column in enumerate(self.columns) if column]

    def rows(self, rng, n: int, numbers: np.ndarray) -> np.ndarray:
        out = numbers.copy()
        for i in self.categories:
            codes = self.columns[i].codes()
            weights = rng.exponential(1, len(codes)) + 1e-3
            out[:, i] = rng.choice(codes, n, p=weights / weights.sum())
        return out

    def pool(self, rows: np.ndarray, label=None, **more) -> catboost.Pool:
        with np.errstate(over="ignore"):
            data = rows.astype(np.float32).astype(object)
        for i in self.categories:
            known = {}
            data[:, i] = [known[code] if code in known else known.setdefault(code, self.columns[i].given(code))
                          for code in rows[:, i].tolist()]
        return catboost.Pool(data, label, cat_features=self.categories, thread_count=1, **more)


ODD = np.array([np.nan, 0.5, 1.5, -0.5, 0.25, 4294967295.5, 4294967296.5, -0.0, 0.0, 7.0, -1.0, 1e300, np.inf, -np.inf,
                2.0 ** 63, -2.0 ** 63, 2.0 ** 64, 1.8446744073709550e19, 12345.75, -1e19])


def strange(rng, rows: np.ndarray, categories, rate=0.08) -> np.ndarray:
    """Some categories replaced by numbers that are none, or hashes that no text of the test has."""
    rows = rows.copy()
    for i in categories:
        at = rng.random(len(rows)) < rate
        rows[at, i] = rng.choice(ODD, at.sum())
        at = rng.random(len(rows)) < rate / 2
        rows[at, i] = rng.integers(1 << 32, size=at.sum()) + 0.5
    return rows
