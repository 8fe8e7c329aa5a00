"""The port to whatever reads metadata out of a document: the built-in rules, or a language model."""

from dataclasses import dataclass
from typing import Protocol

from shared.documents import DocumentText
from shared.metadata import Metadata


@dataclass(frozen=True)
class Vocabulary:
    """What the library already knows: its tags and the senders of its documents."""

    tags: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Hints:
    """What is known about a document besides its text. `language` is what its owner said (BCP-47), if anything."""

    filename: str = ""
    language: str | None = None
    vocabulary: Vocabulary = Vocabulary()


@dataclass(frozen=True)
class Extraction:
    """Metadata and what it took: who extracted it, the model if there was one, its tokens, its cost in US dollars."""

    metadata: Metadata
    extractor: str
    model: str | None = None
    tokens: int = 0
    cost: str = "0"


class MetadataExtractor(Protocol):
    """Reads metadata out of a document's text."""

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        """The metadata of `text`; fields that cannot be told are null. Every quote is one of `text`."""
        ...

    def version(self) -> str:
        """A string that changes whenever the same text may give other metadata; part of the result's fingerprint."""
        ...
