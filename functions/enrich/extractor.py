"""The port to whatever reads metadata out of a document: the built-in rules, or a language model."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.documents import DocumentText, Notice
from shared.errors import DocuElevateError
from shared.metadata import Metadata
from shared.step import Deadline


class ExtractorFailed(DocuElevateError):
    """This extractor cannot do it now, and trying again soon would not help; its text is told to people.

    Its inputs do not determine that, so nothing is committed: the values of the built-in rules stand until somebody
    asks again.
    """


@dataclass(frozen=True)
class Vocabulary:
    """What the library already knows: its tags and the senders of its documents."""

    tags: tuple[str, ...] = ()
    senders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Usage:
    """Tokens of a language model: those it was given, and those it wrote."""

    prompt: int = 0
    completion: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt + other.prompt, self.completion + other.completion)


class Calls(Protocol):
    """The paid calls made for one document and these inputs, counted over deliveries and crashes."""

    def begin(self) -> None:
        """Note a call that is about to be made."""
        ...

    def finish(self, usage: Usage) -> None:
        """Note what the call begun last has used."""
        ...

    def made(self) -> int:
        """How many were begun in this run."""
        ...

    def used(self) -> Usage:
        """What all of them have used, those of other runs too."""
        ...


class CountedCalls:
    """Calls that are counted in memory only."""

    def __init__(self) -> None:
        self._made = 0
        self._used = Usage()

    def begin(self) -> None:
        """One more."""
        self._made += 1

    def finish(self, usage: Usage) -> None:
        """Add up."""
        self._used += usage

    def made(self) -> int:
        """Of this object."""
        return self._made

    def used(self) -> Usage:
        """By this object."""
        return self._used


@dataclass(frozen=True)
class Effort:
    """What may be spent on a document: time, and calls of others' services."""

    deadline: Deadline = field(default_factory=lambda: Deadline.after(120))
    calls: Calls = field(default_factory=CountedCalls)


@dataclass(frozen=True)
class Hints:
    """What is known about a document besides its text, and what may be spent on it.

    `language` is what its owner said (BCP-47), if anything.
    """

    filename: str = ""
    language: str | None = None
    vocabulary: Vocabulary = Vocabulary()
    effort: Effort = field(default_factory=Effort, compare=False)


@dataclass(frozen=True)
class Extraction:
    """Metadata and what it took: who extracted it, the model if there was one, its tokens, its cost in US dollars."""

    metadata: Metadata
    extractor: str
    model: str | None = None
    tokens: int = 0
    cost: str = "0"
    warnings: tuple[Notice, ...] = ()


class MetadataExtractor(Protocol):
    """Reads metadata out of a document's text."""

    def extract(self, text: DocumentText, hints: Hints) -> Extraction:
        """The metadata of `text`; fields that cannot be told are null. Every quote is one of `text`.

        Raises Unavailable or Throttled where the same may pass later, ExtractorFailed where only an operator can help.
        """
        ...

    def version(self) -> str:
        """A string that changes whenever the same text may give other metadata; part of the result's fingerprint."""
        ...
