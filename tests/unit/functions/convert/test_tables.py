"""Delimited text is split where its author split it, and no column is lost."""

import pytest

from functions.convert.tables import parse, table_html


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\n1,2\n", (("a", "b"), ("1", "2"))),
        ("a;b\n1,5;2,5\n3,5;4,5\n", (("a", "b"), ("1,5", "2,5"), ("3,5", "4,5"))),
        ("a\tb\n1\t2\n", (("a", "b"), ("1", "2"))),
        ("a|b\n1|2\n", (("a", "b"), ("1", "2"))),
        ('a,b\n"x,y",2\n', (("a", "b"), ("x,y", "2"))),
        ('a,b\n"line\nbreak",2\n', (("a", "b"), ("line\nbreak", "2"))),
        ("sep=;\na;b\n1;2\n", (("a", "b"), ("1", "2"))),
        ("only\nlines\n", (("only",), ("lines",))),
    ],
)
def test_the_delimiter_is_found(text: str, rows: tuple[tuple[str, ...], ...]) -> None:
    assert parse(text).rows == rows


@pytest.mark.parametrize("columns", [3, 14, 30, 300])
def test_every_cell_is_on_the_page(columns: int) -> None:
    head = ",".join(f"name{index}" for index in range(columns))
    row = ",".join(f"value{index}" for index in range(columns))
    page = table_html(parse(f"{head}\n{row}\n"))
    assert all(f"name{index}" in page and f"value{index}" in page for index in range(columns))


def test_rows_longer_than_the_head_keep_their_cells() -> None:
    assert "extra" in table_html(parse("a,b\n1,2,extra\n3,4\n5,6\n"))


def test_cells_are_text_not_markup() -> None:
    assert "<script>" not in table_html(parse("a,b\n<script>x</script>,2\n"))
