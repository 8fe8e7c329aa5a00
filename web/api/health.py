"""Whether the process lives, and whether what it needs answers. Made for probes: bounded in time, no secrets."""

import socket
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import anyio
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.database.readiness import require_current
from shared.errors import DocuElevateError, Unavailable
from shared.storage import keys
from web.access import Guarded, Need, Operation, owner_of
from web.api.answers import json_answer
from web.api.models import DependencyState, HealthAnswer, ReadyAnswer, StatusAnswer
from web.context import Context, context_of
from web.reads import status_counts

TIMEOUT_SECONDS = 3.0
NEEDED = frozenset({"database", "object_store"})
Check = Callable[[], str | None]
"""Raises where the dependency does not answer; may say what it does not promise although it does."""

_NOBODY = "00000000-0000-0000-0000-000000000000"


async def health(_request: Request) -> Response:
    """Say that the process answers; asks nobody else."""
    return json_answer(HealthAnswer())


async def ready(request: Request) -> Response:
    """Ask every dependency at once: 200 while uploads work, 503 while they do not."""
    context, states = context_of(request), dict[str, DependencyState]()
    async with anyio.create_task_group() as group:
        for name, check in _checks(context).items():
            provider = context.providers.get(name)
            group.start_soon(_ask, name, provider.name if provider else None, check, states)
    broken = {name for name, state in states.items() if not state.ok}
    status = "unavailable" if broken & NEEDED else "degraded" if broken else "ready"
    answer = ReadyAnswer.model_validate({"status": status, "dependencies": dict(sorted(states.items()))})
    return json_answer(answer, 503 if status == "unavailable" else 200)


def status(request: Request) -> Response:
    """Count the documents by status, and the events that wait to be sent."""
    with reading(context_of(request).engine) as session:
        return json_answer(status_counts(session, owner_of(request)))


def _checks(context: Context) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "database": lambda: require_current(context.engine),
        "object_store": lambda: _look(context),
        "broker": lambda: _connect(context.settings.broker_url),
    }
    if search := context.search:
        checks["search"] = lambda: _discard(search.generation)
    others = {name: provider.check or _part_of_a_function for name, provider in context.providers.items()}
    return others | checks


async def _ask(name: str, provider: str | None, check: Check, states: dict[str, DependencyState]) -> None:
    started = time.monotonic()
    ok, message = False, f"no answer within {TIMEOUT_SECONDS:g} s"
    with anyio.move_on_after(TIMEOUT_SECONDS):
        ok, message = await anyio.to_thread.run_sync(_answer, check, abandon_on_cancel=True)
    took_ms = round((time.monotonic() - started) * 1000, 1)
    states[name] = DependencyState(ok=ok, provider=provider, message=message or None, took_ms=took_ms)


def _answer(check: Check) -> tuple[bool, str]:
    """Whether it works, and what there is to say of it, in words of ours."""
    try:
        return True, check() or ""
    except DocuElevateError as error:
        return False, str(error)
    except SQLAlchemyError:
        return False, "the database does not answer"


def _look(context: Context) -> str | None:
    context.store.head(keys.tombstone(_NOBODY))
    return context.store.weakness()


def _connect(url: str | None) -> None:
    if url is None:
        raise Unavailable("BROKER_URL is not set; events wait in the outbox")
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), TIMEOUT_SECONDS).close()
    except OSError as error:
        raise Unavailable("the broker does not answer") from error


def _discard(_value: str) -> None:
    return


def _part_of_a_function() -> None:
    """There whenever the function is; nobody to ask."""


HEALTH_ROUTES = [
    Guarded("/api/health", {"GET": Operation(health, Need.PUBLIC, {200: HealthAnswer})}),
    Guarded("/api/ready", {"GET": Operation(ready, Need.PUBLIC, {200: ReadyAnswer, 503: ReadyAnswer})}),
    Guarded("/api/status", {"GET": Operation(status, Need.READ, {200: StatusAnswer})}),
]
