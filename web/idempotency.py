"""A request sent again under its `Idempotency-Key`: whether it is the same one, without storing anything.

Another request under an old key must not be told that its files were taken in: nobody would look for them again.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from web.api.models import UploadAnswer
from web.errors import InvalidParameter, TooLarge

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass
class FileDigests:
    """A FileReceiver that keeps nothing of the files but their digests."""

    max_size: int
    _hashes: "list[_Hash]" = field(default_factory=list, init=False)
    _size: int = field(default=0, init=False)

    @property
    def sha256(self) -> list[str]:
        """The digest of each file, in the order of the form."""
        return [each.hexdigest() for each in self._hashes]

    def begin(self, field: str, filename: str, media_type: str) -> None:
        """The next file."""
        self._hashes.append(hashlib.sha256())
        self._size = 0

    def write(self, piece: memoryview) -> None:
        """Add to its digest, counting."""
        self._size += len(piece)
        if self._size > self.max_size:
            raise TooLarge(f"The file is larger than the limit of {self.max_size} bytes.")
        self._hashes[-1].update(piece)

    def end(self) -> None:
        """Nothing more is to be done."""


def require_same_files(answer: UploadAnswer, sha256: Sequence[str]) -> None:
    """Raise InvalidParameter unless the answer is about files with these digests."""
    if [document.sha256 for document in answer.documents] != list(sha256):
        raise InvalidParameter(
            "This Idempotency-Key was used for other files already; nothing was stored.", code="idempotency_key_reused"
        )
