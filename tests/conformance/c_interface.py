"""The library's C interface by ctypes, written apart from the Python package, so that neither hides a fault of the
other: a model from bytes, forced onto one instruction set, scored by one regime from one layout.

Comes in: SCORELINE_LIBRARY or build/lib/libscoreline.so. Goes out: NumPy arrays, or ScoreError with the C message.
"""
import ctypes as c
import os
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = os.environ.get("SCORELINE_LIBRARY") or str(ROOT / "build/lib/libscoreline.so")

PORTABLE, AVX2, AVX512, SSE42, NEON = range(1, 6)
AUTO, BATCH, WALK, LINEAR, ROW = 0, 1, 2, 3, 4
PREDICTION, MARGIN, LEAF, CLASS = 0, 1, 2, 3
NO_COVERS = 1
OUTPUT_NAMES = {PREDICTION: "prediction", MARGIN: "margin", LEAF: "leaf", CLASS: "class"}
ISA_NAMES = {PORTABLE: "portable", SSE42: "sse42", AVX2: "avx2", AVX512: "avx512", NEON: "neon"}
REGIME_NAMES = {AUTO: "auto", BATCH: "batch", WALK: "walk", LINEAR: "linear", ROW: "row"}
STATUS = {1: "ARGUMENT", 2: "MEMORY", 3: "IO", 4: "CORRUPT", 5: "VERSION", 6: "UNSUPPORTED", 7: "SHAPE", 8: "LIMIT",
          9: "VERIFY"}
DTYPES = {"float32": 1, "float64": 2, "int8": 3, "uint8": 4, "int16": 5, "uint16": 6, "int32": 7, "uint32": 8,
          "int64": 9, "uint64": 10}


class Error(c.Structure):
    _fields_ = [("code", c.c_int32), ("reserved", c.c_int32), ("offset", c.c_int64), ("line", c.c_int64),
                ("message", c.c_char * 232)]


class OpenOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("allocator", c.c_void_p), ("max_bytes", c.c_uint64),
                ("flags", c.c_uint32), ("isa", c.c_int32)]


class ImportOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("allocator", c.c_void_p), ("max_bytes", c.c_uint64),
                ("format", c.c_int32), ("isa", c.c_int32), ("iteration_begin", c.c_uint32),
                ("iteration_end", c.c_uint32), ("onnx_compat", c.c_int32), ("reserved", c.c_uint32),
                ("missing", c.POINTER(c.c_double))]


class Info(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("kind", c.c_int32), ("n_features", c.c_uint32),
                ("n_outputs", c.c_uint32), ("n_predictions", c.c_uint32), ("n_trees", c.c_uint32),
                ("trees_per_iteration", c.c_uint32), ("n_splits", c.c_uint64), ("n_leaves", c.c_uint64),
                ("n_tests", c.c_uint64), ("max_leaves", c.c_uint32), ("max_depth", c.c_uint32),
                ("max_cuts", c.c_uint32), ("code_bytes", c.c_uint32), ("isa", c.c_int32),
                ("batch_regime", c.c_int32), ("row_regime", c.c_int32), ("n_golden_rows", c.c_uint32),
                ("memory_bytes", c.c_uint64), ("file_bytes", c.c_uint64), ("hash", c.c_uint8 * 16),
                ("margin_is_f32", c.c_int32), ("n_categories", c.c_uint32), ("has_covers", c.c_int32),
                ("reserved", c.c_uint32)]


class Column(c.Structure):
    _fields_ = [("values", c.c_void_p), ("validity", c.c_void_p), ("offset", c.c_int64), ("stride_bytes", c.c_int64),
                ("dtype", c.c_int32), ("reserved", c.c_int32)]


class Input(c.Structure):
    # The union: data (or columns), row stride, column stride, five reserved words.
    _fields_ = [("struct_size", c.c_size_t), ("layout", c.c_int32), ("dtype", c.c_int32), ("n_rows", c.c_int64),
                ("n_columns", c.c_int64), ("data", c.c_void_p), ("row_stride", c.c_int64),
                ("column_stride", c.c_int64), ("rest", c.c_uint64 * 5)]


