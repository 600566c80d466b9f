"""The shared library: where it is found, its structs and its functions, as in ``scoreline.h``.

Comes in: the environment variable SCORELINE_LIBRARY, the folder of this package, the system's library path.
Goes out: ``lib`` (functions with their types), the structs, ``check()``.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import operator
import os
import sys
from ctypes import POINTER, Structure, Union, byref, c_char, c_char_p, c_double, c_int, c_int32, c_int64, c_size_t, c_uint8
from ctypes import c_uint16, c_uint32, c_uint64, c_void_p
from typing import Any, Callable, Optional, Tuple, Type, TypeVar
from typing import Union as AnyOf

from ._errors import make_error

__version__ = "0.1.0"

# Values of the enumerations in the headers.
F32, F64, I8, U8, I16, U16, I32, U32, I64, U64, BOOL, BOOL_BITS, STRING, F16 = range(1, 15)
LAYOUT_ROWS, LAYOUT_COLUMNS, LAYOUT_CSR, LAYOUT_BINNED = 1, 2, 3, 4
ABSENT = {"zero": 1, "missing": 2}
OUTPUTS = {"prediction": 0, "margin": 1, "leaf": 2, "class": 3, "contribution": 4}
DIRECTIONS = {"both": 0, "up": 1, "down": 2}
OPEN_MMAP, OPEN_VERIFY, OPEN_SMALL = 1, 2, 4
ISAS = {"auto": 0, "portable": 1, "avx2": 2, "avx512": 3, "sse42": 4, "neon": 5}


class Error(Structure):
    _fields_ = [
        ("code", c_int32),
        ("reserved", c_int32),
        ("offset", c_int64),
        ("line", c_int64),
        ("message", c_char * 232),
    ]


class OpenOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("max_bytes", c_uint64),
        ("flags", c_uint32),
        ("isa", c_int32),
    ]


class ImportOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("max_bytes", c_uint64),
        ("format", c_int32),
        ("isa", c_int32),
        ("iteration_begin", c_uint32),
        ("iteration_end", c_uint32),
        ("onnx_compat", c_int32),
        ("reserved", c_uint32),
        ("missing", POINTER(c_double)),
    ]


class Info(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("kind", c_int32),
        ("n_features", c_uint32),
        ("n_outputs", c_uint32),
        ("n_predictions", c_uint32),
        ("n_trees", c_uint32),
        ("trees_per_iteration", c_uint32),
        ("n_splits", c_uint64),
        ("n_leaves", c_uint64),
        ("n_tests", c_uint64),
        ("max_leaves", c_uint32),
        ("max_depth", c_uint32),
        ("max_cuts", c_uint32),
        ("code_bytes", c_uint32),
        ("isa", c_int32),
        ("batch_regime", c_int32),
        ("row_regime", c_int32),
        ("n_golden_rows", c_uint32),
        ("memory_bytes", c_uint64),
        ("file_bytes", c_uint64),
        ("hash", c_uint8 * 16),
        ("margin_is_f32", c_int32),
        ("n_categories", c_uint32),
        ("has_covers", c_int32),
        ("n_derived", c_uint32),
    ]


class Column(Structure):
    _fields_ = [
        ("values", c_void_p),
        ("validity", c_void_p),
        ("offset", c_int64),
        ("stride_bytes", c_int64),
        ("dtype", c_int32),
        ("reserved", c_int32),
    ]


class Strings(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("offsets", c_void_p),
        ("data", c_void_p),
        ("indices", c_void_p),
        ("codes", c_void_p),
        ("n_strings", c_int64),
        ("offset_type", c_int32),
        ("index_type", c_int32),
    ]


class _InputRows(Structure):
    _fields_ = [("data", c_void_p), ("row_stride_bytes", c_int64), ("column_stride_bytes", c_int64)]


class _InputColumns(Structure):
    _fields_ = [("columns", POINTER(Column))]


class _InputCsr(Structure):
    _fields_ = [
        ("row_starts", c_void_p),
        ("column_numbers", c_void_p),
        ("values", c_void_p),
        ("start_type", c_int32),
        ("number_type", c_int32),
        ("absent", c_int32),
        ("reserved", c_int32),
    ]


class _InputBinned(Structure):
    _fields_ = [
        ("codes", c_void_p),
        ("column_stride_bytes", c_int64),
        ("hash", c_uint8 * 16),
        ("code_bytes", c_uint32),
        ("reserved", c_uint32),
    ]


class _InputUnion(Union):
    _fields_ = [
        ("rows", _InputRows),
        ("columns", _InputColumns),
        ("csr", _InputCsr),
        ("binned", _InputBinned),
        ("reserved", c_uint64 * 8),
    ]


class Input(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("layout", c_int32),
        ("dtype", c_int32),
        ("n_rows", c_int64),
        ("n_columns", c_int64),
        ("u", _InputUnion),
    ]


class Bins(Structure):
    _fields_ = [("struct_size", c_size_t), ("hash", c_uint8 * 16), ("n_columns", c_uint32), ("code_bytes", c_uint32)]


class BinColumnStruct(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("feature", c_uint32),
        ("flags", c_uint32),
        ("missing", c_uint32),
        ("n_cuts", c_uint32),
        ("n_categories", c_uint32),
        ("reserved", c_uint32),
        ("cuts", c_void_p),
        ("categories", c_void_p),
    ]


class Options(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("output", c_int32),
        ("regime", c_int32),
        ("tree_begin", c_uint32),
        ("tree_end", c_uint32),
        ("plan", c_void_p),
        ("scratch", c_void_p),
        ("scratch_bytes", c_size_t),
        ("explainer", c_void_p),
    ]


class Reason(Structure):
    _fields_ = [("contribution", c_double), ("name", c_char_p), ("feature", c_uint32), ("reserved", c_uint32)]


class SaveOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("golden_rows", c_void_p),
        ("golden_margins", c_void_p),
        ("n_golden_rows", c_uint32),
        ("n_metadata", c_uint32),
        ("metadata_keys", POINTER(c_char_p)),
        ("metadata_values", POINTER(c_char_p)),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class Contract(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("n_features", c_uint32),
        ("n_outputs", c_uint32),
        ("trees_per_iteration", c_uint32),
        ("compare", c_int32),
        ("sum", c_int32),
        ("base_position", c_int32),
        ("average", c_int32),
        ("category_rule", c_int32),
        ("scale", c_double),
    ]


class BuildOptions(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("allocator", c_void_p),
        ("max_bytes", c_uint64),
        ("max_trees", c_uint32),
        ("max_depth", c_uint32),
        ("isa", c_int32),
        ("reserved", c_uint32),
    ]


class Node(Structure):
    _fields_ = [
        ("left", c_int32),
        ("right", c_int32),
        ("feature", c_uint32),
        ("test", c_uint8),
        ("missing", c_uint8),
        ("reserved", c_uint16),
        ("value", c_double),
        ("categories", c_uint32),
        ("n_categories", c_uint32),
        ("leaf_id", c_uint32),
        ("leaf_vector", c_uint32),
    ]


class LinearLeaf(Structure):
    _fields_ = [("constant", c_double), ("first_term", c_uint32), ("n_terms", c_uint32)]


class Tree(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("nodes", c_void_p),
        ("n_nodes", c_size_t),
        ("categories", c_void_p),
        ("n_categories", c_size_t),
        ("vectors", c_void_p),
        ("n_vectors", c_size_t),
        ("output", c_uint32),
        ("reserved", c_uint32),
        ("covers", c_void_p),
        ("linear_leaves", c_void_p),
        ("term_features", c_void_p),
        ("term_coefficients", c_void_p),
        ("n_terms", c_size_t),
    ]


class Step(Structure):
    _fields_ = [
        ("operation", c_int32),
        ("flags", c_uint32),
        ("a", c_double),
        ("b", c_double),
        ("keys", c_void_p),
        ("values", c_void_p),
        ("n_keys", c_size_t),
    ]


class ColumnProgram(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("root", c_int32),
        ("flags", c_uint32),
        ("source", c_uint32),
        ("reserved", c_uint32),
        ("sources", c_void_p),
        ("n_sources", c_size_t),
        ("hashes", c_void_p),
        ("n_hashes", c_size_t),
        ("steps", c_void_p),
        ("n_steps", c_size_t),
        ("least", c_double),
    ]


class PartStruct(Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("first_output", c_uint32),
        ("n_outputs", c_uint32),
        ("divisor", c_double),
        ("slopes", c_void_p),
        ("offsets", c_void_p),
        ("curve_ends", c_void_p),
        ("curve_x", c_void_p),
        ("curve_y", c_void_p),
        ("link", c_int32),
        ("vote", c_int32),
        ("link_parameter", c_double),
        ("weight", c_double),
        ("columns", c_void_p),
    ]


_H = c_void_p  # opaque handles: model, plan, builder
_OUT = POINTER(c_void_p)
_ERROR = POINTER(Error)

# name: (result, arguments)
_FUNCTIONS = {
    "score_status_name": (c_char_p, [c_int32]),
    "score_version_number": (c_uint32, []),
    "score_version_string": (c_char_p, []),
    "score_model_open_file": (c_int32, [c_char_p, POINTER(OpenOptions), _OUT, _ERROR]),
    "score_model_open_memory": (c_int32, [c_void_p, c_size_t, POINTER(OpenOptions), _OUT, _ERROR]),
    "score_model_free": (None, [_H]),
    "score_model_get_info": (c_int32, [_H, POINTER(Info)]),
    "score_model_feature_name": (c_char_p, [_H, c_uint32]),
    "score_model_feature_find": (c_int32, [_H, c_char_p, c_size_t, POINTER(c_uint32)]),
    "score_model_feature_type": (c_int32, [_H, c_uint32]),
    "score_model_dictionary": (c_uint32, [_H, c_uint32]),
    "score_model_category_unknown": (c_double, [_H, c_uint32]),
    "score_model_category_count": (c_uint32, [_H, c_uint32]),
    "score_model_category_name": (c_char_p, [_H, c_uint32, c_uint32]),
    "score_model_category_code": (c_double, [_H, c_uint32, c_uint32]),
    "score_model_category_find": (c_int, [_H, c_uint32, c_char_p, c_size_t, POINTER(c_double)]),
    "score_arrow_encode": (c_int32, [_H, c_uint32, c_void_p, c_void_p, c_int64, c_int64, c_void_p, _ERROR]),
    "score_encode": (c_int32, [_H, c_uint32, POINTER(Strings), c_void_p, _ERROR]),
    "score_builder_set_dictionary": (
        c_int32,
        [_H, c_uint32, POINTER(c_char_p), c_void_p, c_size_t, c_double, c_uint32, _ERROR],
    ),
    "score_model_metadata_count": (c_uint32, [_H]),
    "score_model_metadata_key": (c_char_p, [_H, c_uint32]),
    "score_model_metadata_value": (c_char_p, [_H, c_uint32]),
    "score_model_link_name": (c_char_p, [_H]),
    "score_model_class_count": (c_uint32, [_H]),
    "score_model_class_label": (c_char_p, [_H, c_uint32]),
    "score_isa_name": (c_char_p, [c_int32]),
    "score_regime_name": (c_char_p, [c_int32]),
    "score_isa_available": (c_int32, [c_int32]),
    "score_model_verify": (c_int32, [_H, c_int32, POINTER(c_uint64), _ERROR]),
    "score_bind": (c_int32, [_H, POINTER(c_char_p), POINTER(c_int32), c_size_t, _OUT, _ERROR]),
    "score_plan_free": (None, [_H]),
    "score_plan_column": (c_int64, [_H, c_uint32]),
    "score_output_width": (c_size_t, [_H, POINTER(Options)]),
    "score_scratch_bytes": (c_size_t, [_H]),
    "score_batch": (c_int32, [_H, POINTER(Input), c_void_p, c_size_t, POINTER(Options), _ERROR]),
    "score_model_get_bins": (c_int32, [_H, POINTER(Bins)]),
    "score_model_get_bin_column": (c_int32, [_H, c_uint32, POINTER(BinColumnStruct), _ERROR]),
    "score_bin": (c_int32, [_H, POINTER(Input), _H, c_void_p, c_size_t, c_int64, _ERROR]),
    "score_stage_count": (c_size_t, [_H, c_uint32, POINTER(Options)]),
    "score_staged": (c_int32, [_H, POINTER(Input), c_uint32, c_void_p, c_size_t, POINTER(Options), _ERROR]),
    "score_early_stop": (
        c_int32,
        [_H, POINTER(Input), c_uint32, c_double, c_void_p, c_size_t, POINTER(Options), _ERROR],
    ),
    "score_decide": (
        c_int32,
        [_H, POINTER(Input), c_double, c_void_p, c_size_t, POINTER(Options), POINTER(c_uint64), _ERROR],
    ),
    "score_contribution_scratch_bytes": (c_size_t, [_H]),
    "score_explainer_new": (c_int32, [_H, POINTER(Input), _H, _OUT, _ERROR]),
    "score_explainer_free": (None, [_H]),
    "score_top_reasons": (c_int32, [_H, c_void_p, c_size_t, c_uint32, c_int32, c_size_t, POINTER(Reason), _ERROR]),
    "score_model_save_file": (c_int32, [_H, c_char_p, POINTER(SaveOptions), _ERROR]),
    "score_model_save_memory": (c_int32, [_H, POINTER(SaveOptions), _OUT, POINTER(c_size_t), _ERROR]),
    "score_model_free_bytes": (None, [_H, c_void_p, c_size_t]),
    "score_model_golden": (c_uint32, [_H, POINTER(POINTER(c_double)), POINTER(POINTER(c_double))]),
    "score_builder_new": (c_int32, [POINTER(Contract), POINTER(BuildOptions), _OUT, _ERROR]),
    "score_builder_free": (None, [_H]),
    "score_builder_set_feature": (c_int32, [_H, c_uint32, c_char_p, c_int32, _ERROR]),
    "score_builder_set_base": (c_int32, [_H, c_void_p, c_size_t, _ERROR]),
    "score_builder_set_link": (c_int32, [_H, c_int32, c_double, _ERROR]),
    "score_builder_set_metadata": (c_int32, [_H, c_char_p, c_char_p, _ERROR]),
    "score_builder_add_column": (c_int32, [_H, POINTER(ColumnProgram), POINTER(c_uint32), _ERROR]),
    "score_builder_set_linear_columns": (c_int32, [_H, c_uint32, _ERROR]),
    "score_builder_add_part": (c_int32, [_H, POINTER(PartStruct), _ERROR]),
    "score_builder_combine": (c_int32, [_H, c_int32, c_double, c_uint32, _ERROR]),
    "score_builder_add_tree": (c_int32, [_H, POINTER(Tree), _ERROR]),
    "score_builder_set_linear": (c_int32, [_H, c_void_p, c_int32, _ERROR]),
    "score_builder_finish": (c_int32, [_H, _OUT, _ERROR]),
}
# Absent from a library that was built without the importers.
_IMPORT_FUNCTIONS = {
    "score_import_file": (c_int32, [c_char_p, POINTER(ImportOptions), _OUT, _ERROR]),
    "score_import_memory": (c_int32, [c_void_p, c_size_t, POINTER(ImportOptions), _OUT, _ERROR]),
}


def _file_name() -> str:
    if sys.platform == "darwin":
        return "libscoreline.dylib"
    return "scoreline.dll" if sys.platform == "win32" else "libscoreline.so"


def _open_library() -> Tuple[ctypes.CDLL, str]:
    """SCORELINE_LIBRARY, else the library beside this file, else the system's."""
    chosen = os.environ.get("SCORELINE_LIBRARY")
    if chosen:
        try:
            return ctypes.CDLL(os.path.abspath(chosen)), chosen
        except OSError as error:
            raise ImportError(f"SCORELINE_LIBRARY names {chosen!r}, which cannot be loaded: {error}") from error
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), _file_name())
    if os.path.exists(beside):
        try:
            return ctypes.CDLL(beside), beside
        except OSError as error:
            raise ImportError(f"the package's own {beside!r} cannot be loaded: {error}") from error
    found = ctypes.util.find_library("scoreline")
    if found:
        return ctypes.CDLL(found), found
    raise ImportError(
        f"no Scoreline library found: SCORELINE_LIBRARY is not set, {beside!r} does not exist and the "
        "system has no libscoreline. Install the package with pip, or set SCORELINE_LIBRARY to the "
        "libscoreline.so of a build"
    )


