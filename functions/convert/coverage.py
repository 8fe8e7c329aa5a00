"""Compares the words of a source with those of its PDF, to find text that was lost without a word. Runs in the jail."""

import re
import unicodedata
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2

WORD = re.compile(r"[^\W_]{2,}")
TAGS = re.compile(r"<[^>]*>")
ENTITY = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
MAX_PART_BYTES = 30_000_000
OOXML_TEXT = re.compile(r"<(?:w:t|a:t|t)(?:\s[^>]*)?>([^<]*)</(?:w:t|a:t|t)>")
OOXML_PARTS = re.compile(r"word/(document|footnotes|endnotes)\.xml|xl/sharedStrings\.xml|ppt/slides/slide\d+\.xml")
OOXML_HIDING_PARTS = re.compile(r"xl/workbook\.xml|ppt/slides/slide\d+\.xml")
OOXML_HIDDEN = re.compile(r'<(?:\w+:)?sheet\s[^>]*\bstate="(?:veryH|h)idden"|<p:sld\s[^>]*\bshow="(?:0|false)"')
XLSB_STRINGS = "xl/sharedStrings.bin"
XLSB_STRING = 19
"""BrtSSTItem ([MS-XLSB] 2.4.828): a byte of flags, the count of characters, and those in UTF-16."""
ODF_TEXT = re.compile(r"<text:(?:p|h|span|a)\b")
ODF_INVISIBLE = re.compile(
    r"<(office:annotation|presentation:notes|text:tracked-changes|office:scripts|office:forms)\b.*?</\1>", re.DOTALL
)


@dataclass(frozen=True)
class Coverage:
    """How many of the source's different words are in the PDF, and a few that are not."""

    words: int
    found: int
    missing: tuple[str, ...]

    @property
    def share(self) -> float:
        return self.found / self.words if self.words else 1.0


def pdf_text(pdf: Path) -> str:
    """The text of all pages."""
    with pypdfium2.PdfDocument(pdf) as document:
        return "\n".join(_page_text(document, index) for index in range(len(document)))


def _page_text(document: pypdfium2.PdfDocument, index: int) -> str:
    page = document[index]
    try:
        textpage = page.get_textpage()
        text: str = textpage.get_text_bounded()
        textpage.close()
        return text
    except pypdfium2.PdfiumError:
        return ""
    finally:
        page.close()


def compare(source: str, text: str) -> Coverage:
    """How much of `source` is in `text`. Line breaks inside words, case and compatibility forms do not count."""
    wanted = set(_words(source))
    having = set(_words(text))
    missing = wanted - having
    if missing:
        joined = "".join(character for character in _normal(text) if character.isalnum())
        missing = {word for word in missing if word not in joined}
    return Coverage(len(wanted), len(wanted) - len(missing), tuple(sorted(missing)[:10]))


def _words(text: str) -> Iterable[str]:
    return WORD.findall(_normal(text))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("\u00ad", "")


def package_text(path: Path) -> str | None:
    """The visible text of an OOXML or ODF file by its XML, or None for another kind of file. A rough reading, for
    comparison.
    """
    if not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as package:
            return " ".join(_parts(package)) or None
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError):
        return None


def hidden_parts(path: Path) -> int:
    """How many sheets or slides of an OOXML file are hidden; 0 for other files."""
    if not zipfile.is_zipfile(path):
        return 0
    try:
        with zipfile.ZipFile(path) as package:
            parts = [entry for entry in package.infolist() if OOXML_HIDING_PARTS.fullmatch(entry.filename)]
            small = [entry for entry in parts if entry.file_size <= MAX_PART_BYTES]
            return sum(len(OOXML_HIDDEN.findall(package.read(entry).decode("utf-8", "replace"))) for entry in small)
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError):
        return 0


def _parts(package: zipfile.ZipFile) -> Iterator[str]:
    for entry in package.infolist():
        if entry.file_size > MAX_PART_BYTES:
            continue
        if OOXML_PARTS.fullmatch(entry.filename):
            content = package.read(entry).decode("utf-8", "replace")
            yield _plain("".join(OOXML_TEXT.findall(_separated(content))))
        elif entry.filename == XLSB_STRINGS:
            yield " ".join(_binary_strings(package.read(entry)))
        elif entry.filename == "content.xml":
            content = ODF_INVISIBLE.sub(" ", package.read(entry).decode("utf-8", "replace"))
            yield _plain(TAGS.sub("", re.sub(r"<(/text:[ph]>|text:(tab|s|line-break))", r" <\1", content)))


def _binary_strings(data: bytes) -> Iterator[str]:
    """The strings of a binary workbook: records of a type and a size, both written seven bits to a byte."""
    at = 0
    while at < len(data):
        kind, at = _number(data, at, 2)
        size, at = _number(data, at, 4)
        if kind == XLSB_STRING:
            count = int.from_bytes(data[at + 1 : at + 5], "little")
            yield data[at + 5 : min(at + size, at + 5 + 2 * count)].decode("utf-16-le", "replace")
        at += size


def _number(data: bytes, at: int, longest: int) -> tuple[int, int]:
    """The number that begins there, and where it ends."""
    number = 0
    for place, byte in enumerate(data[at : at + longest]):
        number |= (byte & 0x7F) << (7 * place)
        at += 1
        if not byte & 0x80:
            break
    return number, at


def _separated(content: str) -> str:
    """Ends of paragraphs, cells and the like keep words apart; runs inside a word do not."""
    return re.sub(r"</(?:w:p|a:p|si|w:tab|a:br)>|<(?:w:tab|w:br|a:br)\b", r"<t> </t>\g<0>", content)


def _plain(text: str) -> str:
    for entity, character in ENTITY.items():
        text = text.replace(entity, character)
    return re.sub(r"&#(x?)([0-9a-fA-F]+);", lambda match: _character(match[2], 16 if match[1] else 10), text)


def _character(digits: str, base: int) -> str:
    try:
        return chr(int(digits, base))
    except (ValueError, OverflowError):
        return " "
