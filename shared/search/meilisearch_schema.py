"""The Meilisearch index as code: its settings, the names of indexes, and how an entry becomes documents of one. Pure.

Meilisearch is given the analyzer's terms, not the text, so that both engines find the same words; the text itself is
only kept to be shown. What is compared exactly (owner, tag, sender …) is written in hexadecimal: the server compares
without regard to case and to compatibility forms, and nobody's name can be read as a part of a filter.

Limits (https://www.meilisearch.com/docs/resources/help/known_limitations): 65,535 positions in an attribute, 468 bytes
in a value that is filtered by, 10 terms in a query, and exact integers up to 2^53.
"""

import hashlib
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from shared.search import analyzer
from shared.search.hits import FACET_VALUES, is_long, source
from shared.search.port import SearchEntry

KEY = "key"
ENTRY, PAGE = "entry", "page"

_SHAPE = "1"
"""Changes whenever the documents below change without the settings: a new number is a new index."""

_POSITIONS = 60_000
_BETWEEN_VALUES = 8
"""Positions that the server leaves between two values of an array, across which no phrase is found."""

_LONGEST_VALUE = 230
"""Bytes of a value that is filtered by, half of what the server takes; a longer one is known by its digest."""

_WORDS = tuple(f"words_{number}" for number in range(1, 17))
_CODES = tuple(f"codes_{number}" for number in range(1, 5))
_PARTS = tuple(f"parts_{number}" for number in range(1, 9))
_OF_PAGES = ("page", "page_codes", "page_parts")
_HASH = re.compile(r"_([0-9a-f]{12})_[0-9a-f]{8}$")


