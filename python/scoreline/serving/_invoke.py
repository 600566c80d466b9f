"""One scoring request: its body, who answers it, and the answer. The routes of Databricks and MLflow share this."""

from __future__ import annotations

import json
import string
import uuid
from typing import Any, Optional
from urllib.parse import quote

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from .. import payload
from .._endpoint import Scored
from .._errors import ScorelineError
from ._deployments import Deployment, wrong

MAX_BODY = 16 * 1024 * 1024


async def body_of(request: Request) -> bytes:
    """The body, refused beyond MAX_BODY before it is read whole."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise wrong(f"the body is larger than {MAX_BODY} bytes")
        parts.append(part)
    return b"".join(parts)


def json_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise wrong(f"the body is not valid JSON: {error}") from None


def answer_of(content: Any, **headers: str) -> Response:
    """The answer as JSON. Clients and configurations choose what stands in headers, so all but visible ASCII and spaces is
    percent-encoded there."""
    safe = {name: quote(value, safe=string.punctuation + " ", errors="surrogatepass") for name, value in headers.items()}
    return Response(json.dumps(content, allow_nan=False), media_type="application/json", headers=safe)


def key_of(request: Request) -> Optional[bytes]:
    """The bytes of the header `scoreline-key`, which the library hashes as it hashes those of a text in UTF-8."""
    key = request.headers.get("scoreline-key")
    return None if key is None else key.encode("latin-1")


def score(deployment: Deployment, rows: Any, request_id: str, **who: Any) -> Scored:
    """Rows through the endpoint; what is wrong with them is the request's fault."""
    try:
        return deployment.endpoint.score(rows, request_id=request_id, **who)
    except (ScorelineError, ValueError, TypeError) as error:
        raise wrong(str(error)) from None


async def invoke(request: Request, deployment: Deployment, served: Optional[str] = None) -> Response:
    """Score a body of MLflow's forms. The version is `served`, or that of the header `scoreline-key`, or the one whose turn
    it is."""
    body = json_of(await body_of(request))
    client_id = body.pop("client_request_id", None) if isinstance(body, dict) else None
    request_id = client_id if isinstance(client_id, str) else uuid.uuid4().hex
    try:
        rows = payload.rows_of(body)
    except payload.PayloadError as error:
        raise wrong(str(error)) from None
    if not rows:
        return answer_of({"predictions": []})
    scored = score(deployment, rows, request_id, served_name=served, key=key_of(request))
    return answer_of(
        {"predictions": payload.to_json(np.asarray(scored.predictions))},
        **{"served-model-name": scored.served_name or "", "x-request-id": request_id},
    )
