"""Metadata by a language model behind an OpenAI-compatible API, checked against the text and joined with the rules'.

What the model fails to say, the built-in rules say: a document is never worse off for having been sent to a model.
"""

import hashlib
import json
import logging
from dataclasses import dataclass, replace
from decimal import Decimal
from urllib.parse import urlsplit

from functions.enrich.answer import Answer, BadAnswer, parsed, schema
from functions.enrich.chat import FORMATS, LEAST_SECONDS, Chat, ContextTooLong, Declined, Dialect, Reply, Unreadable
from functions.enrich.checking import checked
from functions.enrich.combining import combined
from functions.enrich.extractor import Extraction, ExtractorFailed, Hints, MetadataExtractor, Usage
from functions.enrich.prompt import PROMPT_VERSION, messages, overhead
from functions.enrich.sampling import excerpts
from functions.enrich.settings import OpenAiSettings
from shared.documents import DocumentText, Notice
from shared.errors import FailureCode, Throttled, Unavailable
from shared.providers import OPENAI_URL

CHECKS_VERSION = "1"
"""Raise with every change of what is believed of an answer, or of how it is joined with the rules' values."""

MAX_BAD_ANSWERS = 2
SECONDS_TO_STORE = 10.0
"""Left of the step's time when a call ends, to store what it has brought."""

_MILLION = Decimal(1_000_000)
_LIST_PRICES = {"gpt-4o-mini": (Decimal("0.15"), Decimal("0.60"))}
"""US dollars for a million tokens in and out, from OpenAI's page of prices."""

_log = logging.getLogger(__name__)


class Unanswered(Exception):
    """The model was asked in all ways that are paid for, and gave nothing to use; its text is told to people."""


