"""What kind of document it is: weighted words, most of all those that stand as its heading.

Each type has *heads* (what such a document calls itself) and *signs* (what it says inside), listed in
`document_types.json`. No evidence, no type.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from functions.enrich.layout import Layout, Page, Run
from functions.enrich.wording import labels, wording
from shared.metadata import DocumentType

T = DocumentType

_WORDING = Path(__file__).with_name("document_types.json")

_SALUTATION = re.compile(
    r"^(?:sehr geehrte|liebe[rs]?\s[A-ZÄÖÜ]|guten tag|hallo\s|dear\s|to whom it may concern|hi\s[A-Z]|hello\s|"
    r"ladies and gentlemen|madame|monsieur|chère?\s|estimad[oa]s?|querid[oa]s?|muy señor|gentile|gentili|"
    r"egregio|spett|geachte|beste\s[A-Z]|messieurs)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"^(?:mit (?:freundlichen?|besten?|herzlichen?|vielen) grü|freundliche grüße|(?:beste|viele|herzliche|"
    r"liebe) grüße|hochachtungsvoll|yours (?:sincerely|faithfully|truly)|sincerely|(?:kind|best|warm) regards|"
    r"regards,?$|best wishes|respectfully|cordialement|atentamente|saludos|cordiali saluti|distinti saluti|"
    r"met vriendelijke groet)|salutations distinguées",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"^(?:betreff|betrifft|betr\.?|subject|re|objet|asunto|oggetto|onderwerp)\s*:\s*", re.IGNORECASE)
_LETTER_HEADS = labels(
    (
        "kündigung",
        "kündigungsbestätigung",
        "bewerbung",
        "widerspruch",
        "einladung",
        "mitteilung",
        "anschreiben",
        "resignation",
        "notice of termination",
        "cover letter",
        "application for the position",
        "complaint",
        "beschwerde",
        "cancellation",
        "anfrage",
        "bestätigung",
        "information",
    )
)

HEAD_WEIGHT = 5.0
MAX_HEADING = 110
THRESHOLD = 3.0


@dataclass(frozen=True)
class Head:
    """A phrase by which a document calls itself a type, and how prominently it does."""

    kind: T
    run: Run
    start: int
    end: int
    weight: float


@dataclass(frozen=True)
class Classified:
    """The type chosen, how sure, and the heading that decided (if one did)."""

    kind: T
    confidence: float
    head: Head | None


@cache
def _wording() -> dict[str, dict[str, list[str]]]:
    """`document_types.json`: regular expressions, in which a space stands for any short gap."""
    wording: dict[str, dict[str, list[str]]] = json.loads(_WORDING.read_text(encoding="utf-8"))
    return wording


@cache
def _patterns(part: Literal["heads", "signs"]) -> dict[T, re.Pattern[str]]:
    return {T(kind): labels(words[part]) for kind, words in wording("document_types").items() if words[part]}


def type_name(kind: T, language: str | None) -> str | None:
    """What a document of `kind` is called in `language` (BCP-47), in English where that is not known."""
    names: dict[str, str] = wording("document_types").get(kind, {}).get("names", {})
    return names.get((language or "en").split("-")[0]) or names.get("en")


def heads(layout: Layout) -> list[Head]:
    """Headings on the first page that name a type, the weightiest first."""
    found: list[Head] = []
    page = layout.first
    labels_of_values = _labels_of_values(page)
    for rank, cell in enumerate(page.cells[:70]):
        if (cell.top < 0.75 * page.height or rank < 20) and id(cell) not in labels_of_values:
            found += _heads_in(cell, rank, cell.height / page.body_height, cell.top / page.height)
    return sorted(found, key=lambda head: -head.weight)


def _labels_of_values(page: Page) -> set[int]:
    """Identities of cells in ordinary type with a colon or a short value to their right: "Order   4711"."""
    return {
        id(cell)
        for line in page.lines
        for cell, neighbour in zip(line.cells, line.cells[1:], strict=False)
        if cell.height < 1.3 * page.body_height
        and (neighbour.text.startswith(":") or re.fullmatch(r"\W?[\w./-]*\d[\w./-]*", neighbour.text))
    }


_SPACED_OUT = re.compile(r"(?:\S ){4,40}\S")


def _heads_in(cell: Run, rank: int, prominence: float, position: float) -> Iterator[Head]:
    if len(cell.text) > MAX_HEADING:
        return
    spaced_out = _SPACED_OUT.fullmatch(cell.text) is not None
    text = cell.text.replace(" ", "") if spaced_out else cell.text
    subject = _SUBJECT.match(text)
    begin = subject.end() if subject else 0
    for kind, pattern in _patterns("heads").items():
        if match := pattern.search(text, begin):
            start, end = match.span()
            weight = _head_weight(text[begin:], start - begin, end - begin, prominence, bool(subject))
            weight += 1.4 if spaced_out else 0.0
            if weight > 0:
                place = (0, len(cell.text)) if spaced_out else (start, end)
                yield Head(kind, cell, *place, weight - 0.03 * rank - (1.0 if position > 0.6 else 0.0))


def _head_weight(text: str, start: int, end: int, prominence: float, subject: bool) -> float:
    """How much a phrase in a heading counts: whole lines, first words, large type and longer phrases count more."""
    rest = re.sub(r"[\W\d_]+", "", text[:start] + text[end:])
    weight = HEAD_WEIGHT if start <= 3 else 3.4
    weight += min(1.0, (end - start) / 30)
    weight += 2.2 if prominence > 1.45 else 1.4 if prominence > 1.15 else 0.0
    weight += 1.2 if len(rest) <= 3 else 0.0
    if subject:
        weight += 0.5 if start <= 8 else -1.0
    elif prominence < 1.15 and len(rest) > 30:
        return 0.0
    elif prominence < 1.15 and len(rest) > 12:
        weight -= 2.6
    if text[end : end + 2].strip().startswith(":") and prominence < 1.3:
        weight -= 3.2
    return weight


def classified(layout: Layout, filename_words: str = "") -> Classified | None:
    """The type of the document, or none when nothing says it clearly."""
    found = heads(layout)
    scores = dict.fromkeys(T, 0.0)
    for head in found:
        scores[head.kind] = max(scores[head.kind], head.weight)
    for kind, value in _sign_scores(layout).items():
        scores[kind] += value
    scores[T.LETTER] += _letter_score(layout, found)
    scores[T.RECEIPT] += (4.0 if _is_slip(layout) else 0.0) + _till_score(layout)
    for kind, pattern in _patterns("heads").items():
        scores[kind] += 2.0 if pattern.search(filename_words) else 0.0
    _settle(scores)
    (best, first), (_, second) = sorted(scores.items(), key=lambda item: -item[1])[:2]
    if first < THRESHOLD or first - second < 0.35:
        return None
    decisive = next((head for head in found if head.kind is best), None)
    return Classified(best, _confidence(first, second, decisive is not None), decisive)


def _sign_scores(layout: Layout) -> dict[T, float]:
    text = layout.text[:30_000]
    scores = {}
    for kind, pattern in _patterns("signs").items():
        distinct = {match.group().lower() for match, _ in zip(pattern.finditer(text), range(300), strict=False)}
        scores[kind] = min(5.0, 0.75 * len(distinct)) if len(distinct) > 1 else 0.3 * len(distinct)
    return scores


def _letter_score(layout: Layout, found: list[Head]) -> float:
    """Letters have no word for themselves: they greet, they close, and their subject is about anything."""
    cells = [cell.text for cell in layout.first.cells]
    greets = any(_SALUTATION.match(text) and len(text) < 90 for text in cells)
    closes = any(_CLOSING.search(line.text) and len(line.text) < 130 for line in layout.lines)
    score = 2.6 * greets + 2.6 * closes + (1.2 if greets and closes else 0.0)
    about = any(_LETTER_HEADS.search(text) and len(text) < 90 for text in cells[:40])
    return score + (1.2 if score and about else 0.0)


_TENDERED = re.compile(
    r"(?:^|\n|\s)(?:cash|bar|barzahlung|gegeben|visa|mastercard|credit|debit|card|karte|ec-?karte|girocard|"
    r"espèces|efectivo|contanti)\b"
    r"[^\n]{0,24}[.,]\d\d",
    re.IGNORECASE,
)
_CHANGE = re.compile(
    r"(?:^|\n|\s)(?:change|rückgeld|zurück|wechselgeld|rendu|cambio|resto|wisselgeld)\b[^\n]{0,24}[.,]\d\d",
    re.IGNORECASE,
)
_TIME_OF_DAY = re.compile(r"(?<!\d)\d{1,2}\s?:\s?\d\d(?!\d)")
SLIP_LINE_CHARACTERS = 50


def _till_score(layout: Layout) -> float:
    """Where money was given and change returned it is a receipt, whatever the law has it call itself."""
    text = layout.text[:20_000]
    return 3.5 * bool(_CHANGE.search(text)) + 3.5 * bool(_TENDERED.search(text) and _CHANGE.search(text))


def _is_slip(layout: Layout) -> bool:
    """Whether the only page is a narrow till slip: short lines throughout, a time of day, amounts."""
    page = layout.first
    lengths = sorted(len(line.text) for line in page.lines)
    narrow = len(lengths) >= 10 and lengths[int(0.95 * len(lengths))] <= SLIP_LINE_CHARACTERS
    timed = _TIME_OF_DAY.search(layout.text) is not None
    return layout.page_count == 1 and narrow and timed and len(re.findall(r"\d[.,]\d\d(?!\d)", layout.text)) >= 3


def _settle(scores: dict[T, float]) -> None:
    """Types that contain one another's words: the more special one wins where it is spoken of at all clearly."""
    if scores[T.UTILITY_BILL] > 6 and scores[T.INVOICE] > 0:
        scores[T.UTILITY_BILL] += 0.35 * scores[T.INVOICE]
    if scores[T.LETTER] and max(value for kind, value in scores.items() if kind is not T.LETTER) > 7.5:
        scores[T.LETTER] *= 0.6
    if scores[T.CREDIT_NOTE] > 6:
        scores[T.INVOICE] *= 0.8
    if scores[T.RECEIPT] > 7:
        scores[T.INVOICE] *= 0.7
    if scores[T.REMINDER] > 6:
        scores[T.INVOICE] *= 0.75
    if scores[T.RECEIPT] < 5 and scores[T.INVOICE] > 6:
        scores[T.RECEIPT] *= 0.6


def _confidence(first: float, second: float, headed: bool) -> float:
    margin = (first - second) / first
    confidence = 0.5 + 0.35 * min(1.0, margin / 0.5) + 0.012 * min(10.0, first)
    return min(0.97, confidence) if headed else min(0.8, confidence - 0.08)
