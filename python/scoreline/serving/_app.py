"""The application: all routes, keys, and errors in the form of the protocol that was asked by."""

from __future__ import annotations

import hmac
from contextlib import asynccontextmanager
from typing import Any, AsyncIterator, Dict, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .. import __version__
from . import _databricks, _v2
from ._deployments import Deployments, Refusal
from ._invoke import invoke

_OPEN = ("/ping", "/health", "/version", "/v2/health/live", "/v2/health/ready")


def create_app(deployments: Deployments, tokens: Sequence[str] = ()) -> Starlette:
    """An ASGI application.

    Args:
        deployments: what is served.
        tokens: if any, requests must carry one as ``Authorization: Bearer TOKEN``, but for health checks.
    """

    async def ok(request: Request) -> Response:
        return PlainTextResponse("\n")

    async def version(request: Request) -> Response:
        return PlainTextResponse(__version__)

    async def invocations(request: Request) -> Response:
        return await invoke(request, deployments.only())

    async def metrics(request: Request) -> Response:
        openmetrics = "application/openmetrics-text" in request.headers.get("accept", "")
        kind = "application/openmetrics-text; version=1.0.0; charset=utf-8" if openmetrics else "text/plain; version=0.0.4"
        return PlainTextResponse(deployments.metrics(openmetrics=openmetrics), media_type=kind)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        deployments.close()

    routes = [
        Route("/ping", ok),
        Route("/health", ok),
        Route("/version", version),
        Route("/metrics", metrics),
        Route("/invocations", invocations, methods=["POST"]),
        *_databricks.routes(deployments),
        *_v2.routes(deployments),
    ]
    middleware = [Middleware(_Keys, tokens=tuple(tokens))] if tokens else []
    handlers: Dict[Any, Any] = {Refusal: _refused, HTTPException: _not_routed, Exception: _failed}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=handlers, lifespan=lifespan)


class _Keys:
    """Lets requests pass that carry a token."""

    def __init__(self, app: Any, tokens: Sequence[str]):
        self._app = app
        self._tokens = [token.encode() for token in tokens]

    async def __call__(self, scope: Dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["path"] not in _OPEN and not self._has_token(scope):
            answer = _error(scope["path"], 401, "UNAUTHENTICATED", "expected Authorization: Bearer and a token of this host")
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _has_token(self, scope: Dict[str, Any]) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        scheme, _, token = given.partition(b" ")
        return scheme.lower() == b"bearer" and any([hmac.compare_digest(token, known) for known in self._tokens])


def _error(path: str, status: int, code: str, message: str) -> Response:
    if path.startswith("/v2"):
        return JSONResponse({"error": message}, status)
    return JSONResponse({"error_code": code, "message": message}, status)


async def _refused(request: Request, error: Refusal) -> Response:
    return _error(request.url.path, error.status, error.code, error.message)


async def _not_routed(request: Request, error: HTTPException) -> Response:
    code = "ENDPOINT_NOT_FOUND" if error.status_code == 404 else "BAD_REQUEST"
    return _error(request.url.path, error.status_code, code, str(error.detail))


async def _failed(request: Request, error: Exception) -> Response:
    return _error(request.url.path, 500, "INTERNAL_ERROR", "the host failed; its log says why")
