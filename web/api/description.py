"""The OpenAPI 3.1 description of the API, made from the routes and models themselves, and a page to read it on."""

import inspect
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.release import VERSION
from web.access import Guarded, Need, Operation, Parameter, page
from web.api.models import ErrorAnswer

Schema = dict[str, Any]

_REFERENCES = "#/components/schemas/{model}"
_UPLOAD_FORM: Schema = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "title": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "language": {"type": "string"},
        "force": {"type": "boolean"},
    },
}
_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
summary { cursor: pointer; padding: .3rem 0 }
code { font-family: ui-monospace, monospace }
b { display: inline-block; min-width: 4rem }
table { border-collapse: collapse; margin: .3rem 0 1rem 4rem }
td { padding: .15rem .8rem .15rem 0; vertical-align: top }
"""


def description_routes(routes: Sequence[Guarded]) -> list[Guarded]:
    """The routes that describe these routes (and themselves)."""
    every: list[Guarded] = list(routes)

    def describe(_request: Request) -> Response:
        """Describe this API in OpenAPI 3.1."""
        return Response(json.dumps(openapi(every)), media_type="application/json")

    def show(_request: Request) -> Response:
        return HTMLResponse(_page(openapi(every)["paths"]))

    described = Guarded("/api/openapi.json", {"GET": Operation(describe, Need.READ, {200: "application/json"})})
    every.append(described)
    return [described, page("/docs", show), page("/docs/style.css", _style)]


def openapi(routes: Iterable[Guarded]) -> Schema:
    """The whole description."""
    described = [route for route in routes if route.include_in_schema]
    models = _models(described)
    _, definitions = models_json_schema([(model, "serialization") for model in models], ref_template=_REFERENCES)
    return {
        "openapi": "3.1.0",
        "info": {"title": "DocuElevate", "version": VERSION},
        "security": [{"token": []}, {"session": []}],
        "paths": {route.path: _path(route) for route in described},
        "components": {
            "schemas": definitions.get("$defs", {}),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "session"},
            },
        },
    }


def _models(routes: Iterable[Guarded]) -> list[type[BaseModel]]:
    found: dict[type[BaseModel], None] = {ErrorAnswer: None}
    for route in routes:
        for operation in route.operations.values():
            for model in (*operation.answers.values(), operation.body):
                if isinstance(model, type):
                    found[model] = None
    return list(found)


def _path(route: Guarded) -> Schema:
    operations = {method.lower(): _operation(route, method, each) for method, each in route.operations.items()}
    names = re.findall(r"{(\w+)", route.path)
    return operations | ({"parameters": [_in_path(name) for name in names]} if names else {})


def _operation(route: Guarded, method: str, operation: Operation) -> Schema:
    words = re.findall(r"\w+", route.path.removeprefix("/api"))
    found: Schema = {
        "operationId": "_".join((method.lower(), *words)),
        "summary": _summary(operation),
        "parameters": [_parameter(parameter) for parameter in operation.parameters],
        "responses": {str(status): _answer(model) for status, model in operation.answers.items()}
        | {"default": _answer(ErrorAnswer, "What went wrong.")},
        "x-scope": operation.need.name.lower(),
    }
    if operation.body is not None:
        found["requestBody"] = {"required": True, "content": _content(operation.body)}
    if operation.need is Need.PUBLIC:
        found["security"] = []
    return found


def _summary(operation: Operation) -> str:
    return (inspect.getdoc(operation.endpoint) or "").partition("\n")[0]


def _answer(model: type[BaseModel] | str | None, text: str = "As asked.") -> Schema:
    return {"description": text} | ({"content": _content(model)} if model else {})


def _content(model: type[BaseModel] | str) -> Schema:
    if model == "multipart/form-data":
        return {model: {"schema": _UPLOAD_FORM}}
    if isinstance(model, str):
        return {model: {"schema": {"type": "string", "contentMediaType": model}}}
    return {"application/json": {"schema": {"$ref": _REFERENCES.format(model=model.__name__)}}}


def _parameter(parameter: Parameter) -> Schema:
    schema: Schema = {"type": parameter.kind} | ({"enum": list(parameter.values)} if parameter.values else {})
    if parameter.repeatable:
        schema = {"type": "array", "items": schema}
    return {"name": parameter.name, "in": parameter.place, "description": parameter.description, "schema": schema}


def _in_path(name: str) -> Schema:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _style(_request: Request) -> Response:
    return Response(_STYLE, media_type="text/css")


def _page(paths: Schema) -> str:
    rows = "".join(
        _section(method, path, operation)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if method != "parameters"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>DocuElevate API</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/docs/style.css"></head>'
        f'<body><h1>DocuElevate API</h1><p><a href="/api/openapi.json">OpenAPI 3.1</a></p>{rows}</body></html>'
    )


def _section(method: str, path: str, operation: Mapping[str, Any]) -> str:
    rows = [(each["name"], each["description"]) for each in operation["parameters"]]
    rows += [(f"→ {status}", _shape(answer)) for status, answer in operation["responses"].items()]
    cells = "".join(f"<tr><td><code>{escape(name)}</code></td><td>{escape(text)}</td></tr>" for name, text in rows)
    head = f"<b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['summary'])}"
    return f"<details><summary>{head}</summary><table>{cells}</table></details>"


def _shape(answer: Mapping[str, Any]) -> str:
    kinds = [
        content["schema"].get("$ref", kind).rpartition("/")[2] if "$ref" in content["schema"] else kind
        for kind, content in answer.get("content", {}).items()
    ]
    return ", ".join(kinds) or "no body"
