"""Finds the encoding of plain text from its bytes: byte order marks, UTF-8, UTF-16 without a mark, then statistics."""

import codecs
import re
from dataclasses import dataclass

import chardet

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
ESCAPED_JAPANESE = re.compile(rb"\x1b\$[@B]|\x1b\(J")
DECLARED_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]+encoding\s*=\s*["']([\w.:-]+)""", re.IGNORECASE
)
SAMPLE_BYTES = 256 * 1024


@dataclass(frozen=True)
class DecodedText:
    """Text and how it was encoded. `certain` is False when the encoding was guessed by statistics."""

    text: str
    encoding: str
    certain: bool


def decode(data: bytes, declared: str | None = None) -> DecodedText | None:
    """The text in `data`, or None when the bytes are no text. `declared` is what the file says of itself."""
    marked = _by_mark(data)
    if marked is not None:
        return marked
    wide = _wide_without_mark(data)
    if wide is not None:
        return wide
    if is_binary(data):
        return None
    if ESCAPED_JAPANESE.search(data) and (text := _strict(data, "iso2022_jp")) is not None:
        return DecodedText(text, "iso2022_jp", True)
    for encoding, certain in (("utf-8", True), (declared, True)):
        if encoding and (text := _strict(data, encoding)) is not None:
            return DecodedText(text, encoding, certain)
    damaged = _mostly_utf8(data)
    return damaged if damaged is not None else _guessed(data)


def declared_charset(data: bytes) -> str | None:
    """The encoding that an HTML or XML file names for itself in its first kilobytes."""
    match = DECLARED_CHARSET.search(data[:4096])
    return (match[1] or match[2]).decode("ascii", "replace") if match else None


def is_binary(data: bytes) -> bool:
    """Whether the bytes hold more control characters than any text does."""
    sample = data[:SAMPLE_BYTES]
    return len(CONTROL_CHARACTERS.findall(sample)) > max(2, len(sample) // 500)


def _by_mark(data: bytes) -> DecodedText | None:
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return DecodedText(data.decode(encoding, "replace"), encoding, True)
    return None


def _wide_without_mark(data: bytes) -> DecodedText | None:
    """UTF-16 shows itself by line feeds and blanks whose other byte is zero."""
    sample = data[: SAMPLE_BYTES & ~1]
    if len(sample) < 4 or b"\x00" not in sample:
        return None
    for encoding, signs in (("utf-16-le", (b" \x00", b"\n\x00")), ("utf-16-be", (b"\x00 ", b"\x00\n"))):
        text = _strict(data[: len(data) & ~1], encoding)
        zeros = sample[1 if encoding.endswith("le") else 0 :: 2].count(0)
        aligned = any(sample.find(sign) % 2 == 0 for sign in signs if sign in sample)
        mostly_latin = zeros > len(sample) // 2 * 0.6
        if text is not None and "\x00" not in text and (mostly_latin or (aligned and _looks_written(text))):
            return DecodedText(text, encoding, True)
    return None


def _looks_written(text: str) -> bool:
    sample = text[:20000]
    return sum(character.isalnum() or character.isspace() for character in sample) > 0.8 * len(sample)


def _mostly_utf8(data: bytes) -> DecodedText | None:
    """UTF-8 with few broken bytes (cut off, or a stray byte of something else)."""
    text = data.decode("utf-8", "replace")
    broken = text.count("�")
    foreign = sum(ord(character) > 127 for character in text) - broken
    return DecodedText(text, "utf-8", False) if foreign > 4 * broken else None


def _guessed(data: bytes) -> DecodedText:
    encoding = chardet.detect(data[:SAMPLE_BYTES])["encoding"] or "cp1252"
    return DecodedText(data.decode(encoding, "replace"), encoding.lower(), False)


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None
