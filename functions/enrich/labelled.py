"""Labels and their values: what stands right of a label, or below it.

The geometry is the same for dates, amounts, references and names; each field brings its labels and its finder.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from functions.enrich.layout import Layout, Line, Page, Run

V = TypeVar("V")

MAX_FILLER = 28
MAX_LABELS_PER_LINE = 6


@dataclass(frozen=True)
class Found(Generic[V]):
    """A value and the characters of `run.text` it was read from."""

    value: V
    run: Run
    start: int
    end: int


@dataclass(frozen=True)
class Labelled(Generic[V]):
    """A value with the label it belongs to; `below` if it stands under rather than beside it."""

    found: Found[V]
    label: str
    cell: Run
    line: Line
    below: bool


Finder = Callable[[Run], list[Found[V]]]
"""All values in a run, in reading order."""


def labelled(
    layout: Layout, label: re.Pattern[str], finder: Finder[V], *, last_in_row: bool = False
) -> Iterator[Labelled[V]]:
    """Every value that stands beside or below a match of `label`.

    With `last_in_row`, of several values in the cells right of the label the last is taken (the sum of a row).
    """
    for page in layout.pages:
        for index, line in enumerate(page.lines):
            yield from _in_line(page, index, line, label, finder, last_in_row)


def _in_line(
    page: Page, index: int, line: Line, label: re.Pattern[str], finder: Finder[V], last_in_row: bool
) -> Iterator[Labelled[V]]:
    if label.search(line.text) is None:
        return
    for number, cell in enumerate(line.cells):
        for count, match in enumerate(label.finditer(cell.text)):
            if count >= MAX_LABELS_PER_LINE:
                break
            found = _beside(line.cells[number:], match.end(), finder, last_in_row)
            if found is not None:
                yield Labelled(found, match.group(), cell, line, below=False)
            elif (under := _under(page, index, cell, match, finder)) is not None:
                yield Labelled(under, match.group(), cell, line, below=True)


def _beside(cells: tuple[Run, ...], after: int, finder: Finder[V], last_in_row: bool) -> Found[V] | None:
    own, *others = cells
    inside = [found for found in finder(own) if found.start >= after - 1]
    best = next((found for found in inside if _is_filler(own.text[after : found.start])), None)
    if best is not None and not last_in_row:
        return best
    if best is None and len(own.text) - after > MAX_FILLER:
        return None
    for cell in others:
        found = next(iter(finder(cell)), None)
        if found is None and best is None and _is_gap(cell.text):
            continue
        if found is None or not _is_gap(cell.text[: found.start]):
            break
        best = found
        if not last_in_row:
            break
    return best


def _is_filler(text: str) -> bool:
    """Whether words between label and value are few enough to belong to the label."""
    return len(text) <= MAX_FILLER and not re.search(r"[.;!?]\s+\S+\s+\S+\s", text)


def _is_gap(text: str) -> bool:
    """Whether a cell, or what stands before a value in its cell, is punctuation, a currency or nothing."""
    return (
        re.fullmatch(r"[\s:.\-–=#|€$£_*]*(?:EUR|USD|GBP|CHF|CAD|AUD|Euro|Fr\.?|RM|vom|am|den|of|the|le)?[\s:.]*", text)
        is not None
    )


def _under(page: Page, index: int, cell: Run, match: re.Match[str], finder: Finder[V]) -> Found[V] | None:
    """The value at the start of the next cell below the label, if that cell has one."""
    if len(cell.text) - match.end() > MAX_FILLER:
        return None
    label = cell.part(match.start(), match.end())
    limit = label.box[3] + 3.2 * max(label.height, page.body_height)
    for line in page.lines[index + 1 : index + 5]:
        if line.top > limit:
            return None
        for below in line.cells:
            if _overlap(label, below) > 0.3:
                return next((found for found in finder(below) if found.start <= 4), None)
    return None


def _overlap(a: Run, b: Run) -> float:
    narrower = min(a.box[2] - a.box[0], b.box[2] - b.box[0])
    return (min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])) / narrower if narrower > 0 else 0.0
