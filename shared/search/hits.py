"""What of an entry is kept to be shown, and how a hit is made of it. Pure; the same for every search engine."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.search import highlight
from shared.search.port import SearchEntry, SearchHit, Snippet, SnippetPart

INLINE_CHARACTERS = 16_000
"""Longer documents get an entry per page besides, so that the matching pages of a book are found without reading it."""

OPENING_CHARACTERS = 600
"""How much of a longer document's beginning is kept with its entry, to be shown when no page matches."""

PAGES_SHOWN = 5
PAGES_COMPARED = 10
"""So many of a long document's likeliest pages are looked at."""

FACET_VALUES = 200
SHOWN_FIELDS = ("title", "filename", "sender", "recipient", "reference_number", "summary")

_SHORT_FIELDS = tuple(name for name in SHOWN_FIELDS if name != "summary")

Pages = Iterable[tuple[int, str]]


def is_long(entry: SearchEntry) -> bool:
    """Whether the pages are kept apart from the entry."""
    return sum(len(text) for _, text in entry.pages) > INLINE_CHARACTERS


def source(entry: SearchEntry) -> dict[str, Any]:
    """The entry as it is shown, fit for JSON: with its pages, or with how a long document begins."""
    shown: dict[str, Any] = {name: getattr(entry, name) for name in SHOWN_FIELDS} | {"tags": list(entry.tags)}
    if not is_long(entry):
        return shown | {"pages": [[number, text] for number, text in entry.pages]}
    beginnings = ([number, text[:OPENING_CHARACTERS]] for number, text in entry.pages if text.strip())
    return shown | {"opening": next(beginnings, None)}


def hit(
    document_id: str,
    score: float,
    shown: dict[str, Any],
    matcher: highlight.Matcher,
    likeliest_pages: Callable[[], Pages],
) -> SearchHit:
    """The hit with its best pages and snippets; `likeliest_pages` is asked for those of a long document."""
    pages = highlight.best_pages(shown["pages"] if "pages" in shown else likeliest_pages(), matcher, PAGES_SHOWN)
    highlights = _highlights(shown, matcher)
    summary = shown["summary"] or ""
    in_summary = matcher.marks(summary)
    snippets = tuple(highlight.snippet(page) for page in pages)
    return SearchHit(
        document_id=document_id,
        score=score,
        pages=tuple(page.number for page in pages),
        snippets=snippets or _opening_snippets(shown, summary, in_summary),
        matched_fields=(*highlights, *(("summary",) if in_summary else ()), *(("pages",) if pages else ())),
        highlights=highlights,
    )


def _highlights(shown: dict[str, Any], matcher: highlight.Matcher) -> dict[str, tuple[SnippetPart, ...]]:
    values = {name: shown[name] or "" for name in _SHORT_FIELDS} | {"tags": ", ".join(shown["tags"])}
    marked = {name: matcher.marks(value) for name, value in values.items()}
    return {name: highlight.parts(values[name], marks) for name, marks in marked.items() if marks}


def _opening_snippets(shown: dict[str, Any], summary: str, marks: list[highlight.Mark]) -> tuple[Snippet, ...]:
    """The summary, or else how the document begins."""
    if summary:
        return (highlight.excerpt(None, summary, marks, marks[0].start if marks else 0),)
    pages = shown.get("pages") or ([shown["opening"]] if shown.get("opening") else [])
    return tuple(highlight.excerpt(number, text, (), 0) for number, text in pages if text.strip())[:1]
