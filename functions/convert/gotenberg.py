"""Office files through a Gotenberg server: one request for each, within the step's time, and a result that is a PDF.

Written from https://gotenberg.dev/docs/8.x/convert-with-libreoffice/convert-to-pdf. Nothing that a document or a sender
says reaches the request but the bytes: the file's name is made up here, no webhook and no address to download from is
ever sent, and redirects are not followed.
"""

import asyncio
import hashlib
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from functions.convert.office import OfficeResult, OfficeSource
from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable

CONVERT_PATH = "/forms/libreoffice/convert"
FORM = {
    "exportFormFields": "false",
    "exportNotes": "false",
    "maxImageResolution": "300",
    "quality": "92",
    "reduceImageResolution": "true",
    "skipEmptyPages": "true",
    "updateIndexes": "false",
}
"""As LibreOffice beside the function is asked: no form widgets, no comments, indexes as the author left them."""

TIMEOUT = httpx.Timeout(None, connect=5.0)
"""The whole of a call has its own limit; a server that is not there is known sooner."""
QUESTION_SECONDS = 5.0
PATIENCE_SECONDS = 60.0
"""How long to wait for a full queue or a server that is being started, before the event is given back to the broker."""
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)
DOUBTFUL_ATTEMPTS = 2
"""LibreOffice fails at random too: a failure that names no cause has to happen twice."""
VERSION_SECONDS = 600.0
UNKNOWN_VERSION_SECONDS = 30.0
PDF_START = b"%PDF-"
MAX_MESSAGE_BYTES = 4096

_TRACE = re.compile(r"[A-Za-z0-9._:-]{1,100}")


