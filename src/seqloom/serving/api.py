"""Every address of the server, with its description: FastAPI's application."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from .. import __version__
from .front import wants_csv
from .jobs import Answer, problem_answer
from .problem import Problem
from .schemas import (
    FORECAST,
    INDEX,
    INFER_ANSWER,
    INFER_REQUEST,
    METADATA,
    MODEL,
    MODELS,
    PREDICT_REQUEST,
    READY,
    SERVER,
    answers,
    document,
)
from .service import Service

__all__ = ["application"]


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        return orjson.dumps(content, default=str, option=orjson.OPT_SERIALIZE_NUMPY)


def application(service: Service) -> FastAPI:
    """The addresses of one server. No page of the documentation: those that FastAPI makes load from another host."""
    api = FastAPI(
        title="seqloom serve",
        version=__version__,
        description="Saved models of seqloom: the Open Inference Protocol v2, and plain requests.",
        docs_url=None,
        redoc_url=None,
        default_response_class=_Json,
    )
    api.exception_handler(HTTPException)(_not_found)
    api.exception_handler(Problem)(_problem)
    _page(api)
    _health(api, service)
    _protocol(api, service)
    _plain(api, service)
    api.openapi = lambda: document(api)  # type: ignore[method-assign]
    return api


async def _not_found(request: Request, fault: HTTPException) -> Response:
    if fault.status_code == 405:
        sentence = f"{request.method} is not what this address takes; /openapi.json lists the addresses."
    elif fault.status_code == 404:
        sentence = "There is no such address; /openapi.json lists the addresses."
    else:
        sentence = "The request can't be answered; /openapi.json lists the addresses."
    return response(problem_answer(Problem(fault.status_code, sentence)), dict(fault.headers or {}))


async def _problem(request: Request, problem: Problem) -> Response:
    return response(problem_answer(problem))


def response(answer: Answer, headers: dict[str, str] | None = None) -> Response:
    """An answer as FastAPI sends it."""
    found = dict(headers or {})
    if answer.head is not None:
        found["Inference-Header-Content-Length"] = str(answer.head)
    if answer.retry is not None:
        found["Retry-After"] = str(answer.retry)
    return Response(answer.body, answer.status, found, answer.content)


def _health(api: FastAPI, service: Service) -> None:
    @api.get("/health/live", tags=["health"], responses=answers(200, READY))
    @api.get("/v2/health/live", tags=["health"], responses=answers(200, READY))
    async def live() -> Any:
        """Whether the process runs."""
        return {"live": True}

    @api.get("/health/ready", tags=["health"], responses=answers(200, READY, 503))
    @api.get("/v2/health/ready", tags=["health"], responses=answers(200, READY, 503))
    async def ready() -> Any:
        """Whether requests are taken: every model is loaded, and the server is not about to end."""
        if not service.ready or service.draining:
            raise Problem(503, "The server is not ready; try again in a second.", retry=1)
        return {"ready": True}

    @api.get("/metrics", tags=["health"], response_class=Response, responses=answers(200, None, content="text/plain"))
    async def metrics() -> Any:
        """Counters for Prometheus."""
        return Response(service.metrics_text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _page(api: FastAPI) -> None:
    folder = Path(__file__).parent
    policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:"
    headers = {
        "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    for path, name, kind in (
        ("/", "page.html", "text/html"),
        ("/page.js", "page.js", "text/javascript"),
        ("/page.css", "page.css", "text/css"),
    ):
        content = (folder / name).read_bytes()
        api.add_api_route(
            path,
            _file(Response(content, media_type=f"{kind}; charset=utf-8", headers=headers)),
            methods=["GET"],
            tags=["page"],
            operation_id=name.replace(".", "_"),
            responses=answers(200, None, content=kind),
            response_class=Response,
        )


def _file(found: Response) -> Any:
    async def file() -> Any:
        """The page, or a part of it."""
        return found

    return file


def _protocol(api: FastAPI, service: Service) -> None:
    @api.get("/v2", tags=["protocol"], responses=answers(200, SERVER))
    async def server() -> Any:
        """The server's name, version and extensions."""
        return service.server()

    @api.post("/v2/repository/index", tags=["protocol"], responses=answers(200, INDEX))
    async def index() -> Any:
        """Every model with its version and state."""
        return service.listed()

    @api.get("/v2/models/stats", tags=["protocol"], responses=answers(200))
    async def statistics() -> Any:
        """No statistics of the protocol's kind: /metrics has them."""
        return {"model_stats": []}

    def model_addresses(tail: str, **more: Any) -> Callable[[Any], Any]:
        def add(function: Any) -> Any:
            name = function.__name__
            method = more.pop("method", "GET")
            for at, place in enumerate(("/v2/models/{name}", "/v2/models/{name}/versions/{version}")):
                own = {**more, "operation_id": f"{name}{'_of_version' if at else ''}"}
                api.add_api_route(place + tail, _with_version(function, at), methods=[method], tags=["protocol"], **own)
            return function

        return add

    @model_addresses("", responses=answers(200, METADATA, 400, 404))
    async def metadata(name: str, version: str | None) -> Any:
        """The model's versions, inputs and outputs."""
        return service.describe(name, version)

    @model_addresses("/ready", responses=answers(200, READY, 400, 404))
    async def model_ready(name: str, version: str | None) -> Any:
        """Whether the model takes requests."""
        service.registry.find(name, version)
        return {"name": name, "ready": True}

    @model_addresses("/config", responses=answers(200, None, 400, 404))
    async def config(name: str, version: str | None) -> Any:
        """The model's configuration, as Triton words it."""
        return service.configured(name, version)

    @model_addresses(
        "/infer",
        method="POST",
        responses=answers(200, INFER_ANSWER, 400, 404, 408, 413, 415, 500, 503, 504),
        openapi_extra=INFER_REQUEST,
    )
    async def infer(name: str, version: str | None, request: Request) -> Any:
        """Tensors in, tensors out, in JSON or with the binary extension."""
        return response(await service.infer(name, version, await request.body(), _headers(request), "infer"))


