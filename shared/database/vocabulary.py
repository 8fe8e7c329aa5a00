"""Which vocabulary snapshot is offered to runs that begin now, and what the next one is made from.

The offered one is kept in a mark of sweep's, per owner: its key, and behind it the key that it has followed, as long as
a transaction may still be about to name that.
"""

from hashlib import sha256

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from shared.database.tables import Document, DocumentTag, SweepMark
from shared.vocabulary import MAX_SENDERS, MAX_TAGS, VocabularySnapshot

MARKS = "vocabulary:"
_NONE = "-"
_LEAST_DOCUMENTS_OF_A_SENDER = 2
"""A sender of one document only may be a misreading, and tells about that document."""


def mark_name(owner: str) -> str:
    """The mark that holds the owner's snapshots."""
    return f"{MARKS}{sha256(owner.encode()).hexdigest()[:40]}"


def offered_vocabulary(session: Session, owner: str) -> str | None:
    """The key of the snapshot that a new run of this owner's documents takes."""
    mark = session.get(SweepMark, mark_name(owner))
    offered, *_ = ((mark.position or "") if mark else "").split() or [_NONE]
    return None if offered == _NONE else offered


def followed(position: str, key: str | None) -> str:
    """A mark's position once `key` is offered: behind it the one before, which somebody may just be about to name."""
    before, *_ = position.split() or [_NONE]
    offered = key or _NONE
    return offered if before in (offered, _NONE) else f"{offered} {before}"


def vocabulary_of(session: Session, owner: str) -> VocabularySnapshot:
    """What an owner's documents (those in the trash excepted) are called and come from, as it stands now."""
    living = (Document.owner == owner) & Document.trashed_at.is_(None)
    uses = func.count()
    tags = select(DocumentTag.tag).join(Document, Document.id == DocumentTag.document_id).where(living)
    most_used = tags.group_by(DocumentTag.tag).order_by(uses.desc(), DocumentTag.tag).limit(MAX_TAGS)
    senders = select(Document.sender).where(living, Document.sender.is_not(None)).group_by(Document.sender)
    usual = senders.having(uses >= _LEAST_DOCUMENTS_OF_A_SENDER).order_by(uses.desc(), Document.sender)
    return VocabularySnapshot(
        tags=tuple(sorted(session.scalars(most_used))),
        senders=tuple(sorted(name for name in session.scalars(usual.limit(MAX_SENDERS)) if name)),
    )


def used_vocabularies(session: Session) -> set[str]:
    """The keys that documents and marks name."""
    named: ColumnElement[str | None] = Document.options["vocabulary"].as_string()
    used = {key for key in session.scalars(select(named).distinct()) if key}
    marks = session.scalars(select(SweepMark.position).where(SweepMark.name.startswith(MARKS, autoescape=True)))
    return used.union(*((position or "").split() for position in marks))
