"""The page as a reader sees it: words become lines, lines fall into cells, cells stack into blocks.

Works on boxes where there are any, and on a character grid where a page has text only. Decides nothing about meaning.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import median

from shared.documents import Box, DocumentText, PageText, Word

FIRST_PAGES = 4
LAST_PAGES = 2
MAX_WORDS_PER_PAGE = 4000
MAX_LINES_PER_PAGE = 600
MAX_LINE_CHARACTERS = 600
MAX_WORD_CHARACTERS = 200
GRID_WIDTH, GRID_HEIGHT = 5.0, 10.0
BUCKET = 16.0
MAX_BLOCK_GAP = 150.0


@dataclass(frozen=True)
class Run:
    """Words that follow each other on one visual line; `text` is the words joined by single spaces."""

    page: int
    words: tuple[Word, ...]

    @cached_property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    @cached_property
    def box(self) -> Box:
        return enclosing(self.words)

    @cached_property
    def height(self) -> float:
        """The height of its tallest word, in points: a measure of the type size."""
        return max(word.box[3] - word.box[1] for word in self.words)

    @property
    def confidence(self) -> float:
        """How sure the reading of its letters is (the worst word counts)."""
        return min(word.confidence for word in self.words)

    @property
    def top(self) -> float:
        return self.box[1]

    def part(self, start: int, end: int) -> "Run":
        """The words that characters `start` to `end` of the text touch."""
        chosen: list[Word] = []
        offset = 0
        for word in self.words:
            if offset < end and offset + len(word.text) > start:
                chosen.append(word)
            offset += len(word.text) + 1
        return Run(self.page, tuple(chosen) or self.words[:1])


@dataclass(frozen=True)
class Line(Run):
    """One visual line of a page; `cells` are its parts with wide gaps between them."""

    cells: tuple[Run, ...] = ()


@dataclass(frozen=True)
class Page:
    """One page as lines from top to bottom. `measured` is false where boxes were made up from a text without any."""

    number: int
    width: float
    height: float
    lines: tuple[Line, ...]
    measured: bool
    scanned: bool

    @cached_property
    def body_height(self) -> float:
        """The usual word height in points."""
        heights = [run.height for run in self.lines if len(run.words) > 1] or [run.height for run in self.lines]
        return median(heights) if heights else GRID_HEIGHT

    @cached_property
    def content_top(self) -> float:
        """Where the first line stands, in points from the top: scans of slips have wide margins."""
        return min(line.top for line in self.lines)

    @cached_property
    def content_height(self) -> float:
        """From the first line to the last, in points; at least a quarter of the page."""
        return max(max(line.box[3] for line in self.lines) - self.content_top, 0.25 * self.height)

    @cached_property
    def cells(self) -> tuple[Run, ...]:
        return tuple(cell for line in self.lines for cell in line.cells)

    @cached_property
    def blocks(self) -> tuple[tuple[Run, ...], ...]:
        """Left-aligned cells under each other at ordinary line distance, in reading order."""
        return tuple(sorted(_stacked(self.cells, self.body_height), key=lambda block: block[0].top))


@dataclass(frozen=True)
class Layout:
    """The pages that are looked at: all of a short document, the first and last ones of a long one."""

    pages: tuple[Page, ...]
    page_count: int

    @property
    def first(self) -> Page:
        return self.pages[0]

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for page in self.pages for line in page.lines)

    @cached_property
    def text(self) -> str:
        """All lines looked at, separated by line ends."""
        return "\n".join(line.text for line in self.lines)

    @cached_property
    def lower_text(self) -> str:
        return self.text.lower()


def enclosing(words: tuple[Word, ...]) -> Box:
    """The smallest box around all of `words` (at least one)."""
    boxes = [word.box for word in words]
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def sampled(pages: tuple[PageText, ...]) -> tuple[PageText, ...]:
    """First and last pages of a long document, all pages of a short one."""
    if len(pages) <= FIRST_PAGES + LAST_PAGES:
        return pages
    return pages[:FIRST_PAGES] + pages[-LAST_PAGES:]


def read(text: DocumentText) -> Layout:
    """Lay out the sampled pages of `text` that have any words."""
    pages = [laid_out(page) for page in sampled(text.pages)]
    return Layout(tuple(page for page in pages if page.lines), len(text.pages))


def laid_out(page: PageText) -> Page:
    """One page as lines and cells."""
    words = [word for word in page.words[:MAX_WORDS_PER_PAGE] if word.text.strip() and not _is_upright(word)]
    measured = bool(page.words)
    rows = _rows(words) if measured else list(_grid_rows(page.text))
    lines = tuple(_line(page.number, row) for row in rows[:MAX_LINES_PER_PAGE])
    width, height = (page.width, page.height) if measured else _grid_size(page.text)
    return Page(page.number, width or 595.0, height or 842.0, lines, measured, page.source == "ocr")


def _is_upright(word: Word) -> bool:
    """Whether a word runs up or down the margin, as archive stamps do; it belongs to no line."""
    x0, y0, x1, y1 = word.box
    return len(word.text) >= 3 and y1 - y0 > 1.8 * (x1 - x0)


def _line(number: int, row: list[Word]) -> Line:
    words = tuple(_bounded(row))
    gap = max(5.0, 1.2 * max(word.box[3] - word.box[1] for word in words))
    cells: list[list[Word]] = [[words[0]]]
    for previous, word in pairwise(words):
        if word.box[0] - previous.box[2] > gap:
            cells.append([])
        cells[-1].append(word)
    return Line(number, words, tuple(Run(number, tuple(cell)) for cell in cells))


def _bounded(row: list[Word]) -> Iterator[Word]:
    """Words up to the length that patterns are tried on; a line is data, however long someone made it."""
    length = 0
    for index, word in enumerate(row):
        text = " ".join(word.text.split())[:MAX_WORD_CHARACTERS]
        length += len(text) + 1
        if index and length > MAX_LINE_CHARACTERS:
            return
        yield word if text == word.text else word.model_copy(update={"text": text})


def _rows(words: list[Word]) -> list[list[Word]]:
    """Words grouped to visual lines: each joins the line whose last word it stands beside (so skew does no harm)."""
    rows: list[list[Word]] = []
    buckets: dict[int, list[int]] = defaultdict(list)
    for word in sorted(words, key=lambda word: word.box[0]):
        bucket = int((word.box[1] + word.box[3]) / 2 // BUCKET)
        near = {index for key in (bucket - 1, bucket, bucket + 1) for index in buckets[key]}
        best = max(near, key=lambda index: _beside(rows[index][-1], word), default=-1)
        if best >= 0 and _beside(rows[best][-1], word) > 0.5:
            rows[best].append(word)
        else:
            best = len(rows)
            rows.append([word])
        if best not in buckets[bucket]:
            buckets[bucket].append(best)
    return sorted(rows, key=lambda row: (median(word.box[3] for word in row), row[0].box[0]))


def _beside(left: Word, right: Word) -> float:
    """How much of the smaller word's height the two share, 0..1; nothing where they lie over each other."""
    a, b = left.box, right.box
    if b[0] < a[2] - 0.6 * (a[2] - a[0]) - 1:
        return 0.0
    smaller = min(a[3] - a[1], b[3] - b[1])
    return (min(a[3], b[3]) - max(a[1], b[1])) / smaller if smaller > 0 else 0.0


