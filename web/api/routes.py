"""The table of the API: every path, every method, and what each needs."""

from starlette.routing import BaseRoute

from web.api.documents import DOCUMENT_ROUTES


def api_routes() -> list[BaseRoute]:
    """All routes of the JSON API."""
    return [*DOCUMENT_ROUTES]
