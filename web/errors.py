"""What a request can be answered with instead of what it asked for. Each error knows its status, code and message."""

from collections.abc import Mapping

from shared.errors import DocuElevateError


class RequestError(DocuElevateError):
    """Base: the message is shown to the person as it is."""

    status_code = 400
    code = "bad_request"

    def __init__(self, message: str, *, code: str | None = None, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code
        self.headers = dict(headers or {})


class InvalidParameter(RequestError):
    """A parameter, field or body that breaks the contract."""

    status_code = 422
    code = "invalid_parameter"


class InvalidCursor(RequestError):
    """A cursor that this list did not hand out."""

    code = "invalid_cursor"


class Unauthenticated(RequestError):
    """Nobody is signed in, and the route wants somebody."""

    status_code = 401
    code = "unauthenticated"


class Forbidden(RequestError):
    """Known, but not allowed to."""

    status_code = 403
    code = "forbidden"


class NotFound(RequestError):
    """There is none, or it belongs to somebody else: the same answer."""

    status_code = 404
    code = "not_found"


class NotReady(RequestError):
    """It will be there once a step has ended, or that step failed."""

    status_code = 404
    code = "not_ready"


class Conflict(RequestError):
    """The state of the document does not allow it."""

    status_code = 409
    code = "conflict"


class VersionConflict(RequestError):
    """Somebody changed the document since it was read."""

    status_code = 412
    code = "version_conflict"


class TooLarge(RequestError):
    """More bytes than the limit."""

    status_code = 413
    code = "too_large"


class UnsupportedMediaType(RequestError):
    """A body of another kind than the route reads."""

    status_code = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(RequestError):
    """A range beyond the end of the object."""

    status_code = 416
    code = "range_not_satisfiable"
