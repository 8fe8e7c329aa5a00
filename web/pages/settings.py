"""What this server works with and how the page looks: to read; the operator sets it by environment."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.context import Context, context_of
from web.pages import words
from web.pages.rendering import Renderer, frame_counts


@dataclass(frozen=True)
class SettingsPage:
    """GET /settings"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page."""
        context = context_of(request)
        with reading(context.engine) as session:
            counts = frame_counts(session, request)
        values = {"active": "settings", "dependencies": [], "facts": facts(context)}
        return self.renderer.page(request, "settings.html", values, counts=counts)


def facts(context: Context) -> list[tuple[str, str]]:
    """What is set, in the words of people who use it."""
    settings = context.settings
    return [
        ("Largest file", words.limit(settings.max_upload_size)),
        ("Search in texts", "On" if context.search else "Off"),
        ("Sign-in", "Needed" if settings.auth_enabled else "Off: this server answers this computer only"),
        ("Removing for good", "Allowed, from the trash" if settings.allow_file_delete else "Not allowed"),
    ]
