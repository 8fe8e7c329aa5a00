"""What this server works with and how the page looks: to read; the operator sets it by environment."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from shared.errors import Unavailable
from web.api.health import ready
from web.api.models import DependencyState, ReadyAnswer
from web.context import Context, context_of
from web.pages import words
from web.pages.rendering import NO_COUNTS, Counts, Renderer, frame_counts
from web.providers import FUNCTION_CAPABILITIES

_NAMES: Mapping[str, str] = {
    "object_store": "Object storage",
    "database": "Database",
    "broker": "Event broker",
    "search": "Search",
    "conversion": "Office files to PDF",
    "ocr": "Text recognition",
    "enrichment": "Facts from texts",
}
"""In the order in which they are shown."""

_PROVIDERS: Mapping[tuple[str, str], str] = {
    ("conversion", "gotenberg"): "Gotenberg",
    ("conversion", "local"): "LibreOffice",
    ("database", "postgresql"): "PostgreSQL",
    ("database", "sqlite"): "SQLite",
    ("enrichment", "local"): "Built-in rules",
    ("enrichment", "openai"): "Language model",
    ("object_store", "directory"): "Directory",
    ("object_store", "s3"): "S3",
    ("ocr", "azure"): "Azure Document Intelligence",
    ("ocr", "tesseract"): "Tesseract",
    ("search", "embedded"): "Embedded index",
    ("search", "meilisearch"): "Meilisearch",
}


@dataclass(frozen=True)
class Dependency:
    """What the server works with. `state` is None for a part of a function, which nobody has asked."""

    name: str
    provider: str
    state: DependencyState | None


@dataclass(frozen=True)
class SettingsPage:
    """GET /settings"""

    renderer: Renderer

    async def __call__(self, request: Request) -> Response:
        """The page; it also opens while something is down, and says what."""
        found = ReadyAnswer.model_validate_json(bytes((await ready(request)).body))
        counts = await run_in_threadpool(_counts, request)
        context = context_of(request)
        shown = dependencies(context, found.dependencies)
        values = {"active": "settings", "dependencies": shown, "facts": facts(context)}
        return self.renderer.page(request, "settings.html", values, counts=counts)


def _counts(request: Request) -> Counts:
    try:
        with reading(context_of(request).engine) as session:
            return frame_counts(session, request)
    except Unavailable:
        return NO_COUNTS


def dependencies(context: Context, states: Mapping[str, DependencyState]) -> list[Dependency]:
    """What is active, in words, and how it answers."""
    return [
        Dependency(
            words,
            _PROVIDERS.get((name, state.provider or ""), state.provider or ""),
            None if name in FUNCTION_CAPABILITIES and context.providers[name].check is None else state,
        )
        for name, words in _NAMES.items()
        if (state := states.get(name))
    ]


def facts(context: Context) -> list[tuple[str, str]]:
    """What is set, in the words of people who use it."""
    settings = context.settings
    return [
        ("Largest file", words.limit(settings.max_upload_size)),
        ("Search in texts", "On" if context.search else "Off"),
        ("Sign-in", "Needed" if settings.auth_enabled else "Off: this server answers this computer only"),
        ("Removing for good", "Allowed, from the trash" if settings.allow_file_delete else "Not allowed"),
    ]
