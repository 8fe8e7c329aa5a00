"""File names as clients send them, made fit to be kept, shown, and offered for download. Pure.

A name is a label only: no object is ever called by it.
"""

import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

MAX_NAME_BYTES = 255
NAMELESS = "document"

_PERCENT_CODES = {"%22": '"', "%0D": "", "%0A": "", "%0d": "", "%0a": ""}
_DIRECTIONAL = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def sane_name(raw: str) -> str:
    """The last part of a path, composed (NFC), without control and direction-turning characters, at most 255 bytes."""
    for code, character in _PERCENT_CODES.items():
        raw = raw.replace(code, character)
    composed = unicodedata.normalize("NFC", raw)
    last = composed.replace("\\", "/").rstrip("/ ").rpartition("/")[2]
    visible = "".join(character for character in last if _is_visible(character)).strip()
    if not visible.strip(". "):
        return NAMELESS
    return _shortened(visible)


def content_disposition(name: str, *, kind: str = "attachment") -> str:
    """The header for a download under this name (RFC 6266): an ASCII form, and the true one beside it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = "".join("_" if character in '"\\%;' or not character.isprintable() else character for character in plain)
    if not plain.strip("_. ") or plain.startswith("."):
        plain = NAMELESS + PurePosixPath(plain).suffix
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def with_suffix(name: str, suffix: str) -> str:
    """The name with another suffix: `Letter.docx` as `Letter.pdf`."""
    return _shortened((PurePosixPath(name).stem or NAMELESS) + suffix)


def _is_visible(character: str) -> bool:
    # Zl and Zp are line breaks, Cs halves of characters that UTF-8 cannot write.
    return unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp") and character not in _DIRECTIONAL


def _shortened(name: str) -> str:
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= 32 else ""
    stem = name.removesuffix(suffix) if suffix else name
    room = MAX_NAME_BYTES - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip() + suffix