def _check_version(loaded: ctypes.CDLL, path: str) -> None:
    """The C interface may grow within a minor version (0.x) and must not be older than this package."""
    try:
        number = loaded.score_version_number
    except AttributeError:
        raise ImportError(f"{path!r} is not a Scoreline library: it has no score_version_number") from None
    number.restype = c_uint32
    major, minor, patch = (int(part) for part in __version__.split("."))
    wanted = major * 10000 + minor * 100 + patch
    got = number()
    if got // 100 != wanted // 100 or got < wanted:
        raise ImportError(
            f"{path!r} is Scoreline {got // 10000}.{got // 100 % 100}.{got % 100}, and this Python "
            f"package needs {major}.{minor}.{patch} or a later {major}.{minor}.x"
        )


def _declare(loaded: ctypes.CDLL, path: str, functions: dict) -> None:
    """Give every function its types."""
    for name, (result, arguments) in functions.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            raise ImportError(f"{path!r} has no function {name}: it does not fit this package") from None
        function.restype, function.argtypes = result, arguments


def _declare_importers(loaded: ctypes.CDLL) -> bool:
    """False if the importers are not built in."""
    for name, (result, arguments) in _IMPORT_FUNCTIONS.items():
        try:
            function = getattr(loaded, name)
        except AttributeError:
            return False
        function.restype, function.argtypes = result, arguments
    return True


