"""Two texts of one document side by side: in numbers, in words that only one has, in the first lines that differ."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice, zip_longest
from typing import Any

from shared.events import DocumentRecognized
from shared.storage.port import ObjectStore
from web.api.models import ChangedLine, ComparedText, TextStatistics

MAX_LINES = 40
MAX_LINE_CHARACTERS = 300
_MAX_LINES_OF_A_PAGE = 500
"""Comparing takes time with the square of this."""


def compared_texts(store: ObjectStore, before: DocumentRecognized, after: DocumentRecognized) -> ComparedText:
    """Compare the texts that two results name. Raises ObjectNotFound, Unavailable."""
    old = _pages(store, before)
    new = old if before.text.sha256 == after.text.sha256 else _pages(store, after)
    words_before, words_after = _words(old), _words(new)
    lines = list(islice(_changed_lines(old, new), MAX_LINES + 1)) if new is not old else []
    return ComparedText(
        before=_statistics(before, old, words_before),
        after=_statistics(after, new, words_after),
        words_added=(words_after - words_before).total(),
        words_removed=(words_before - words_after).total(),
        lines=tuple(lines[:MAX_LINES]),
        more_lines=len(lines) > MAX_LINES,
    )


def _pages(store: ObjectStore, recognized: DocumentRecognized) -> Sequence[str]:
    # Words with their boxes are most of the bytes and are dropped while they are read.
    found = json.loads(store.get(recognized.text.key), object_hook=_without_words)
    return [page["text"] for page in found["pages"]]


def _without_words(found: dict[str, Any]) -> dict[str, Any] | None:
    return None if "box" in found else found


def _words(pages: Sequence[str]) -> Counter[str]:
    return Counter(word for page in pages for word in page.split())


def _statistics(recognized: DocumentRecognized, pages: Sequence[str], words: Counter[str]) -> TextStatistics:
    return TextStatistics(
        pages=len(pages),
        words=words.total(),
        characters=sum(len(page) for page in pages),
        mean_confidence=recognized.mean_confidence,
        engine=recognized.engine,
        languages=recognized.languages,
    )


def _changed_lines(before: Sequence[str], after: Sequence[str]) -> Iterator[ChangedLine]:
    for number, (old, new) in enumerate(zip_longest(before, after, fillvalue=""), start=1):
        changed = list(_changed_on_page(_lines(old), _lines(new))) if old != new else []
        if changed:
            yield ChangedLine(kind="gap", text=f"Page {number}")
        yield from changed


def _changed_on_page(old: Sequence[str], new: Sequence[str]) -> Iterator[ChangedLine]:
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from (ChangedLine(kind="removed", text=line[:MAX_LINE_CHARACTERS]) for line in old[old_from:old_to])
            yield from (ChangedLine(kind="added", text=line[:MAX_LINE_CHARACTERS]) for line in new[new_from:new_to])


def _lines(page: str) -> list[str]:
    return [line.strip() for line in page.splitlines() if line.strip()][:_MAX_LINES_OF_A_PAGE]
