"""Speaks HTTP with a Meilisearch server: requests within a time, tasks waited for, errors translated.

Sources: https://www.meilisearch.com/docs/reference/api/requests, …/reference/errors/error_codes and
…/capabilities/indexing/tasks_and_batches/async_operations. A 202 only says that a task is queued: what was asked for
has happened when the task `succeeded`, and no sooner.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable

TIMEOUT = httpx.Timeout(15.0, connect=3.0)
TASK_SECONDS = 45.0
"""How long the tasks of one write are waited for, within the time that a step has."""

_Part = TypeVar("_Part", str, int, list[Any])
_PAUSES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)
_LONGEST_MESSAGE = 160
_STRANGE = "What answers at MEILISEARCH_URL does not speak as a Meilisearch server does."
_DETERMINED = {
    "invalid_document_id",
    "missing_document_id",
    "document_fields_limit_reached",
    "max_fields_limit_exceeded",
    "malformed_payload",
    "payload_too_large",
}
"""Codes that the same entry would meet again, on any server of these settings."""


class IndexMissing(Unavailable):
    """The index is not on the server; whoever writes can make it."""


class DocumentMissing(DocuElevateError):
    """The index has no document of this key. Never leaves the adapter."""


@dataclass(frozen=True, slots=True)
class Task:
    """What the server has queued, by its number."""

    uid: int


class MeilisearchClient:
    """One server and one key; safe to use from several threads. The key follows no redirect."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout: httpx.Timeout = TIMEOUT,
        task_seconds: float = TASK_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        # A connection that could not be made is tried once more: nothing was sent yet.
        transport = httpx.HTTPTransport(retries=1)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, transport=transport)
        self._task_seconds = task_seconds
        self._clock = clock
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections; nothing can be asked any more."""
        self._http.close()

    def search(self, queries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Ask several things of the same moment at once; one result for each."""
        results = _part(self._send("POST", "/multi-search", {"queries": list(queries)}), "results", list)
        if len(results) != len(queries):
            raise Unavailable(_STRANGE)
        return results

    def fetch(self, uid: str, **wanted: Any) -> dict[str, Any]:
        """Documents by filter, not ranked: `results` and `total`."""
        found = self._send("POST", f"/indexes/{uid}/documents/fetch", wanted)
        _part(found, "total", int)
        _part(found, "results", list)
        return found

    def document(self, uid: str, key: str, fields: Sequence[str]) -> dict[str, Any] | None:
        """These fields of one document, None where there is none."""
        try:
            return self._send("GET", f"/indexes/{uid}/documents/{key}", fields=",".join(fields))
        except DocumentMissing:
            return None

    def index_exists(self, uid: str) -> bool:
        """Whether the server has the index."""
        try:
            _part(self._send("GET", f"/indexes/{uid}"), "uid", str)
        except IndexMissing:
            return False
        return True

    def create_index(self, uid: str, primary_key: str) -> None:
        """Make an empty index, or leave the one there is."""
        task = self._enqueue("POST", "/indexes", {"uid": uid, "primaryKey": primary_key})
        self.wait([task], but_not="index_already_exists")

    def delete_index(self, uid: str) -> None:
        """Take the index away; no error if it is not there."""
        try:
            self.wait([self._enqueue("DELETE", f"/indexes/{uid}")], but_not="index_not_found")
        except IndexMissing:
            return

    def settings(self, uid: str) -> dict[str, Any]:
        """All settings of the index."""
        return self._send("GET", f"/indexes/{uid}/settings")

    def set_settings(self, uid: str, settings: Mapping[str, Any]) -> None:
        """Change these settings; the server rebuilds what depends on them and answers as before meanwhile."""
        self.wait([self._enqueue("PATCH", f"/indexes/{uid}/settings", settings)])

    def put(self, uid: str, payload: bytes) -> Task:
        """Put documents, a JSON array, in place of those of the same keys."""
        return self._enqueue("POST", f"/indexes/{uid}/documents", payload)

    def delete(self, uid: str, condition: str) -> Task:
        """Delete the documents that meet the filter."""
        return self._enqueue("POST", f"/indexes/{uid}/documents/delete", {"filter": condition})

    def delete_document(self, uid: str, key: str) -> Task:
        """Delete one document; no error if it is not in."""
        return self._enqueue("DELETE", f"/indexes/{uid}/documents/{key}")

    def patience(self) -> float:
        """Until when the tasks of what begins now are waited for."""
        return self._clock() + self._task_seconds

    def wait(self, tasks: Sequence[Task], *, until: float | None = None, but_not: str = "") -> None:
        """Return when all have succeeded, or failed with the code `but_not`; wait no longer than `until` (patience).

        Raises StepFailed for what the documents themselves cause, Unavailable for all else and when time is over.
        """
        deadline = self.patience() if until is None else until
        for task in tasks:
            error = self._ended(task, deadline)
            if error is not None and error.get("code") != but_not:
                raise _failure(str(error.get("code")), str(error.get("message", "")))

    def _ended(self, task: Task, deadline: float) -> Mapping[str, Any] | None:
        """The error that the task ended with, None if it succeeded."""
        attempt = 0
        while True:
            found = self._send("GET", f"/tasks/{task.uid}")
            match _part(found, "status", str):
                case "succeeded":
                    return None
                case "failed":
                    return found.get("error") or {}
                case "canceled":
                    raise Unavailable("The search server was told to cancel what it was to write.")
            if self._clock() >= deadline:
                raise Unavailable("The search server has not written it in time.")
            self._sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1

    def _enqueue(self, method: str, path: str, body: Any = None) -> Task:
        return Task(_part(self._send(method, path, body), "taskUid", int))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        """A connection that was kept may have been closed by the server meanwhile; all requests can be repeated."""
        try:
            return self._http.send(request)
        except httpx.RemoteProtocolError:
            return self._http.send(request)

    def _send(self, method: str, path: str, body: Any = None, **parameters: str) -> dict[str, Any]:
        content: dict[str, Any] = {} if body is None else {"json": body}
        if isinstance(body, bytes):
            content = {"content": body, "headers": {"Content-Type": "application/json"}}
        request = self._http.build_request(method, path, params=parameters or None, **content)
        try:
            answer = self._answered(request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise Unavailable(f"The search server does not answer ({type(error).__name__}).") from error
        if not answer.is_success:
            raise _refusal(answer)
        return _object(answer)


def _part(found: Mapping[str, Any], name: str, kind: type[_Part]) -> _Part:
    part = found.get(name)
    if not isinstance(part, kind):
        raise Unavailable(_STRANGE)
    return part


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError as error:
        raise Unavailable(_STRANGE) from error
    if not isinstance(found, dict):
        raise Unavailable(_STRANGE)
    return found


def _refusal(answer: httpx.Response) -> DocuElevateError:
    """What an error status means. A proxy in between may answer without the server's error object."""
    try:
        body = answer.json()
    except ValueError:
        body = None
    said = body if isinstance(body, dict) else {}
    code, message = str(said.get("code", "")), str(said.get("message", ""))
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Unavailable(
            f"The search server refuses the key: it is wrong, or may not do this ({code or 'no reason'})."
        )
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
        return Throttled("The search server asks for fewer requests.", _retry_after(answer))
    if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return _failure("payload_too_large", message)
    if code == "document_not_found":
        return DocumentMissing()
    return _failure(code or str(answer.status_code), message)


def _failure(code: str, message: str) -> DocuElevateError:
    """What an error code means, of a refused request and of a failed task alike."""
    if code in _DETERMINED:
        return StepFailed(FailureCode.INDEX_FAILED, f"The search server does not take the document ({code}).")
    if code == "index_not_found":
        return IndexMissing("The search index is missing on the server.")
    if code == "no_space_left_on_device":
        return Unavailable("The search server has no room left, on its disk or in its queue.")
    return Unavailable(f"The search server could not do it ({code}): {' '.join(message.split())[:_LONGEST_MESSAGE]}")


def _retry_after(answer: httpx.Response) -> float | None:
    wish = answer.headers.get("Retry-After", "")
    return float(wish) if wish.isdecimal() else None