class _Busy(Exception):
    """Not now: try again while there is patience, then raise `error`."""

    def __init__(self, error: DocuElevateError, wait_seconds: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.wait_seconds = wait_seconds


class _Doubtful(Exception):
    """A failure that may have been chance; `error` is raised when it happens again."""

    def __init__(self, error: DocuElevateError, message: str = "") -> None:
        super().__init__(message or str(error))
        self.error = error


@dataclass(frozen=True)
class _Request:
    """What is sent, and where the answer goes."""

    source: Path
    name: str
    output: Path
    trace: str


class GotenbergConverter:
    """Converts with a Gotenberg server, which does its own queueing."""

    follows_options = False

    def __init__(
        self,
        url: str,
        *,
        pdf_format: str = "",
        max_result_bytes: int = 2 * 1024**3,
        patience_seconds: float = PATIENCE_SECONDS,
        authentication: tuple[str, str] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._form = FORM | ({"pdfa": pdf_format} if pdf_format else {})
        self._max_result_bytes = max_result_bytes
        self._patience_seconds = patience_seconds
        self._authentication = authentication
        self._version = ""
        self._version_until = 0.0
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """What the server says it is, asked now and then; `unknown` while it does not answer."""
        with self._lock:
            if time.monotonic() >= self._version_until:
                answer = asyncio.run(self._question("/version"))
                known = answer is not None and answer.status_code == httpx.codes.OK
                # One that was known stands while the server is away: the same inputs keep the same fingerprint.
                self._version = _one_line(answer.text) if answer is not None and known else self._version or "unknown"
                self._version_until = time.monotonic() + (VERSION_SECONDS if known else UNKNOWN_VERSION_SECONDS)
            return self._version

    def convert(self, source: OfficeSource, output: Path, *, timeout_seconds: float, trace: str = "") -> OfficeResult:
        """See DocumentConverter. Raises Throttled and Unavailable where the server stays busy or away."""
        # The ending is what tells LibreOffice the type; anything else of the user's name is nobody's business.
        request = _Request(source.path, f"source{source.suffix}", output, _safe_trace(trace))
        asyncio.run(self._within(self._until_done(request), timeout_seconds))
        return OfficeResult("gotenberg", hidden=None)

    def close(self) -> None:
        """Nothing is kept open."""

    async def _within(self, work: Awaitable[None], timeout_seconds: float) -> None:
        try:
            async with asyncio.timeout(timeout_seconds):
                await work
        except TimeoutError as error:
            await self._require_healthy(error)
            raise StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False) from error

    async def _until_done(self, request: _Request) -> None:
        patient_until = time.monotonic() + self._patience_seconds
        pauses, doubts = _pauses(), 0
        while True:
            try:
                return await self._convert_once(request)
            except _Busy as busy:
                pause = max(next(pauses), busy.wait_seconds)
                if time.monotonic() + pause > patient_until:
                    raise busy.error from busy
            except _Doubtful as doubtful:
                doubts += 1
                if doubts == DOUBTFUL_ATTEMPTS:
                    if isinstance(doubtful.error, StepFailed):
                        await self._require_healthy(doubtful)
                    raise doubtful.error from doubtful
                pause = next(pauses)
            await asyncio.sleep(pause)

    async def _convert_once(self, request: _Request) -> None:
        headers = {"Gotenberg-Trace": request.trace} if request.trace else {}
        with request.source.open("rb") as file:
            files = {"files": (request.name, file, "application/octet-stream")}
            async with (
                self._client() as client,
                _translated_errors(),
                client.stream(
                    "POST", self._url + CONVERT_PATH, data=self._form, files=files, headers=headers
                ) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    raise await _refusal(response)
                await self._save(response, request.output)

    async def _save(self, response: httpx.Response, output: Path) -> None:
        """The answer into a file, counted; what is no PDF is the server's fault, never the document's."""
        size, start = 0, b""
        with output.open("wb") as file:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > self._max_result_bytes:
                    raise StepFailed(FailureCode.DECOMPRESSION_BOMB)
                start = start or chunk[: len(PDF_START)]
                file.write(chunk)
        if not start.startswith(PDF_START[: len(start)]) or size <= len(PDF_START):
            raise _Doubtful(Unavailable("Gotenberg answered with something that is not a PDF"))

    async def _require_healthy(self, cause: BaseException) -> None:
        """A document is to blame only if the server is well. Raises Unavailable."""
        answer = await self._question("/health")
        if answer is None or answer.status_code != httpx.codes.OK:
            raise Unavailable("Gotenberg is not well") from cause

    async def _question(self, path: str) -> httpx.Response | None:
        try:
            async with asyncio.timeout(QUESTION_SECONDS), self._client() as client:
                return await client.get(self._url + path)
        except (TimeoutError, httpx.HTTPError):
            return None

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(timeout=TIMEOUT, auth=self._authentication, headers={"Accept-Encoding": "identity"})


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise _Busy(Unavailable("Gotenberg does not answer")) from error
    except httpx.HTTPError as error:
        # It may be this document that it died of: not to be tried for as long as there is patience.
        raise _Doubtful(Unavailable("Gotenberg broke off")) from error


async def _refusal(response: httpx.Response) -> Exception:
    """What a status means: https://gotenberg.dev/docs/8.x/convert-with-libreoffice/convert-to-pdf, responses."""
    status, message = response.status_code, await _message(response)
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = _retry_after(response.headers)
        return _Busy(Throttled("Gotenberg's queue is full", wait or None), wait)
    if status == httpx.codes.BAD_REQUEST:
        return _bad_request(message)
    if status == httpx.codes.INTERNAL_SERVER_ERROR:
        return _Doubtful(StepFailed(FailureCode.CONVERSION_FAILED), message)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        # Its limit is none of ours, so that the outcome may be another one tomorrow.
        return StepFailed(FailureCode.TOO_LARGE, determined=False)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Unavailable("Gotenberg wants other credentials; see GOTENBERG_USERNAME and GOTENBERG_PASSWORD")
    if status == httpx.codes.SERVICE_UNAVAILABLE and "time limit" in message:
        return _Doubtful(Unavailable("Gotenberg ran into its own time limit, --api-timeout"), message)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return _Busy(Unavailable(f"Gotenberg answered {status}"), _retry_after(response.headers))
    return Unavailable(f"Gotenberg answered {status}; is GOTENBERG_URL right?")


def _bad_request(message: str) -> Exception:
    """Gotenberg says why in words. Before 8.36 it guessed at passwords, so that only its certain sentence counts."""
    if "is password-protected" in message:
        return StepFailed(FailureCode.ENCRYPTED)
    if "no form file found for extensions" in message:
        return StepFailed(FailureCode.UNSUPPORTED_TYPE)
    if message.startswith(("The PDF format", "Invalid form data")):
        return Unavailable(
            "Gotenberg does not understand the request; is its version 8, and GOTENBERG_PDF_FORMAT right?"
        )
    if "could not read the document" in message:
        return _Doubtful(StepFailed(FailureCode.CORRUPT), message)
    return _Doubtful(StepFailed(FailureCode.CONVERSION_FAILED), message)


async def _message(response: httpx.Response) -> str:
    body = b""
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) >= MAX_MESSAGE_BYTES:
            break
    return body[:MAX_MESSAGE_BYTES].decode("utf-8", "replace")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks for; 0 where it names none (or a date, which proxies send rarely)."""
    value = headers.get("retry-after", "").strip()
    return float(value) if value.isascii() and value.isdigit() else 0.0


def _pauses() -> Iterator[float]:
    yield from PAUSES
    while True:
        yield PAUSES[-1]


def _safe_trace(trace: str) -> str:
    """Ids of events are made by anybody, headers are not to hold all of it."""
    if not trace or _TRACE.fullmatch(trace):
        return trace
    return hashlib.sha256(trace.encode("utf-8", "replace")).hexdigest()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:100] or "unknown"
