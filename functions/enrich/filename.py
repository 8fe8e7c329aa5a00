"""A file name that sorts by date and is safe on every file system."""

import re
import unicodedata

MAX_BYTES = 180
_RESERVED = re.compile(r"^(?:con|prn|aux|nul|com\d|lpt\d)$", re.IGNORECASE)


def suggested(title: str, day: str | None) -> str | None:
    """`YYYY-MM-DD_Title` without extension, the title alone where there is no date; none if nothing is left."""
    name = safe(title)
    if not name:
        return None
    return f"{day}_{name}" if day else name


def safe(text: str) -> str:
    """`text` without what file systems, shells or browsers stumble over; letters of all scripts stay."""
    composed = unicodedata.normalize("NFC", text)
    kept = "".join(
        character for character in composed if unicodedata.category(character)[0] != "C" or character.isspace()
    )
    spaced = re.sub(r"[\s/\\:*?\"<>|]+", " ", kept)
    short = spaced.encode()[:MAX_BYTES].decode(errors="ignore").strip(" .-–_~$")
    return f"{short} -" if _RESERVED.match(short) else short
