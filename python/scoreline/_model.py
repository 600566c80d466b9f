"""A model that scores rows.

Comes in: a handle of the C library, and rows in any form that ``_input`` knows. Goes out: NumPy arrays.

A model never changes, and any number of threads may use it. What a call needs besides the model (scratch memory, an
error struct, a prepared one-row call) stands in a worker that is taken from a pool and given back, so that two calls
never share one, not even when a signal handler scores in the middle of another call.
"""

from __future__ import annotations

import ctypes
import os
from collections import OrderedDict
from contextlib import closing
from ctypes import byref, c_char_p, c_int32, c_size_t, c_void_p
from typing import Any, Callable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from . import _binned, _input
from ._contributions import Explainer, explainer_of, top_reasons
from ._described import Described, ModelInfo
from ._errors import ShapeError
from ._library import Error, F64, ISAS, Input, LAYOUT_ROWS, OPEN_MMAP, OPEN_SMALL, OPEN_VERIFY, OUTPUTS, OpenOptions, Options
from ._library import SaveOptions, c_path, c_text, check, filled, lib, new_handle, score_batch_prepared
from ._names import Names
from ._worker import INTEGERS, LEAF, Plan, Worker, check_absent, iterations, output_code, part_of, trees

__all__ = ["Model", "ModelInfo", "borrowed", "load"]

_ndarray = np.ndarray
_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
_FLOATS = (_FLOAT32.num, _FLOAT64.num)
_MAX_PLANS = 64


