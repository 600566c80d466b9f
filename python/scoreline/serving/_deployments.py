"""What is served: endpoints by name, their models, statistics and logs.

Comes in: configurations as Databricks' REST interface takes them. Goes out: endpoints, their descriptions and metrics, or a
``Refusal`` with the status and code that its clients expect.
"""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar

from .._capture import Capture
from .._endpoint import Endpoint
from .._errors import FileError, ScorelineError
from .._model import Model
from .._opened import open_cached
from .._statistics import Statistics, prometheus_text

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,126}")


class Refusal(Exception):
    """A request that is answered with an error: HTTP status, Databricks' code, and what is wrong."""

    def __init__(self, status: int, code: str, message: str):
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def wrong(message: str) -> Refusal:
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


def checked_tags(tags: Any, field: str) -> List[Mapping[str, Any]]:
    """Tags as they are given: objects with a key each."""
    tags = [] if tags is None else tags
    if not isinstance(tags, list) or not all(isinstance(tag, Mapping) and isinstance(tag.get("key"), str) for tag in tags):
        raise wrong(f"{field}: expected a list of objects with a key, which is text")
    return tags


class Deployment:
    """One endpoint and what belongs to it."""

    def __init__(self, name: str, endpoint: Endpoint, capture: Optional[Capture], given: Mapping[str, Any]):
        self.name, self.endpoint, self.capture = name, endpoint, capture
        self.auto_capture = given.get("auto_capture_config")
        self.tags: List[Mapping[str, Any]] = []
        self.created = self.updated = int(time.time() * 1000)
        self.config_version = 1


