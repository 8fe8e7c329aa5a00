"""JSON in and out: models into answers, errors into the one shape that the contract names, bodies into models."""

import logging
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from shared.errors import ObjectNotFound, Throttled, Unavailable
from web.api.models import ErrorAnswer, Problem
from web.errors import InvalidParameter, NotReady, RequestError, TooLarge, UnsupportedMediaType

MAX_JSON_BYTES = 1024 * 1024

_log = logging.getLogger(__name__)

M = TypeVar("M", bound=BaseModel)

_MESSAGES = {
    400: ("bad_request", "The request could not be read."),
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This address does not know that method."),
    413: ("too_large", "The request is too large."),
}


class ServiceUnavailable(RequestError):
    """Something that the server needs does not answer."""

    status_code = 503
    code = "unavailable"


class InternalError(RequestError):
    """A bug; what it was is in the log, under the request id."""

    status_code = 500
    code = "internal"


def json_answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A model as JSON; unset members are null, never left out."""
    return Response(model.model_dump_json(by_alias=True), status, headers, "application/json")


def error_answer(request: Request, error: RequestError) -> Response:
    """An error in the contract's shape."""
    problem = Problem(code=error.code, message=error.message, request_id=request.scope.get("request_id", ""))
    return json_answer(ErrorAnswer(error=problem), error.status_code, error.headers)


def as_request_error(error: Exception) -> RequestError:
    """What a person is told about an error; nothing of its inside where it is not one of ours."""
    match error:
        case RequestError():
            return error
        case HTTPException():
            code, message = _MESSAGES.get(error.status_code, ("error", error.detail))
            told = RequestError(message, code=code, headers=error.headers)
            told.status_code = error.status_code
            return told
        case Unavailable() | Throttled():
            _log.warning("answered 503: %s", error)
            return ServiceUnavailable(f"{error}; try again in a moment.".capitalize(), headers={"Retry-After": "5"})
        case ObjectNotFound():
            return NotReady("This part of the document is not there (yet).")
    return InternalError("Something went wrong on the server.")


async def read_json(request: Request, model: type[M]) -> M:
    """The body as a model. Raises UnsupportedMediaType, TooLarge, RequestError (no JSON), InvalidParameter."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise UnsupportedMediaType("Send a JSON body with Content-Type: application/json.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_JSON_BYTES:
            raise TooLarge("The request is too large.")
    try:
        # Stricter than the standard library: no NaN, no halves of characters, which no database takes.
        content = from_json(bytes(body), allow_inf_nan=False)
    except ValueError as error:
        raise RequestError("The body is not JSON.", code="invalid_json") from error
    return parsed(content, model)


def parsed(content: object, model: type[M]) -> M:
    """Content as a model. Raises InvalidParameter naming the first member that is wrong."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidParameter(f"{place}: {first['msg']}" if place else first["msg"]) from error
