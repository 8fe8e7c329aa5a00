"""Text recognition by Azure Document Intelligence (prebuilt-read), through its SDK, which is imported here only.

https://learn.microsoft.com/rest/api/aiservices/document-models (version 2024-11-30). An analysis is ordered once, paid
for once, and asked after until it is there, by as many attempts as that takes.
"""

import logging
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Protocol, TypeVar

from azure.ai.documentintelligence import DocumentIntelligenceClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import RedirectPolicy, RetryPolicy
from azure.core.rest import HttpRequest, HttpResponse
from pydantic import ValidationError

from functions.ocr.engine import NoResult, OperationMemory
from functions.ocr.languages import split_codes, tag_of
from functions.ocr.models import PagePicture, PagePlan, RecognizedPage
from functions.ocr.readings import Analysis, Operation, Problem, Refusal, failure_of, recognized_pages
from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable

MODEL = "prebuilt-read"
API_VERSION = "2024-11-30"
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 10.0
MAX_ORDERS = 3
"""A result that was lost this often is not ordered again without a person."""
REFUSED_SECONDS = 60.0
"""After a refused key nothing is asked for so long: a thousand documents are no reason for a thousand refusals."""

_OPERATION = re.compile(r"/analyzeResults/([0-9A-Za-z-]{1,100})(?:[/?#]|$)")
_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class PictureMaker(Protocol):
    """Makes what is sent; untrusted bytes are opened in the jail only."""

    def pictures(self, pdf: Path, plans: Sequence[PagePlan], output: Path) -> tuple[PagePicture, ...]:
        """Write a PDF with pictures of these pages."""


class _Lost(Exception):
    """The operation is not known any more, or came to nothing for no fault of the document."""


class AzureOcrEngine:
    """Recognizes batches of pages with Azure. Safe to use from several threads."""

    def __init__(
        self,
        tools: PictureMaker,
        *,
        endpoint: str,
        key: str,
        timeout_seconds: float,
        answer_seconds: float = ANSWER_SECONDS,
        pause_seconds: float = SHORTEST_PAUSE_SECONDS,
    ) -> None:
        self._tools = tools
        self._timeout_seconds = timeout_seconds
        self._answer_seconds = answer_seconds
        self._pause_seconds = pause_seconds
        self._refused: tuple[float, str] = (0.0, "")
        self._client = DocumentIntelligenceClient(
            endpoint.rstrip("/"),
            AzureKeyCredential(key),
            api_version=API_VERSION,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=answer_seconds,
            # What is tried again, and when, is decided here; the key goes to no other host.
            retry_policy=RetryPolicy.no_retries(),
            redirect_policy=RedirectPolicy.no_redirects(),
        )
        logging.getLogger("azure").setLevel(logging.WARNING)

    @property
    def name(self) -> str:
        return f"azure {MODEL} {API_VERSION}"

    def version(self, language: str | None = None) -> str:
        libraries = [f"{name} {package_version(name)}" for name in ("pypdfium2", "pillow", "pikepdf")]
        return "; ".join([self.name, f"locale {_locale(language) or 'any'}", *libraries])

    def recognize(
        self,
        pdf: Path,
        pages: Sequence[PagePlan],
        language: str | None = None,
        *,
        memory: OperationMemory | None = None,
        timeout_seconds: float | None = None,
    ) -> tuple[RecognizedPage, ...]:
        ends_at = time.monotonic() + min(self._timeout_seconds, timeout_seconds or self._timeout_seconds)
        plans = [plan for plan in pages if plan.needs_recognition]
        if not plans:
            return ()
        with tempfile.TemporaryDirectory(prefix="azure-") as directory:
            sent = Path(directory) / "pictures.pdf"
            pictures = self._tools.pictures(pdf, plans, sent)
            if not any(picture.sent for picture in pictures):
                return recognized_pages(Analysis(), plans, pictures)
            analysis = self._analysis(sent, language, memory or _Forgetful(), ends_at)
        return recognized_pages(analysis, plans, pictures)

    def _analysis(self, sent: Path, language: str | None, memory: OperationMemory, ends_at: float) -> Analysis:
        orders = memory.orders
        if orders:
            try:
                return self._awaited(orders[-1], ends_at)
            except _Lost as lost:
                _log.warning("an operation of the recognition service came to nothing: %s", lost)
        if len(orders) >= MAX_ORDERS:
            message = "The text recognition service lost its result several times."
            raise NoResult(message)
        operation = self._ordered(sent, language, ends_at)
        memory.remember(operation)
        try:
            return self._awaited(operation, ends_at)
        except _Lost as lost:
            raise Unavailable("the recognition service came to no result") from lost

    def _ordered(self, sent: Path, language: str | None, ends_at: float) -> str:
        """Order the analysis. A connection that breaks may have ordered it: that is for the next attempt to repeat."""
        locale = _locale(language)
        parameters = {"api-version": API_VERSION} | ({"locale": locale} if locale else {})
        request = HttpRequest(
            "POST",
            f"/documentModels/{MODEL}:analyze",
            params=parameters,
            headers={"Content-Type": "application/octet-stream", "Accept": "application/json"},
            content=sent.read_bytes(),
        )
        while True:
            response = self._send(request, ends_at)
            if response.status_code == 202:
                found = _OPERATION.search(response.headers.get("Operation-Location", ""))
                if found is None:
                    raise Unavailable("the recognition service did not say where its result will be")
                return found[1]
            error = self._refusal(response)
            if not isinstance(error, Throttled):
                raise error
            self._wait(error, response.headers, ends_at)

    def _awaited(self, operation: str, ends_at: float) -> Analysis:
        request = HttpRequest(
            "GET",
            f"/documentModels/{MODEL}/analyzeResults/{operation}",
            params={"api-version": API_VERSION},
            headers={"Accept": "application/json"},
        )
        while True:
            response = self._send(request, ends_at)
            error: DocuElevateError = Unavailable("the recognition service is still at work")
            if response.status_code == 404:
                raise _Lost("it is not known")
            if response.status_code == 200:
                analysis = _finished(response)
                if analysis is not None:
                    return analysis
            else:
                error = self._refusal(response)
                if not (isinstance(error, Throttled) or response.status_code >= 500):
                    raise error
            self._wait(error, response.headers, ends_at)

    def _wait(self, error: DocuElevateError, headers: Mapping[str, str], ends_at: float) -> None:
        """Pause as asked; raise `error` where the time does not suffice."""
        asked = _retry_after(headers)
        pause = self._pause_seconds if asked is None else max(asked, self._pause_seconds)
        if not isinstance(error, Throttled):
            pause = min(pause, LONGEST_PAUSE_SECONDS)
        if time.monotonic() + pause >= ends_at:
            raise error
        time.sleep(pause)

    def _send(self, request: HttpRequest, ends_at: float) -> HttpResponse:
        until, why = self._refused
        if time.monotonic() < until:
            raise Unavailable(why)
        seconds = min(ends_at - time.monotonic(), self._answer_seconds)
        if seconds <= 0:
            raise Unavailable("the recognition service is still at work")
        with _translated_errors():
            return _within(seconds, lambda: self._client.send_request(request))

    def _refusal(self, response: HttpResponse) -> DocuElevateError:
        """What an error answer means."""
        status = response.status_code
        problem = _problem(response)
        if status == 429:
            return Throttled("the recognition service asks for fewer requests", _retry_after(response.headers))
        if status in (401, 403):
            self._refused = (time.monotonic() + REFUSED_SECONDS, _refused_key(status, problem))
            return Unavailable(self._refused[1])
        if status == 413:
            return StepFailed(FailureCode.TOO_LARGE, "The pages are too large for the text recognition service.")
        if status in (301, 302, 303, 307, 308, 404):
            return Unavailable("the recognition service has no such model; is AZURE_ENDPOINT right?")
        failed = failure_of(problem)
        if failed is not None:
            return failed
        if status == 400 and "locale" in (problem.message or "").lower():
            return StepFailed(FailureCode.OCR_LANGUAGE_MISSING)
        return Unavailable(f"the recognition service answered {status}")


