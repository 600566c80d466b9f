"""What stands before the containers of a managed online endpoint, as far as a caller can see it: keys and statuses.

    python front.py PORT BACKEND_URL        keys in the environment: PRIMARY_KEY, SECONDARY_KEY

Authorization: Bearer KEY, else 401. A container that answers anything but 200 becomes 424 with the container's status and
reason in headers, one that takes longer than REQUEST_TIMEOUT_MS (5000) 408, and more than MAX_PENDING (100) requests 429.
"""
import asyncio
import hmac
import os
import sys

import aiohttp
from aiohttp import web

TIMEOUT = aiohttp.ClientTimeout(total=float(os.environ.get("REQUEST_TIMEOUT_MS", "5000")) / 1000)
MAX_PENDING = int(os.environ.get("MAX_PENDING", "100"))
KEYS = [os.environ[name] for name in ("PRIMARY_KEY", "SECONDARY_KEY")]
DEPLOYMENT = os.environ.get("DEPLOYMENT", "production")
HEADERS = ("x-ms-client-request-id", "x-ms-request-id", "x-request-id", "content-type")


def refusal(status, message, **headers):
    return web.json_response({"error": {"code": str(status), "message": message}}, status=status, headers=headers)


def has_key(request):
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    return scheme == "Bearer" and any([hmac.compare_digest(key.encode(), known.encode()) for known in KEYS])


async def score(request):
    app = request.app
    if not has_key(request):
        return refusal(401, "the key is not one of this endpoint's")
    if request.headers.get("azureml-model-deployment", DEPLOYMENT) != DEPLOYMENT:
        return refusal(404, "there is no such deployment")
    if app["pending"] >= MAX_PENDING:
        return refusal(429, "too many requests are waiting")
    app["pending"] += 1
    try:
        return await forward(app, request)
    except asyncio.TimeoutError:
        return refusal(408, "the model took too long")
    except aiohttp.ClientError as error:
        return refusal(424, f"the container cannot be reached: {type(error).__name__}")
    finally:
        app["pending"] -= 1


async def forward(app, request):
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    async with app["session"].post(app["backend"] + "/score", data=await request.read(), headers=headers) as answer:
        body = await answer.read()
        back = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
        if answer.status == 200:
            return web.Response(body=body, headers=back)
        back["ms-azureml-model-error-statuscode"] = str(answer.status)
        back["ms-azureml-model-error-reason"] = answer.reason or ""
        return web.Response(status=424, body=body, headers=back)


async def session_of(app):
    app["session"] = aiohttp.ClientSession(timeout=TIMEOUT)
    yield
    await app["session"].close()


def main():
    app = web.Application()
    app["backend"], app["pending"] = sys.argv[2], 0
    app.cleanup_ctx.append(session_of)
    app.router.add_post("/score", score)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