def _grid_rows(text: str) -> Iterator[list[Word]]:
    for number, line in enumerate(text.splitlines()[: 2 * MAX_LINES_PER_PAGE]):
        words = [_grid_word(match, number) for match in re.finditer(r"\S+", line[: 2 * MAX_LINE_CHARACTERS])]
        if words:
            yield words


def _grid_word(match: re.Match[str], row: int) -> Word:
    top = row * 1.3 * GRID_HEIGHT
    box = (match.start() * GRID_WIDTH, top, match.end() * GRID_WIDTH, top + GRID_HEIGHT)
    return Word.model_construct(text=match.group()[:MAX_WORD_CHARACTERS], box=box, confidence=1.0)


def _grid_size(text: str) -> tuple[float, float]:
    rows = text.count("\n") + 1
    return 100 * GRID_WIDTH, max(60, rows) * 1.3 * GRID_HEIGHT


def _stacked(cells: tuple[Run, ...], body: float) -> Iterator[tuple[Run, ...]]:
    growing: list[list[Run]] = []
    for cell in cells:
        block = next((block for block in growing if _continues(block[-1], cell, body)), None)
        if block is not None:
            block.append(cell)
            continue
        reach = cell.top - MAX_BLOCK_GAP
        yield from (tuple(block) for block in growing if block[-1].box[3] < reach)
        growing = [block for block in growing if block[-1].box[3] >= reach]
        growing.append([cell])
    yield from (tuple(block) for block in growing)


def _continues(above: Run, below: Run, body: float) -> bool:
    size = max(above.height, below.height, body)
    distance = below.box[1] - above.box[3]
    return abs(below.box[0] - above.box[0]) <= 0.5 * size and -0.5 * size < distance <= 2.3 * size
