"""The upload as a page of its own: what the Upload button leads to where scripts do not run."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from shared.database.engine import reading
from web.api.upload import upload
from web.context import context_of
from web.pages.rendering import Renderer, frame_counts


@dataclass(frozen=True)
class UploadPage:
    """GET /upload"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The form."""
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
        return self.renderer.page(request, "upload.html", {"active": "upload"}, counts=counts)


async def take_form(request: Request) -> Response:
    """POST /upload: what the API does with files, then on to where they can be seen."""
    await upload(request)
    return RedirectResponse("/activity", 303)
