"""The connection to an OpenAI-compatible API: one question, one answer, in at most so many seconds.

Servers differ in what they accept. What one refuses by name is left out from then on (`Dialect`); everything else that
goes wrong becomes one of our errors here. The SDK's own retries are off: calls are counted, and it would not count.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from functions.enrich.answer import schema
from functions.enrich.extractor import ExtractorFailed, Usage
from shared.errors import Throttled, Unavailable

if TYPE_CHECKING:
    import openai

MAX_BODY_BYTES = 1024 * 1024
MAX_PAUSE_SECONDS = 60.0
LEAST_SECONDS = 5.0
"""In less nobody is asked: a call that is given up has been paid for."""

FORMATS = ("json_schema", "json_object", "text")
_MOST_REFUSALS = 6

_JITTER = random.SystemRandom()
_log = logging.getLogger(__name__)


class ContextTooLong(Exception):
    """The model takes fewer tokens than it was sent."""


class Declined(Exception):
    """The model, or a filter before it, will not deal with this document; `usage` is what that took."""

    def __init__(self, usage: Usage | None = None) -> None:
        super().__init__("the model has declined")
        self.usage = usage or Usage()


class Unreadable(Exception):
    """What came is not the answer of such an API."""


@dataclass(frozen=True)
class Reply:
    """What the model wrote; `cut` where it ran out of tokens for it."""

    content: str
    cut: bool
    usage: Usage


@dataclass(frozen=True)
class Dialect:
    """How this server wants to be asked, as far as is known: the first of each kind that it has not refused."""

    formats: tuple[str, ...] = FORMATS
    limits: tuple[str, ...] = ("max_completion_tokens", "max_tokens")
    temperature: bool = True

    @property
    def format(self) -> str:
        """The way in which the model is held to JSON."""
        return self.formats[0]

    def request(self, max_tokens: int) -> dict[str, Any]:
        """The parameters besides model and messages."""
        asked: dict[str, Any] = {self.limits[0]: max_tokens}
        if self.temperature:
            asked["temperature"] = 0
        if self.format == "json_object":
            asked["response_format"] = {"type": "json_object"}
        if self.format == "json_schema":
            described = {"name": "document_metadata", "strict": True, "schema": schema()}
            asked["response_format"] = {"type": "json_schema", "json_schema": described}
        return asked

    def without(self, refused: str) -> "Dialect | None":
        """What is left where the server has refused something in these words; None where they name nothing of ours."""
        about_format = any(word in refused for word in ("response_format", "json_schema", "json_object", "structured"))
        if about_format and len(self.formats) > 1:
            return replace(self, formats=self.formats[1:])
        if self.limits[0] in refused and len(self.limits) > 1:
            return replace(self, limits=self.limits[1:])
        if "temperature" in refused and self.temperature:
            return replace(self, temperature=False)
        return None


@dataclass
class Chat:
    """A model behind an address. `dialect` is what has been learned of it; `pause` lasts where it asked for one."""

    base_url: str
    model: str
    api_key: str | None
    timeout_seconds: float
    dialect: Dialect = field(default_factory=Dialect)
    _paused_until: float = field(default=0.0, init=False)

    def ask(self, messages: Sequence[dict[str, str]], max_tokens: int, at_most_seconds: float) -> Reply:
        """Ask once, after the pause that the server has asked for, where that fits in.

        Raises Throttled, Unavailable, ExtractorFailed, ContextTooLong, Declined, Unreadable.
        """
        left = at_most_seconds - self._wait(at_most_seconds - LEAST_SECONDS)
        try:
            return _reply(self._accepted(messages, max_tokens, min(self.timeout_seconds, left)))
        except Throttled as throttled:
            self._pause(throttled.retry_after_seconds)
            raise

    def _wait(self, at_most_seconds: float) -> float:
        """Wait for the end of the pause; the seconds it took. Raises Throttled where it is longer than that."""
        pause = max(0.0, self._paused_until - time.monotonic())
        if pause > max(0.0, at_most_seconds):
            raise Throttled("the language model has asked for a pause", pause)
        time.sleep(pause)
        return pause

    def _accepted(self, messages: Sequence[dict[str, str]], max_tokens: int, seconds: float) -> bytes:
        """The body of the answer; a request that is refused for its form is made in another. Refusals cost nothing."""
        ends = time.monotonic() + seconds
        for _ in range(_MOST_REFUSALS):
            asked, dialect = {"model": self.model, "messages": messages}, self.dialect
            try:
                with _translated():
                    return asyncio.run(self._post(asked | dialect.request(max_tokens), ends))
            except _FormRefused as refusal:
                simpler = dialect.without(refusal.words)
                if simpler is None:
                    raise ExtractorFailed("The language model's server does not understand the request.") from refusal
                # Another thread may have learned the same meanwhile.
                if self.dialect == dialect:
                    self.dialect = simpler
        raise ExtractorFailed("The language model's server does not understand the request.")

    async def _post(self, request: dict[str, Any], ends: float) -> bytes:
        """POST and read the whole body before `ends`, however slowly it drips."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        seconds = max(0.001, ends - time.monotonic())
        # A redirect could lead the document to a host that nobody has chosen.
        http = DefaultAsyncHttpxClient(follow_redirects=False, timeout=seconds)
        async with (
            asyncio.timeout(seconds),
            AsyncOpenAI(
                base_url=self.base_url,
                # The SDK insists on a key; servers that need none ignore it.
                api_key=self.api_key or "none",
                max_retries=0,
                http_client=http,
            ) as client,
            client.chat.completions.with_streaming_response.create(**request) as response,
        ):
            body = bytearray()
            async for piece in response.iter_bytes():
                body += piece
                if len(body) > MAX_BODY_BYTES:
                    raise Unreadable("it is longer than a megabyte")
            return bytes(body)

    def _pause(self, wished_seconds: float | None) -> None:
        seconds = _JITTER.uniform(0.5, 2.0) if wished_seconds is None else min(MAX_PAUSE_SECONDS, wished_seconds)
        self._paused_until = time.monotonic() + seconds


