"""Reads delimited text (CSV, TSV) and lays it out as HTML so that no column is lost, however many there are."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from html import escape
from itertools import groupby

from functions.convert.plain_text import is_right_to_left, printable

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_LINES = 200
PORTRAIT_CHARACTERS = 92
LANDSCAPE_CHARACTERS = 150
DENSE_CHARACTERS = 230
LONGEST_WORTH_A_COLUMN = 36
SHORTEST_COLUMN = 4
LONG_CELL = 120
NUMBER = re.compile(r"[-+(]?[\s€$£¥]*\d[\d.,'’\s]*[%€$£¥)]?\s*$")


@dataclass(frozen=True)
class Table:
    """Rows of cells; rows may differ in length."""

    rows: tuple[tuple[str, ...], ...]
    delimiter: str

    @property
    def columns(self) -> int:
        return max((len(row) for row in self.rows), default=0)

    @property
    def cells(self) -> int:
        return sum(len(row) for row in self.rows)


def parse(text: str, preferred: str | None = None) -> Table:
    """The table in a delimited text. `preferred` is the delimiter that the file's type promises."""
    text = printable(text.removeprefix("\ufeff"))
    named = re.match(r"sep=(.)\n", text, re.IGNORECASE)
    if named:
        text = text[named.end() :]
    delimiter = named[1] if named else _delimiter(text, preferred)
    csv.field_size_limit(1 << 30)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows = tuple(tuple(cell.strip() for cell in row) for row in reader if any(cell.strip() for cell in row))
    return Table(rows, delimiter)


def _delimiter(text: str, preferred: str | None) -> str:
    """The delimiter that splits the first lines most often into the same number (more than one) of cells."""
    sample = "\n".join(text.split("\n")[:SNIFFED_LINES])
    scores = {delimiter: _evenness(sample, delimiter) for delimiter in DELIMITERS}
    if preferred is not None and scores.get(preferred, 0) > 0.5:
        return preferred
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    return best if scores[best] > 0 else preferred or ","


def _evenness(sample: str, delimiter: str) -> float:
    widths = Counter(len(row) for row in csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter) if row)
    widths.pop(1, None)
    total = sum(1 for line in sample.split("\n") if line.strip())
    if not widths or not total:
        return 0.0
    width, count = widths.most_common(1)[0]
    # More columns break a tie: a decimal comma also splits evenly.
    return min(count / total, 1.0) + min(width, 50) * 0.002


def table_html(table: Table) -> str:
    """The body for a table: upright, across, small, or record by record, whichever first has room for all columns."""
    widths = _column_widths(table)
    total = sum(widths)
    if total <= PORTRAIT_CHARACTERS:
        return _grid_html(table, widths, "sheet")
    if total <= LANDSCAPE_CHARACTERS:
        return f'<div class="wide">{_grid_html(table, widths, "sheet")}</div>'
    if total <= DENSE_CHARACTERS:
        return f'<div class="wide">{_grid_html(table, widths, "sheet dense")}</div>'
    return _records_html(table)


def _column_widths(table: Table) -> list[int]:
    widths = [SHORTEST_COLUMN] * table.columns
    for row in table.rows:
        for index, cell in enumerate(row):
            longest_word = max((len(word) for word in cell.split()), default=0)
            wanted = min(max(longest_word, min(len(cell), LONGEST_WORTH_A_COLUMN)) + 2, LONGEST_WORTH_A_COLUMN)
            widths[index] = max(widths[index], wanted)
    return widths


def _grid_html(table: Table, widths: list[int], style: str) -> str:
    total = sum(widths) or 1
    columns = "".join(f'<col style="width:{100 * width / total:.2f}%">' for width in widths)
    head, *body = table.rows or ((),)
    head_cells = "".join(f"<th{_direction(cell)}>{escape(cell)}</th>" for cell in _padded(head, len(widths)))
    rows = "".join(f"<tr>{''.join(_cell_html(cell) for cell in _padded(row, len(widths)))}</tr>" for row in body)
    return (
        f'<table class="bordered {style}" style="table-layout:fixed"><colgroup>{columns}</colgroup>'
        f"<thead><tr>{head_cells}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _cell_html(cell: str) -> str:
    style = ' class="number"' if NUMBER.match(cell) and len(cell) <= 16 else ""
    return f"<td{style}{_direction(cell)}>{escape(cell)}</td>"


def _records_html(table: Table) -> str:
    """One block per row, each cell under its column's name: readable with any number of columns."""
    head, *body = table.rows
    names = [name or f"Column {index}" for index, name in enumerate(_padded(head, table.columns), start=1)]
    if not body:
        return "".join(f"<p>{escape(name)}</p>" for name in head)
    return "".join(
        f'<div class="record"><div class="row">{number}</div>{_record_html(names, row)}</div>'
        for number, row in enumerate(body, start=1)
    )


def _record_html(names: list[str], row: tuple[str, ...]) -> str:
    """The cells in their order; short ones share lines, long ones get paragraphs, empty ones are left out."""
    fields = zip(names, _padded(row, len(names)), strict=True)
    cells = [(len(cell) > LONG_CELL, f"<b>{escape(name)}</b> {escape(cell)}") for name, cell in fields if cell]
    return "".join(
        "".join(f"<p>{cell}</p>" for _, cell in group) if is_long else f"<p>{' · '.join(cell for _, cell in group)}</p>"
        for is_long, group in groupby(cells, key=lambda cell: cell[0])
    )


def _padded(row: tuple[str, ...], length: int) -> tuple[str, ...]:
    return row + ("",) * (length - len(row))


def _direction(cell: str) -> str:
    return " dir=rtl" if is_right_to_left(cell) else ""
