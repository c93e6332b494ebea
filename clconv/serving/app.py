"""The addresses of the Open Inference Protocol, as a FastAPI application."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from clconv.debug import LOGGER
from clconv.errors import ClconvError
from clconv.serving.infer import infer
from clconv.serving.linger import App, Lingering
from clconv.serving.metrics import CONTENT_TYPE, OTHER
from clconv.serving.model import VERSION
from clconv.serving.refused import NOT_FOUND, UNAVAILABLE, Refused, refusal_of
from clconv.serving.service import Served, Service
from clconv.version import __version__

_GONE = 499  # what nginx notes for a client that did not wait; nobody reads the answer
_MODEL = "/v2/models/{name}"
_VERSIONED = "/v2/models/{name}/versions/{version}"


def create_app(service: Service) -> App:
    """The ASGI application of a service. It keeps no documentation pages: those load scripts from elsewhere."""
    app = FastAPI(title="clconv", docs_url=None, redoc_url=None, openapi_url=None)
    guarded = [Depends(_guard(service))]
    _add_health(app, service)
    _add_metadata(app, service, guarded)
    _add_inference(app, service, guarded)
    _add_errors(app)
    return Lingering(app)


def _guard(service: Service) -> Callable[[Request], Awaitable[None]]:
    async def check(request: Request) -> None:
        if not service.allows(request.headers.get("authorization")):
            raise Refused(
                401,
                "this server wants a token: send the header Authorization: Bearer TOKEN",
                {"WWW-Authenticate": "Bearer"},
            )

    return check


def _add_health(app: FastAPI, service: Service) -> None:
    """Without a token: probes have none."""

    @app.get("/v2/health/live")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @app.get("/v2/health/ready")
    async def ready() -> Response:
        return _ready(service.is_ready())


def _ready(is_ready: bool, **more: Any) -> Response:
    return JSONResponse({**more, "ready": is_ready}, 200 if is_ready else UNAVAILABLE)


def _add_metadata(app: FastAPI, service: Service, guarded: list[Any]) -> None:
    @app.get("/v2", dependencies=guarded)
    async def server() -> dict[str, Any]:
        return {"name": "clconv", "version": __version__, "extensions": ["binary_tensor_data"]}

    @app.get(_MODEL, dependencies=guarded)
    @app.get(_VERSIONED, dependencies=guarded)
    async def model(name: str, version: str = VERSION) -> dict[str, Any]:
        return _find(service, name, version).model.metadata()

    @app.get(f"{_MODEL}/ready", dependencies=guarded)
    @app.get(f"{_VERSIONED}/ready", dependencies=guarded)
    async def model_ready(name: str, version: str = VERSION) -> Response:
        _find(service, name, version)
        return _ready(service.is_ready(name), name=name)

    @app.get("/metrics", dependencies=guarded)
    def metrics() -> Response:
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


def _add_inference(app: FastAPI, service: Service, guarded: list[Any]) -> None:
    @app.post(f"{_MODEL}/infer", dependencies=guarded)
    @app.post(f"{_VERSIONED}/infer", dependencies=guarded)
    async def run(name: str, request: Request, version: str = VERSION) -> Response:
        began, known = time.perf_counter(), OTHER
        try:
            served = _find(service, name, version)
            known = name
            with service.admission.at_work():
                encoded = await infer(service, served, request)
            response = Response(encoded.content, headers=encoded.headers)
        except Exception as reason:
            response = _failed(reason)
        service.metrics.answered(known, response.status_code, time.perf_counter() - began)
        return response


def _find(service: Service, name: str, version: str) -> Served:
    served = service.find(name)
    if version != VERSION:
        raise Refused(NOT_FOUND, f"model '{name}' has no version '{version}', only {VERSION}")
    return served


def _failed(reason: Exception) -> Response:
    """The answer to a request that failed."""
    if isinstance(reason, ClientDisconnect):
        return Response(status_code=_GONE)
    refused = refusal_of(reason)
    if refused is not None:
        return JSONResponse({"error": str(refused)}, refused.status, refused.headers)
    LOGGER.error("a request failed", exc_info=reason)
    # What clconv says of its own failures helps; what others raise may tell of the machine's inside.
    told = str(reason) if isinstance(reason, ClconvError) else "an error inside the server"
    return JSONResponse({"error": f"{told}; the server's log has more"}, 500)


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(HTTPException)
    async def unknown(request: Request, reason: HTTPException) -> Response:
        """An address or a method that is not there."""
        text = f"{request.method} {request.url.path[:200]}: {reason.detail}; see GET /v2 and POST /v2/models/NAME/infer"
        return JSONResponse({"error": text}, reason.status_code, reason.headers)

    @app.exception_handler(Refused)
    async def refused(request: Request, reason: Refused) -> Response:
        return _failed(reason)
