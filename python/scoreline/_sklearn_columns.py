"""The columns that a preprocessing pipeline of scikit-learn makes, without making them.

Comes in: what each transformer does to one value. Goes out: ``Column``s, each an input (or a norm over several columns) and
steps on its value, as a Builder's derived columns compute them; and what became known about the inputs on the way.
"""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple, Union, cast

import numpy as np

from ._build import Builder, Step
from ._errors import UnsupportedError


class Norm(NamedTuple):
    """Column `position` of `members`, divided by a norm of all of them."""

    kind: str
    members: Tuple["Column", ...]
    position: int


class Column(NamedTuple):
    source: Union[int, Norm]
    steps: Tuple[Step, ...] = ()
    # The value is a code in the dictionary of the input still, not a number
    is_text: bool = False

    @property
    def input(self) -> int:
        """The input of a column that is no norm, such as one of text."""
        return cast(int, self.source)

    def then(self, *steps: Step) -> "Column":
        return self._replace(steps=self.steps + steps)


class Table(NamedTuple):
    """Columns as a transformer gets them. Some compute other bits where their input is a sparse matrix."""

    columns: Tuple[Column, ...]
    is_sparse: bool = False


class Inputs:
    """What the pipeline expects of the columns that it is given."""

    def __init__(self, n: int, names: Optional[Sequence[str]]):
        self.n, self.names = n, None if names is None else [str(name) for name in names]
        self.labels: Dict[int, Dict[str, int]] = {}  # of inputs that are text: code by label
        self.refuses: Set[int] = set()  # inputs where an unknown string is an error
        self.nones: Set[int] = set()  # inputs of strings where None is the missing value
        self._numbers: Dict[int, str] = {}

    def table(self) -> Table:
        return Table(tuple(Column(i) for i in range(self.n)))

    def called(self, i: int) -> str:
        return f"column {i}" if self.names is None else f"column {self.names[i]!r}"

    def text(self, column: Column, who: str) -> Column:
        """The column as codes of strings."""
        if column.is_text:
            return column
        if isinstance(column.source, Norm) or column.steps:
            raise UnsupportedError(f"{who} takes strings, but the steps before it make numbers of them: put it first")
        if column.source in self._numbers:
            self._clash(column.source, who, self._numbers[column.source])
        self.labels.setdefault(column.source, {})
        return column._replace(is_text=True)

    def code(self, column: Column, label: str) -> float:
        labels = self.labels[column.input]
        return float(labels.setdefault(label, len(labels)))

    def number(self, column: Column, who: str) -> Column:
        """The column as a number."""
        if column.is_text:
            raise UnsupportedError(f"{who} takes numbers, but {self.called(column.input)} holds strings: encode it first")
        if not isinstance(column.source, Norm) and not column.steps:
            if column.source in self.labels:
                self._clash(column.source, "another transformer", who)
            self._numbers.setdefault(column.source, who)
        return column

    def _clash(self, i: int, text: str, number: str) -> None:
        raise UnsupportedError(
            f"{self.called(i)} is taken as strings by {text} and as a number by {number}: leave one of them out"
        )


def members_of(column: Column) -> List[int]:
    """Inputs that the column is made of."""
    if not isinstance(column.source, Norm):
        return [column.source]
    return [i for one in column.source.members for i in members_of(one)]


def table_step(answers: Dict[float, float], unknown: float, missing: float) -> Step:
    """The step that makes of each key what `answers` says."""
    ones = [key for key, value in answers.items() if value != 0.0]
    if unknown == 0.0 and len(ones) == 1 and answers[ones[0]] == 1.0:
        return Step("equal", ones[0], missing)
    keys = sorted(answers)
    return Step("lookup", unknown, missing, keys=tuple(keys), values=tuple(answers[key] for key in keys))


class Placed:
    """Columns as columns of one Builder: inputs by their number, everything else derived, each once."""

    def __init__(self, builder: Builder, numbers: Dict[int, int]):
        self._builder, self._numbers = builder, numbers
        self._known: Dict[Column, int] = {}

    def prepare(self, columns: Sequence[Column]) -> None:
        """Add what the columns are made of, so that their own numbers can follow each other."""
        for column in columns:
            if isinstance(column.source, Norm):
                for one in column.source.members:
                    self.place(one)

    def place(self, column: Column) -> int:
        """The column's number."""
        if not column.steps and not isinstance(column.source, Norm):
            return self._numbers[column.source]
        key = column._replace(is_text=False)
        if key not in self._known:
            self._known[key] = self.add(column)
        return self._known[key]

    def add(self, column: Column) -> int:
        """A derived column of its own, a copy of an input too."""
        if not isinstance(column.source, Norm):
            return self._builder.add_column(self._numbers[column.source], column.steps)
        members = [self.place(one) for one in column.source.members]
        least = 10 * float(np.finfo(np.float64).eps)  # a smaller norm counts as 1
        return self._builder.add_norm(
            column.source.kind, members[column.source.position], members, column.steps, least=least
        )


def is_text_value(value: Any) -> bool:
    return isinstance(value, (str, bytes))


def is_missing_value(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ == "NAType"
