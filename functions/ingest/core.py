"""What an incoming object is called, and what kind of file it is. Pure."""

import mimetypes
import re
import unicodedata
from pathlib import PurePosixPath

from shared.storage.port import ObjectInfo

MAX_FILENAME_CHARACTERS = 255
_UNKNOWN = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,99}")


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
