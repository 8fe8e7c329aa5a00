"""Addresses of the neighbouring pages of a list: the same question with another cursor or page number."""

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from web.paging import Page


def with_cursor(request: Request, page: Page[Any]) -> tuple[str | None, str | None]:
    """The paths of the next and the previous page; None where there is none."""
    return _with(request, "cursor", page.next_cursor), _with(request, "cursor", page.previous_cursor)


def with_number(request: Request, page: int, *, page_size: int, total: int) -> tuple[str | None, str | None]:
    """The same for numbered pages."""
    following = str(page + 1) if page * page_size < total else None
    return _with(request, "page", following), _with(request, "page", str(page - 1) if page > 1 else None)


def _with(request: Request, name: str, value: str | None) -> str | None:
    if value is None:
        return None
    others = [(key, other) for key, other in request.query_params.multi_items() if key != name]
    return f"{request.url.path}?{urlencode([*others, (name, value)])}"
