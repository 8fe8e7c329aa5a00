"""Tags: the library's own words where the document uses them, then its topic."""

import re
from collections.abc import Iterator, Sequence
from functools import cache

from functions.enrich.labelled import Found
from functions.enrich.layout import Layout
from functions.enrich.wording import labels, wording

MAX_TAGS = 5
MAX_KNOWN = 2000


def tags(layout: Layout, known: Sequence[str], language: str | None) -> list[tuple[str, Found[str], float]]:
    """At most `MAX_TAGS` tags with the words that earned them and a confidence; known tags first."""
    chosen: list[tuple[str, Found[str], float]] = []
    taken: set[str] = set()
    for name, found, confidence in (*_known(layout, known), *_topics(layout, known, language)):
        if name.lower() not in taken and len(chosen) < MAX_TAGS:
            taken.add(name.lower())
            chosen.append((name, found, confidence))
    return chosen


def _known(layout: Layout, known: Sequence[str]) -> Iterator[tuple[str, Found[str], float]]:
    ranked = sorted(
        {name for name in known[:MAX_KNOWN] if len(name) >= 3}, key=lambda name: -layout.lower_text.count(name.lower())
    )
    for name in ranked:
        if name.lower() in layout.lower_text and (found := _whole_word(layout, name)):
            yield name, found, 0.85


def _whole_word(layout: Layout, name: str) -> Found[str] | None:
    return _first(layout, re.compile(rf"(?<![^\W_]){re.escape(name)}(?![^\W_])", re.IGNORECASE))


def _first(layout: Layout, pattern: re.Pattern[str]) -> Found[str] | None:
    for line in layout.lines:
        if match := pattern.search(line.text):
            return Found(match.group(), line, match.start(), match.end())
    return None


def _topics(layout: Layout, known: Sequence[str], language: str | None) -> Iterator[tuple[str, Found[str], float]]:
    """Topics of which at least two words, or one word three times, occur; named as the library names them."""
    spelled = {name.lower(): name for name in known}
    for names, pattern in _patterns():
        matches = [match.lower() for match in pattern.findall(layout.text[:30_000])]
        if len(set(matches)) < 2 and len(matches) < 3:
            continue
        name = next((spelled[name.lower()] for name in names.values() if name.lower() in spelled), None)
        if found := _first(layout, pattern):
            yield name or names["de" if (language or "").startswith("de") else "en"], found, 0.75


@cache
def _patterns() -> tuple[tuple[dict[str, str], re.Pattern[str]], ...]:
    return tuple((topic["names"], labels(topic["words"])) for topic in wording("topics")["topics"])
