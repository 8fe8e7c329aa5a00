"""Lays plain text out as HTML: lines kept, right-to-left lines set as such, columns aligned by blanks kept aligned."""

import re
import unicodedata
from collections.abc import Iterator
from html import escape
from itertools import groupby

LINES_PER_BLOCK = 60
ALIGNED = re.compile(r"\S(?:\t|  +)\S|[│─┌┐└┘├┤┬┴┼═║╔╗╚╝]|^[|+].*[|+]$", re.MULTILINE)
ALIGNED_SHARE = 0.08
ESCAPE_SEQUENCES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def text_html(text: str) -> str:
    """The body for a plain text; form feeds become page breaks."""
    text = printable(text)
    style = "text mono" if _is_aligned(text) else "text"
    pages = [_page_html(page, style) for page in text.split("\f")]
    return '<div class="page-break"></div>'.join(page for page in pages if page)


def printable(text: str) -> str:
    """The text without escape sequences and control characters; every line end as one line feed."""
    text = re.sub("\r\n?|\x85|\u2028|\u2029", "\n", text).replace("\ufeff", "")
    return CONTROLS.sub("", ESCAPE_SEQUENCES.sub("", text))


def _page_html(page: str, style: str) -> str:
    lines = page.strip("\n").split("\n")
    return "".join(
        f'<div class="{style}"{" dir=rtl" if is_rtl else ""}>{escape(chr(10).join(block))}</div>'
        for is_rtl, group in groupby(lines, key=is_right_to_left)
        for block in _blocks(list(group))
    )


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Short pieces: the layout of one long block takes longer than that of its parts."""
    for start in range(0, len(lines), LINES_PER_BLOCK):
        block = lines[start : start + LINES_PER_BLOCK]
        # A line feed at the very end of an element is not shown; an empty last line would be lost.
        yield [*block, ""] if block[-1] == "" else block


def is_right_to_left(line: str) -> bool:
    """Whether the first letter of a line belongs to a script that runs from right to left (UAX #9, rules P2 and P3)."""
    for character in line:
        direction = unicodedata.bidirectional(character)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def _is_aligned(text: str) -> bool:
    lines = [line for line in text[:200_000].split("\n") if line.strip()]
    return bool(lines) and sum(1 for line in lines if ALIGNED.search(line)) > ALIGNED_SHARE * len(lines)