class Model(Described):
    """An immutable model. Made by :func:`load`, :func:`convert` or :class:`Builder`, never directly.

    Pickles as the bytes of its ``.slm`` file. Safe to share between threads; scoring releases the GIL.
    """

    __slots__ = ("_free", "_names", "_one_row", "_workers", "_plans", "__weakref__")
    _free: Callable[[int], None]
    _names: Names
    _one_row: Tuple[tuple, tuple]
    _workers: List[Worker]
    _plans: "OrderedDict[tuple, Plan]"

    def __init__(self) -> None:
        raise TypeError("scoreline.Model is made by scoreline.load(), scoreline.convert() or scoreline.Builder")

    @classmethod
    def _of_handle(cls, handle: int) -> "Model":
        """Takes ownership of the handle."""
        self = object.__new__(cls)
        self._free = lib.score_model_free
        self._describe(handle)
        self._names = Names(handle, self._features)
        self._one_row = ((1, self._info.n_features), (self._info.n_features,))
        self._workers = []
        self._plans = OrderedDict()
        return self

    def __del__(self) -> None:
        try:
            free, handle = self._free, self._handle
        except AttributeError:
            return
        self._plans.clear()
        free(handle)

    # ---- scoring -------------------------------------------------------------------------------------------------

    def predict(
        self,
        X: Any,
        output: str = "prediction",
        *,
        tree_range: Optional[Tuple[int, int]] = None,
        out: Optional[np.ndarray] = None,
        absent: Optional[str] = None,
    ) -> np.ndarray:
        """Score rows.

        Args:
            X: the rows, NaN or null where a value is missing.

               - NumPy array, 1-D (one row, [n_features]) or 2-D [n_rows, n_features], columns in the order of
                 :attr:`features`. float32 and float64 of any strides are used in place; other numbers become float64.
               - pandas DataFrame: columns are found by name, others are ignored. Numbers, booleans and nullable types
                 are taken as they are, columns of dtype category by the labels of the training data if the model knows
                 them, else by their codes. A frame with numbered columns goes by position unless all features are
                 found among the numbers. A Series is one row.
               - anything with the Arrow PyCapsule interface (pyarrow, polars, …): by name; streams chunk by chunk.
               - a SciPy sparse matrix, columns in the order of :attr:`features`; `absent` must be given.
               - a dictionary from feature name to number or label, or a list of them.
               - nested lists, as an array.
               - what :meth:`bin` made of rows, with this model or one of the same bins.
            output: "prediction" (link applied), "margin" (raw score), "class" (number of the class; predict_class()
                gives its label), "leaf" (a leaf number per tree, as the source library numbers leaves) or
                "contribution" (what contributions() gives, one output behind the other).
            tree_range: (begin, end): trees begin … end - 1 only. None: all.
            out: array to write into, C-contiguous, of the shape and type that is returned.
            absent: what entries that a sparse matrix does not hold mean: "missing" (as in XGBoost) or "zero" (as in
                LightGBM and scikit-learn).

        Returns:
            float64 [n_rows] if there is one value per row, else [n_rows, values]; for "leaf" int32 [n_rows, n_trees],
            for "class" int32.

        Raises:
            ShapeError: columns, names or types do not fit the model; the message lists them.
            UnsupportedError: a kind of table that has no defined meaning (sparse without `absent`).
            ValueError, TypeError: wrong arguments.
        """
        if (
            type(X) is _ndarray
            and tree_range is None
            and out is None
            and absent is None
            and X.shape in self._one_row
            and ((dtype := X.dtype) is _FLOAT64 or dtype is _FLOAT32 or dtype.num in _FLOATS)
        ):
            # One row is copied, because that is cheaper than asking NumPy for its address; float32 widens exactly. Most arrays
            # share one object as their type; those that were pickled, or made over foreign memory, have one of their own.
            try:
                worker = self._workers.pop()
            except IndexError:
                worker = Worker(self)
            row, arguments, take = worker[output]
            row[...] = X
            if score_batch_prepared(*arguments):
                check(worker.error.code, worker.error)
            result = take()
            self._workers.append(worker)
            return result
        return self._predict(X, output, tree_range, out, absent)

    def bin(self, X: Any, *, absent: Optional[str] = None) -> "_binned.Binned":
        """Turn rows into codes once, for many calls: other outputs, other ranges of trees, other models of the same bins.

        Args:
            X, absent: the rows, as for :meth:`predict`.

        Returns:
            What every call takes for rows. Its memory is a byte (with many cuts 2 or 4) per row and column of codes.

        Raises:
            UnsupportedError: a linear model, or one with linear leaves.
        """
        return _binned.bin_rows(self, _input.tables(X, self, absent))

    @property
    def bin_columns(self) -> List["_binned.BinColumn"]:
        """What the codes of :meth:`bin` mean, column by column."""
        return _binned.columns_of(self)

    def contributions(
        self,
        X: Any,
        background: Any = None,
        *,
        tree_range: Optional[Tuple[int, int]] = None,
        absent: Optional[str] = None,
    ) -> np.ndarray:
        """What each feature adds to the margin of a row: Shapley values.

        Args:
            X: the rows, as for :meth:`predict`.
            background: None: compare with the training rows (path-dependent TreeSHAP, what XGBoost, LightGBM and CatBoost
                answer); the model must know its covers. Or rows to compare with (interventional SHAP), in any form that
                :meth:`predict` takes, or what :meth:`explainer` made of them. Each takes as long as all of None.
            tree_range: (begin, end): trees begin … end - 1 only. None: all.
            absent: as for :meth:`predict`, for what is sparse of `X` and `background`.

        Returns:
            float64 [n_rows, n_features + 1], with several outputs [n_rows, n_outputs, n_features + 1]. The last value is
            what is expected when no feature is known. Their sum is the margin, to rounding.

        Raises:
            UnsupportedError: the model has no covers, and there is no background.
        """
        explainer = None if background is None else explainer_of(self, background, absent)
        values = self._predict(X, "contribution", tree_range, None, absent, explainer)
        n_outputs = self._info.n_outputs
        return values if n_outputs == 1 else values.reshape(len(values), n_outputs, -1)

    def explainer(self, background: Any, *, absent: Optional[str] = None) -> Explainer:
        """Rows to compare with, prepared once for many calls of :meth:`contributions` and :meth:`reasons`."""
        return Explainer(self, background, absent)

    def reasons(
        self,
        X: Any,
        k: int = 3,
        *,
        output: int = 0,
        direction: str = "both",
        background: Any = None,
        absent: Optional[str] = None,
    ) -> List[List[Tuple[str, float]]]:
        """The features that contribute most, row by row.

        Args:
            X: the rows, as for :meth:`predict`.
            k: how many features at most.
            output: the output whose margin is explained.
            direction: "both", "up" (only what raises the margin) or "down".
            background, absent: as for :meth:`contributions`.

        Returns:
            For each row up to k pairs (feature, contribution), largest magnitude first, of equal ones the feature that
            comes first in the model. Features that contribute nothing are no reasons.
        """
        return top_reasons(self, self.contributions(X, background, absent=absent), k, output, direction)

    def predict_class(self, X: Any, *, absent: Optional[str] = None) -> np.ndarray:
        """Class labels of rows, as the classifier that was converted answers them.

        Args:
            X, absent: the rows, as for :meth:`predict`.

        Returns:
            :attr:`classes` of the rows, [n_rows]; class numbers if the model names no labels. Of a model with several
            labels per row [n_rows, n_outputs].

        Raises:
            ArgumentError: the model is no classifier.
        """
        numbers = self.predict(X, "class", absent=absent)
        labels = self.classes
        if labels is None:
            return numbers
        if numbers.size and int(numbers.max()) >= len(labels):
            raise ValueError(f"the model names {len(labels)} class labels, and a row is of class {int(numbers.max())}")
        return labels[numbers]

    def staged_predict(
        self, X: Any, step: int = 1, output: str = "prediction", *, absent: Optional[str] = None
    ) -> np.ndarray:
        """Scores after every `step` iterations and after the last, in one pass over the rows.

        Args:
            X, absent: the rows, as for :meth:`predict`.
            step: iterations from one stage to the next.
            output: "prediction" or "margin".

        Returns:
            float64 [n_rows, n_stages], or [n_rows, n_stages, values] if there are several values per row. The last
            stage is what :meth:`predict` gives.
        """
        code = output_code(output)

        def stages_of(options: Options) -> Tuple[int, ...]:
            n_stages = lib.score_stage_count(self._handle, step, byref(options))
            width = lib.score_output_width(self._handle, byref(options))
            return (n_stages,) if width == 1 else (n_stages, width)

        step = iterations("step", step)
        return self._between_trees(X, absent, code, np.float64, stages_of, lib.score_staged, (step,), ())

    def predict_early_stop(
        self, X: Any, every: int, margin: float, output: str = "prediction", *, absent: Optional[str] = None
    ) -> np.ndarray:
        """Scores with LightGBM's prediction early stopping: ``pred_early_stop_freq`` and ``pred_early_stop_margin``.

        After every `every` iterations a row is done when twice the magnitude of its sum, or the distance of its two
        largest sums, exceeds `margin`. LightGBM itself stops early for classification and ranking only.

        Args:
            X, absent: the rows, as for :meth:`predict`.
            output: "prediction" or "margin".

        Returns:
            float64 [n_rows], or [n_rows, values] if there are several values per row.
        """
        code = output_code(output)

        def values_of(options: Options) -> Tuple[int, ...]:
            width = lib.score_output_width(self._handle, byref(options))
            return () if width == 1 else (width,)

        how = (iterations("every", every), float(margin))
        return self._between_trees(X, absent, code, np.float64, values_of, lib.score_early_stop, how, ())

    def decide(self, X: Any, cutoff: float, *, absent: Optional[str] = None) -> np.ndarray:
        """Is the margin above the cut-off? bool [n_rows], always what ``predict(X, "margin") > cutoff`` gives.
        `X` and `absent` are the rows, as for :meth:`predict`.

        Rows whose answer the remaining trees cannot change need no more of them. On boosted models that
        saves little, and predict() is usually faster.
        """
        how = (float(cutoff),)
        answers = self._between_trees(X, absent, OUTPUTS["margin"], np.uint8, lambda _: (), lib.score_decide, how, (None,))
        return answers.astype(bool)

    def _between_trees(
        self,
        X: Any,
        absent: Optional[str],
        code: int,
        dtype: Any,
        shape_of: Callable,
        function: Any,
        before: tuple,
        after: tuple,
    ) -> np.ndarray:
        check_absent(absent)
        worker = self._take_worker()
        try:
            options, parts = worker.options(code), []
            with closing(_input.tables(X, self, absent)) as tables:
                for rows in tables:
                    options.plan = rows.plan.handle if rows.plan is not None else None
                    values = np.empty((rows.n_rows,) + shape_of(options), dtype)
                    check(
                        function(
                            self._handle, byref(rows.input), *before, values.ctypes.data, values.size, byref(options),
                            *after, byref(worker.error),
                        ),
                        worker.error,
                    )
                    parts.append(values)
        finally:
            self._workers.append(worker)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _refused(self, options: Options) -> int:
        """Raise what score_batch() says of options that have no width; there is none if a width may be 0."""
        struct, error = filled(Input), Error()
        struct.layout, struct.dtype, struct.n_columns = LAYOUT_ROWS, F64, self._info.n_features
        check(lib.score_batch(self._handle, byref(struct), None, 0, byref(options), byref(error)), error)
        return 0

    def _predict(
        self,
        X: Any,
        output: str,
        tree_range: Optional[Tuple[int, int]],
        out: Optional[np.ndarray],
        absent: Optional[str],
        explainer: Optional[Explainer] = None,
        observe: Optional[Callable[[Any, np.ndarray], None]] = None,
    ) -> np.ndarray:
        """`observe` is given each table of rows and its values, before the next one is asked for."""
        check_absent(absent)
        code = output_code(output)
        begin, end = trees(tree_range, self._info.n_trees)
        worker = self._take_worker()
        try:
            options = worker.options(code, begin, end)
            options.explainer = None if explainer is None else explainer._handle
            width = lib.score_output_width(self._handle, byref(options)) or self._refused(options)
            parts, position = [], 0
            with closing(_input.tables(X, self, absent)) as tables:
                for rows in tables:
                    shape = (rows.n_rows,) if width == 1 and code != LEAF else (rows.n_rows, width)
                    target = None if out is None else part_of(out, position, rows.n_rows, shape, code)
                    parts.append(self._score(rows, options, shape, target, worker.error))
                    if observe is not None:
                        observe(rows, parts[-1])
                    position += rows.n_rows
        finally:
            self._workers.append(worker)
        if out is not None:
            if len(out) != position:
                raise ShapeError(f"expected out with {position} rows, found {len(out)}")
            return out
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _score(
        self, rows: Any, options: Options, shape: tuple, target: Optional[np.ndarray], error: Error
    ) -> np.ndarray:
        """Score one block of rows into `target`, or into a new array."""
        is_integer = options.output in INTEGERS
        values = np.empty(shape) if target is None or is_integer else target
        options.plan = rows.plan.handle if rows.plan is not None else None
        check(
            lib.score_batch(
                self._handle, byref(rows.input), values.ctypes.data, values.size, byref(options), byref(error)
            ),
            error,
        )
        if not is_integer:
            return values
        if target is None:
            return values.astype(np.int32)
        target[...] = values
        return target

    def _take_worker(self) -> Worker:
        try:
            return self._workers.pop()
        except IndexError:
            return Worker(self)

    def _bind(self, names: Sequence[str], types: Optional[Sequence[int]]) -> Plan:
        """The plan of a schema; the last ones are kept."""
        key = (tuple(names), None if types is None else tuple(types))
        plan = self._plans.get(key)
        if plan is None:
            encoded = [c_text(name, "the column name") for name in names]
            c_names = (c_char_p * len(encoded))(*encoded)
            c_types = None if types is None else (c_int32 * len(encoded))(*types)
            plan = Plan(new_handle(lib.score_bind, self._handle, c_names, c_types, len(encoded)), len(self._features))
            self._plans[key] = plan
            if len(self._plans) > _MAX_PLANS:
                self._plans.popitem(last=False)
        return plan

    # ---- saving --------------------------------------------------------------------------------------------------

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write the model as ``.slm``. The file appears under its name only when it is complete."""
        error = Error()
        check(lib.score_model_save_file(self._handle, c_path(path), None, byref(error)), error)

    def to_bytes(self) -> bytes:
        """The bytes of the ``.slm`` file. The same model gives the same bytes."""
        return self._to_bytes(None)

    def _to_bytes(self, options: Optional[SaveOptions]) -> bytes:
        data, size, error = c_void_p(), c_size_t(), Error()
        check(
            lib.score_model_save_memory(
                self._handle, None if options is None else byref(options), byref(data), byref(size), byref(error)
            ),
            error,
        )
        try:
            return ctypes.string_at(data, size.value)
        finally:
            lib.score_model_free_bytes(self._handle, data, size)

    def _with(self, metadata: Mapping[str, Optional[str]], golden: Optional[Tuple[np.ndarray, np.ndarray]]) -> "Model":
        """The same model with other metadata (None removes a key) and other golden rows, as it will be when loaded."""
        options = filled(SaveOptions)
        keys = [c_text(key, "the metadata key") for key in metadata]
        values = [None if value is None else c_text(value, "the metadata value") for value in metadata.values()]
        options.n_metadata = len(metadata)
        options.metadata_keys = (c_char_p * len(keys))(*keys)
        options.metadata_values = (c_char_p * len(values))(*values)
        if golden is not None:
            rows, margins = (np.ascontiguousarray(part, dtype=np.float64) for part in golden)
            options.golden_rows, options.golden_margins = rows.ctypes.data, margins.ctypes.data
            options.n_golden_rows = len(rows)
        return load(self._to_bytes(options))

    def add_reference(
        self, X: Any, *, output: str = "prediction", n_bins: int = 10, absent: Optional[str] = None
    ) -> "Model":
        """The same model with histograms of its training data inside, for statistics and drift (docs/monitoring.md).

        Args:
            X: rows like those of training, best ones that the model was not trained on, as for :meth:`predict`, in one piece.
            output: whose scores are counted: "prediction", "margin" or "class".
            n_bins: of a numeric feature and of the score, with equal shares of the rows; at most 32.
        """
        from ._statistics import REFERENCE_KEY, reference_text

        if output not in OUTPUTS:
            raise ValueError(f"expected output 'prediction', 'margin' or 'class', found {output!r}")
        return self._with({REFERENCE_KEY: reference_text(self, X, output=output, n_bins=n_bins, absent=absent)}, None)

    def __reduce__(self) -> Tuple[Any, ...]:
        return load, (self.to_bytes(),)

    def __copy__(self) -> "Model":
        return self

    def __deepcopy__(self, memo: Any) -> "Model":
        return self


def load(
    source: Union[str, "os.PathLike[str]", bytes, bytearray, memoryview],
    *,
    mmap: bool = False,
    verify: bool = False,
    small: bool = False,
    isa: str = "auto",
) -> Model:
    """Open a ``.slm`` model from a path, or from bytes.

    Args:
        source: path, or the content of a file as bytes.
        mmap: map the file while it is decoded instead of reading a copy of it. Replace such files by rename only.
        verify: score the golden rows while opening and raise VerifyError if a bit differs.
        small: keep trees of up to 256 leaves without what many rows at once go through: a quarter to a half less memory, the
            same bits, and blocks of rows take longer.
        isa: "auto", or "portable", "sse42", "avx2", "avx512", "neon" to force an instruction set.

    Raises:
        FileError, CorruptError, VersionError, LimitError, VerifyError: with the library's message.
    """
    if isa not in ISAS:
        raise ValueError(f"expected isa to be one of {', '.join(ISAS)}, found {isa!r}")
    options = filled(OpenOptions)
    options.isa = ISAS[isa]
    options.flags = (OPEN_MMAP if mmap else 0) | (OPEN_VERIFY if verify else 0) | (OPEN_SMALL if small else 0)
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, size = borrowed(source)
        options.flags &= ~OPEN_MMAP
        return Model._of_handle(new_handle(lib.score_model_open_memory, data, size, byref(options)))
    return Model._of_handle(new_handle(lib.score_model_open_file, c_path(source), byref(options)))


def borrowed(data: Union[bytes, bytearray, memoryview]) -> Tuple[Any, int]:
    """Something that ctypes takes as the address of the bytes, and their number."""
    array = np.frombuffer(data, dtype=np.uint8)
    return array.ctypes.data_as(c_void_p), array.size
