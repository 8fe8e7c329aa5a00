"""The composition root of web: settings into clients, clients into a context, routes and middleware into the app."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ExceptionHandler

from shared.database.settings import DatabaseSettings, database
from shared.errors import DocuElevateError
from shared.publisher import HttpEventPublisher
from shared.search.settings import SearchSettings, search_reader
from shared.storage.settings import ObjectStoreSettings, object_store
from web.access import unauthenticated, unguarded
from web.api.answers import as_request_error, error_answer
from web.api.routes import api_routes
from web.authentication import identifier
from web.changes import ChangeFeed
from web.context import Context
from web.errors import RequestError
from web.hooks.routes import hook_routes
from web.metrics.requests import Counting
from web.outbox import Relay
from web.protection import HostRule, Protection, add_headers
from web.providers import Provider, ProviderSettings, function_providers
from web.settings import WebSettings
from web.sweep.configured import sweep_with
from web.tracing import Tracing
from web.unlocking import Unlocker

API_PREFIXES = ("/api/", "/hooks/")
RESTART_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Pages(Protocol):
    """The web pages, as the app takes them in (`web.pages`)."""

    def routes(self, context: Context) -> list[BaseRoute]:
        """The routes; each of them guarded."""
        ...

    def error_page(self, request: Request, error: RequestError) -> Response:
        """An error that a person meets outside the API."""
        ...


class UnguardedRoute(Exception):
    """A route does not say who may reach it, so the app does not start."""


def from_environment() -> Starlette:
    """The application as the environment variables describe it, pages included."""
    from web import pages

    return create_app(context_from_environment(), pages)


def context_from_environment() -> Context:
    """The clients that the environment variables name. Raises ValidationError where one of them is wrong."""
    settings, search, objects = WebSettings(), SearchSettings(), ObjectStoreSettings()
    engine = database(DatabaseSettings())
    publisher = HttpEventPublisher(settings.broker_url) if settings.broker_url else None
    store = object_store(objects)
    reader = search_reader(search) if search.enable_search else None
    providers = {"database": Provider(engine.dialect.name), "object_store": Provider(objects.kind)}
    if reader:
        providers["search"] = Provider(search.engine)
    return Context(
        settings=settings,
        engine=engine,
        store=store,
        search=reader,
        relay=Relay(engine, publisher),
        changes=ChangeFeed(engine),
        unlocker=Unlocker(settings.convert_url),
        sweep=sweep_with(engine, store, publisher, reader),
        providers=providers | function_providers(ProviderSettings()),
    )


def create_app(context: Context, pages: Pages | None = None) -> Starlette:
    """The application; its lifespan runs the relay and the replays. Without `pages` it is the API alone."""
    routes = [*api_routes(), *hook_routes(), *(pages.routes(context) if pages else ())]
    if open_routes := unguarded(routes):
        raise UnguardedRoute(f"no need declared: {open_routes}")
    tell = _error_teller(pages)
    token = context.settings.metrics_token
    identify = identifier(
        context.engine,
        auth_enabled=context.settings.auth_enabled,
        metrics_token=token.get_secret_value() if token else None,
    )
    counting = Middleware(Counting, counts=context.metrics.requests)
    protection = Middleware(Protection, hosts=HostRule.of(context.settings), identify=identify, error_answer=tell)
    handler = _error_handler(context.settings, tell)
    handlers: dict[type[Exception], ExceptionHandler] = dict.fromkeys(
        (DocuElevateError, HTTPException, Exception), handler
    )
    app = Starlette(
        routes=routes,
        middleware=[counting, Middleware(Tracing), protection],
        exception_handlers=handlers,
        lifespan=_lifespan,
    )
    app.state.context = context
    return app


def _error_teller(pages: Pages | None) -> Callable[[Request, RequestError], Response]:
    def tell(request: Request, error: RequestError) -> Response:
        if pages is None or request.url.path.startswith(API_PREFIXES):
            return error_answer(request, error)
        return pages.error_page(request, error)

    return tell


def _error_handler(settings: WebSettings, tell: Callable[[Request, RequestError], Response]) -> ExceptionHandler:
    async def handle(request: Request, error: Exception) -> Response:
        told = as_request_error(error)
        if settings.auth_enabled and request.scope.get("identity") is None and told.status_code in (404, 405):
            told = unauthenticated()
        if told.status_code == 500:
            about = {"request": request.scope.get("request_id", "")}
            _log.error("request %s failed", about["request"], exc_info=error, extra={"fields": about})
        answer = tell(request, told)
        # The answer to a bug is sent from outside the middleware that adds these.
        add_headers(MutableHeaders(raw=answer.raw_headers), request.scope)
        return answer

    return handle


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    context: Context = app.state.context
    work = {"outbox relay": context.relay.run, "replays": context.replays.run}
    tasks = [asyncio.create_task(_kept_running(name, run)) for name, run in work.items()]
    try:
        yield
    finally:
        await context.changes.close()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _kept_running(name: str, work: Callable[[], Awaitable[None]]) -> None:
    """Start the work again when a bug ends it; it must not stop in silence while the server goes on."""
    while True:
        task = asyncio.ensure_future(work())
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
        if task.cancelled() or task.exception() is None:
            return
        _log.error("the %s stopped and is started again", name, exc_info=task.exception())
        await asyncio.sleep(RESTART_SECONDS)
