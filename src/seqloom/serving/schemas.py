"""What bodies look like, in the words of OpenAPI."""

from __future__ import annotations

from typing import Any

__all__ = [
    "FORECAST",
    "INDEX",
    "INFER_ANSWER",
    "INFER_REQUEST",
    "METADATA",
    "MODEL",
    "MODELS",
    "PREDICT_REQUEST",
    "READY",
    "SERVER",
    "answers",
    "document",
]

_WORDS = {
    200: "The answer",
    400: "What was sent can't be used; the sentence says what was expected",
    401: "A token is needed",
    403: "Pages of this origin may not ask",
    404: "There is no such model or version",
    406: "The model has no answer in this form",
    408: "The request came too slowly",
    413: "More was sent than the server takes at once",
    415: "The body is packed in a way that the server doesn't know",
    426: "A WebSocket is wanted",
    500: "A fault of the server; its log has the reason",
    503: "The queue is full, or the server is not ready; Retry-After says when to try again",
    504: "The answer took too long",
}
_TEXT = {"type": "string"}
_SHAPE = {"type": "array", "items": {"type": "integer"}}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


def _list(of: Any) -> dict[str, Any]:
    return {"type": "array", "items": of}


_ERROR = _object(["error"], error=_TEXT)
_TENSOR = _object(["name", "datatype", "shape"], name=_TEXT, datatype=_TEXT, shape=_SHAPE)
_SENT = _object(
    ["name", "datatype", "shape"],
    name=_TEXT,
    datatype={
        "enum": [
            "BOOL",
            "UINT8",
            "UINT16",
            "UINT32",
            "UINT64",
            "INT8",
            "INT16",
            "INT32",
            "INT64",
            "FP16",
            "FP32",
            "FP64",
            "BYTES",
        ]
    },
    shape={"type": "array", "items": {"type": "integer", "minimum": 0}},
    data={"type": "array", "items": {}},
    parameters={"type": "object"},
)
READY = {"type": "object"}
SERVER = _object(["name", "version", "extensions"], name=_TEXT, version=_TEXT, extensions=_list(_TEXT))
METADATA = _object(
    ["name", "versions", "platform", "inputs", "outputs"],
    name=_TEXT,
    versions=_list(_TEXT),
    platform=_TEXT,
    inputs=_list(_TENSOR),
    outputs=_list(_TENSOR),
)
INDEX = _list(_object(["name", "version", "state"], name=_TEXT, version=_TEXT, state=_TEXT, reason=_TEXT))
MODEL = _object(["name", "version", "task"], name=_TEXT, version=_TEXT, task=_TEXT, takes=_list(_TEXT))
MODELS = _object(["models"], models=_list(MODEL))
INFER_ANSWER = _object(
    ["model_name", "outputs"],
    model_name=_TEXT,
    model_version=_TEXT,
    id=_TEXT,
    outputs=_list(_object(["name", "datatype", "shape"], name=_TEXT, datatype=_TEXT, shape=_SHAPE)),
)
FORECAST = _object(["model", "version"], model=_TEXT, version=_TEXT, notes=_list(_TEXT))
INFER_REQUEST = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _object(
                    ["inputs"], id=_TEXT, inputs=_list(_SENT), outputs=_list(_object(["name"], name=_TEXT))
                )
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    "parameters": [
        {
            "name": "Inference-Header-Content-Length",
            "in": "header",
            "required": False,
            "schema": {"type": "integer", "minimum": 0},
            "description": "How many bytes of the body are JSON, where tensors follow as bytes.",
        }
    ],
}
PREDICT_REQUEST = {
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "rows": _list({"type": "object"}),
                        "columns": {"type": "object", "additionalProperties": {"type": "array", "items": {}}},
                        "csv": _TEXT,
                        "texts": _list(_TEXT),
                        "sequences": {"type": "array", "items": {"type": "array", "items": {}}},
                        "horizon": {},
                        "levels": {},
                    },
                }
            },
            "text/csv": {"schema": _TEXT},
            "text/plain": {"schema": _TEXT},
        },
    },
    "parameters": [
        {"name": "format", "in": "query", "required": False, "schema": {"enum": ["json", "csv"]}},
        {"name": "horizon", "in": "query", "required": False, "schema": _TEXT},
        {"name": "levels", "in": "query", "required": False, "schema": _TEXT},
    ],
}


def answers(good: int, schema: Any = None, *problems: int, content: str = "application/json") -> dict[int | str, Any]:
    """The answers of an address: the good one, and the problems, each a sentence."""
    found: dict[int | str, Any] = {good: {"description": _WORDS[good], "content": {content: {"schema": schema or {}}}}}
    for status in dict.fromkeys((*problems, 401, 403, 408, 413)):
        found[status] = {"description": _WORDS[status], "content": {"application/json": {"schema": _ERROR}}}
    return found


def document(api: Any) -> dict[str, Any]:
    """FastAPI's description with what its own checks would answer left out: those are ours."""
    if api.openapi_schema is None:
        from fastapi.openapi.utils import get_openapi

        found = get_openapi(title=api.title, version=api.version, description=api.description, routes=api.routes)
        for operations in found["paths"].values():
            for operation in operations.values():
                operation["responses"].pop("422", None)
        found.setdefault("components", {})["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        found["security"] = [{}, {"bearer": []}]
        api.openapi_schema = found
    return api.openapi_schema
