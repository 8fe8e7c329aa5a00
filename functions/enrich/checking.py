"""What of a model's answer stands: each value must be in its quote, each quote in the text, each word of a list in it.

Pure. A value that does not pass is dropped, never repaired; only a wrong page number is: the quote tells the page.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cached_property

from functions.enrich import filename
from functions.enrich.amounts import amounts_in
from functions.enrich.answer import Answer, Read, ReadMoney, Told
from functions.enrich.dates import dates_in
from functions.enrich.doctype import type_name
from functions.enrich.evidence import normalized, verified
from functions.enrich.extractor import Hints
from functions.enrich.layout import Run
from functions.enrich.tags import MAX_TAGS
from functions.enrich.title import MAX_TITLE
from functions.enrich.wording import wording
from shared.documents import DocumentText, Word
from shared.metadata import DocumentType, Evidence, Metadata, Money, Value, is_language_tag

MAX_NAME, MAX_REFERENCE, MAX_SUMMARY, MAX_TAG, MAX_QUOTE, MAX_AMOUNTS = 160, 80, 600, 40, 600, 20

SURE, TOLD = 0.85, 0.75
"""The most that a model is believed alone: for what it has quoted, and for what it says about the document."""

_LEAST_TITLE_WORDS_IN_TEXT, _LEAST_SUMMARY_WORDS_IN_TEXT = 0.6, 0.5
_WORD = re.compile(r"\w+")
_ADDRESS = re.compile(r"\b(?:https?://|www\.)[^\s<>\"')]+", re.IGNORECASE)
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def checked(answer: Answer, text: DocumentText, hints: Hints) -> Metadata:
    """The metadata in `answer` that `text` supports."""
    return verified(_Checker(answer, text, hints).metadata(), text)


class _Checker:
    def __init__(self, answer: Answer, text: DocumentText, hints: Hints) -> None:
        self._answer = answer
        self._hints = hints
        self._pages = {page.number: normalized(_all_text(page.text, page.words)) for page in text.pages}

    def metadata(self) -> Metadata:
        answer = self._answer
        title, day = self._title(answer.title), self._date(answer.document_date)
        return Metadata(
            title=title,
            document_type=self._type(),
            sender=self._party(answer.sender),
            recipient=self._party(answer.recipient),
            document_date=day,
            due_date=self._date(answer.due_date),
            language=self._language(answer.language),
            reference_number=self._reference(answer.reference_number),
            total=self._money(answer.total),
            amounts=tuple(self._amounts()),
            tags=tuple(self._tags()),
            summary=self._summary(answer.summary),
            suggested_filename=_suggested(title, day),
        )

    @cached_property
    def _folded(self) -> str:
        told = [*self._pages.values(), self._hints.filename]
        return _folded(" ".join(told))

    def _quoted(self, read: Read | ReadMoney) -> Evidence | None:
        """Where the quote stands; on the page that was named, else on the first that has it."""
        quote = normalized(read.quote)
        if not quote or len(quote) > MAX_QUOTE:
            return None
        candidates = (read.page, *self._pages)
        page = next((number for number in candidates if quote in self._pages.get(number, "")), None)
        return Evidence(page=page, quote=quote) if page else None

    def _party(self, read: Read | None) -> Value[str] | None:
        if read is None or not (proof := self._quoted(read)):
            return None
        name, quote = _line(read.value), _folded(proof.quote)
        words = _WORD.findall(_folded(name))
        stands = all(word in quote for word in words) and any(map(_has_letters, words))
        return _value(name, read.confidence, proof) if stands and len(name) <= MAX_NAME else None

    def _reference(self, read: Read | None) -> Value[str] | None:
        if read is None or not (proof := self._quoted(read)):
            return None
        number = _line(read.value)
        stands = len(_compact(number)) >= 2 and _compact(number) in _compact(proof.quote)
        return _value(number, read.confidence, proof) if stands and len(number) <= MAX_REFERENCE else None

    def _date(self, read: Read | None) -> Value[str] | None:
        if read is None or not (proof := self._quoted(read)):
            return None
        day = _iso(read.value)
        written = [each for found in dates_in(proof.quote) for each in (found.value, found.other)]
        return _value(day.isoformat(), read.confidence, proof) if day and day in written else None

    def _money(self, read: ReadMoney | None) -> Value[Money] | None:
        if read is None or not (proof := self._quoted(read)) or (value := _decimal(read.value)) is None:
            return None
        found = [each.value for each in amounts_in(_run(proof.quote)) if abs(each.value.value) == abs(value)]
        if not found:
            return None
        shown = found[0].currency
        named = (read.currency or "").upper()
        currency = shown or (named if re.fullmatch("[A-Z]{3}", named) and self._names(named) else None)
        money = Money(value=format(value, "f"), currency=currency)
        return Value[Money](value=money, confidence=_bounded(read.confidence, SURE), origin="model", evidence=proof)

    def _names(self, currency: str) -> bool:
        """Whether the document is in this currency, as its amounts elsewhere show."""
        amounts = (each.value.currency for page in self._pages.values() for each in amounts_in(_run(page[:20_000])))
        return currency.lower() in self._folded or currency in amounts

    def _amounts(self) -> Iterable[Value[Money]]:
        seen: set[tuple[str, str | None]] = set()
        for read in self._answer.amounts[:MAX_AMOUNTS]:
            value = self._money(read)
            if value and (key := (value.value.value, value.value.currency)) not in seen:
                seen.add(key)
                yield value

    def _type(self) -> Value[DocumentType] | None:
        told = self._answer.document_type
        if told is None:
            return None
        return Value[DocumentType](value=told.value, confidence=_bounded(told.confidence, TOLD), origin="model")

    def _language(self, told: Told | None) -> Value[str] | None:
        if told is None or not is_language_tag(tag := told.value.strip()):
            return None
        return _value(tag, told.confidence, None)

    def _title(self, told: Told | None) -> Value[str] | None:
        if told is None or not (title := _line(told.value)) or len(title) > MAX_TITLE:
            return None
        more = (
            type_name(self._answer.document_type.value, self._language_code()) if self._answer.document_type else None
        )
        stands = self._share_in_text(title, more or "") >= _LEAST_TITLE_WORDS_IN_TEXT and self._links_stand(title)
        return _value(title, told.confidence, None) if stands else None

    def _summary(self, told: Told | None) -> Value[str] | None:
        if told is None or not (summary := _line(told.value)) or len(summary) > MAX_SUMMARY:
            return None
        numbers = [word for word in _WORD.findall(_folded(summary)) if word.isdecimal()]
        stands = (
            all(number in self._folded for number in numbers)
            and self._share_in_text(summary) >= _LEAST_SUMMARY_WORDS_IN_TEXT
            and self._links_stand(summary)
        )
        return _value(summary, told.confidence, None) if stands else None

    def _tags(self) -> Iterable[Value[str]]:
        """Known tags, topics, and words of the document; nothing else."""
        known = {_folded(tag): tag for tag in self._hints.vocabulary.tags}
        topics = {_folded(name): name for topic in wording("topics")["topics"] for name in topic["names"].values()}
        taken: set[str] = set()
        for told in self._answer.tags:
            tag, key = _line(told.value), _folded(_line(told.value))
            spelled = known.get(key) or topics.get(key) or (tag if self._has_words(key) else None)
            if spelled and key not in taken and 2 <= len(spelled) <= MAX_TAG and len(taken) < MAX_TAGS:
                taken.add(key)
                yield Value[str](value=spelled, confidence=_bounded(told.confidence, TOLD), origin="model")

    def _language_code(self) -> str | None:
        return self._hints.language or (self._answer.language.value if self._answer.language else None)

    def _has_words(self, folded: str) -> bool:
        pattern = rf"(?<!\w){re.escape(folded)}" + ("" if _WIDE.search(folded) else r"(?!\w)")
        return _has_letters(folded) and re.search(pattern, self._folded) is not None

    def _share_in_text(self, said: str, more: str = "") -> float:
        """How much of what is said are words of the document; of scripts without spaces, pairs of its signs."""
        units = list(_units(_folded(said)))
        haystack = f"{self._folded} {_folded(more)}"
        return sum(unit in haystack for unit in units) / len(units) if units else 0.0

    def _links_stand(self, said: str) -> bool:
        return all(_folded(link) in self._folded for link in _ADDRESS.findall(said))


def _all_text(text: str, words: tuple[Word, ...]) -> str:
    """A page both as its text and as its words: quotes are looked for in either, as `verified` does."""
    return f"{text}\n{' '.join(word.text for word in words)}" if words else text


def _value(value: str, confidence: float, proof: Evidence | None) -> Value[str]:
    return Value[str](
        value=value, confidence=_bounded(confidence, SURE if proof else TOLD), origin="model", evidence=proof
    )


def _suggested(title: Value[str] | None, day: Value[str] | None) -> Value[str] | None:
    name = filename.suggested(title.value, day.value if day else None) if title else None
    return Value[str](value=name, confidence=title.confidence, origin="model") if title and name else None


def _bounded(confidence: float, most: float) -> float:
    return round(max(0.0, min(most, confidence)), 2)


def _line(text: str) -> str:
    """One line of plain text: no control, format or private characters, no markup."""
    kept = "".join(sign if unicodedata.category(sign)[0] != "C" else " " for sign in text)
    return " ".join(re.sub(r"</?\w[^<>]*>", " ", kept).split())


def _folded(text: str) -> str:
    return normalized(text).casefold()


def _compact(text: str) -> str:
    return re.sub(r"[\W_]+", "", _folded(text))


def _has_letters(word: str) -> bool:
    return any(sign.isalpha() for sign in word)


def _units(folded: str) -> Iterable[str]:
    for word in _WORD.findall(folded):
        if _WIDE.search(word):
            yield from (word[index : index + 2] for index in range(max(1, len(word) - 1)))
        elif len(word) >= 3 or word.isdecimal():
            yield word


def _iso(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip()) if re.fullmatch(r"\d{4}-\d\d-\d\d", text.strip()) else None
    except ValueError:
        return None


def _decimal(text: str) -> Decimal | None:
    if not re.fullmatch(r"-?\d{1,15}(\.\d{1,4})?", text.strip()):
        return None
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        return None


def _run(text: str) -> Run:
    box = (0.0, 0.0, 1.0, 1.0)
    return Run(1, tuple(Word.model_construct(text=word, box=box, confidence=1.0) for word in text.split()))
