"""Keeps the vocabulary snapshots that runs name: writes an owner's when it has changed, removes those nobody names.

A snapshot outlives the documents that it was made from as long as a living document's run names it (rules 9).
"""

from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from shared.database.engine import reading
from shared.database.tables import Document
from shared.database.vocabulary import MARKS, followed, mark_name, used_vocabularies, vocabulary_of
from shared.errors import ObjectExists
from shared.storage import keys
from shared.vocabulary import VocabularySnapshot
from web.sweep.marks import marks_named, move_mark, read_mark
from web.sweep.round import STILL_WRITING, Round
from web.sweep.swept import Deed

REFRESH = timedelta(hours=1)
"""Each other snapshot is another input: the less often it changes, the more documents share one."""

LOOK = timedelta(minutes=10)
REMOVAL = timedelta(hours=6)


def keep_vocabularies(round_: Round) -> None:
    """Offer each owner's new runs what the library knows by now; now and then clear away what no run names any more.

    In one turn, so that nothing is offered that another sweep is about to remove.
    """
    if not (round_.offers_vocabulary and round_.repairs) or (turn := round_.turn("vocabularies")) is None:
        return
    with reading(round_.engine) as session:
        owners = session.scalars(select(Document.owner).distinct().order_by(Document.owner)).all()
    named = {mark_name(owner): owner for owner in owners}
    for name in {*named, *marks_named(round_.engine, MARKS)}:
        _refresh(round_, name, named.get(name))
    if round_.may_try("unused vocabularies", first=REMOVAL):
        _remove_unused(round_)
    round_.end_turn(turn, "", pause=LOOK)


def _refresh(round_: Round, name: str, owner: str | None) -> None:
    """Offer what is known of the owner's documents; nothing where nobody with such a mark has any."""
    mark = read_mark(round_.engine, name, round_.now)
    if mark.due_at > round_.now:
        return
    snapshot = _snapshot(round_, owner) if owner else VocabularySnapshot()
    key = None if snapshot == VocabularySnapshot() else snapshot.key
    if key:
        with suppress(ObjectExists):
            round_.store.put(key, snapshot.body, media_type="application/json", create_only=True)
    move_mark(round_.engine, mark, due_at=round_.now + REFRESH, position=followed(mark.position, key))


def _snapshot(round_: Round, owner: str) -> VocabularySnapshot:
    with reading(round_.engine) as session:
        return vocabulary_of(session, owner)


def _remove_unused(round_: Round) -> None:
    listed = [info for info in round_.store.list(keys.VOCABULARY) if round_.age(info) >= STILL_WRITING]
    with reading(round_.engine) as session:
        used = used_vocabularies(session)
    for info in listed:
        if info.key not in used:
            round_.store.delete(info.key)
            round_.did(Deed.REMOVED, info.key, "a vocabulary that no run names any more")
