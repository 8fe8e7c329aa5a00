"""Names are made sane, and headers stay one header."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from web.filenames import content_disposition, sane_name, with_suffix


@given(st.text(max_size=400))
def test_any_name_becomes_one_plain_name(raw: str) -> None:
    name = sane_name(raw)
    assert name and len(name.encode()) <= 255
    assert not set(name) & set("/\\\0\r\n") and name not in (".", "..")
    assert unicodedata.normalize("NFC", name) == name


@given(st.text(max_size=100))
def test_a_disposition_is_one_line_of_ascii(raw: str) -> None:
    header = content_disposition(sane_name(raw))
    assert header.isascii() and header.isprintable()
    assert header.count('"') == 2


def test_another_suffix_takes_the_place_of_the_last() -> None:
    assert with_suffix("a.b.docx", ".pdf") == "a.b.pdf"
    assert with_suffix("letter", ".pdf") == "letter.pdf"
    assert with_suffix(".hidden", ".pdf") == ".hidden.pdf"
    assert len(with_suffix("a" * 255, ".pdf")) == 255
