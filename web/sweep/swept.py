"""What a sweep did, would do, and found: counts to compare, and lines to read."""

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

MOST_LINES = 1000
"""Of each list that is told; the counts are whole."""


class Deed(StrEnum):
    """What sweep does. Named like the counts of `Swept`."""

    RESENT = "resent"
    GIVEN_UP = "given_up"
    WOKEN = "woken"
    RELAYED = "relayed"
    ANNOUNCED = "announced"
    REJECTED = "rejected"
    IMPORTED = "imported"
    REPLAYED = "replayed"
    CLOSED = "closed"
    ADOPTED = "adopted"
    REPAIRED = "repaired"
    MARKED = "marked"
    PURGED = "purged"
    REMOVED = "removed"


class Kind(StrEnum):
    """What sweep finds and cannot repair, or not at once."""

    ORIGINAL_MISSING = "original_missing"
    ORIGINAL_DAMAGED = "original_damaged"
    PAYLOAD_MISSING = "payload_missing"
    PAYLOAD_DAMAGED = "payload_damaged"
    ORPHANED_OBJECT = "orphaned_object"
    LETTER_MISSING = "letter_missing"
    LETTER_UNREADABLE = "letter_unreadable"
    OUTBOX_UNSENT = "outbox_unsent"
    OUTBOX_UNREADABLE = "outbox_unreadable"
    FILE_REFUSED = "file_refused"
    NOT_SWEPT = "not_swept"


@dataclass(frozen=True)
class Line:
    """One thing done: to what, and why."""

    deed: Deed
    subject: str
    detail: str


@dataclass(frozen=True)
class Found:
    """One finding. `key` is the object that it is about, or its prefix."""

    kind: Kind
    key: str
    message: str
    document_id: str | None = None

    @property
    def id(self) -> str:
        """The same for the same thing found again."""
        return sha256(f"{self.kind}\n{self.key}".encode()).hexdigest()


@dataclass
class Swept:
    """One sweep. With `report` the counts say what would be done. Two are equal where they did the same."""

    resent: int = 0
    given_up: int = 0
    woken: int = 0
    relayed: int = 0
    announced: int = 0
    rejected: int = 0
    imported: int = 0
    replayed: int = 0
    closed: int = 0
    adopted: int = 0
    repaired: int = 0
    marked: int = 0
    purged: int = 0
    removed: int = 0
    report: bool = field(default=False, compare=False)
    complete: bool = field(default=True, compare=False)
    lines: list[Line] = field(default_factory=list, compare=False)
    findings: list[Found] = field(default_factory=list, compare=False)
    checked: dict[str, int] = field(default_factory=dict, compare=False)
    failures: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def counts(self) -> dict[str, int]:
        """What was done how often, in the order of `Deed`."""
        return {deed.value: getattr(self, deed.value) for deed in Deed}

    def did(self, deed: Deed, subject: str, detail: str = "", *, times: int = 1) -> None:
        """Count something done."""
        setattr(self, deed.value, getattr(self, deed.value) + times)
        if len(self.lines) < MOST_LINES:
            self.lines.append(Line(deed, subject, detail))

    def found(self, finding: Found) -> None:
        """Note something that is not as it should be."""
        if len(self.findings) < MOST_LINES:
            self.findings.append(finding)

    def saw(self, what: str, count: int = 1) -> None:
        """Count what was looked at."""
        self.checked[what] = self.checked.get(what, 0) + count

    def __str__(self) -> str:
        """For the log: what was done, in one line; empty where nothing was."""
        done = [f"{count} {name.replace('_', ' ')}" for name, count in self.counts.items() if count]
        return ", ".join(done)