def _plain(api: FastAPI, service: Service) -> None:
    @api.get("/v1/models", tags=["plain"], responses=answers(200, MODELS))
    async def models() -> Any:
        """Every model: its task, what it takes, its columns."""
        return service.about()

    @api.get("/v1/models/{name}", tags=["plain"], responses=answers(200, MODEL, 400, 404))
    async def model(name: str) -> Any:
        """One model."""
        return service.about(name)

    @api.get("/v1/models/{name}/stream", tags=["plain"], responses=answers(426), status_code=426)
    async def stream(name: str) -> Any:
        """A WebSocket: {"x": [a number for each column]} in, {"step": …, "forecast": […]} out; `resume` is a token."""
        raise Problem(426, "This address is a WebSocket: connect to it with ws:// or wss://.")

    async def answered(name: str, version: str | None, request: Request) -> Response:
        options, headers = dict(request.query_params), _headers(request)
        csv, content = wants_csv(options.get("format"), headers), request.headers.get("content-type", "")
        body = await request.body()
        more: dict[str, Any] = {"csv": csv, "content": content, "options": options}
        return response(await service.infer(name, version, body, headers, "predict", **more))

    told: dict[str, Any] = {
        "responses": answers(200, FORECAST, 400, 404, 406, 408, 413, 415, 500, 503, 504),
        "openapi_extra": PREDICT_REQUEST,
        "tags": ["plain"],
    }

    @api.post("/v1/models/{name}/predict", **told)
    async def predict(name: str, request: Request) -> Any:
        """Rows in (JSON or CSV), forecast out; texts in, classes out; sequences in, classes or values out."""
        return await answered(name, None, request)

    @api.post("/v1/models/{name}/versions/{version}/predict", **told)
    async def predict_version(name: str, version: str, request: Request) -> Any:
        """The same of one version."""
        return await answered(name, version, request)


def _with_version(function: Any, versioned: int) -> Any:
    """The function of name, version (and request) as one that FastAPI reads the address for."""
    takes_request = "request" in function.__annotations__
    if versioned and takes_request:

        async def of_version_with_body(name: str, version: str, request: Request) -> Any:
            return await function(name, version, request)

        chosen: Any = of_version_with_body
    elif versioned:

        async def of_version(name: str, version: str) -> Any:
            return await function(name, version)

        chosen = of_version
    elif takes_request:

        async def of_latest_with_body(name: str, request: Request) -> Any:
            return await function(name, None, request)

        chosen = of_latest_with_body
    else:

        async def of_latest(name: str) -> Any:
            return await function(name, None)

        chosen = of_latest
    chosen.__doc__ = function.__doc__
    return chosen


def _headers(request: Request) -> dict[bytes, bytes]:
    return dict(request.headers.raw)
