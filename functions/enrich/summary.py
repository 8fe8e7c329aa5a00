"""A summary taken from the document's own sentences, where it has running text; nothing is made up."""

import re
from collections.abc import Iterator

from functions.enrich.labelled import Found
from functions.enrich.language import small_words
from functions.enrich.layout import Layout, Page, Run
from functions.enrich.wording import words_of

MAX_LENGTH = 320
_SENTENCE = re.compile(r"[A-ZÄÖÜÉÈ¿¡„\"“«][^.!?]{24,260}[.!?](?=\s|$|[\"”“»])")
_OPENING = re.compile(
    r"^(?:sehr geehrte|liebe[rs]? |dear |hallo |guten tag|estimad|gentile|geachte|madame|monsieur|chère? )",
    re.IGNORECASE,
)
_ABBREVIATION = re.compile(
    r"\b(?:z\.\s?B|d\.\s?h|Nr|No|St|Dr|Mr|Mrs|Ms|Prof|ca|bzw|usw|inkl|zzgl|Art|Abs|Str|e\.g|i\.e|vs|Inc|Ltd|"
    r"Co|Tel|geb)\.$"
)
_BOILERPLATE = re.compile(
    r"@|www\.|IBAN|BIC|copyright|©|all rights reserved|unsubscribe|page \d|seite \d|confidential", re.IGNORECASE
)


def summary(layout: Layout, language: str | None) -> Found[str] | None:
    """The first one or two full sentences of running text; none where there is no such text."""
    small = small_words(language)
    for page in layout.pages[:2]:
        for run in _paragraphs(page):
            found = _sentences(run, small)
            if found:
                return found
    return None


def _paragraphs(page: Page) -> Iterator[Run]:
    """Lines of running text that follow each other closely, joined; what stands above a salutation is left out."""
    start = next(
        (i + 1 for i, line in enumerate(page.lines[:60]) if _OPENING.match(line.text) and len(line.text) < 90), 0
    )
    current: list[Run] = []
    for line in page.lines[start:]:
        if current and not _follows(current[-1], line):
            yield _joined(page, current)
            current = []
        if len(line.cells) == 1 and len(line.words) >= 3:
            current.append(line)
    if current:
        yield _joined(page, current)


def _follows(above: Run, below: Run) -> bool:
    distance = below.box[1] - above.box[3]
    return distance < 1.1 * above.height and abs(above.height - below.height) < 0.45 * above.height


def _joined(page: Page, lines: list[Run]) -> Run:
    return Run(page.number, tuple(word for line in lines[:12] for word in line.words))


def _sentences(run: Run, small: frozenset[str]) -> Found[str] | None:
    text = run.text[:1500]
    matches = [match for match in _SENTENCE.finditer(text) if _is_prose(match.group(), small)]
    if not matches or not _begins(text, matches[0].start()) or run.part(0, 400).confidence < 0.3:
        return None
    first, end = matches[0], matches[0].end()
    if len(matches) > 1 and matches[1].start() - end <= 2 and matches[1].end() - first.start() <= MAX_LENGTH:
        end = matches[1].end()
    return Found(text[first.start() : end], run, first.start(), end)


def _begins(text: str, start: int) -> bool:
    """Whether a sentence starts its paragraph, or follows the end of another near its start."""
    return start == 0 or (start <= 200 and re.search(r"[.!?:][\"”“»]?\s$", text[:start]) is not None)


def _is_prose(sentence: str, small: frozenset[str]) -> bool:
    words = words_of(sentence)
    share = sum(word in small for word in words) / max(1, len(words))
    ends_well = not _ABBREVIATION.search(sentence) and not re.search(r"\d\.$", sentence)
    return len(words) >= 7 and share >= 0.2 and ends_well and not _BOILERPLATE.search(sentence)
