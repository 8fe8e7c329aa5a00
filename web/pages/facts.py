"""The facts of a document as rows of a form: label, what is shown and edited, how sure it is, where it stands. Pure."""

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from shared.metadata import Evidence, Metadata, Money, Value
from web.api.models import DocumentDetail
from web.pages import words

Kind = Literal["text", "long", "type", "date", "language", "sender", "money"]

_FIELDS: Final[tuple[tuple[str, str, Kind], ...]] = (
    ("title", "Title", "text"),
    ("sender", "Sender", "sender"),
    ("recipient", "Recipient", "text"),
    ("document_date", "Date", "date"),
    ("document_type", "Kind", "type"),
    ("total", "Total", "money"),
    ("due_date", "Due", "date"),
    ("reference_number", "Reference", "text"),
    ("language", "Language", "language"),
    ("summary", "Summary", "long"),
)
LABELS: Final[dict[str, tuple[str, Kind]]] = {name: (label, kind) for name, label, kind in _FIELDS}
"""What the fields are called and how they are shown."""

_WIDE = frozenset({"title", "summary"})


@dataclass(frozen=True)
class Fact:
    """One field. `raw` is what an editor starts with."""

    name: str
    label: str
    kind: Kind
    shown: str
    raw: Any
    locked: bool
    wide: bool
    grade: tuple[str, str] | None = None
    evidence: Evidence | None = None
    place: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether nothing is known."""
        return self.shown == ""


def facts_of(document: DocumentDetail) -> list[Fact]:
    """All fields, known or not, in the order in which people read them."""
    return [_fact(document.metadata, document.locked, *each) for each in _FIELDS]


def _fact(metadata: Metadata, locked: tuple[str, ...], name: str, label: str, kind: Kind) -> Fact:
    value: Value[Any] | None = getattr(metadata, name)
    evidence = value.evidence if value else None
    machine = value is not None and value.origin != "user" and name not in locked
    return Fact(
        name=name,
        label=label,
        kind=kind,
        shown=shown(kind, value.value) if value else "",
        raw=_raw(value.value) if value else None,
        locked=name in locked,
        wide=name in _WIDE,
        grade=words.grade(value.confidence) if value and machine else None,
        evidence=evidence,
        place={"page": evidence.page, "boxes": evidence.boxes} if evidence else {},
    )


def shown(kind: Kind, value: Any) -> str:
    """A value as people read it."""
    match kind:
        case "date":
            return words.day(value)
        case "type":
            return words.type_name(value)
        case "language":
            return words.language_name(value)
        case "money":
            return words.money(value)
        case _:
            return str(value)


def _raw(value: Any) -> Any:
    return value.model_dump() if isinstance(value, Money) else value
