"""Decides what a file is, by its content alone; refuses what cannot or must not be converted. Runs in the jail.

The name's ending only tells kinds of text apart (Markdown, CSV, plain text look alike), and says what a broken file
was meant to be.
"""

import re
import zipfile
from pathlib import Path

import olefile

from functions.convert import encodings
from functions.convert.core import KNOWN_SUFFIXES, ConversionLimits, Kind, SourceType
from functions.convert.packages import detect_compound, detect_package
from shared.errors import FailureCode, StepFailed

HEAD_BYTES = 8192
BLANK_BYTES = b" \t\r\n\x00\xef\xbb\xbf\xff\xfe"
"""White space, zeros and byte order marks: a file of nothing else is empty."""
PDF_HEADER_WITHIN = 1024
"""Acrobat and its followers accept the header anywhere in the first kilobyte (ISO 32000-1, Annex H, note 13)."""

PDF = SourceType(Kind.PDF, "application/pdf", ".pdf")
RTF = SourceType(Kind.OFFICE, "application/rtf", ".rtf")
TEXT = SourceType(Kind.TEXT, "text/plain", ".txt")
MARKDOWN = SourceType(Kind.MARKDOWN, "text/markdown", ".md")
CSV = SourceType(Kind.TABLE, "text/csv", ".csv")
TSV = SourceType(Kind.TABLE, "text/tab-separated-values", ".tsv")
HTML = SourceType(Kind.HTML, "text/html", ".html")
SVG = SourceType(Kind.SVG, "image/svg+xml", ".svg")
MAIL = SourceType(Kind.MAIL, "message/rfc822", ".eml")
XML = SourceType(Kind.TEXT, "application/xml", ".xml")
JSON = SourceType(Kind.TEXT, "application/json", ".json")

