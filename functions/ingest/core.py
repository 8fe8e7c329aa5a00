"""What an incoming object is called, what kind of file it is, and what the folders it lies in say of it. Pure."""

import mimetypes
import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote

from shared.events import LANGUAGE_PATTERN
from shared.storage.keys import INCOMING
from shared.storage.port import ObjectInfo

MAX_FILENAME_CHARACTERS = 255
MAX_TAGS, MAX_TAG_CHARACTERS = 100, 200
MAX_LANGUAGE_CHARACTERS = 100
MAX_OWNER_CHARACTERS = 200
_UNKNOWN = "application/octet-stream"
_LANGUAGE = re.compile(LANGUAGE_PATTERN)
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,99}")


@dataclass(frozen=True)
class Wishes:
    """What the one who dropped a file wants of it: `incoming/tag=invoices/language=deu/owner=anna/scan.pdf`."""

    tags: tuple[str, ...] = ()
    language: str | None = None
    owner: str | None = None


def wishes(key: str) -> Wishes:
    """What the folders of a key say, the file's own name never. The inner folder wins; what is no use is left out.

    A value may be percent-encoded, so that it can hold a slash.
    """
    told = [(name, value) for folder in key.removeprefix(INCOMING).split("/")[:-1] for name, value in _said(folder)]
    tags = dict.fromkeys(tag for name, value in told if name == "tag" for tag in _tags(value))
    languages = [value for name, value in told if name == "language" and _is_language(value)]
    owners = [value for name, value in told if name == "owner" and 0 < len(value) <= MAX_OWNER_CHARACTERS]
    return Wishes(
        tags=tuple(tags)[:MAX_TAGS],
        language=languages[-1] if languages else None,
        owner=owners[-1] if owners else None,
    )


def filename(key: str) -> str:
    """The last part of the key, fit to be shown: no control characters, composed, not endless."""
    name = unicodedata.normalize("NFC", PurePosixPath(key).name)
    printable = "".join(character for character in name if character.isprintable())
    return printable[:MAX_FILENAME_CHARACTERS] or "document"


def media_type(info: ObjectInfo) -> str:
    """What the sender says it is, else what its name says; convert looks at the content and decides."""
    told = info.media_type.partition(";")[0].strip().lower()
    if _MEDIA_TYPE.fullmatch(told) and told not in (_UNKNOWN, "binary/octet-stream"):
        return told
    return mimetypes.guess_type(info.key)[0] or _UNKNOWN


def _said(folder: str) -> list[tuple[str, str]]:
    name, is_told, value = folder.partition("=")
    return [(name.lower(), _plain(unquote(value, errors="replace")))] if is_told else []


def _plain(text: str) -> str:
    """Composed, without control characters and doubled blanks."""
    composed = unicodedata.normalize("NFC", text)
    return " ".join("".join(each if each.isprintable() else " " for each in composed).split())


def _tags(value: str) -> list[str]:
    # As in the form of an upload, a comma stands between tags.
    return [tag[:MAX_TAG_CHARACTERS] for part in value.split(",") if (tag := part.strip())]


def _is_language(value: str) -> bool:
    return len(value) <= MAX_LANGUAGE_CHARACTERS and _LANGUAGE.fullmatch(value) is not None
