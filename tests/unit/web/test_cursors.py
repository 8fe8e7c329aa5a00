"""Cursors come back as they went out, or are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.cursors import Cursor, decode
from web.errors import InvalidCursor


@given(st.text() | st.integers(), st.text(), st.booleans())
def test_a_cursor_survives_the_trip(value: str | int, row_id: str, backwards: bool) -> None:
    cursor = Cursor("-title", value, row_id, backwards)
    assert decode(cursor.encode(), ordering="-title") == cursor


@given(st.text())
def test_rubbish_is_refused(text: str) -> None:
    with pytest.raises(InvalidCursor):
        decode(text, ordering="title")


def test_a_cursor_of_another_ordering_is_refused() -> None:
    with pytest.raises(InvalidCursor):
        decode(Cursor("title", "a", "b").encode(), ordering="-title")
