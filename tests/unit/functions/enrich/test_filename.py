import pytest

from functions.enrich.filename import MAX_BYTES, safe, suggested


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Rechnung 4711 – Müller & Söhne", "Rechnung 4711 – Müller & Söhne"),
        ('a/b\\c:d*e?f"g<h>i|j', "a b c d e f g h i j"),
        ("line\nbreak\x00", "line break"),
        ("../../etc/passwd", "etc passwd"),
        ("right\u202eleft", "rightleft"),
        ("trailing. ", "trailing"),
    ],
)
def test_unsafe_characters_are_replaced(title, expected):
    assert safe(title) == expected


def test_reserved_names_are_changed():
    assert safe("CON") != "CON"


def test_the_date_comes_first():
    assert suggested("Invoice 1", "2024-03-12") == "2024-03-12_Invoice 1"
    assert suggested("Invoice 1", None) == "Invoice 1"
    assert suggested("...", "2024-03-12") is None


def test_long_titles_are_cut_between_characters():
    name = safe("ü" * 500)

    assert len(name.encode()) <= MAX_BYTES and set(name) == {"ü"}
