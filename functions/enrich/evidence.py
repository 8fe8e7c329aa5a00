"""Quotes: where in the document a value was read, and whether it stands there at all.

`verified` is the one gate every extractor's metadata goes through, whoever made it: a value whose quote is not in the
text is dropped.
"""

import unicodedata
from collections.abc import Iterable
from functools import cached_property
from itertools import accumulate
from typing import Any

from functions.enrich.layout import Run, laid_out
from shared.documents import Box, DocumentText, PageText, Word
from shared.metadata import Evidence, Metadata, Value

DERIVED_FIELDS = frozenset({"title", "document_type", "language", "tags", "summary", "suggested_filename"})
"""Fields that may stand without a quote, because they say something about the document rather than read it out."""


def evidence(run: Run, start: int = 0, end: int | None = None, *, measured: bool = True) -> Evidence:
    """Evidence for characters `start` to `end` of `run.text`; boxes only where the page was measured."""
    end = len(run.text) if end is None else end
    boxes = tuple(word.box for word in run.part(start, end).words) if measured else ()
    return Evidence(page=run.page, quote=run.text[start:end], boxes=boxes)


def verified(metadata: Metadata, text: DocumentText) -> Metadata:
    """`metadata` without the values that `text` does not support.

    A value with a quote stays if the quote is on the page it names (white space and Unicode forms aside); boxes that
    are missing or not those of the quote are looked up. A value without a quote stays only in `DERIVED_FIELDS`.
    """
    pages = {page.number: _PageProof(page) for page in text.pages}
    checked: dict[str, Any] = {}
    for name in Metadata.model_fields:
        value = getattr(metadata, name)
        if isinstance(value, tuple):
            checked[name] = tuple(kept for item in value if (kept := _checked(name, item, pages)) is not None)
        elif value is not None:
            checked[name] = _checked(name, value, pages)
    return metadata.model_copy(update=checked)


def normalized(text: str) -> str:
    """Text as quotes are compared: compatibility forms folded, soft hyphens gone, white space single."""
    return " ".join(unicodedata.normalize("NFKC", text.replace("\u00ad", "")).split())


def _checked(name: str, value: Value[Any], pages: dict[int, "_PageProof"]) -> Value[Any] | None:
    claim = value.evidence
    if claim is None:
        return value if name in DERIVED_FIELDS or value.origin == "user" else None
    page = pages.get(claim.page)
    boxes = page.boxes(normalized(claim.quote), claim.boxes) if page else None
    if boxes is None:
        return None
    return value.model_copy(update={"evidence": claim.model_copy(update={"boxes": boxes})})


class _PageProof:
    """One page, made searchable for quotes when the first one is looked for."""

    def __init__(self, page: PageText) -> None:
        self._page = page

    def boxes(self, quote: str, claimed: tuple[Box, ...]) -> tuple[Box, ...] | None:
        """The boxes of `quote`; empty where the page has no such words but its text has it; none: not on the page."""
        if not quote:
            return None
        known = bool(claimed) and all(box in self._by_box for box in claimed)
        if known and quote in normalized(" ".join(self._by_box[box] for box in claimed)):
            return claimed
        if found := self._located(quote):
            return found
        return () if quote in self._text else None

    @cached_property
    def _text(self) -> str:
        return normalized(self._page.text)

    @cached_property
    def _by_box(self) -> dict[Box, str]:
        return {word.box: word.text for word in self._page.words}

    @cached_property
    def _sequences(self) -> tuple["_Sequence", ...]:
        if not self._page.words:
            return ()
        visual = (word for line in laid_out(self._page).lines for word in line.words)
        return _Sequence(self._page.words), _Sequence(visual)

    def _located(self, quote: str) -> tuple[Box, ...]:
        return next((boxes for sequence in self._sequences if (boxes := sequence.located(quote))), ())


class _Sequence:
    """Words in one order, as a text in which each character leads back to its word."""

    def __init__(self, words: Iterable[Word]) -> None:
        pairs = [(normalized(word.text), word.box) for word in words]
        self._boxes = [box for text, box in pairs if text]
        self._texts = [text for text, _ in pairs if text]
        self._starts = [0, *accumulate(len(text) + 1 for text in self._texts)]
        self._text = " ".join(self._texts)

    def located(self, quote: str) -> tuple[Box, ...]:
        start = self._text.find(quote)
        if start < 0:
            return ()
        end = start + len(quote)
        spans = zip(self._boxes, self._starts, self._texts, strict=False)
        return tuple(box for box, first, text in spans if first < end and first + len(text) > start)
