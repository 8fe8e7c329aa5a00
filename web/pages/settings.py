"""What this server works with and how the page looks: to read; the operator sets it by environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.errors import Unavailable
from web.api.health import ready
from web.api.models import ReadyAnswer
from web.context import Context, context_of
from web.pages import words
from web.pages.rendering import NO_COUNTS, Counts, Renderer, frame_counts

_NAMES: Mapping[str, str] = {
    "broker": "Event broker",
    "database": "Database",
    "object_store": "Object storage",
    "search": "Search",
}


@dataclass(frozen=True)
class SettingsPage:
    """GET /settings"""

    renderer: Renderer

    async def __call__(self, request: Request) -> Response:
        """The page; it also opens while something is down, and says what."""
        found = ReadyAnswer.model_validate_json(bytes((await ready(request)).body))
        named = [(name, _NAMES.get(name, name.capitalize()), state) for name, state in found.dependencies.items()]
        counts = await run_in_threadpool(_counts, request)
        values = {"active": "settings", "dependencies": named, "facts": facts(context_of(request))}
        return self.renderer.page(request, "settings.html", values, counts=counts)


def _counts(request: Request) -> Counts:
    try:
        with reading(context_of(request).engine) as session:
            return frame_counts(session, request)
    except Unavailable:
        return NO_COUNTS


def facts(context: Context) -> list[tuple[str, str]]:
    """What is set, in the words of people who use it."""
    settings = context.settings
    return [
        ("Largest file", words.limit(settings.max_upload_size)),
        ("Search in texts", "On" if context.search else "Off"),
        ("Sign-in", "Needed" if settings.auth_enabled else "Off: this server answers this computer only"),
        ("Removing for good", "Allowed, from the trash" if settings.allow_file_delete else "Not allowed"),
    ]