class Deployments:
    """All endpoints of a process. Changes take a lock; scoring does not.

    Args:
        models: directory with ENTITY_NAME/VERSION.slm.
        logs: directory below which auto_capture_config writes CATALOG/SCHEMA/PREFIX_payload; None: such a
            configuration is refused.
        drain: write logs in a thread; else whoever tests calls ``drain()``.
    """

    def __init__(self, models: Path, logs: Optional[Path] = None, drain: bool = True):
        self._models, self._logs, self._drain = Path(models), logs, drain
        self._by_name: Dict[str, Deployment] = {}
        self._statistics: Dict[str, Dict[str, Statistics]] = {}
        self._changing = threading.Lock()

    # ---- reading -------------------------------------------------------------------------------------------------

    def names(self) -> List[str]:
        return sorted(self._by_name)

    def get(self, name: str) -> Deployment:
        found = self._by_name.get(name)
        if found is None:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"The given endpoint does not exist: {name}")
        return found

    def only(self) -> Deployment:
        """The endpoint that routes without a name mean."""
        found = list(self._by_name.values())  # looked at once: others create and delete meanwhile
        if len(found) != 1:
            raise wrong(f"expected exactly one endpoint behind this route, there are {len(found)}: name one")
        return found[0]

    def metrics(self, name: Optional[str] = None, openmetrics: bool = False) -> str:
        """Metrics of one endpoint, or of all."""
        chosen = self.names() if name is None else [self.get(name).name]
        snapshots = [s.snapshot() for n in chosen for s in list(self._statistics.get(n, {}).values())]
        return prometheus_text(snapshots, openmetrics=openmetrics)

    # ---- changing ------------------------------------------------------------------------------------------------

    def create(self, name: Any, config: Any, tags: Any = None) -> Deployment:
        self._check_name(name, "name")
        with self._changing:
            if name in self._by_name:
                raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Endpoint with name '{name}' already exists.")
            given_tags = checked_tags(tags, "tags")
            statistics: Dict[str, Statistics] = {}
            prepared = self._prepared(name, config, statistics)
            capture = self._capture_of(config)
            endpoint = _answered(lambda: Endpoint(prepared, name=name, capture=capture))
            deployment = Deployment(name, endpoint, capture, config)
            deployment.tags = list(given_tags)
            self._statistics[name] = statistics
            self._by_name[name] = deployment
            return deployment

    def update(self, name: str, config: Any) -> Deployment:
        """Another configuration; a refused one leaves the running one as it is."""
        with self._changing:
            deployment = self.get(name)
            if isinstance(config, Mapping) and config.get("auto_capture_config", deployment.auto_capture) != deployment.auto_capture:
                raise wrong("auto_capture_config: it is fixed when the endpoint is created")
            statistics = dict(self._statistics[name])
            prepared = self._prepared(name, config, statistics)
            _answered(lambda: deployment.endpoint.update(prepared))
            served = {entity["name"] for entity in deployment.endpoint.config["served_entities"]}
            self._statistics[name] = {key: value for key, value in statistics.items() if key in served}
            deployment.updated = int(time.time() * 1000)
            deployment.config_version += 1
            return deployment

    def delete(self, name: str) -> None:
        with self._changing:
            deployment = self.get(name)
            del self._by_name[name], self._statistics[name]
            if deployment.capture is not None:
                deployment.capture.rotate()

    def close(self) -> None:
        for name in self.names():
            capture = self._by_name[name].capture
            if capture is not None:
                capture.stop()
                capture.rotate()

    # ---- configurations ------------------------------------------------------------------------------------------

    def _check_name(self, name: Any, field: str) -> str:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise wrong(f"{field}: expected letters, digits, '_', '-' and '.', found {name!r}")
        return name

    def _prepared(self, endpoint_name: str, config: Any, statistics: Dict[str, Statistics]) -> Dict[str, Any]:
        """The configuration with opened models; `statistics` gains those of new versions."""
        if not isinstance(config, Mapping):
            raise wrong("config: expected an object with served_entities")
        entities = config.get("served_entities", config.get("served_models"))
        if not isinstance(entities, list) or not all(isinstance(entity, Mapping) for entity in entities):
            raise wrong("served_entities: expected a list of objects")
        prepared = []
        for i, given in enumerate(entities):
            entity = _current_names(given)
            field = f"served_entities[{i}]."
            entity["model"] = self._open(entity, field)
            name = entity.get("name") or f"{entity['entity_name']}-{entity['entity_version']}"
            if not isinstance(name, str):
                raise wrong(f"{field}name: expected text, found {name!r}")
            kept = statistics.get(name)
            if kept is None or kept.model is not entity["model"]:
                labels = {"endpoint": endpoint_name, "served_name": name,
                          "entity_name": entity["entity_name"], "entity_version": str(entity["entity_version"])}
                kept = _answered(lambda: Statistics(entity["model"], **labels))
            entity["statistics"] = statistics[name] = kept
            prepared.append(entity)
        known = ("traffic_config", "shadow_names", "slots")
        return {"served_entities": prepared, **{key: config[key] for key in known if config.get(key) is not None}}

    def _open(self, entity: Mapping[str, Any], field: str) -> Model:
        name = self._check_name(entity.get("entity_name"), field + "entity_name")
        version = self._check_name(str(entity.get("entity_version")), field + "entity_version")
        path = self._models / name / f"{version}.slm"
        try:
            return open_cached(path)
        except FileError:
            message = f"{field}entity_version: there is no version {version!r} of the model {name!r}"
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", message) from None
        except ScorelineError as error:
            raise wrong(f"{field}model: {error}") from None

    def _capture_of(self, config: Mapping[str, Any]) -> Optional[Capture]:
        given = config.get("auto_capture_config")
        if given is not None and not isinstance(given, Mapping):
            raise wrong(f"auto_capture_config: expected an object, found {given!r}")
        if not given or given.get("enabled") is False:
            return None
        if self._logs is None:
            raise wrong("auto_capture_config: this host was started without a directory for logs")
        levels = [self._check_name(given.get(key), f"auto_capture_config.{key}")
                  for key in ("catalog_name", "schema_name", "table_name_prefix")]
        directory = self._logs / levels[0] / levels[1] / f"{levels[2]}_payload"
        directory.mkdir(parents=True, exist_ok=True)
        capture = _answered(lambda: Capture(directory))
        if self._drain:
            capture.start()
        return capture


def _current_names(given: Mapping[str, Any]) -> Dict[str, Any]:
    """An entity by the names of today; clients of before say model_name and model_version."""
    renamed = {"model_name": "entity_name", "model_version": "entity_version"}
    entity = {renamed.get(key, key): value for key, value in given.items()}
    for key in ("model", "statistics"):
        entity.pop(key, None)
    if entity.get("entity_version") is not None:
        entity["entity_version"] = str(entity["entity_version"])
    return entity


_Answer = TypeVar("_Answer")


def _answered(action: Callable[[], _Answer]) -> _Answer:
    """What the library refuses, as a request's error."""
    try:
        return action()
    except (ScorelineError, ValueError, TypeError) as error:
        raise wrong(str(error)) from None