lib, library_path = _open_library()
_check_version(lib, library_path)
_declare(lib, library_path, _FUNCTIONS)
has_importers = _declare_importers(lib)

# The same function without argument types: calls with ready-made ctypes objects skip the conversions.
score_batch_prepared = lib["score_batch"]
score_batch_prepared.restype = c_int32


class Owner:
    """What frees a handle of the library at its end: no second object may have that handle."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Copies and pickles of every kind begin here."""
        raise TypeError(f"scoreline.{type(self).__name__} can be neither copied nor pickled: it stands for state of this process")


def declare(functions: dict) -> None:
    """Types of more functions, by name: (result, arguments)."""
    _declare(lib, library_path, functions)


def check(status: int, error: Error) -> None:
    """Raise the exception of a failed call."""
    if status:
        raise make_error(status, error.message.decode("utf-8", "replace"), error.offset, error.line)


def c_text(value: Any, what: str) -> bytes:
    """UTF-8 of a string for C, which would take a zero byte as its end."""
    data = str(value).encode("utf-8", "surrogatepass")
    if b"\0" in data:
        raise ValueError(f"{what} {value!r} contains a zero byte")
    return data


def c_count(what: str, number: Any) -> int:
    """A number that 32 bits hold, which ctypes would take from any; the library checks the rest."""
    number = operator.index(number)
    if not 0 <= number < 2**32:
        raise ValueError(f"expected {what} from 0 to {2**32 - 1}, found {number}")
    return number


def c_path(path: AnyOf[str, "os.PathLike[str]"]) -> bytes:
    """A path for C."""
    data = os.fsencode(path)
    if b"\0" in data:
        raise ValueError(f"the path {path!r} contains a zero byte")
    return data


def text(value: Optional[bytes]) -> str:
    """A Python string of a C string."""
    return value.decode("utf-8", "replace") if value is not None else ""


_Struct = TypeVar("_Struct", bound=Structure)


def filled(struct_type: Type[_Struct]) -> _Struct:
    """A zeroed struct with its struct_size set."""
    struct = struct_type()
    struct.struct_size = ctypes.sizeof(struct_type)  # type: ignore[attr-defined]  # every struct of the library begins with it
    return struct


def new_handle(function: Callable[..., int], *arguments: Any) -> int:
    """Call a function that ends in (…, out, error) and return the handle it made."""
    out, error = c_void_p(), Error()
    check(function(*arguments, byref(out), byref(error)), error)
    return out.value  # type: ignore[return-value]  # 0 where there may be none