class Options(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("output", c.c_int32), ("regime", c.c_int32), ("tree_begin", c.c_uint32),
                ("tree_end", c.c_uint32), ("plan", c.c_void_p), ("scratch", c.c_void_p),
                ("scratch_bytes", c.c_size_t)]


class SaveOptions(c.Structure):
    _fields_ = [("struct_size", c.c_size_t), ("golden_rows", c.c_void_p), ("golden_margins", c.c_void_p),
                ("n_golden_rows", c.c_uint32), ("n_metadata", c.c_uint32), ("metadata_keys", c.c_void_p),
                ("metadata_values", c.c_void_p), ("flags", c.c_uint32), ("reserved", c.c_uint32)]


lib = c.CDLL(LIBRARY)
lib.score_output_width.restype = c.c_size_t
lib.score_scratch_bytes.restype = c.c_size_t
lib.score_model_link_name.restype = c.c_char_p
lib.score_scratch_bytes.argtypes = lib.score_model_link_name.argtypes = lib.score_model_free.argtypes = [c.c_void_p]
lib.score_output_width.argtypes = [c.c_void_p, c.POINTER(Options)]
lib.score_model_get_info.argtypes = [c.c_void_p, c.POINTER(Info)]
lib.score_import_memory.argtypes = [c.c_char_p, c.c_size_t, c.POINTER(ImportOptions), c.POINTER(c.c_void_p),
                                    c.POINTER(Error)]
lib.score_model_open_memory.argtypes = [c.c_char_p, c.c_size_t, c.POINTER(OpenOptions), c.POINTER(c.c_void_p),
                                        c.POINTER(Error)]
lib.score_model_save_memory.argtypes = [c.c_void_p, c.c_void_p, c.POINTER(c.c_void_p), c.POINTER(c.c_size_t),
                                        c.POINTER(Error)]
lib.score_model_free_bytes.argtypes = [c.c_void_p, c.c_void_p, c.c_size_t]
lib.score_model_free_bytes.restype = lib.score_model_free.restype = None
lib.score_model_verify.argtypes = [c.c_void_p, c.c_int32, c.POINTER(c.c_uint64), c.POINTER(Error)]
lib.score_batch.argtypes = [c.c_void_p, c.POINTER(Input), c.c_void_p, c.c_size_t, c.POINTER(Options),
                            c.POINTER(Error)]


class ScoreError(Exception):
    def __init__(self, code: int, error: Error):
        self.code = STATUS.get(code, str(code))
        self.text = error.message.decode("utf-8", "replace")
        super().__init__(f"{self.code}: {self.text}")


def check(code: int, error: Error) -> None:
    if code != 0:
        raise ScoreError(code, error)


def available_isas() -> list[int]:
    """Those of this processor, or only the one named by SCORELINE_TEST_ISA."""
    only = os.environ.get("SCORELINE_TEST_ISA")
    return [isa for isa, name in ISA_NAMES.items() if lib.score_isa_available(isa) and only in (None, name)]


class Rows:
    """Row-major values of one type, with whatever strides the array has."""

    def __init__(self, array: np.ndarray):
        self.array = array
        self.n = len(array)

    def describe(self, first: int, n: int) -> Input:
        a = self.array
        return Input(c.sizeof(Input), 1, DTYPES[a.dtype.name], n, a.shape[1], a.ctypes.data + first * a.strides[0],
                     a.strides[0], a.strides[1])


