"""Who may do what: each route declares its need, and a route that declares none does not start.

A request without an identity gets 401 from everything but public routes, one without the scope gets 403.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send
from typing_extensions import TypeIs

from shared.logs import logging_about
from web.errors import Forbidden, Unauthenticated

PlainEndpoint = Callable[[Request], Response]
AsyncEndpoint = Callable[[Request], Awaitable[Response]]
Endpoint = PlainEndpoint | AsyncEndpoint


class Need(IntEnum):
    """What a request must be allowed to. Each one includes those before it.

    METRICS is apart: they are of the whole instance, so nobody's documents open them; only ADMIN includes it.
    """

    PUBLIC = 0
    METRICS = 1
    READ = 2
    WRITE = 3
    ADMIN = 4


@dataclass(frozen=True)
class Identity:
    """Who makes the request, whose documents those are, and how far it may go."""

    owner: str
    scope: Need


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query string or a header, for the description of the API."""

    name: str
    description: str
    kind: str = "string"
    place: str = "query"
    repeatable: bool = False
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One method of a route: what it does, needs, takes and answers (the last three also describe the API).

    `answers` maps a status to a model, to a media type, or to None for no body.
    """

    endpoint: Endpoint
    need: Need
    answers: Mapping[int, type[BaseModel] | str | None] = field(default_factory=dict)
    body: type[BaseModel] | str | None = None
    parameters: tuple[Parameter, ...] = ()


class Guarded(Route):
    """A path with its operations by method; each is reached only by who meets its need."""

    def __init__(self, path: str, operations: Mapping[str, Operation], *, described: bool = True) -> None:
        super().__init__(path, self._answer, methods=list(operations), include_in_schema=described)
        self.operations = dict(operations)

    async def _answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        operation = self.operations[method]
        request.scope["route_path"] = self.path
        document_id = request.path_params["id"] if "documents/{id}" in self.path else None
        request.scope["document"] = document_id
        require(request.scope, operation.need)
        with logging_about(document=document_id):
            return await call(operation.endpoint, request)


class GuardedMount(Mount):
    """An application under a path (static files); all of it has one need."""

    def __init__(self, path: str, app: ASGIApp, *, need: Need, name: str | None = None) -> None:
        super().__init__(path, app=app, name=name)
        self.need = need

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, then pass on."""
        scope["route_path"] = self.path
        require(scope, self.need)
        await super().handle(scope, receive, send)


async def call(endpoint: Endpoint, request: Request) -> Response:
    """Answer with an async endpoint here, with a plain one in a thread (it may wait for database and store)."""
    if is_async(endpoint):
        return await endpoint(request)
    return await run_in_threadpool(endpoint, request)


def is_async(endpoint: Endpoint) -> TypeIs[AsyncEndpoint]:
    """Whether calling the endpoint (a function, or an object that is called) gives something to await."""
    return inspect.iscoroutinefunction(endpoint) or inspect.iscoroutinefunction(type(endpoint).__call__)


def page(path: str, endpoint: Endpoint, *, need: Need = Need.READ, methods: Iterable[str] = ("GET",)) -> Guarded:
    """A route of the web pages: not part of the described API."""
    return Guarded(path, {method: Operation(endpoint, need) for method in methods}, described=False)


def require(scope: Scope, need: Need) -> None:
    """Raise Unauthenticated or Forbidden unless the request may do this."""
    identity: Identity | None = scope.get("identity")
    if need is Need.PUBLIC:
        return
    if identity is None:
        raise unauthenticated()
    if identity.scope < need or (need is Need.METRICS and identity.scope not in (Need.METRICS, Need.ADMIN)):
        raise Forbidden("This token or account is not allowed to do that.")


def unauthenticated() -> Unauthenticated:
    """The error for a request of nobody we know."""
    return Unauthenticated("Send a token that is valid, as `Bearer`.", headers={"WWW-Authenticate": "Bearer"})


def identity_of(request: Request) -> Identity:
    """Who makes the request. Raises Unauthenticated."""
    require(request.scope, Need.READ)
    identity: Identity = request.scope["identity"]
    return identity


def owner_of(request: Request) -> str:
    """Whose documents the request is about."""
    return identity_of(request).owner


def unguarded(routes: Iterable[BaseRoute]) -> list[BaseRoute]:
    """Routes that declare no need; there must be none."""
    return [route for route in routes if not isinstance(route, Guarded | GuardedMount)]
