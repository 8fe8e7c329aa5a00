"""Postal addresses on a page: their lines, from the name to the town."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import dropwhile, pairwise

from functions.enrich.dates import dates_in
from functions.enrich.layout import Page, Run
from functions.enrich.names import CLOSING, CONTACT, FIELD_LABEL, SEPARATORS, TITLE_ONLY
from functions.enrich.party_labels import is_label

_STREET = re.compile(
    r"(?:[^\W\d_]{2,}(?:straße|strasse|str\.|weg|platz|allee|gasse|ring|damm|ufer|steig|hof|chaussee|markt|"
    r"kai|park|graben|straat|laan|plein)\s?\d{0,4}|\b(?:straße|str\.|weg|platz|allee|gasse|ring|damm|ufer|"
    r"markt) \d|"
    r"\b(?:street|st\.?|road|rd\.?|avenue|ave\.?|lane|ln\.?|drive|dr\.?|boulevard|blvd\.?|way|court|ct\.?|"
    r"square|place|parkway|pkwy|terrace|close|crescent|highway|hwy|row|hill|quay|jalan)\b|"
    r"\b(?:rue|avenue|boulevard|chemin|place|allée|quai|impasse|calle|avenida|plaza|paseo|via|viale|piazza|"
    r"corso)\b|^(?:p\.?\s?o\.?\s?box|postfach|bp)\b)",
    re.IGNORECASE,
)
_TOWN = re.compile(
    r"(?:^|[,·•|\s])(?:(?:D|DE|A|AT|CH|F|FR|I|IT|E|ES|B|BE|L)\s?[- ]\s?)?\d{4,5}\s*[A-ZÄÖÜÉ][^\W\d_]{2,}|"
    r"\b[A-Z]{2},?\s+\d{5}(?:-\d{4})?\b|\b[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b|\b\d{4}\s?[A-Z]{2}\s+[A-Z]|"
    r"\b[A-Z]\d[A-Z] \d[A-Z]\d\b"
)


@dataclass(frozen=True)
class Address:
    """A postal address: the lines from the name to the town."""

    lines: tuple[Run, ...]
    titled: bool = False
    """Whether a title such as "Herrn" stood above the name: so only recipients are written."""

    @property
    def name(self) -> Run:
        return self.lines[0]


def is_address_line(text: str) -> bool:
    """Whether `text` is the street or town line of a postal address."""
    return len(text) <= 70 and bool(_TOWN.search(text) or (_STREET.search(text) and re.search(r"\d", text)))


def addresses(page: Page) -> list[Address]:
    """The postal addresses on a page, name line first, in reading order."""
    return [address for block in page.blocks for address in _addresses_in(block)]


def _addresses_in(block: Sequence[Run]) -> Iterator[Address]:
    start = 0
    for index, cell in enumerate(block):
        if not _is_town(cell.text):
            continue
        lines = _name_to_town(block[start : index + 1])
        start = index + 1
        named = list(dropwhile(_is_no_name, lines))
        if len(named) >= 2 and _has_name(named[:1]):
            yield Address(tuple(named), titled=any(TITLE_ONLY.match(cell.text) for cell in lines[: -len(named)]))


def _is_no_name(cell: Run) -> bool:
    return TITLE_ONLY.match(cell.text) is not None or is_label(cell.text)


def _is_town(text: str) -> bool:
    return len(text) <= 60 and _TOWN.search(text) is not None and not is_return_line(text)


def is_return_line(text: str) -> bool:
    """Whether a whole address stands on this one line, as the small sender line above an address window does."""
    parts = [part for part in SEPARATORS.split(text) if part]
    return len(parts) >= 3 and _TOWN.search(text) is not None and not re.search(r"\d", parts[0])


def _name_to_town(lines: Sequence[Run]) -> list[Run]:
    """The lines of an address from its name on, walking up from the town until something else begins."""
    kept = [lines[-1]]
    for cell in reversed(lines[-7:-1]):
        if _is_no_address(cell.text) or (_has_name(kept) and _stands_apart(cell, kept)):
            break
        kept.insert(0, cell)
    return kept


def _is_no_address(text: str) -> bool:
    labelled = text.endswith(":") or FIELD_LABEL.search(text) is not None
    return (
        labelled
        or is_return_line(text)
        or _is_sentence(text)
        or CONTACT.search(text) is not None
        or bool(dates_in(text))
    )


def _has_name(lines: Sequence[Run]) -> bool:
    return any(not is_address_line(cell.text) for cell in lines)


def _stands_apart(above: Run, below: Sequence[Run]) -> bool:
    """Whether the gap above a block is wider than the line distance inside it."""
    middles = [(cell.box[1] + cell.box[3]) / 2 for cell in (above, *below)]
    gaps = [lower - upper for upper, lower in pairwise(middles)]
    return len(gaps) > 1 and gaps[0] > 1.3 * min(gaps[1:])


def _is_sentence(text: str) -> bool:
    return len(text.split()) > 9 or CLOSING.match(text) is not None
