"""Endpoints: served versions of a model, traffic between them, shadows, hot swap.

Comes in: configurations as the serving platforms write them, and rows in any form that ``_input`` knows. Goes out: NumPy
arrays, and who answered. Which version answers, and that it stays one version to the end of a call, is the library's work.
"""

from __future__ import annotations

import ctypes
import threading
from contextlib import closing
from ctypes import CFUNCTYPE, POINTER, byref, c_char, c_char_p, c_int32, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Union

import numpy as np

from . import _input
from ._capture import Capture
from ._library import Column, Error, I64, Input, OUTPUTS, Options, Owner, STRING, Strings, c_text, check, declare, filled, lib
from ._library import new_handle, text
from ._model import Model, load

SAME_LABELS = 1
BY_ID = 1
N_SLOTS = 100
_SEVERAL = 0xFFFFFFFF
_INTEGERS = (OUTPUTS["leaf"], OUTPUTS["class"])
# What platforms say of machines; there are none here.
_OF_MACHINES = {
    "workload_size",
    "workload_type",
    "scale_to_zero_enabled",
    "environment_vars",
    "instance_profile_arn",
    "min_provisioned_throughput",
    "max_provisioned_throughput",
    "min_provisioned_concurrency",
    "max_provisioned_concurrency",
}
_Release = CFUNCTYPE(None, c_void_p)


class Observer(ctypes.Structure):
    _fields_ = [("finished", c_void_p), ("context", c_void_p)]


class ServedEntity(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("entity_name", c_char_p),
        ("entity_version", c_char_p),
        ("model", c_void_p),
        ("model_ref", c_void_p),
        ("release", c_void_p),
        ("release_context", c_void_p),
        ("statistics", c_void_p),
        ("observer", Observer),
        ("reserved", c_void_p * 3),
    ]


class Route(ctypes.Structure):
    _fields_ = [("served_model_name", c_char_p), ("traffic_percentage", c_int32), ("reserved", c_int32)]


class EndpointConfig(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("served_entities", POINTER(ServedEntity)),
        ("n_served_entities", c_size_t),
        ("routes", POINTER(Route)),
        ("n_routes", c_size_t),
        ("shadow_names", POINTER(c_char_p)),
        ("n_shadows", c_size_t),
        ("slots", c_void_p),
    ]


class EndpointOptions(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("name", c_char_p),
        ("allocator", c_void_p),
        ("salt", c_uint64),
        ("observers", POINTER(Observer)),
        ("n_observers", c_size_t),
        ("capture", c_void_p),
        ("flags", c_uint32),
        ("reserved", c_uint32),
    ]


class ServedInfo(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("generation", c_uint64),
        ("n_served_entities", c_uint32),
        ("traffic_percentage", c_int32),
        ("is_shadow", c_int32),
        ("reserved", c_uint32),
        ("hash", c_uint8 * 16),
        ("name", c_char * 128),
        ("entity_name", c_char * 128),
        ("entity_version", c_char * 128),
    ]


class Request(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("output", c_int32),
        ("flags", c_uint32),
        ("plan", c_void_p),
        ("scratch", c_void_p),
        ("scratch_bytes", c_size_t),
        ("request_id", c_char_p),
        ("served_name", c_char_p),
        ("key", c_char_p),
        ("key_length", c_size_t),
        ("row_keys", POINTER(Column)),
        ("row_served", c_void_p),
    ]


class Answer(ctypes.Structure):
    _fields_ = [
        ("struct_size", c_size_t),
        ("generation", c_uint64),
        ("served", c_uint32),
        ("n_served", c_uint32),
        ("out_width", c_size_t),
        ("scratch_bytes", c_size_t),
        ("served_name", c_char * 128),
    ]


