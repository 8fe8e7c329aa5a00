"""Passes a password on to convert, which says at once whether it opens the document. It goes nowhere else.

A direct call, not an event: events, rows and objects never hold a password (rules on secrets, docs/architecture.md).
"""

from dataclasses import dataclass

import httpx

from shared.documents import ObjectReference
from shared.errors import Throttled, Unavailable
from web.errors import RequestError

TIMEOUT = httpx.Timeout(180.0, connect=10.0)


class WrongPassword(RequestError):
    """The password does not open the document."""

    status_code = 422
    code = "wrong_password"


class NothingToOpen(RequestError):
    """Convert cannot open this document with any password."""

    status_code = 422
    code = "not_unlockable"


@dataclass(frozen=True)
class Unlocker:
    """Asks convert at `convert_url`."""

    convert_url: str | None

    async def opened(self, document_id: str, password: str) -> ObjectReference:
        """The opened copy. Raises WrongPassword, NothingToOpen, Throttled, Unavailable."""
        if self.convert_url is None:
            raise Unavailable("CONVERT_URL is not set, so documents cannot be opened with a password")
        body = {"document_id": document_id, "password": password}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT) as client:
                response = await client.post(f"{self.convert_url.rstrip('/')}/unlock", json=body)
        except httpx.TransportError as error:
            raise Unavailable("the converter does not answer") from error
        return _read(response)


def _read(response: httpx.Response) -> ObjectReference:
    if response.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
        raise NothingToOpen("This document cannot be opened with a password.")
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise Throttled("the converter is busy")
    if response.status_code != httpx.codes.OK:
        raise Unavailable(f"the converter answered {response.status_code}")
    answer = response.json()
    if not answer["fits"]:
        raise WrongPassword("The password does not open this document.")
    return ObjectReference.model_validate(answer["unlocked"])
