"""The title: what the document calls itself, else what it is and whose, else its file name made readable."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from functions.enrich.addresses import is_address_line
from functions.enrich.dates import dates_in
from functions.enrich.doctype import Head, type_name
from functions.enrich.layout import Layout, Run
from functions.enrich.names import is_company
from functions.enrich.wording import words_of
from shared.metadata import DocumentType

T = DocumentType

MAX_TITLE = 120

_SUBJECT_LABEL = re.compile(
    r"^(?:betreff|betrifft|betr\.?|subject|objet|asunto|oggetto|onderwerp|re)\s*:\s*(?=\S)", re.IGNORECASE
)
_REPLY_MARKS = re.compile(r"^(?:(?:re|aw|wg|fwd?|antwort)\s*:\s*)+", re.IGNORECASE)
_NUMBERED = frozenset(
    {
        T.INVOICE,
        T.RECEIPT,
        T.CREDIT_NOTE,
        T.REMINDER,
        T.QUOTE,
        T.ORDER,
        T.DELIVERY_NOTE,
        T.UTILITY_BILL,
        T.INSURANCE,
        T.BANK_STATEMENT,
    }
)
_OWN_HEADING = frozenset(
    {
        T.LETTER,
        T.MINUTES,
        T.REPORT,
        T.CERTIFICATE,
        T.CONTRACT,
        T.MANUAL,
        T.NEWSLETTER,
        T.FORM,
        T.WARRANTY,
        T.CV,
        T.TAX,
        T.MEDICAL,
        T.INSURANCE,
    }
)
_SALUTATION = re.compile(
    r"^(?:sehr geehrte|dear|liebe|hallo|guten tag|hello|hi |to whom|madame|monsieur|estimad|gentile|geachte)",
    re.IGNORECASE,
)
_GENERATED_NAME = re.compile(
    r"^(?:img|dsc|dscn|scan|scanned|scanner|document|dokument|doc|file|image|photo|foto|page|untitled|"
    r"unbenannt|screenshot|pdf|download|whatsapp|pxl|attachment|anhang|output|test|sample|tmp|temp|copy|kopie|"
    r"new|neu|of|from|at|image\w*|fax|brother|epson|canon|hp|xerox|ricoh|mobile|signal|telegram|"
    r"bildschirmfoto)$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Titled:
    """A title; `run` is none where it was composed or comes from the file name."""

    text: str
    confidence: float
    run: Run | None = None
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class Facts:
    """What is known about the document by the time it gets its title."""

    kind: T | None
    head: Head | None
    sender: str | None
    recipient: str | None
    reference: str | None
    language: str | None
    filename: str


def title(layout: Layout, facts: Facts) -> Titled | None:
    """The best title there is; none if neither document nor file name offers one."""
    if subject := _subject(layout):
        return subject
    if facts.kind in _NUMBERED and (facts.sender or facts.reference):
        return _composed(facts)
    if heading := _heading(layout, facts):
        return heading
    if facts.kind and (composed := _composed(facts)) and (facts.sender or facts.reference):
        return composed
    return from_filename(facts.filename)


def _subject(layout: Layout) -> Titled | None:
    for line in layout.first.lines[:45]:
        match = _SUBJECT_LABEL.match(line.text)
        if match:
            return _cleaned(line, match.end(), 0.93)
        if len(line.cells) == 2 and _SUBJECT_LABEL.match(line.cells[0].text + " x"):
            return _cleaned(line.cells[1], 0, 0.93)
    return _bare_subject(layout)


def _bare_subject(layout: Layout) -> Titled | None:
    """A line that stands apart right above or below the salutation, as letters have their subject without a label."""
    lines = layout.first.lines
    for index, line in enumerate(lines[:60]):
        if _SALUTATION.match(line.text) and len(line.text) < 90:
            return _subject_below(layout, index) or _subject_above(layout, index)
    return None


def _subject_above(layout: Layout, index: int) -> Titled | None:
    line, above = layout.first.lines[index], layout.first.lines[index - 1]
    near = index > 0 and 0 < line.top - above.box[3] < 5 * layout.first.body_height
    return _cleaned(above, 0, 0.82) if near and len(above.cells) == 1 and _is_heading_text(above.text) else None


def _subject_below(layout: Layout, index: int) -> Titled | None:
    below = layout.first.lines[index + 1 : index + 3]
    if len(below) < 2 or len(below[0].cells) > 1 or not _is_heading_text(below[0].text):
        return None
    heading, body = below
    apart = body.top - heading.box[3] > 0.75 * layout.first.body_height
    complete = heading.text[-1] not in ".,;:!?" and heading.text[0].isupper() and len(heading.text) < 80
    return _cleaned(heading, 0, 0.84) if apart and complete else None


def _cleaned(run: Run, start: int, confidence: float) -> Titled | None:
    text = run.text[start:]
    if mark := _REPLY_MARKS.match(text):
        start, text = start + mark.end(), text[mark.end() :]
    text = text.strip(" .:-–|")
    if len(text) < 3 or not _legible(run, text):
        return None
    return Titled(
        text[:MAX_TITLE],
        confidence,
        run,
        run.text.index(text, start),
        run.text.index(text, start) + len(text[:MAX_TITLE]),
    )


def _legible(run: Run, text: str) -> bool:
    """Whether a text reads like words and not like what recognition makes of a picture."""
    letters = sum(character.isalpha() for character in text)
    words = words_of(text)
    return (
        run.confidence > 0.55 and letters >= 0.55 * len(text.replace(" ", "")) and any(len(word) > 2 for word in words)
    )


def _is_heading_text(text: str) -> bool:
    if not 4 <= len(text) <= 110 or text.endswith((",", ";")) or is_address_line(text) or _SALUTATION.match(text):
        return False
    without = text
    for read in reversed(dates_in(text)):
        without = without[: read.start] + without[read.end :]
    return len(words_of(without)) >= 2 and "@" not in text


def _composed(facts: Facts) -> Titled | None:
    """Like "Invoice 4711 – Muster Ltd", in the document's language and words."""
    if facts.kind is None:
        return None
    name = _type_name(facts)
    parts = [name] if name else []
    if facts.reference and facts.kind in _NUMBERED and parts:
        parts[0] += f" {facts.reference}"
    if facts.sender:
        parts.append(facts.sender)
    return Titled(" – ".join(parts)[:MAX_TITLE], 0.85) if parts else None


