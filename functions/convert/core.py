"""What convert decides: kinds of source, limits, conversions and their notices. Values only; no parser, no file, no
clock.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from shared.documents import Notice

VERSION = "1"
"""Changes whenever the same source gives another PDF; part of the fingerprint."""

A4_POINTS = (595.28, 841.89)
MAX_PAGE_POINTS = 14400.0
"""The largest side of a page (ISO 32000-1, Annex C)."""


class Kind(StrEnum):
    """How a source is turned into PDF."""

    PDF = "pdf"
    IMAGE = "image"
    OFFICE = "office"
    TEXT = "text"
    MARKDOWN = "markdown"
    TABLE = "table"
    HTML = "html"
    SVG = "svg"
    MAIL = "mail"
    OUTLOOK = "outlook"
    PROTECTED = "protected"
    """An Office file under a password, which may be the well-known one that only keeps readers from editing."""


@dataclass(frozen=True)
class SourceType:
    """What a source is by its content. `suffix` is the file name ending (with dot) that programs know the type by."""

    kind: Kind
    media_type: str
    suffix: str


@dataclass(frozen=True)
class ConversionLimits:
    """What a source may ask of this server; part of the fingerprint, since they decide the outcome."""

    max_pages: int = 5000
    max_pixels: int = 200_000_000
    max_unpacked_bytes: int = 2 * 1024**3
    max_objects: int = 2_000_000

    def as_params(self) -> dict[str, int]:
        return asdict(self)


@dataclass(frozen=True)
class Conversion:
    """A finished conversion; the PDF is in the file that was asked for.

    `converter` names what made it: `copy` (byte-identical), `qpdf`, `pdfium`, `img2pdf`, `weasyprint`, `libreoffice`,
    `gotenberg`.
    """

    pages: int
    converter: str
    media_type: str
    warnings: tuple[Notice, ...] = ()


def conversion_from(answer: Mapping[str, Any]) -> Conversion:
    """The conversion as a worker described it in JSON."""
    return Conversion(
        pages=int(answer["pages"]),
        converter=str(answer["converter"]),
        media_type=str(answer["media_type"]),
        warnings=tuple(Notice.model_validate(warning) for warning in answer["warnings"]),
    )


def notice(code: str, message: str, *, pages: tuple[int, ...] = (), needs_decision: bool = False) -> Notice:
    """A notice about a conversion; the codes are listed in this function's README."""
    return Notice(code=code, message=message, pages=pages, needs_decision=needs_decision)


_SUFFIXES_OF_TYPES: dict[str, frozenset[str]] = {
    "application/msword": frozenset({".doc", ".dot"}),
    "application/vnd.ms-excel": frozenset({".xls", ".xlt", ".xlw"}),
    "application/vnd.ms-powerpoint": frozenset({".ppt", ".pps", ".pot"}),
    "image/jpeg": frozenset({".jpg", ".jpeg", ".jpe", ".jfif"}),
    "image/tiff": frozenset({".tif", ".tiff"}),
    "image/heif": frozenset({".heic", ".heif", ".hif"}),
    "text/html": frozenset({".html", ".htm", ".xhtml", ".xht"}),
    "text/markdown": frozenset({".md", ".markdown", ".mdown"}),
    "message/rfc822": frozenset({".eml", ".mht", ".mhtml"}),
    "image/jp2": frozenset({".jp2", ".j2k", ".jpx", ".jpf", ".j2c"}),
}

KNOWN_SUFFIXES = frozenset(
    {
        ".pdf", ".docx", ".docm", ".dotx", ".dotm", ".xlsx", ".xlsm", ".xlsb", ".xltx", ".xltm", ".pptx",
        ".pptm", ".ppsx", ".ppsm", ".potx", ".potm", ".odt", ".ott", ".ods", ".ots", ".odp", ".otp", ".odg",
        ".otg", ".odf", ".rtf", ".csv", ".tsv", ".png", ".gif", ".bmp", ".webp", ".svg", ".msg", ".pages",
        ".numbers", ".key", ".wps",
    }
).union(*_SUFFIXES_OF_TYPES.values())  # fmt: skip
"""Endings that promise a type of ours; .txt and unknown endings promise nothing."""


def name_differs(filename_suffix: str, found: SourceType) -> bool:
    """Whether the file's name promises another type than its content has (macro and template variants are one)."""
    suffix = filename_suffix.lower()
    if suffix not in KNOWN_SUFFIXES or suffix == found.suffix:
        return False
    if suffix in _SUFFIXES_OF_TYPES.get(found.media_type, frozenset()):
        return False
    return _family(suffix) != _family(found.suffix)


def _family(suffix: str) -> str:
    families = (
        (".docx", ".docm", ".dotx", ".dotm"),
        (".xlsx", ".xlsm", ".xltx", ".xltm"),
        (".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"),
        (".odt", ".ott"),
        (".ods", ".ots"),
        (".odp", ".otp"),
        (".odg", ".otg"),
        (".csv", ".tsv", ".txt"),
    )
    return next((family[0] for family in families if suffix in family), suffix)