class Columns:
    """One array per column, in turn: packed with a validity bitmap and an offset (missing slots hold garbage); packed
    with NaN; every second value of an array. Columns of small integers are sent as int32."""

    GARBAGE = 12345

    def __init__(self, array: np.ndarray):
        self.n = len(array)
        self.kept = []
        self.columns = (Column * array.shape[1])()
        for i in range(array.shape[1]):
            self.columns[i] = self._column(i, np.ascontiguousarray(array[:, i]))

    def _column(self, i: int, values: np.ndarray) -> Column:
        missing = np.isnan(values)
        known = np.where(missing, 0, values)
        integral = bool((np.abs(known) < 2**31).all()) and bool((known == np.trunc(known)).all())
        if i % 3 == 0 or integral:
            offset = i % 11
            valid = np.concatenate([np.zeros(offset, bool), ~missing])
            bitmap = np.packbits(valid, bitorder="little")
            kept = np.full(offset + len(values), self.GARBAGE, np.int32 if integral else values.dtype)
            kept[offset:][~missing] = values[~missing]
            self.kept += [kept, bitmap]
            return Column(kept.ctypes.data, bitmap.ctypes.data, offset, 0, DTYPES[kept.dtype.name], 0)
        step = 2 if i % 3 == 2 else 1
        kept = np.full(step * len(values), self.GARBAGE, values.dtype)
        kept[::step] = values
        self.kept.append(kept)
        return Column(kept.ctypes.data, None, 0, kept.itemsize * step if step > 1 else 0, DTYPES[kept.dtype.name], 0)

    def describe(self, first: int, n: int) -> Input:
        moved = (Column * len(self.columns))(*self.columns)
        for column in moved:
            column.offset += first
        self.moved = moved
        return Input(c.sizeof(Input), 2, 0, n, len(moved), c.addressof(moved), 0, 0)


class Model:
    def __init__(self, handle: c.c_void_p):
        self.handle = handle
        self.info = Info(c.sizeof(Info))
        if lib.score_model_get_info(handle, self.info) != 0:
            raise RuntimeError("score_model_get_info")
        self.scratch = np.zeros(lib.score_scratch_bytes(handle) + 1, np.uint8)

    @classmethod
    def imported(cls, data: bytes, isa: int = AUTO, onnx_compat: int = 0, missing: float | None = None) -> "Model":
        handle, error = c.c_void_p(), Error()
        options = ImportOptions(c.sizeof(ImportOptions), None, 0, 0, isa, 0, 0, onnx_compat, 0,
                                None if missing is None else c.pointer(c.c_double(missing)))
        check(lib.score_import_memory(data, len(data), options, handle, error), error)
        return cls(handle)

    @classmethod
    def opened(cls, data: bytes, isa: int = AUTO) -> "Model":
        handle, error = c.c_void_p(), Error()
        options = OpenOptions(c.sizeof(OpenOptions), None, 0, 0, isa)
        check(lib.score_model_open_memory(data, len(data), options, handle, error), error)
        return cls(handle)

    def __del__(self):
        if getattr(self, "handle", None):
            lib.score_model_free(self.handle)

    @property
    def link(self) -> str:
        return lib.score_model_link_name(self.handle).decode()

    def saved(self, flags: int = 0) -> bytes:
        data, size, error = c.c_void_p(), c.c_size_t(), Error()
        options = SaveOptions(struct_size=c.sizeof(SaveOptions), flags=flags)
        check(lib.score_model_save_memory(self.handle, c.byref(options), data, size, error), error)
        out = c.string_at(data, size.value)
        lib.score_model_free_bytes(self.handle, data, size)
        return out

    def verify(self, isa: int) -> int:
        n, error = c.c_uint64(), Error()
        check(lib.score_model_verify(self.handle, isa, n, error), error)
        return n.value

    def score(self, rows, output=MARGIN, regime=AUTO, trees=(0, 0), batch=None, n=None, scratch=True) -> np.ndarray:
        """Scores of the first `n` rows, `batch` rows per call, as [n, width] doubles."""
        n = rows.n if n is None else min(n, rows.n)
        batch = n if batch is None else batch
        error = Error()
        options = Options(c.sizeof(Options), output, regime, *trees, None,
                          self.scratch.ctypes.data if scratch else None, len(self.scratch) - 1 if scratch else 0)
        width = lib.score_output_width(self.handle, options)
        out = np.full((n, width), -7.7e77)
        for first in range(0, n, batch):
            m = min(batch, n - first)
            code = lib.score_batch(self.handle, rows.describe(first, m), out.ctypes.data + out.strides[0] * first,
                                   m * width, options, error)
            check(code, error)
        return out
