"""Errors that a person meets outside the API, as a page in the usual frame that says what to do."""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from web.errors import RequestError
from web.pages.rendering import Renderer

_HEADINGS: Mapping[int, str] = {
    401: "Please sign in",
    403: "This is not allowed",
    404: "There is nothing here",
    405: "This page does not take that",
    422: "This address cannot be read",
    503: "Not available right now",
}
_ELSE = "This did not work"
_WHAT_TO_DO: Mapping[int, str] = {
    404: "The document may have been removed for good, or the address has a mistake.",
    500: "The fault is on the server. Your documents are safe; try again in a moment.",
}


def show_error(renderer: Renderer, request: Request, error: RequestError) -> Response:
    """The page. It reads nothing from database or store, so that it can be shown whatever is down."""
    values = {
        "heading": _HEADINGS.get(error.status_code, _ELSE),
        "message": _WHAT_TO_DO.get(error.status_code, error.message),
        "status_code": error.status_code,
        "request_id": request.scope.get("request_id", "") if error.status_code >= 500 else "",
    }
    answer = renderer.page(request, "error.html", values, status_code=error.status_code)
    answer.headers.update(error.headers)
    return answer
