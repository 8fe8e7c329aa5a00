"""What is going on: replays and documents in work, those that stopped, and what was received last."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from shared.database.engine import reading
from web.access import owner_of
from web.context import context_of
from web.pages.home import overview
from web.pages.rendering import Renderer, frame_counts
from web.reads import status_counts
from web.replay_reads import list_replays
from web.replays import ReplayState

MOST = 30


@dataclass(frozen=True)
class ActivityPage:
    """GET /activity"""

    renderer: Renderer

    def __call__(self, request: Request) -> Response:
        """The page."""
        owner = owner_of(request)
        with reading(context_of(request).engine) as session:
            counts = frame_counts(session, request)
            values = overview(session, owner, attention=MOST, processing=MOST, recent=MOST)
            waiting = status_counts(session, owner).outbox
            running = list_replays(session, ReplayState.RUNNING).results if counts.operator else ()
        frame = {"active": "activity", "waiting": waiting, "running": running}
        return self.renderer.page(request, "activity.html", values | frame, counts=counts)