def _type_name(facts: Facts) -> str | None:
    if facts.head and len(facts.head.run.text) <= 60:
        words = facts.head.run.text[facts.head.start : facts.head.end]
        return words.capitalize() if words.isupper() or words.islower() else words
    return type_name(facts.kind, facts.language) if facts.kind else None


def _heading(layout: Layout, facts: Facts) -> Titled | None:
    candidates = list(_headings(layout, facts))
    best = max(candidates, key=lambda item: item[0], default=None)
    if best is None or best[0] < 2.0:
        return None
    return _cleaned(_whole_heading(layout, best[1]), 0, min(0.9, 0.5 + 0.07 * best[0]))


def _whole_heading(layout: Layout, heading: Run) -> Run:
    """A heading with the line it runs on to, if the next one is in the same large type."""
    page = layout.first
    lines = [line for line in page.lines if line.top > heading.top]
    if not lines or heading.height < 1.25 * page.body_height:
        return heading
    following = lines[0]
    alike = abs(following.height - heading.height) < 0.15 * heading.height
    close = following.top - heading.box[3] < 0.8 * heading.height
    return (
        Run(heading.page, (*heading.words, *following.words))
        if alike and close and len(following.cells) == 1
        else heading
    )


def _headings(layout: Layout, facts: Facts) -> Iterator[tuple[float, Run]]:
    page = layout.first
    parties = {name.lower() for name in (facts.sender, facts.recipient) if name}
    for rank, line in enumerate(page.lines[:40]):
        text = line.text
        if len(line.cells) > 2 or line.top > 0.65 * page.height or any(name in text.lower() for name in parties):
            continue
        if (
            not 3 <= len(text) <= 130
            or is_address_line(text)
            or not words_of(text)
            or re.search(r"(?:\. ?){4}|_{4}", text)
        ):
            continue
        score = _heading_score(line, line.height / page.body_height, rank)
        if facts.head and facts.head.run.text in text:
            score += 1.8
        if is_company(text):
            score -= 1.5
        yield score, line


def _heading_score(line: Run, prominence: float, rank: int) -> float:
    score = 3.4 * min(prominence - 1.0, 1.2)
    score += 1.2 if rank == 0 else 0.7 if rank < 3 else 0.0
    score -= 1.5 if line.text.endswith((".", ",", ";")) or line.text[0].islower() else 0.0
    score -= 1.0 if len(words_of(line.text)) > 14 else 0.0
    return score - (2.0 if re.search(r"@|www\.|https?:|\btel\b|\bseite\b|\bpage \d", line.text, re.IGNORECASE) else 0.0)


def from_filename(filename: str) -> Titled | None:
    words = [word for word in filename_words(filename).split() if not _is_noise(word)]
    text = " ".join(words)
    if not any(len(word) > 2 for word in words_of(text)):
        return None
    return Titled((text[0].upper() + text[1:])[:MAX_TITLE], 0.6)


def _is_noise(word: str) -> bool:
    digits = sum(character.isdigit() for character in word)
    hexadecimal = len(word) >= 8 and digits >= 2 and re.fullmatch(r"[0-9a-fA-F-]+", word) is not None
    return hexadecimal or digits >= 6 or _GENERATED_NAME.match(re.sub(r"[\d()]+", "", word) or word) is not None


def filename_words(filename: str) -> str:
    """A file name as words: no folders, no extension, separators as spaces."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", re.split(r"[/\\]", filename)[-1])
    return " ".join(re.sub(r"[_+~]+|(?<!\d)[.\-]+|[.\-]+(?!\d)|%20", " ", stem).split())