IMAGE_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (b"GIF87a", "image/gif", ".gif"),
    (b"GIF89a", "image/gif", ".gif"),
    (b"II*\x00", "image/tiff", ".tif"),
    (b"MM\x00*", "image/tiff", ".tif"),
    (b"II+\x00", "image/tiff", ".tif"),
    (b"MM\x00+", "image/tiff", ".tif"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "image/jp2", ".jp2"),
    (b"\xff\x4f\xff\x51", "image/jp2", ".j2k"),
)
BITMAP_HEADER_SIZES = frozenset({12, 40, 52, 56, 64, 108, 124})
HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
OFFICE_SIGNATURES: tuple[tuple[bytes, str, str], ...] = (
    (b"\xffWPC", "application/vnd.wordperfect", ".wpd"),
    (b"\x09\x08\x08\x00", "application/vnd.ms-excel", ".xls"),
    (b"\x09\x04\x06\x00", "application/vnd.ms-excel", ".xls"),
    (b"\x09\x02\x06\x00", "application/vnd.ms-excel", ".xls"),
    (b"\x09\x00\x04\x00", "application/vnd.ms-excel", ".xls"),
    (b"\x01\x00\x09\x00\x00\x03", "image/wmf", ".wmf"),
    (b"\xd7\xcd\xc6\x9a", "image/wmf", ".wmf"),
)
MAIL_FIELDS = re.compile(
    r"^(from|to|cc|subject|date|message-id|mime-version|received|return-path|delivered-to|reply-to|content-type|x-[\w-]+):",
    re.IGNORECASE | re.MULTILINE,
)
MAIL_PROOF = re.compile(r"^(message-id|mime-version|received|return-path):", re.IGNORECASE | re.MULTILINE)
HTML_START = re.compile(
    r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
HTML_FRAGMENT = re.compile(
    r"\s*<(div|p|table|h[1-6]|span|center|title|meta|style|script|iframe|img|br|a|b|ul|ol|font)\b", re.IGNORECASE
)
XML_ROOT = re.compile(r"\s*(<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^\[>]*(\[.*?\])?\s*>\s*)*<([\w:.-]+)", re.DOTALL)
OFFICE_XML: tuple[tuple[str, str, str], ...] = (
    ("urn:oasis:names:tc:opendocument:xmlns:office:1.0", "application/vnd.oasis.opendocument.text-flat-xml", ".fodt"),
    ("http://schemas.microsoft.com/office/word/2003/wordml", "application/msword", ".xml"),
    ("urn:schemas-microsoft-com:office:spreadsheet", "application/vnd.ms-excel", ".xml"),
)


def detect(path: Path, filename: str, media_type_hint: str, limits: ConversionLimits) -> SourceType:
    """The type of the file at `path`.

    Raises StepFailed: empty, encrypted, rights_protected, corrupt, decompression_bomb, unsupported_type.
    """
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip(BLANK_BYTES) and not path.read_bytes().strip(BLANK_BYTES):
        raise StepFailed(FailureCode.EMPTY)
    suffix = Path(filename).suffix.lower()
    found = _by_signature(path, head, suffix, limits)
    return found or _as_text(path, head, suffix, media_type_hint)


def _by_signature(path: Path, head: bytes, suffix: str, limits: ConversionLimits) -> SourceType | None:
    if head.startswith(b"PK\x03\x04") or head.startswith(b"PK\x05\x06"):
        return _package(path, suffix, limits)
    if head.startswith(olefile.MAGIC):
        return detect_compound(path)
    image = _image(head)
    if image is not None:
        return image
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{\\rtf"):
        return RTF
    if b"%PDF-" in head[: PDF_HEADER_WITHIN + 5]:
        return PDF
    for signature, media_type, ending in OFFICE_SIGNATURES:
        if head.startswith(signature):
            return SourceType(Kind.OFFICE, media_type, ending)
    return None


def _package(path: Path, suffix: str, limits: ConversionLimits) -> SourceType:
    try:
        return detect_package(path, suffix, limits)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, KeyError, RuntimeError, EOFError) as error:
        raise StepFailed(FailureCode.CORRUPT) from error


def _image(head: bytes) -> SourceType | None:
    for signature, media_type, suffix in IMAGE_SIGNATURES:
        if head.startswith(signature):
            return SourceType(Kind.IMAGE, media_type, suffix)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return SourceType(Kind.IMAGE, "image/webp", ".webp")
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in BITMAP_HEADER_SIZES:
        return SourceType(Kind.IMAGE, "image/bmp", ".bmp")
    if head[4:8] == b"ftyp" and (brands := {head[8:12], *_compatible_brands(head)}) & (HEIF_BRANDS | {b"avif"}):
        return SourceType(Kind.IMAGE, "image/avif" if b"avif" in brands else "image/heif", ".heic")
    if re.match(rb"P[1-6]\s", head):
        return SourceType(Kind.IMAGE, "image/x-portable-anymap", ".pnm")
    if head[:4] == b"\x01\x00\x00\x00" and head[40:44] == b" EMF":
        return SourceType(Kind.OFFICE, "image/emf", ".emf")
    return None


def _compatible_brands(head: bytes) -> list[bytes]:
    length = min(int.from_bytes(head[:4], "big"), 256)
    return [head[offset : offset + 4] for offset in range(16, length, 4)]


def _as_text(path: Path, head: bytes, suffix: str, media_type_hint: str) -> SourceType:
    if suffix == ".pdf" and b" obj" in head and (b"endobj" in head or b"stream" in head):
        return PDF
    decoded = encodings.decode(_whole_characters(head, path))
    if decoded is None:
        promised = suffix in KNOWN_SUFFIXES
        raise StepFailed(FailureCode.CORRUPT if promised else FailureCode.UNSUPPORTED_TYPE)
    return text_type(decoded.text, suffix, media_type_hint)


def _whole_characters(head: bytes, path: Path) -> bytes:
    """The head without a character that was cut at its end."""
    if path.stat().st_size <= len(head):
        return head
    end = max(head.rfind(b"\n"), head.rfind(b" "))
    return head[: end if end > len(head) // 2 and b"\x00" not in head else len(head) & ~1]


def text_type(text: str, suffix: str, media_type_hint: str) -> SourceType:
    """What kind of text it is: markup shows itself, the rest goes by the name's ending or the sender's word."""
    by_content = _markup(text, suffix)
    if by_content is not None:
        return by_content
    if text.startswith("%!PS"):
        raise StepFailed(FailureCode.UNSUPPORTED_TYPE)
    if _is_mail(text, suffix, media_type_hint):
        return MAIL
    by_suffix = {".csv": CSV, ".tsv": TSV, ".tab": TSV, ".md": MARKDOWN, ".markdown": MARKDOWN, ".mdown": MARKDOWN}
    if suffix in by_suffix:
        return by_suffix[suffix]
    by_hint = {"text/csv": CSV, "text/tab-separated-values": TSV, "text/markdown": MARKDOWN}
    if suffix not in (".txt", ".text", ".log", ".json", ".xml") and media_type_hint in by_hint:
        return by_hint[media_type_hint]
    if suffix in (".htm", ".html", ".xhtml"):
        return HTML
    return {".json": JSON, ".xml": XML}.get(suffix, XML if text.lstrip().startswith("<?xml") else TEXT)


def _markup(text: str, suffix: str) -> SourceType | None:
    if suffix in (".md", ".markdown", ".mdown"):
        return None
    if HTML_START.match(text) or (suffix not in (".txt", ".xml", ".svg", ".csv") and HTML_FRAGMENT.match(text)):
        return HTML
    root = XML_ROOT.match(text)
    if root is None:
        return None
    if root[3].rpartition(":")[2].lower() == "svg":
        return SVG
    if root[3].rpartition(":")[2].lower() == "html":
        return HTML
    for namespace, media_type, office_suffix in OFFICE_XML:
        if namespace in text[root.start(3) : root.start(3) + 4000]:
            return SourceType(Kind.OFFICE, media_type, office_suffix)
    return None


def _is_mail(text: str, suffix: str, media_type_hint: str) -> bool:
    header = re.split(r"\r?\n\r?\n", text, maxsplit=1)[0]
    fields = {match.lower() for match in MAIL_FIELDS.findall(header)}
    if suffix in (".eml", ".mht", ".mhtml") or media_type_hint == "message/rfc822":
        return len(fields) >= 1
    if suffix in (".txt", ".text", ".log", ".md", ".csv"):
        return False
    return len(fields) >= 3 and MAIL_PROOF.search(header) is not None