class _FormRefused(Exception):
    """The server refused a request for its form; `words` are what it said, lower case, the parameter first."""

    def __init__(self, words: str) -> None:
        super().__init__("the request was refused")
        self.words = words


@contextmanager
def _translated() -> Iterator[None]:
    """Vendor errors as ours. Their texts are not passed on: some repeat keys, some the document."""
    import httpx2
    import openai

    try:
        yield
    except TimeoutError as error:
        raise Unavailable("the language model did not answer in time") from error
    except openai.APIStatusError as error:
        _log.warning("the language model answered %s (%s)", error.status_code, error.code or error.type or "no code")
        raise _of_status(error) from error
    except (openai.APIConnectionError, httpx2.HTTPError) as error:
        raise Unavailable("the language model cannot be reached") from error


def _of_status(error: "openai.APIStatusError") -> Exception:
    words = f"{error.param or ''} {error.body}".lower()
    match error.status_code:
        case 400 | 413 | 422:
            return _of_bad_request(error.code or "", words)
        case 401 | 403:
            return ExtractorFailed("The language model refused the access: its key is missing, wrong or not allowed.")
        case 404:
            return ExtractorFailed("The language model was not found: its name or address is wrong.")
        case 402:
            return ExtractorFailed("The account of the language model has no money left.")
        case 429 if "insufficient_quota" in words or "credit_balance" in words:
            return ExtractorFailed("The account of the language model has no money left.")
        case 429:
            return Throttled("the language model asks for fewer requests", _retry_after(error))
        case 408 | 409:
            return Unavailable("the language model did not answer in time")
        case status if status >= 500:
            return Unavailable("the language model is out of order")
        case _:
            return ExtractorFailed("The language model's server does not understand the request.")


def _of_bad_request(code: str, words: str) -> Exception:
    if "content_filter" in words or "content_policy" in words:
        return Declined()
    if code == "context_length_exceeded" or "context length" in words or "maximum context" in words:
        return ContextTooLong()
    return _FormRefused(words)


def _retry_after(error: "openai.APIStatusError") -> float | None:
    headers = error.response.headers
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
        return max(0.0, float(headers.get("retry-after", "")))
    except ValueError:
        return None


def _reply(body: bytes) -> Reply:
    """Read a chat completion. Raises Declined or Unreadable."""
    try:
        completion = json.loads(body)
        choice = completion["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        content, refusal = message.get("content"), message.get("refusal")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise Unreadable("it is not a chat completion") from error
    usage = _usage(completion.get("usage"))
    if refusal or finish == "content_filter":
        raise Declined(usage)
    return Reply(content if isinstance(content, str) else "", finish == "length", usage)


def _usage(given: object) -> Usage:
    """The tokens as the server counts them; whatever is no plausible number counts as none."""
    counts = given if isinstance(given, dict) else {}
    return Usage(_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))


def _count(number: object) -> int:
    plausible = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 10_000_000
    return int(number) if plausible and isinstance(number, int) else 0