_H = c_void_p
_ERROR = POINTER(Error)
declare(
    {
        "score_endpoint_new": (c_int32, [POINTER(EndpointOptions), POINTER(EndpointConfig), POINTER(_H), _ERROR]),
        "score_endpoint_free": (None, [_H]),
        "score_endpoint_update": (c_int32, [_H, POINTER(EndpointConfig), _ERROR]),
        "score_endpoint_add": (c_int32, [_H, POINTER(ServedEntity), _ERROR]),
        "score_endpoint_replace": (c_int32, [_H, c_char_p, POINTER(ServedEntity), _ERROR]),
        "score_endpoint_remove": (c_int32, [_H, c_char_p, _ERROR]),
        "score_endpoint_set_traffic": (c_int32, [_H, POINTER(Route), c_size_t, _ERROR]),
        "score_endpoint_set_shadows": (c_int32, [_H, POINTER(c_char_p), c_size_t, _ERROR]),
        "score_endpoint_rollback": (c_int32, [_H, _ERROR]),
        "score_endpoint_settle": (c_size_t, [_H]),
        "score_endpoint_get_served": (c_int32, [_H, c_uint32, POINTER(ServedInfo)]),
        "score_endpoint_slots": (c_uint64, [_H, c_void_p]),
        "score_endpoint_slot": (c_uint32, [_H, c_char_p, c_size_t]),
        "score_endpoint_scratch_bytes": (c_size_t, [_H, c_int32, c_size_t]),
        "score_endpoint_reader_new": (c_int32, [_H, POINTER(_H), _ERROR]),
        "score_endpoint_reader_free": (None, [_H]),
        "score_endpoint_batch": (
            c_int32,
            [_H, POINTER(Input), c_void_p, c_size_t, POINTER(Request), POINTER(Answer), _ERROR],
        ),
    }
)


@dataclass(frozen=True, eq=False)  # arrays have no equality that is one answer
class Scored:
    """What an endpoint answered. `served` says per row which of `served_names` scored it."""

    predictions: np.ndarray  # float64 [n_rows] or [n_rows, values]; int32 for "class" and "leaf"
    served_name: Optional[str]  # None if the keys of rows chose several versions
    served: np.ndarray  # uint32 [n_rows]: number of the entity in the configuration
    generation: int  # of that configuration


class _Reader:
    """What one call at a time needs: the library's reader, scratch memory, an error struct."""

    __slots__ = ("handle", "scratch", "shapes", "error", "_free")

    def __init__(self, endpoint: int):
        self._free = lib.score_endpoint_reader_free
        self.handle = new_handle(lib.score_endpoint_reader_new, endpoint)
        self.scratch = np.empty(0, dtype=np.uint8)
        self.shapes: set = set()  # (output, columns) that the scratch was made for
        self.error = Error()

    def make_room(self, size: int) -> None:
        if self.scratch.size < size:
            self.scratch = np.empty(size, dtype=np.uint8)

    def close(self) -> None:
        self._free(self.handle)


Resolver = Union[Callable[[Any, Any], Any], Mapping[str, Any]]  # a function of (entity_name, entity_version)