def settings(synonyms: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Everything that can be set of an index and that we depend on, defaults included."""
    return {
        "displayedAttributes": ["*"],
        "searchableAttributes": ["title", "names", *_WORDS, *_CODES, *_PARTS, *_OF_PAGES],
        "filterableAttributes": [
            *("kind", "document", "version", "number", "owner", "status", "document_type", "sender", "tag"),
            *("language", "year", "day", "received"),
        ],
        "sortableAttributes": ["day", "received", "sort_title"],
        # Asked for an order, that comes first; numbers and codes are exact or not found at all.
        "rankingRules": ["sort", "words", "typo", "proximity", "exactness", "attribute", "newness:desc"],
        "stopWords": [],
        "synonyms": _mutual(synonyms),
        "distinctAttribute": None,
        "proximityPrecision": "byWord",
        "typoTolerance": {
            "enabled": True,
            "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9},
            "disableOnWords": [],
            "disableOnAttributes": [*_CODES, *_PARTS, *_OF_PAGES[1:]],
            "disableOnNumbers": True,
        },
        "faceting": {"maxValuesPerFacet": FACET_VALUES, "sortFacetValuesBy": {"*": "count"}},
        "pagination": {"maxTotalHits": 1_000_000},
        "searchCutoffMs": 5_000,
        # The terms are made already: no language has to be guessed to cut them.
        "localizedAttributes": [{"attributePatterns": ["*"], "locales": ["eng"]}],
    }


def _mutual(synonyms: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Each of the words that mean the same stands for all the others, written as terms."""
    found: dict[str, list[str]] = {}
    for word, others in synonyms.items():
        group = list(dict.fromkeys(terms(" ".join(analyzer.body_terms(each))) for each in (word, *others)))
        for each in filter(None, group):
            same = found.setdefault(each, [])
            same.extend(other for other in group if other and other != each and other not in same)
    return found


def schema_hash() -> str:
    """The version of the index: of its documents, and its settings but for synonyms, which can be changed in place."""
    fixed = {name: value for name, value in settings({}).items() if name != "synonyms"}
    return hashlib.sha256(json.dumps([_SHAPE, fixed], sort_keys=True).encode()).hexdigest()[:12]


def new_uid(name: str) -> str:
    """The name of a new index: `<name>_<schema hash>_<generation>`."""
    return f"{name}_{schema_hash()}_{secrets.token_hex(4)}"


def is_current(uid: str) -> bool:
    """Whether the index of this name has this release's schema."""
    found = _HASH.search(uid)
    return found is not None and found[1] == schema_hash()


def exact(value: str) -> str:
    """The value as it is filtered and counted by."""
    encoded = value.encode("utf-8", "surrogatepass")
    return encoded.hex() if len(encoded) <= _LONGEST_VALUE else f"sha256-{hashlib.sha256(encoded).hexdigest()}"


def readable(value: str) -> str | None:
    """The value that `exact` was made of, None where only its digest is known."""
    return None if value.startswith("sha256-") else bytes.fromhex(value).decode("utf-8", "surrogatepass")


def terms(body: str) -> str:
    """The analyzer's terms as the server gets them, blank-separated.

    What is written without spaces becomes one word per character, which no tokenizer cuts further; a phrase of them
    is found wherever the characters stand together.
    """
    if body.isascii():
        return body
    return " ".join(character(term) if analyzer.is_unspaced(term) else plain(term) for term in body.split())


def plain(term: str) -> str:
    """The term without what tokenizers split at: a numeral in one character may be written out with a stop or a bar."""
    if term.isalnum():
        return term
    return "".join(each for each in term if unicodedata.category(each)[0] in "LNM")


def character(term: str) -> str:
    """The word for the first character of a term of a script without spaces."""
    return f"u{ord(term[0]):x}"


def number_of(moment: datetime) -> int:
    """A time with its zone as microseconds since 1970."""
    return int(moment.timestamp() * 1_000_000)


def entry_document(entry: SearchEntry) -> dict[str, Any]:
    """The document by which the entry is found; all of its words are in this one, whatever their page."""
    received = entry.received_at.date()
    day = entry.document_date or received
    return {
        KEY: exact(entry.document_id),
        "document": exact(entry.document_id),
        "document_id": entry.document_id,
        "kind": ENTRY,
        "version": entry.version,
        "owner": exact(entry.owner),
        "status": entry.status.value,
        **{name: exact(value) for name, value in _filtered(entry) if value},
        "tag": [exact(tag) for tag in dict.fromkeys(entry.tags)],
        **({"year": entry.document_date.year} if entry.document_date else {}),
        "day": day.toordinal(),
        "newness": min(day, received).toordinal(),
        "received": number_of(entry.received_at),
        "sort_title": terms(" ".join(analyzer.body_terms(entry.title or entry.filename or ""))),
        **_searched(entry),
        "source": source(entry),
    }


def _filtered(entry: SearchEntry) -> Iterator[tuple[str, str | None]]:
    yield "document_type", entry.document_type
    yield "sender", entry.sender
    yield "language", entry.language


def _searched(entry: SearchEntry) -> dict[str, Any]:
    names = [entry.sender, entry.recipient, entry.reference_number, *entry.tags, entry.filename]
    shown = [value for value in (entry.title, *names, entry.summary) if value]
    analyses = [analyzer.analyze(value) for value in (*shown, *(text for _, text in entry.pages))]
    codes = dict.fromkeys(code for found in analyses for code in found.codes.split())
    parts = dict.fromkeys(part for found in analyses for part in found.tails.split())
    # The title and the names have attributes of their own.
    bodies = [analyzer.analyze(entry.summary).body] if entry.summary else []
    bodies.extend(found.body for found in analyses[len(shown) :])
    return {
        "title": terms(" ".join(analyzer.body_terms(entry.title or ""))),
        "names": [terms(" ".join(analyzer.body_terms(name))) for name in names if name],
        **dict(zip(_WORDS, _attributes(map(terms, bodies)), strict=False)),
        **dict(zip(_CODES, _attributes(map(terms, _lines(codes))), strict=False)),
        **dict(zip(_PARTS, _attributes(map(terms, _lines(parts))), strict=False)),
    }


def _lines(found: Iterable[str]) -> Iterator[str]:
    """The terms as texts that fill an attribute each."""
    remaining = iter(found)
    while line := " ".join(islice(remaining, _POSITIONS)):
        yield line


def _attributes(values: Iterable[str]) -> Iterator[list[str]]:
    """The values, as many in each attribute as it has positions for."""
    filled: list[str] = []
    positions = 0
    for value in (piece for text in values for piece in _lines(text.split())):
        size = value.count(" ") + 1 + _BETWEEN_VALUES
        if filled and positions + size > _POSITIONS + _BETWEEN_VALUES:
            yield filled
            filled, positions = [], 0
        filled.append(value)
        positions += size
    if filled:
        yield filled


def page_documents(entry: SearchEntry) -> Iterator[dict[str, Any]]:
    """One document per page of a long entry, of its version: only those of the entry's own version are shown."""
    if not is_long(entry):
        return
    for number, text in entry.pages:
        found = analyzer.analyze(text)
        yield {
            KEY: f"{exact(entry.document_id)}-{entry.version}-{number}",
            "document": exact(entry.document_id),
            "kind": PAGE,
            "version": entry.version,
            "number": number,
            "page": terms(found.body),
            "page_codes": terms(_distinct(found.codes)),
            "page_parts": terms(_distinct(found.tails)),
            "text": text,
        }


def _distinct(found: str) -> str:
    return " ".join(dict.fromkeys(found.split()))


def last_page(entry: SearchEntry) -> int:
    """The number of the last page that has a document of its own, 0 where none has."""
    return max((number for number, _ in entry.pages), default=0) if is_long(entry) else 0
