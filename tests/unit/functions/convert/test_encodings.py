"""Text is read in the encoding it was written in, named or not."""

import pytest

from functions.convert.encodings import declared_charset, decode

GERMAN = "Sehr geehrte Damen und Herren, für die Überweisung in Höhe von 15 € möchten wir uns herzlich bedanken.\r\n"
RUSSIAN = "Уважаемые господа, направляем вам счёт за оказанные услуги в ноябре. С уважением, Иван Петров.\r\n"
JAPANESE = "拝啓 時下ますますご清栄のこととお慶び申し上げます。請求書をお送りいたします。\r\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "utf-8"),
        (GERMAN, "utf-8-sig"),
        (GERMAN, "utf-16"),
        (GERMAN, "utf-16-le"),
        (GERMAN, "utf-16-be"),
        (GERMAN, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "cp866"),
        (RUSSIAN, "koi8_r"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
        (JAPANESE, "iso2022_jp"),
        (JAPANESE, "utf-16-le"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str) -> None:
    decoded = decode(text.encode(encoding))
    assert decoded is not None
    assert decoded.text == text


def test_a_guess_is_marked_as_one() -> None:
    guessed, known = decode(GERMAN.encode("cp1252")), decode(GERMAN.encode())
    assert guessed is not None and not guessed.certain
    assert known is not None and known.certain


def test_a_declared_encoding_is_believed_if_it_fits() -> None:
    decoded = decode("кот".encode("koi8_r"), "koi8-r")
    assert decoded is not None and decoded.text == "кот"


def test_binary_data_are_no_text() -> None:
    assert decode(bytes(range(256)) * 4) is None


def test_html_names_its_charset() -> None:
    assert declared_charset(b'<html><meta charset="windows-1251">') == "windows-1251"
    assert declared_charset(b'<?xml version="1.0" encoding="ISO-8859-2"?>') == "ISO-8859-2"
    assert declared_charset(b"<p>") is None
