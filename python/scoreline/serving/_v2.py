"""The Open Inference Protocol, version 2, as KServe's, Triton's and MLServer's clients speak it over JSON.

A model is an endpoint, a version one of its served versions (by its entity_version). Inputs are one tensor [n, features], or
one tensor per feature. JSON has no NaN: null is a missing value, and a score that is not finite is null.
"""

from __future__ import annotations

import uuid
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .. import __version__
from ..payload import to_json
from ._deployments import Deployment, Deployments, Refusal, wrong
from ._invoke import answer_of, body_of, json_of, key_of, score

_TYPES = {"BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BYTES"}


def routes(deployments: Deployments) -> list:
    async def server(request: Request) -> Response:
        return JSONResponse({"name": "scoreline", "version": __version__, "extensions": []})

    async def live(request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(request: Request) -> Response:
        return JSONResponse({"ready": True})

    async def model(request: Request) -> Response:
        deployment = deployments.get(request.path_params["model"])
        _served_name(deployment, request.path_params.get("version"))
        return JSONResponse(metadata(deployment))

    async def model_ready(request: Request) -> Response:
        deployment = deployments.get(request.path_params["model"])
        _served_name(deployment, request.path_params.get("version"))
        return JSONResponse({"name": deployment.name, "ready": True})

    async def infer(request: Request) -> Response:
        deployment = deployments.get(request.path_params["model"])
        if "inference-header-content-length" in request.headers:
            raise wrong("tensors must be JSON: the binary extension is not offered")
        body = json_of(await body_of(request))
        return _inferred(deployment, request.path_params.get("version"), body, key_of(request))

    found = [Route("/v2", server), Route("/v2/health/live", live), Route("/v2/health/ready", ready)]
    for base in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        found += [Route(base, model), Route(base + "/ready", model_ready), Route(base + "/infer", infer, methods=["POST"])]
    return found


def metadata(deployment: Deployment) -> Dict[str, Any]:
    like = deployment.endpoint.model
    kinds = _datatypes(like)
    return {
        "name": deployment.name,
        "versions": [entity["entity_version"] for entity in deployment.endpoint.config["served_entities"]],
        "platform": "scoreline_slm",
        "inputs": [{"name": name, "datatype": kind, "shape": [-1, 1]} for name, kind in zip(like.features, kinds)],
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": [-1, like.info.n_predictions]}],
    }


def _datatypes(model: Any) -> List[str]:
    known = model.categories
    return ["BYTES" if known.get(name) else "FP64" for name in model.features]


def _served_name(deployment: Deployment, version: Optional[str]) -> Optional[str]:
    if version is None:
        return None
    for entity in deployment.endpoint.config["served_entities"]:
        if version in (entity["entity_version"], entity["name"]):
            return entity["name"]
    raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"there is no version {version!r} of the model {deployment.name!r}")


def _inferred(deployment: Deployment, version: Optional[str], body: Any, key: Optional[bytes]) -> Response:
    if not isinstance(body, dict) or not isinstance(body.get("inputs"), list) or not body["inputs"]:
        raise wrong("expected an object with a list of inputs")
    served = _served_name(deployment, version)
    request_id = body["id"] if isinstance(body.get("id"), str) and body["id"] else uuid.uuid4().hex
    outputs = body.get("outputs") or []
    if not isinstance(outputs, list) or not all(isinstance(output, dict) for output in outputs):
        raise wrong("outputs: expected a list of objects with a name")
    wanted = [output.get("name") for output in outputs]
    if any(name != "prediction" for name in wanted):
        raise wrong(f"outputs: expected 'prediction', found {wanted}")
    rows = _rows(body["inputs"], deployment.endpoint.model)
    if not rows:
        raise wrong("inputs: expected at least one row, found none")
    scored = score(deployment, rows, request_id, served_name=served, key=key)
    predictions = np.asarray(scored.predictions, dtype=np.float64)
    shape = list(predictions.shape) if predictions.ndim > 1 else [len(predictions), 1]
    version_of = {entity["name"]: entity["entity_version"] for entity in deployment.endpoint.config["served_entities"]}
    return answer_of({
        "model_name": deployment.name,
        "model_version": version_of.get(scored.served_name, scored.served_name),
        "id": request_id,
        "outputs": [{"name": "prediction", "datatype": "FP64", "shape": shape, "data": to_json(predictions.ravel())}],
    })


def _rows(inputs: List[Any], model: Any) -> List[Any]:
    tensors = [_tensor(tensor, i) for i, tensor in enumerate(inputs)]
    if len(tensors) == 1 and tensors[0][1][-1] == len(model.features) and len(tensors[0][1]) == 2:
        (name, (n, width), data) = tensors[0]
        if width > 1 or name not in model.features:
            return [data[r * width : (r + 1) * width] for r in range(n)]
    for i, (name, shape, _) in enumerate(tensors):
        if len(shape) == 2 and shape[1] != 1:
            raise wrong(f"inputs[{i}].shape: expected one tensor [n, {len(model.features)}] of all features, or [n, 1] for each; "
                        f"found {shape} of {name!r}")
    lengths = {len(data) for _, _, data in tensors}
    if len(lengths) != 1:
        raise wrong(f"inputs: the tensors of features differ in length: {sorted(lengths)}")
    names = [name for name, _, _ in tensors]
    if len(set(names)) != len(names):
        raise wrong(f"inputs: {next(name for name in names if names.count(name) > 1)!r} is there twice")
    return [dict(zip(names, cells)) for cells in zip(*(data for _, _, data in tensors))]


def _tensor(tensor: Any, i: int) -> Tuple[str, List[int], List[Any]]:
    """(name, shape, flat list of values), checked."""
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise wrong(f"inputs[{i}]: expected an object with name, shape, datatype and data")
    shape, data, where = tensor.get("shape"), tensor.get("data"), f"inputs[{i}]"
    if not isinstance(tensor.get("datatype"), str) or tensor["datatype"] not in _TYPES:
        raise wrong(f"{where}.datatype: expected one of {', '.join(sorted(_TYPES))}, found {tensor.get('datatype')!r}")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 2 or not all(type(n) is int and n >= 0 for n in shape):
        raise wrong(f"{where}.shape: expected one or two sizes, found {shape!r}")
    if not isinstance(data, list):
        raise wrong(f"{where}.data: expected a list")
    flat = [cell for row in data for cell in row] if data and isinstance(data[0], list) and all(isinstance(r, list) for r in data) else data
    size = shape[0] * (shape[1] if len(shape) == 2 else 1)
    if len(flat) != size:
        raise wrong(f"{where}.data: expected {size} values for the shape {shape}, found {len(flat)}")
    return tensor["name"], shape, flat