@dataclass(frozen=True)
class Budget:
    """The most that one document may take."""

    input_tokens: int
    output_tokens: int
    calls: int


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens."""

    input: Decimal = Decimal(0)
    output: Decimal = Decimal(0)

    def cost(self, usage: Usage) -> str:
        """What these tokens cost, as a decimal string."""
        money = (usage.prompt * self.input + usage.completion * self.output) / _MILLION
        return format(money.quantize(Decimal("1e-10")).normalize(), "f")


class OpenAiMetadataExtractor:
    """A `MetadataExtractor` that asks a model, and believes of its answer what the text supports."""

    def __init__(self, chat: Chat, rules: MetadataExtractor, budget: Budget, prices: Prices) -> None:
        self._chat = chat
        self._rules = rules
        self._budget = budget
        self._prices = prices
        self._version = _version(chat, rules, budget)

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        """The metadata of model and rules together; of the rules alone where the model gives nothing to use.

        Raises Throttled or Unavailable while the document's calls are not used up, else ExtractorFailed.
        """
        local = self._rules.extract(text, hints)
        if not any(page.text.strip() for page in text.pages):
            return local
        try:
            answer = _Conversation(self._chat, self._budget, text, hints).answer()
        except Unanswered as unanswered:
            _log.warning("the language model gave nothing to use: %s", unanswered)
            return self._booked(replace(local, warnings=(_notice(unanswered),)), hints)
        found = checked(answer, text, hints)
        joined = combined(found, local.metadata, language_is_told=hints.language is not None)
        return self._booked(Extraction(joined, extractor="openai"), hints)

    def version(self) -> str:
        """Model, prompt, schema, budget and all else that changes what is extracted."""
        return self._version

    def _booked(self, extraction: Extraction, hints: Hints) -> Extraction:
        used = hints.effort.calls.used()
        return replace(
            extraction, model=self._chat.model, tokens=used.prompt + used.completion, cost=self._prices.cost(used)
        )


class _Conversation:
    """Asking about one document, again where that may help, within the calls and the time there are."""

    def __init__(self, chat: Chat, budget: Budget, text: DocumentText, hints: Hints) -> None:
        self._chat = chat
        self._budget = budget
        self._text = text
        self._hints = hints
        self._input, self._output = budget.input_tokens, budget.output_tokens
        self._complaints: list[str] = []

    def answer(self) -> Answer:
        """The first answer that can be read. Raises Unanswered, Throttled, Unavailable, ExtractorFailed."""
        while True:
            try:
                reply = self._ask()
                if not reply.cut:
                    return parsed(reply.content)
                self._allow_more()
            except (BadAnswer, Unreadable) as bad:
                self._complain(str(bad))
            except ContextTooLong:
                self._send_less()
            except Declined as declined:
                self._hints.effort.calls.finish(declined.usage)
                raise Unanswered("The language model declined to read this document.") from declined

    def _ask(self) -> Reply:
        calls = self._hints.effort.calls
        if calls.made() >= self._budget.calls:
            raise ExtractorFailed("The language model did not answer, however often it was asked.")
        seconds = self._hints.effort.deadline.remaining_seconds() - SECONDS_TO_STORE
        if seconds < LEAST_SECONDS:
            raise Unavailable("too little time is left to ask the language model")
        calls.begin()
        try:
            reply = self._chat.ask(self._messages(), self._output, seconds)
        except (Throttled, Unavailable) as passing:
            if calls.made() < self._budget.calls:
                raise
            raise ExtractorFailed("The language model did not answer, however often it was asked.") from passing
        calls.finish(reply.usage)
        return reply

    def _messages(self) -> list[dict[str, str]]:
        with_schema = self._chat.dialect.format != "json_schema"
        room = max(200, self._input - overhead(self._hints, with_schema=with_schema))
        complaint = self._complaints[-1] if self._complaints else None
        pages = excerpts(self._text.pages, room)
        return messages(pages, len(self._text.pages), self._hints, with_schema=with_schema, complaint=complaint)

    def _complain(self, complaint: str) -> None:
        self._complaints.append(complaint)
        if len(self._complaints) >= MAX_BAD_ANSWERS:
            raise Unanswered("The language model's answers could not be read.")

    def _allow_more(self) -> None:
        if self._output > self._budget.output_tokens:
            raise Unanswered("The language model's answer was cut off twice.")
        self._output *= 2

    def _send_less(self) -> None:
        if self._input < self._budget.input_tokens:
            raise Unanswered("The document is too long for the language model.")
        self._input //= 3


def openai_extractor(settings: OpenAiSettings, rules: MetadataExtractor) -> OpenAiMetadataExtractor:
    """The extractor that the settings describe. Nothing is imported or connected before the first document."""
    key = settings.openai_api_key
    chat = Chat(
        base_url=settings.openai_base_url,
        model=settings.openai_model,
        api_key=key.get_secret_value() if key else None,
        timeout_seconds=settings.openai_timeout_seconds,
        dialect=_first_dialect(settings),
    )
    budget = Budget(settings.openai_max_input_tokens, settings.openai_max_output_tokens, settings.openai_max_calls)
    return OpenAiMetadataExtractor(chat, rules, budget, _prices(settings))


def _first_dialect(settings: OpenAiSettings) -> Dialect:
    """OpenAI's models want `max_completion_tokens`; other servers know `max_tokens`, and some ignore what is new."""
    wanted = settings.openai_response_format
    host = urlsplit(settings.openai_base_url).hostname or ""
    new_first = host.endswith((".openai.com", ".openai.azure.com", ".services.ai.azure.com"))
    limits = ("max_completion_tokens", "max_tokens")
    return Dialect(
        formats=FORMATS if wanted == "auto" else (wanted,), limits=limits if new_first else tuple(reversed(limits))
    )


def _prices(settings: OpenAiSettings) -> Prices:
    known = _LIST_PRICES.get(settings.openai_model) if settings.openai_base_url == OPENAI_URL else None
    listed = known or (Decimal(0), Decimal(0))
    given = (settings.openai_price_input, settings.openai_price_output)
    return Prices(*(mine if mine is not None else theirs for mine, theirs in zip(given, listed, strict=True)))


def _notice(unanswered: Unanswered) -> Notice:
    told = f"{unanswered} The values are those of the built-in rules."
    return Notice(code=FailureCode.ENRICH_FAILED.value, message=told)


def _version(chat: Chat, rules: MetadataExtractor, budget: Budget) -> str:
    shape = hashlib.sha256(json.dumps(schema(), sort_keys=True).encode()).hexdigest()[:12]
    host = urlsplit(chat.base_url).netloc
    asked = f"{chat.model}@{host}/{'+'.join(chat.dialect.formats)}/{budget.input_tokens}-{budget.output_tokens}"
    return f"openai/{asked}/prompt-{PROMPT_VERSION}/schema-{shape}/checks-{CHECKS_VERSION}/{rules.version()}"
