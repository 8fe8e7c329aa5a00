"""What enrich gets to know of the library: an immutable object of tags and senders, named by its content.

web's sweep writes one per owner, runs name it in their options, and so it is part of what a result was made from.
"""

from hashlib import sha256

from shared.documents import Frozen
from shared.storage import keys

MAX_TAGS = MAX_SENDERS = 100
"""Of each the most used ones: a model reads all of them with every document."""


class VocabularySnapshot(Frozen):
    """`vocabulary/<sha256>.json`: what the library knew when the run began. In alphabetical order, so that counting
    another document does not make another snapshot."""

    tags: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        """The object's bytes."""
        return self.model_dump_json().encode()

    @property
    def key(self) -> str:
        """The object's key."""
        return f"{keys.VOCABULARY}{sha256(self.body).hexdigest()}.json"
