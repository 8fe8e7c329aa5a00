"""The table of the API: every path, every method, and what each needs."""

from web.access import Guarded
from web.api.archive import ARCHIVE_ROUTES
from web.api.comparison import COMPARISON_ROUTES
from web.api.dead_letters import DEAD_LETTER_ROUTES
from web.api.description import description_routes
from web.api.documents import DOCUMENT_ROUTES
from web.api.files import FILE_ROUTES
from web.api.finding import FINDING_ROUTES
from web.api.health import HEALTH_ROUTES
from web.api.metrics import METRICS_ROUTES
from web.api.replays import REPLAY_ROUTES
from web.api.stream import STREAM_ROUTES
from web.api.sweep import SWEEP_ROUTES
from web.api.tokens import TOKEN_ROUTES


def api_routes() -> list[Guarded]:
    """All routes of the JSON API, their own description included."""
    described = [
        *DOCUMENT_ROUTES,
        *COMPARISON_ROUTES,
        *FILE_ROUTES,
        *FINDING_ROUTES,
        *ARCHIVE_ROUTES,
        *REPLAY_ROUTES,
        *DEAD_LETTER_ROUTES,
        *SWEEP_ROUTES,
        *STREAM_ROUTES,
        *TOKEN_ROUTES,
        *HEALTH_ROUTES,
        *METRICS_ROUTES,
    ]
    return [*described, *description_routes(described)]
