"""The keys of the bucket (contract §3), in one place. A key that leaves its prefix is refused here."""

import re
from hashlib import sha256

from shared.errors import InvalidEvent, InvalidKey

INCOMING = "incoming/"
DOCUMENTS = "documents/"
VOCABULARY = "vocabulary/"
TOMBSTONES = "tombstones/"
DEAD_LETTERS = "dead-letters/"
PREFIXES = (INCOMING, DOCUMENTS, VOCABULARY, TOMBSTONES, DEAD_LETTERS)
"""Everything in the bucket lies under one of these."""

_LONGEST_KEY_BYTES = 1024

_DOCUMENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def document_prefix(document_id: str) -> str:
    """`documents/<id>/`. Raises InvalidEvent for anything but a UUID."""
    if not _DOCUMENT_ID.fullmatch(document_id):
        raise InvalidEvent("the document id is not a UUID")
    return f"{DOCUMENTS}{document_id}/"


def original(document_id: str) -> str:
    """Where the bytes as uploaded are."""
    return document_prefix(document_id) + "original"


def unlocked(document_id: str, sha256: str) -> str:
    """Where the opened copy of an encrypted original is."""
    return f"{document_prefix(document_id)}unlocked/{sha256}"


def derived(document_id: str, name: str) -> str:
    """Where something lies that may be dropped and made again at any time."""
    return f"{document_prefix(document_id)}derived/{name}"


def work_prefix(document_id: str, step: str, fingerprint: str) -> str:
    """Where a step's result for these inputs is."""
    return f"{document_prefix(document_id)}{step}/{fingerprint}/"


def tombstone(document_id: str) -> str:
    """What is left of a purged document."""
    document_prefix(document_id)
    return f"tombstones/{document_id}"


def dead_letter(trigger: str, event_hash: str, arrival: str) -> str:
    """Where an undeliverable event is kept whole."""
    return f"dead-letters/{trigger}/{event_hash}-{arrival}.json"


def forgotten(key: str) -> str:
    """What stands for the key of a dropped file whose document was purged: it can be compared, and tells no name."""
    return f"{INCOMING}{sha256(key.encode()).hexdigest()}"


def belongs_to(key: str, document_id: str) -> bool:
    """Whether an object named by an event is one of this document's, whatever the event says."""
    return key.startswith(document_prefix(document_id)) and is_plain(key)


def is_plain(key: str) -> bool:
    """Whether a key has no segment that a file system or a proxy would read as a way out."""
    return not any(segment in ("", ".", "..") for segment in key.split("/")) and "\0" not in key and "\\" not in key


def check_key(key: str) -> None:
    """Raises InvalidKey unless the key lies under one of our prefixes and can be meant in one way only."""
    _check_text(key)
    if not key.startswith(PREFIXES):
        raise InvalidKey(f"the key is outside {', '.join(PREFIXES)}")
    if not is_plain(key):
        raise InvalidKey("the key has an empty, '.' or '..' segment, a backslash or a NUL")


def check_source_key(key: str) -> None:
    """As `check_key`, for objects that others have named: S3 users do leave doubled slashes and backslashes in keys.

    Still refused is what a proxy on the way to the store would resolve to another key.
    """
    _check_text(key)
    if not key.startswith(PREFIXES):
        raise InvalidKey(f"the key is outside {', '.join(PREFIXES)}")
    if "\0" in key or any(segment in (".", "..") for segment in key.split("/")):
        raise InvalidKey("the key has a '.' or '..' segment or a NUL")


def check_prefix(prefix: str) -> None:
    """As `check_key`, for the beginning of keys."""
    _check_text(prefix)
    if not prefix.startswith(PREFIXES):
        raise InvalidKey(f"the prefix is outside {', '.join(PREFIXES)}")
    if not is_plain(prefix.removesuffix("/")):
        raise InvalidKey("the prefix has an empty, '.' or '..' segment, a backslash or a NUL")


def _check_text(key: str) -> None:
    try:
        size = len(key.encode())
    except UnicodeEncodeError as error:
        raise InvalidKey("the key is not valid Unicode") from error
    if size > _LONGEST_KEY_BYTES:
        raise InvalidKey(f"the key is longer than {_LONGEST_KEY_BYTES} bytes")
