"""Puts the lines of a page into reading order and makes running text of them. Pure geometry, no engine.

Lines of a text layer come in the order in which they were written, which is nearly always the reading order; it is kept
unless it jumps about. Lines of a recognized page are ordered by their positions: columns of running text one after the
other, everything else (forms, tables, letterheads) row by row.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median

from functions.ocr.geometry import union
from functions.ocr.models import Line
from functions.ocr.scripts import is_spaceless, runs_right_to_left
from shared.documents import Box, Word

GUTTER_STEP = 4.0
MIN_COLUMN_LINES = 4
MIN_WORDS_PER_PROSE_LINE = 3.5
MIN_PROSE_FILL = 0.55
MAX_CROSSING_SHARE = 0.35
MAX_DEPTH = 6
CELL_GAP = 1.6
"""A gap wider than this many line heights separates cells or columns."""
TIGHT_GAP = 0.45
"""Chinese and Japanese words closer than this many line heights are written together."""


def in_reading_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Orders lines by position, joining those that stand on one row."""
    pieces = [piece for line in lines if line.words for piece in split_at_gaps(line)]
    return tuple(_order(pieces, 0))


def in_written_order(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Keeps the order in which the lines were written unless it makes no sense as a reading order."""
    lines = [line for line in lines if line.words]
    if _jumps_about(lines):
        return in_reading_order(lines)
    return tuple(lines)


def split_at_gaps(line: Line) -> list[Line]:
    """Cuts a line where the gap between words is wide enough for another cell or column."""
    height = _height(line)
    groups: list[list[Word]] = [[line.words[0]]]
    for previous, word in pairwise(line.words):
        gap = max(word.box[0] - previous.box[2], previous.box[0] - word.box[2])
        if gap > CELL_GAP * height:
            groups.append([])
        groups[-1].append(word)
    last = len(groups) - 1
    return [Line(words=tuple(group), hyphenated=line.hyphenated and at == last) for at, group in enumerate(groups)]


def plain_text(lines: Iterable[Line]) -> str:
    """The text, a line each; words divided at a line's end are put together again."""
    text = ""
    divided = False
    for line in lines:
        current = line_text(line)
        if not text:
            text = current
        elif divided:
            text = (text[:-1] if current[0].islower() else text) + current
        else:
            text += "\n" + current
        divided = line.hyphenated and text.endswith("-")
    return text


def line_text(line: Line) -> str:
    """The words of a line with the spaces that belong between them."""
    parts = [line.words[0].text]
    for previous, word in pairwise(line.words):
        parts.append(("" if _written_together(previous, word) else " ") + word.text)
    return "".join(parts)


def with_hyphenation(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Marks lines whose last hyphen is there for the line break only: the next line goes on in lower case."""
    marked = list(lines)
    for at, (line, following) in enumerate(pairwise(lines)):
        last, first = line.words[-1].text, following.words[0].text
        if len(last) > 2 and last[-1] == "-" and last[-2].isalpha() and first[0].islower():
            marked[at] = line.model_copy(update={"hyphenated": True})
    return tuple(marked)


def _written_together(previous: Word, word: Word) -> bool:
    if not (is_spaceless(previous.text[-1]) or is_spaceless(word.text[0])):
        return False
    height = max(previous.box[3] - previous.box[1], word.box[3] - word.box[1])
    beside = max(word.box[0] - previous.box[2], previous.box[0] - word.box[2])
    below = max(word.box[1] - previous.box[3], previous.box[1] - word.box[3])
    return max(beside, below) < TIGHT_GAP * height


def _height(line: Line) -> float:
    return max(1.0, median(word.box[3] - word.box[1] for word in line.words))


def _jumps_about(lines: Sequence[Line]) -> bool:
    jumps = 0
    for line, following in pairwise(lines):
        above, below = following.box, line.box
        shared = min(above[2], below[2]) - max(above[0], below[0])
        narrower = min(above[2] - above[0], below[2] - below[0])
        jumps += above[3] < below[1] and shared > 0.3 * narrower
    return jumps >= 4 and jumps > 0.15 * len(lines)


def _order(lines: list[Line], depth: int) -> list[Line]:
    gutter = _gutter(lines) if depth < MAX_DEPTH else None
    if gutter is None:
        return _rows(lines)
    spanning = sorted(
        (line for line in lines if line.box[0] < gutter < line.box[2]), key=lambda line: _middle(line.box)
    )
    rest = [line for line in lines if not line.box[0] < gutter < line.box[2]]
    ordered: list[Line] = []
    for divider in spanning:
        above = [line for line in rest if _middle(line.box) < _middle(divider.box)]
        rest = [line for line in rest if _middle(line.box) >= _middle(divider.box)]
        ordered += _two_columns(above, gutter, depth)
        ordered.append(divider)
    return ordered + _two_columns(rest, gutter, depth)


def _two_columns(lines: list[Line], gutter: float, depth: int) -> list[Line]:
    left = [line for line in lines if line.box[2] <= gutter]
    right = [line for line in lines if line.box[0] >= gutter]
    backward = runs_right_to_left("".join(word.text for line in lines for word in line.words))
    first, second = (right, left) if backward else (left, right)
    return _order(first, depth + 1) + _order(second, depth + 1)


def _gutter(lines: Sequence[Line]) -> float | None:
    """A vertical line between two columns of running text, crossed by few lines (headings); None if there is none."""
    if len(lines) < 2 * MIN_COLUMN_LINES:
        return None
    boxes = [line.box for line in lines]
    low, high = min(box[0] for box in boxes), max(box[2] for box in boxes)
    best: tuple[float, float] | None = None
    x = low + 0.15 * (high - low)
    while x < high - 0.15 * (high - low):
        value = _gutter_value(lines, boxes, x)
        if value is not None and (best is None or value > best[0]):
            best = (value, x)
        x += GUTTER_STEP
    return best[1] if best else None


def _gutter_value(lines: Sequence[Line], boxes: Sequence[Box], x: float) -> float | None:
    left = [at for at, box in enumerate(boxes) if box[2] <= x]
    right = [at for at, box in enumerate(boxes) if box[0] >= x]
    crossing = len(boxes) - len(left) - len(right)
    if min(len(left), len(right)) < MIN_COLUMN_LINES or crossing > MAX_CROSSING_SHARE * len(boxes):
        return None
    if not all(_is_prose([lines[at] for at in side]) for side in (left, right)):
        return None
    return min(len(left), len(right)) - crossing


def _is_prose(lines: Sequence[Line]) -> bool:
    boxes = [line.box for line in lines]
    width = max(box[2] for box in boxes) - min(box[0] for box in boxes)
    fill = median((box[2] - box[0]) / width for box in boxes) if width else 0.0
    words = sum(_word_count(line) for line in lines) / len(lines)
    return words >= MIN_WORDS_PER_PROSE_LINE and fill >= MIN_PROSE_FILL


def _word_count(line: Line) -> float:
    return sum(len(word.text) / 2 if is_spaceless(word.text[0]) else 1.0 for word in line.words)


def _rows(lines: Sequence[Line]) -> list[Line]:
    rows: list[tuple[Box, list[Line]]] = []
    for line in sorted(lines, key=lambda line: (_middle(line.box), line.box[0])):
        for at in range(len(rows) - 1, max(-1, len(rows) - 4), -1):
            box, members = rows[at]
            if _on_one_row(box, line.box) and not any(_covers(member.box, line.box) for member in members):
                members.append(line)
                rows[at] = (_row_box(box, line.box), members)
                break
        else:
            rows.append((line.box, [line]))
    return [_joined(members) for _, members in rows]


def _row_box(row: Box, box: Box) -> Box:
    """A row keeps the vertical extent of its first line, so that neighbours of different size do not make it grow."""
    whole = union(row, box)
    return whole[0], row[1], whole[2], row[3]


def _on_one_row(row: Box, box: Box) -> bool:
    shared = min(row[3], box[3]) - max(row[1], box[1])
    return shared > 0.5 * min(row[3] - row[1], box[3] - box[1]) and row[1] <= _middle(box) <= row[3]


def _covers(first: Box, second: Box) -> bool:
    return min(first[2], second[2]) - max(first[0], second[0]) > 0.5 * min(first[2] - first[0], second[2] - second[0])


def _joined(members: Sequence[Line]) -> Line:
    if len(members) == 1:
        return members[0]
    backward = runs_right_to_left("".join(word.text for line in members for word in line.words))
    ordered = sorted(members, key=lambda line: line.box[0], reverse=backward)
    return Line(words=tuple(word for line in ordered for word in line.words), hyphenated=ordered[-1].hyphenated)


def _middle(box: Box) -> float:
    return (box[1] + box[3]) / 2
