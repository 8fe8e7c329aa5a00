"""Purges that were cut short, and what steps that were still running have written for purged documents (rules 23)."""

from collections.abc import Sequence

from sqlalchemy import select

from shared.database.engine import reading
from shared.database.tables import Document, Tombstone
from shared.storage import keys
from shared.storage.port import ObjectInfo
from web.errors import NotFound
from web.sweep.round import STILL_WRITING, Round
from web.sweep.swept import Deed
from web.writes import purge


def remove_again(round_: Round) -> None:
    """Remove what lies under the prefixes of documents purged lately, as long as a lease of theirs can be alive."""
    query = select(Tombstone.document_id).where(Tombstone.purged_at > round_.now - STILL_WRITING)
    with reading(round_.engine) as session:
        purged = session.scalars(query).all()
    for document_id in purged:
        prefix = keys.document_prefix(document_id)
        removed = round_.store.delete_prefix(prefix) if round_.repairs else sum(1 for _ in round_.store.list(prefix))
        if removed:
            round_.did(Deed.REMOVED, prefix, "written for a purged document", times=removed)


def finish_purge(
    round_: Round, document_id: str, grave: Tombstone | None, row: Document | None, infos: Sequence[ObjectInfo]
) -> None:
    """Do again what is left of a purge: the row of one that a crash or an older backup has spared, the objects."""
    owner = row.owner if row else grave.owner if grave else None
    if round_.repairs:
        try:
            if owner is not None:
                purge(round_.engine, round_.store, owner, document_id)
            else:
                round_.store.delete_prefix(keys.document_prefix(document_id))
        except NotFound:
            return
    if row is not None:
        round_.did(Deed.PURGED, document_id, "it has a tombstone, but had a row")
    if infos:
        round_.did(Deed.REMOVED, keys.document_prefix(document_id), "of a purged document", times=len(infos))