class Endpoint(Owner):
    """Versions of a model behind one name. Any number of threads may score and change it at once; scoring never waits.

    Args:
        config: as the platforms write it. Keys:

            - "served_entities": list of dictionaries with "entity_name", "entity_version", "name" (default
              "<entity_name>-<entity_version>") and, of Scoreline's own, "model" (a Model or a path) and "statistics" (a
              Statistics of that model). What platforms say of machines ("workload_size", …) means nothing here.
            - "traffic_config": {"routes": [{"served_model_name" or "served_entity_name", "traffic_percentage"}]},
              integers that sum to 100. May be left out if there is one entity.
            - "shadow_names": served names that are scored beside every call, for statistics and capture only.
            - "slots": the served name of each of the hundred traffic slots, as `slots` of another endpoint gives it.
            - "auto_capture_config" is accepted; it names a table, and the log that fills it is `capture`.
        models: where entities without "model" get theirs: a function of (entity_name, entity_version), or a dictionary
            from served name to a Model or a path.
        name: of the endpoint. salt: of the hash that gives keys their version; 0: made of the name.
        capture: a Capture that logs all calls, shadows too; or None.

    Raises:
        ArgumentError, ShapeError, VerifyError: the configuration is refused; the message begins with its field.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        models: Optional[Resolver] = None,
        name: str = "endpoint",
        salt: int = 0,
        capture: Optional[Capture] = None,
    ):
        self._changing = threading.Lock()
        self._readers: List[_Reader] = []
        self._held: Dict[int, list] = {}  # [model, statistics …] by id() of the model, until the library lets go of it
        self._widths: Dict[int, int] = {}
        self._release = _releaser(self._held)
        self._capture = capture
        self._models = models
        self._free = lib.score_endpoint_free
        options = filled(EndpointOptions)
        options.name, options.salt, options.flags = c_text(name, "the endpoint's name"), salt, SAME_LABELS
        options.capture = None if capture is None else capture._handle
        self.name = name
        with self._changing:
            draft = _Draft(self, config)
            self._handle = draft.apply(lambda c: new_handle(lib.score_endpoint_new, byref(options), c))
            self._like = draft.models[0]

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            for reader in self._readers:
                reader.close()
            self._free(handle)

    # ---- changes -------------------------------------------------------------------------------------------------

    def update(self, config: Mapping[str, Any]) -> None:
        """Another configuration in the place of the running one, whole or not at all. Calls that run are not disturbed."""
        with self._changing:
            draft = _Draft(self, config)
            draft.apply(lambda c: self._call(lib.score_endpoint_update, c))
            self._like = draft.models[0]

    def add(self, entity: Mapping[str, Any]) -> None:
        """One more version, without traffic."""
        with self._changing:
            draft = _Draft(self, {"served_entities": [entity]})
            draft.apply(lambda c: self._call(lib.score_endpoint_add, draft.entities))

    def replace(self, served_name: str, entity: Mapping[str, Any]) -> None:
        """Another model under a served name; its traffic, keys and shadow stay."""
        with self._changing:
            draft = _Draft(self, {"served_entities": [entity]})
            name = c_text(served_name, "the served name")
            draft.apply(lambda c: self._call(lib.score_endpoint_replace, name, draft.entities))

    def remove(self, served_name: str) -> None:
        """Take away a version that has no traffic."""
        with self._changing:
            self._call(lib.score_endpoint_remove, c_text(served_name, "the served name"))

    def set_traffic(self, percentages: Mapping[str, int]) -> None:
        """Integers by served name that sum to 100. Only the keys that must move get another version."""
        routes = _routes([{"served_model_name": name, "traffic_percentage": n} for name, n in percentages.items()])
        with self._changing:
            self._call(lib.score_endpoint_set_traffic, routes, len(percentages))

    def set_shadows(self, served_names: Sequence[str]) -> None:
        """Versions that are scored beside every call."""
        with self._changing:
            self._call(lib.score_endpoint_set_shadows, _names(served_names), len(served_names))

    def rollback(self) -> None:
        """Back to the configuration before; once more goes forward again."""
        with self._changing:
            self._call(lib.score_endpoint_rollback)

    def settle(self) -> int:
        """Give up the configuration before and the models that no call uses. Returns how many still wait for calls."""
        with self._changing:
            return lib.score_endpoint_settle(self._handle)

    def _call(self, function: Any, *arguments: Any) -> None:
        error = Error()
        check(function(self._handle, *arguments, byref(error)), error)

    # ---- what runs -----------------------------------------------------------------------------------------------

    @property
    def config(self) -> Dict[str, Any]:
        """The running configuration, without the models, as it was given."""
        with self._changing:
            served = [self._served(0)]
            served += [self._served(i) for i in range(1, served[0].n_served_entities)]
        keys = ("name", "entity_name", "entity_version")
        return {
            "served_entities": [{key: text(getattr(info, key)) for key in keys} for info in served],
            "traffic_config": {
                "routes": [
                    {"served_model_name": text(info.name), "traffic_percentage": info.traffic_percentage}
                    for info in served
                    if info.traffic_percentage
                ]
            },
            "shadow_names": [text(info.name) for info in served if info.is_shadow],
        }

    @property
    def model(self) -> Model:
        """One of the models of the running configuration: all have the same features and outputs."""
        return self._like

    @property
    def generation(self) -> int:
        """Number of the running configuration, from 1. After a rollback it is the number of then."""
        return self._served(0).generation

    @property
    def slots(self) -> List[str]:
        """Served names of the hundred traffic slots: with them in its configuration another process assigns keys alike."""
        numbers = (c_uint8 * N_SLOTS)()
        with self._changing:
            lib.score_endpoint_slots(self._handle, numbers)
            names = [text(self._served(i).name) for i in range(self._served(0).n_served_entities)]
        return [names[number] for number in numbers]

    def _served(self, i: int) -> ServedInfo:
        info = filled(ServedInfo)
        check(lib.score_endpoint_get_served(self._handle, i, byref(info)), Error())
        return info

    # ---- scoring -------------------------------------------------------------------------------------------------

    def predict(self, X: Any, output: str = "prediction", **request: Any) -> np.ndarray:
        """Scores of rows, as :meth:`score` gives them."""
        return self.score(X, output, **request).predictions

    def score(
        self,
        X: Any,
        output: str = "prediction",
        *,
        key: Optional[Union[str, bytes, int]] = None,
        row_keys: Optional[Sequence[Union[str, int]]] = None,
        request_id: Optional[str] = None,
        served_name: Optional[str] = None,
        absent: Optional[str] = None,
    ) -> Scored:
        """Score rows through one version, or, with `row_keys`, each row through the version of its key.

        Args:
            X, output, absent: as for :meth:`Model.predict`. An Arrow stream of several batches is not taken: its batches
                would be several calls.
            key: sticky assignment: the same key keeps its version. Integers are hashed as 8 bytes.
            row_keys: a key for each row, all strings or all integers: a list, NumPy, pandas or Arrow. None may be missing.
            request_id: for the log. Without key and name, calls are dealt exactly by the percentages.
            served_name: the version that answers, whatever the traffic.

        Raises:
            ArgumentError: no version has this name. ShapeError: the rows do not fit.
        """
        if output not in OUTPUTS:
            raise ValueError(f"expected output to be one of {', '.join(OUTPUTS)}, found {output!r}")
        request = filled(Request)
        request.output = OUTPUTS[output]
        request.request_id = None if request_id is None else c_text(request_id, "the request id")
        request.served_name = None if served_name is None else c_text(served_name, "the served name")
        if key is not None:
            request.key = key_bytes(key)
            request.key_length = len(key_bytes(key))
        with closing(_input.tables(X, self._like, absent, in_one=True)) as tables:
            rows = next(tables)
            keys = None if row_keys is None else _RowKeys(row_keys, rows.n_rows)
            if keys is not None:
                request.row_keys = ctypes.pointer(keys.column)
            try:
                reader = self._readers.pop()
            except IndexError:
                reader = _Reader(self._handle)
            try:
                return self._score(reader, rows, request)
            finally:
                self._readers.append(reader)

    def _score(self, reader: _Reader, rows: Any, request: Request) -> Scored:
        n, output, answer = rows.n_rows, request.output, filled(Answer)
        served = np.empty(n, dtype=np.uint32)
        request.plan = rows.plan.handle if rows.plan is not None else None
        request.row_served = served.ctypes.data
        shape = (output, rows.input.n_columns)
        for attempt in range(2):
            if shape not in reader.shapes or attempt:
                # Asked once, because it waits for those who change the endpoint; answers tell when more is wanted.
                reader.make_room(lib.score_endpoint_scratch_bytes(self._handle, *shape))
                reader.shapes.add(shape)
            request.scratch, request.scratch_bytes = reader.scratch.ctypes.data, reader.scratch.size
            values = np.empty(n * self._width(output))
            status = lib.score_endpoint_batch(
                reader.handle, byref(rows.input), values.ctypes.data, values.size, byref(request), byref(answer), byref(reader.error)
            )
            if not status:
                break
            self._widths = {}  # a new version may be wider than what was known, or want more scratch: once again
        check(status, reader.error)
        reader.make_room(answer.scratch_bytes)
        is_flat = answer.out_width == 1 and output != OUTPUTS["leaf"]
        values = values[: n * answer.out_width]
        values = values if is_flat else values.reshape(n, answer.out_width)
        if output in _INTEGERS:
            values = values.astype(np.int32)
        name = None if answer.served == _SEVERAL else text(answer.served_name)
        return Scored(values, name, served, answer.generation)

    def _width(self, output: int) -> int:
        """Values per row of the widest version that may answer."""
        width = self._widths.get(output)
        if width is None:
            options = filled(Options)
            options.output = output
            models = [entry[0] for entry in list(self._held.values())]
            width = max(lib.score_output_width(model._handle, byref(options)) for model in models)
            self._widths[output] = width
        return width


def _releaser(held: Dict[int, list]) -> Any:
    def release(context: int) -> None:
        held.pop(context, None)

    return _Release(release)


class _Draft:
    """A configuration as the library takes it, and the Python objects that must live with it."""

    def __init__(self, endpoint: Endpoint, config: Mapping[str, Any]):
        known = {"served_entities", "served_models", "traffic_config", "shadow_names", "slots", "auto_capture_config", "name"}
        _refuse_unknown(config, known, "")
        entities = list(config.get("served_entities") or config.get("served_models") or [])
        self._endpoint = endpoint
        self.models: List[Model] = []
        self.statistics: List[Any] = []
        self.entities = (ServedEntity * max(1, len(entities)))()
        for i, entity in enumerate(entities):
            self._fill(self.entities[i], entity, f"served_entities[{i}].")
        traffic = config.get("traffic_config") or {}
        if not isinstance(traffic, Mapping):
            raise ValueError(f"traffic_config: expected an object with routes, found {traffic!r}")
        routes = list(traffic.get("routes") or [])
        shadows = list(config.get("shadow_names") or [])
        self.config = filled(EndpointConfig)
        self.config.served_entities, self.config.n_served_entities = self.entities, len(entities)
        self.config.routes, self.config.n_routes = _routes(routes), len(routes)
        self.config.shadow_names, self.config.n_shadows = _names(shadows), len(shadows)
        if config.get("slots") is not None:
            self._slots = self._numbers(config["slots"])
            self.config.slots = ctypes.cast(self._slots, c_void_p)

    def _fill(self, struct: ServedEntity, entity: Mapping[str, Any], field: str) -> None:
        _refuse_unknown(entity, {"name", "entity_name", "entity_version", "model", "statistics"} | _OF_MACHINES, field)
        for key in ("name", "entity_name", "entity_version"):
            value = entity.get(key)
            setattr(struct, key, None if value is None else c_text(value, field + key))
        model = entity.get("model")
        if model is None:
            model = self._resolve(entity, field)
        model = model if isinstance(model, Model) else load(model, verify=True)
        statistics = entity.get("statistics")
        struct.model = model._handle
        struct.release = ctypes.cast(self._endpoint._release, c_void_p)
        struct.release_context = id(model)
        struct.statistics = None if statistics is None else statistics._handle
        self.models.append(model)
        self.statistics.append(statistics)

    def _resolve(self, entity: Mapping[str, Any], field: str) -> Any:
        models, entity_name, version = self._endpoint._models, entity.get("entity_name"), entity.get("entity_version")
        name = entity.get("name") or f"{entity_name}-{version}"
        if callable(models):
            return models(entity_name, version)
        if models is None or name not in models:
            raise ValueError(f"{field}model: there is none, and `models` has no {name!r}")
        return models[name]

    def _numbers(self, names: Sequence[str]) -> Any:
        served = [text(e.name) if e.name else f"{text(e.entity_name)}-{text(e.entity_version)}" for e in self.entities]
        try:
            numbers = [served.index(name) for name in names]
        except ValueError:
            numbers = []
        if len(numbers) != N_SLOTS:
            raise ValueError(f"slots: expected {N_SLOTS} names of served entities, found {names!r}")
        return (c_uint8 * N_SLOTS)(*numbers)

    def apply(self, change: Callable[[Any], Any]) -> Any:
        """Hold the objects, make the change; let go of those that it did not take."""
        held, new = self._endpoint._held, []
        for model, statistics in zip(self.models, self.statistics):
            if id(model) not in held:
                held[id(model)] = [model]
                new.append(id(model))
            if statistics is not None and statistics not in held[id(model)][1:]:
                held[id(model)].append(statistics)
        self._endpoint._widths = {}
        try:
            return change(byref(self.config))
        except BaseException:
            for key in new:
                held.pop(key, None)
            raise


class _RowKeys:
    """A column of keys and the memory that it refers to."""

    def __init__(self, keys: Sequence[Union[str, int]], n_rows: int):
        if hasattr(keys, "to_pylist"):
            keys = keys.to_pylist()
        elif isinstance(keys, np.ma.MaskedArray):
            keys = keys.tolist()  # with None for what is masked
        if len(keys) != n_rows:
            raise ValueError(f"expected row_keys for {n_rows} rows, found {len(keys)}")
        self.column = Column()
        array = np.asarray(keys)
        if array.dtype.kind in "iu":
            self._values = np.ascontiguousarray(array, dtype=np.int64)
            self.column.values, self.column.dtype = self._values.ctypes.data, I64
            return
        texts = [key_bytes(key) for key in keys]
        self._offsets = np.zeros(n_rows + 1, dtype=np.int64)
        np.cumsum([len(t) for t in texts], out=self._offsets[1:])
        self._data = np.frombuffer(b"".join(texts) + b"\0", dtype=np.uint8)
        self._strings = filled(Strings)
        self._strings.offsets, self._strings.offset_type = self._offsets.ctypes.data, I64
        self._strings.data = self._data.ctypes.data
        self.column.values, self.column.dtype = ctypes.cast(byref(self._strings), c_void_p), STRING


def key_bytes(key: Union[str, bytes, int]) -> bytes:
    """What is hashed of a key."""
    if isinstance(key, bytes):
        return key
    if isinstance(key, (int, np.integer)):
        return (int(key) % 2**64).to_bytes(8, "little")
    if isinstance(key, str):
        return key.encode("utf-8", "surrogatepass")
    raise TypeError(f"expected a key as str, bytes or int, found {type(key).__name__}")


def _routes(routes: Sequence[Mapping[str, Any]]) -> Any:
    structs = (Route * max(1, len(routes)))()
    for i, route in enumerate(routes):
        field = f"traffic_config.routes[{i}]."
        _refuse_unknown(route, {"served_model_name", "served_entity_name", "traffic_percentage"}, field)
        name, share = route.get("served_model_name", route.get("served_entity_name")), route.get("traffic_percentage")
        if type(share) is not int or not -(2**31) <= share < 2**31:
            raise ValueError(f"{field}traffic_percentage: expected an integer, found {share!r}")
        structs[i].served_model_name = None if name is None else c_text(name, field + "served_model_name")
        structs[i].traffic_percentage = share
    return structs


def _names(names: Sequence[str]) -> Any:
    return (c_char_p * max(1, len(names)))(*(c_text(name, "the served name") for name in names))


def _refuse_unknown(given: Mapping[str, Any], known: set, field: str) -> None:
    if not isinstance(given, Mapping):
        raise ValueError(f"{field.rstrip('.') or 'the configuration'}: expected an object, found {given!r}")
    unknown = [key for key in given if key not in known]
    if unknown:
        raise ValueError(f"{field}{unknown[0]}: unknown; expected {', '.join(sorted(known))}")
