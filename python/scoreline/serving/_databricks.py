"""Databricks' REST interface of model serving, as its SDK and MLflow's deployments client speak it."""

from __future__ import annotations

from typing import Any, Dict

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ._deployments import Deployment, Deployments, checked_tags, wrong
from ._invoke import body_of, invoke, json_of


def routes(deployments: Deployments) -> list:
    async def create(request: Request) -> Response:
        body = json_of(await body_of(request))
        if not isinstance(body, dict):
            raise wrong("expected an object with name and config")
        deployment = deployments.create(body.get("name"), body.get("config"), body.get("tags"))
        return JSONResponse(described(deployment))

    async def listed(request: Request) -> Response:
        return JSONResponse({"endpoints": [described(deployments.get(name)) for name in deployments.names()]})

    async def one(request: Request) -> Response:
        return JSONResponse(described(deployments.get(request.path_params["name"])))

    async def update(request: Request) -> Response:
        return JSONResponse(described(deployments.update(request.path_params["name"], json_of(await body_of(request)))))

    async def delete(request: Request) -> Response:
        deployments.delete(request.path_params["name"])
        return JSONResponse({})

    async def tags(request: Request) -> Response:
        deployment = deployments.get(request.path_params["name"])
        body = json_of(await body_of(request))
        if not isinstance(body, dict):
            raise wrong("expected an object with add_tags or delete_tags")
        added, deleted = checked_tags(body.get("add_tags"), "add_tags"), body.get("delete_tags") or []
        if not isinstance(deleted, list) or not all(isinstance(key, str) for key in deleted):
            raise wrong("delete_tags: expected a list of keys")
        gone = {*deleted, *(tag["key"] for tag in added)}
        deployment.tags = [*(tag for tag in deployment.tags if tag["key"] not in gone), *added]
        return JSONResponse({"tags": deployment.tags})

    async def metrics(request: Request) -> Response:
        return PlainTextResponse(deployments.metrics(request.path_params["name"]), media_type="text/plain; version=0.0.4")

    async def invocations(request: Request) -> Response:
        deployment = deployments.get(request.path_params["name"])
        return await invoke(request, deployment, request.path_params.get("served"))

    base = "/api/2.0/serving-endpoints"
    return [
        Route(base, create, methods=["POST"]),
        Route(base, listed, methods=["GET"]),
        Route(base + "/{name}", one, methods=["GET"]),
        Route(base + "/{name}", delete, methods=["DELETE"]),
        Route(base + "/{name}/config", update, methods=["PUT"]),
        Route(base + "/{name}/tags", tags, methods=["PATCH"]),
        Route(base + "/{name}/metrics", metrics, methods=["GET"]),
        Route("/serving-endpoints/{name}/invocations", invocations, methods=["POST"]),
        Route("/serving-endpoints/{name}/served-models/{served}/invocations", invocations, methods=["POST"]),
    ]


def described(deployment: Deployment) -> Dict[str, Any]:
    """An endpoint as clients read it. A change is made before its request is answered, so none is ever pending."""
    running = deployment.endpoint.config
    entities = [{**entity, "state": {"deployment": "DEPLOYMENT_READY"}} for entity in running["served_entities"]]
    config: Dict[str, Any] = {
        "served_entities": entities,
        "traffic_config": running["traffic_config"],
        "config_version": deployment.config_version,
    }
    if deployment.auto_capture is not None:
        config["auto_capture_config"] = {**deployment.auto_capture, "state": {"payload_table": {"status": "READY"}}}
    return {
        "name": deployment.name,
        "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
        "config": config,
        "tags": deployment.tags,
        "creation_timestamp": deployment.created,
        "last_updated_timestamp": deployment.updated,
    }
