"""Pages made by hand: words placed on a grid, so that a test says where a thing stands."""

from collections.abc import Callable, Sequence

import pytest

from functions.enrich.layout import Layout, read
from shared.documents import DocumentText, PageText, Word

Placed = tuple[float, float, str]
"""x and y of the first character in points, and the text; words advance by their length."""

CHARACTER = 5.0


def page_of(placed: Sequence[Placed], height: float = 9.0, number: int = 1) -> PageText:
    """An A4 page with the given texts; `text` is their lines in the order given."""
    words = [word for x, y, text in placed for word in _words(x, y, text, height)]
    return PageText(
        number=number,
        width=595.0,
        height=842.0,
        source="digital",
        text="\n".join(text for _, _, text in placed),
        words=tuple(words),
    )


def _words(x: float, y: float, text: str, height: float) -> list[Word]:
    words, left = [], x
    for word in text.split(" "):
        right = left + CHARACTER * len(word)
        words.append(Word(text=word, box=(left, y, right, y + height)))
        left = right + CHARACTER * 0.6
    return words


@pytest.fixture
def document() -> Callable[..., DocumentText]:
    """Makes a one-page document of placed texts."""
    return lambda *placed: DocumentText(pages=(page_of(placed),))


@pytest.fixture
def laid_out(document: Callable[..., DocumentText]) -> Callable[..., Layout]:
    """Makes the layout of a one-page document of placed texts."""
    return lambda *placed: read(document(*placed))


@pytest.fixture
def text_only() -> Callable[[str], DocumentText]:
    """Makes a one-page document without word boxes."""
    return lambda text: DocumentText(
        pages=(PageText(number=1, width=595.0, height=842.0, source="digital", text=text),)
    )
