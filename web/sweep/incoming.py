"""Objects under `incoming/` that nobody told of, and claims on them that were never finished (rules 16).

Each is announced as a bucket's notification would: `object.created`. The ledger tells what was taken over already, kept
sources included; an object is announced again with pauses that grow, as long as the ledger does not know it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast
from urllib.parse import quote

from sqlalchemy import CursorResult, select, update

from shared.database.engine import reading, writing
from shared.database.tables import LedgerEntry
from shared.errors import InvalidKey
from shared.events import ObjectCreated, new_event
from shared.sources import CLAIMED, REFUSED, REJECTED, identity
from shared.storage import keys
from shared.storage.port import ObjectInfo
from web.sweep.findings import between, settle
from web.sweep.round import BATCH, SWEEP_SOURCE, Round
from web.sweep.swept import Deed, Kind

SEEN_LATE = timedelta(minutes=1)
"""How old an object must be before it counts as one that nobody told of."""

CLAIM_PATIENCE = timedelta(minutes=5)
SLICE = 5000
_LOOKED_UP = 500
_PAUSE = timedelta(0)
_NOT_TAKEN = (REJECTED, REFUSED)
"""A rejected one was gone then and may have come back, a refused one may be allowed by now."""


def announce_unseen(round_: Round) -> None:
    """Go on with the walk through `incoming/`."""
    mark = round_.turn("incoming")
    if mark is None:
        return
    position, seen = mark.position, 0
    while True:
        infos = _next(round_, position)
        _announce_unknown(round_, [info for info in infos if _is_due(round_, info)])
        seen += len(infos)
        first, position = position, infos[-1].key if len(infos) == _LOOKED_UP else ""
        settle(round_, (Kind.FILE_REFUSED,), between(first, position))
        if not position or not round_.has_time() or (round_.repairs and seen >= SLICE):
            break
    round_.swept.saw("objects under incoming/", seen)
    round_.end_turn(mark, position, pause=_PAUSE)


def resume_claims(round_: Round) -> None:
    """Have ingest go on with what it once began, and end claims on what is gone."""
    query = (
        select(LedgerEntry)
        .where(LedgerEntry.state == CLAIMED, LedgerEntry.created_at < round_.now - CLAIM_PATIENCE)
        .order_by(LedgerEntry.created_at)
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        claims = session.scalars(query).all()
    round_.swept.saw("unfinished claims", len(claims))
    for entry in claims:
        with round_.alone(entry.document_id):
            _resume(round_, entry)


def _next(round_: Round, after: str) -> Sequence[ObjectInfo]:
    found: list[ObjectInfo] = []
    for info in round_.store.list(keys.INCOMING, after=after):
        found.append(info)
        if len(found) == _LOOKED_UP:
            break
    return found


def _is_due(round_: Round, info: ObjectInfo) -> bool:
    return not info.key.endswith("/") and round_.age(info) >= SEEN_LATE and round_.is_settled(info)


def _announce_unknown(round_: Round, infos: Sequence[ObjectInfo]) -> None:
    known = _known(round_, [info.key for info in infos])
    for info in infos:
        if any(_is_meant(info, entry) for entry in known.get(info.key, ())):
            continue
        if (head := _head(round_, info)) is None:
            continue
        entry = _entry(round_, name := identity(round_.store.bucket, head))
        if entry is not None and entry.state == REFUSED:
            round_.found(Kind.FILE_REFUSED, info.key, entry.reason or "")
        if entry is None or entry.state in _NOT_TAKEN:
            _announce(round_, head, name, "nobody told of it")


def _known(round_: Round, names: Sequence[str]) -> dict[str, list[LedgerEntry]]:
    query = select(LedgerEntry).where(LedgerEntry.bucket == round_.store.bucket, LedgerEntry.key.in_(names))
    found: dict[str, list[LedgerEntry]] = {}
    with reading(round_.engine) as session:
        for entry in session.scalars(query):
            found.setdefault(entry.key, []).append(entry)
    return found


def _is_meant(info: ObjectInfo, entry: LedgerEntry) -> bool:
    """Whether the entry surely is about the object listed, and need not be looked at again."""
    return entry.etag == info.etag and entry.state not in _NOT_TAKEN and info.last_modified <= entry.created_at


def _entry(round_: Round, name: str) -> LedgerEntry | None:
    """What the ledger has of this very version, under whichever key: one that was purged keeps no name."""
    with reading(round_.engine) as session:
        return session.get(LedgerEntry, name)


def _head(round_: Round, info: ObjectInfo) -> ObjectInfo | None:
    try:
        return round_.store.head(info.key)
    except InvalidKey:
        return None


def _announce(round_: Round, info: ObjectInfo, name: str, why: str) -> None:
    if not round_.may_try(f"incoming:{name}"):
        return
    if round_.repairs:
        created = ObjectCreated(
            bucket=round_.store.bucket, key=info.key, size=info.size, etag=info.etag, version_id=info.version_id
        )
        round_.publish(new_event(created, source=SWEEP_SOURCE, subject=quote(info.key)))
    round_.did(Deed.ANNOUNCED, info.key, why)


def _resume(round_: Round, entry: LedgerEntry) -> None:
    source = round_.store.head(entry.key)
    if source is not None and identity(round_.store.bucket, source) == entry.identity:
        _announce(round_, source, entry.identity, "it was not taken over completely")
        return
    copied = round_.store.head(keys.original(entry.document_id))
    if copied is None:
        _reject(round_, entry)
    elif source is None:
        # The event names the version that was claimed, so that ingest finds the claim although the source is gone.
        claimed = replace(copied, key=entry.key, etag=entry.etag, version_id=entry.version_id)
        _announce(round_, claimed, entry.identity, "it was copied, but not registered")
    # Else another version is there by now: ingest would take that one. The copy is adopted as what it is.


def _reject(round_: Round, entry: LedgerEntry) -> None:
    if round_.repairs:
        statement = (
            update(LedgerEntry)
            .where(LedgerEntry.identity == entry.identity, LedgerEntry.state == CLAIMED)
            .values(state=REJECTED, reason="The object was gone before it could be copied.")
        )
        with writing(round_.engine) as session:
            if cast("CursorResult[Any]", session.execute(statement)).rowcount == 0:
                return
    round_.did(Deed.REJECTED, entry.key, "it was gone before it could be copied")