class _Forgetful:
    """Remembers for as long as this attempt lasts."""

    def __init__(self) -> None:
        self.orders: tuple[str, ...] = ()

    def remember(self, operation: str) -> None:
        """Keep one more order."""
        self.orders = (*self.orders, operation)


def _finished(response: HttpResponse) -> Analysis | None:
    """What was read; None while it is not. Raises StepFailed, Unavailable, _Lost."""
    try:
        operation = Operation.model_validate_json(response.read())
    except ValidationError as error:
        raise Unavailable("the recognition service answered something else than a result") from error
    if operation.status in ("notStarted", "running"):
        return None
    if operation.status == "succeeded" and operation.result is not None:
        return operation.result
    problem = operation.error or Problem()
    failed = failure_of(problem)
    if failed is not None:
        raise failed
    raise _Lost(f"{operation.status}: {', '.join(sorted(problem.codes())) or 'without a reason'}")


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except (AzureError, TimeoutError) as error:
        raise Unavailable("the recognition service does not answer") from error


def _within(seconds: float, call: Callable[[], _T]) -> _T:
    """The answer, or TimeoutError. The library limits the time between two bytes only: whoever sends one a second holds
    it for hours. The thread that is left behind ends with its connection.
    """
    answers: list[_T] = []
    errors: list[AzureError] = []

    def work() -> None:
        try:
            answers.append(call())
        except AzureError as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="azure", daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError
    return answers[0]


def _problem(response: HttpResponse) -> Problem:
    try:
        return Refusal.model_validate_json(response.read()).error
    except (ValidationError, AzureError):
        # Gateways answer pages.
        return Problem()


def _refused_key(status: int, problem: Problem) -> str:
    if status == 403 and "quota" in (problem.message or "").lower():
        return "the quota of the recognition service is used up; see the plan of the Azure resource"
    return f"the recognition service refuses the key ({status}); see AZURE_AI_KEY and AZURE_ENDPOINT"


def _retry_after(headers: Mapping[str, str]) -> float | None:
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isascii() and value.isdigit() else None


def _locale(language: str | None) -> str | None:
    """The tag of the one language that a person named; without one, or with several, the service finds out itself."""
    packs = split_codes(language or "")
    tag = tag_of(packs[0]) if len(packs) == 1 else "und"
    return None if tag == "und" else tag
