"""Endpoints → their OpenAPI 3.1 document, made from the models that the endpoints really use."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response

_REF = "#/components/schemas/{model}"
_REASONS = {
    200: "done",
    304: "the copy named in If-None-Match is still right",
    400: "the body is not what is expected",
    404: "there is no such thing",
    408: "the body came too slowly",
    413: "the body is too large",
    429: "too many requests: wait as long as Retry-After says; a reply still holds the help lines",
    503: "not able to answer now",
}


@dataclass(frozen=True)
class Endpoint:
    """One address of the API.

    Attributes:
        path: with parameters in braces, as Starlette and OpenAPI both write them.
        handler: what answers; the first line of its docstring is the summary.
        answers: status → model of the JSON body, or None where the body is empty or no JSON.
        body: model of the request's body, if it takes one.
        headers: status → names of the headers that come with it.

    """

    method: str
    path: str
    handler: Callable[[Request], Awaitable[Response]]
    answers: dict[int, type[BaseModel] | None]
    body: type[BaseModel] | None = None


def describe(endpoints: Sequence[Endpoint], *, title: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI document of `endpoints`."""
    taken = [e.body for e in endpoints if e.body]
    given = [model for e in endpoints for model in e.answers.values() if model]
    wanted = dict.fromkeys([(m, "validation") for m in taken] + [(m, "serialization") for m in given])
    _, schemas = models_json_schema(list(wanted), ref_template=_REF)  # type: ignore[arg-type]
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {"schemas": schemas["$defs"]},
    }


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    names = [part[1:-1] for part in endpoint.path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": (endpoint.handler.__doc__ or "").strip().partition("\n")[0],
        "responses": {str(status): _answer(status, model) for status, model in endpoint.answers.items()},
    }
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
            for name in names
        ]
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": _json(endpoint.body)}
    return operation


def _answer(status: int, model: type[BaseModel] | None) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _REASONS[status]}
    if status == 429:
        answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "integer"}}}
    return answer | ({"content": _json(model)} if model else {})


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}}}
