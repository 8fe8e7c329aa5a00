"""One walk through `documents/`, in slices: what lies there is compared with the rows of the same documents.

Originals without a row become documents (rules 1), what is left of purged ones and of lost attempts goes (rules 6 and
23), results that are gone are made again, and an original that is gone is told. A listing is enough for all of it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby

from sqlalchemy import select

from shared.database.engine import reading
from shared.database.tables import Document, LedgerEntry, Tombstone
from shared.errors import InvalidEvent
from shared.storage import keys
from shared.storage.port import ObjectInfo
from web.sweep.adoption import adopt
from web.sweep.attempts import remove_lost_attempts
from web.sweep.findings import settle
from web.sweep.payloads import check_results
from web.sweep.purges import finish_purge
from web.sweep.round import STILL_WRITING, Round
from web.sweep.swept import Kind

PASS_PAUSE = timedelta(hours=1)
"""Between the end of a walk and the beginning of the next."""

SLICE_OBJECTS = 5000
SLICE_ROWS = 500
_KINDS = (Kind.ORIGINAL_MISSING, Kind.PAYLOAD_MISSING, Kind.PAYLOAD_DAMAGED, Kind.ORPHANED_OBJECT)
_LOST_ROWS = 10


@dataclass
class _Slice:
    """Some documents in the order of their ids, with all their objects. `last` is the last id; "" at the very end."""

    first: str
    last: str
    objects: dict[str, list[ObjectInfo]] = field(default_factory=dict)
    rows: dict[str, Document] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)
    claims: dict[str, LedgerEntry] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)


def compare_objects(round_: Round) -> None:
    """Go on with the walk."""
    mark = round_.turn("documents")
    if mark is None:
        return
    position = mark.position
    while True:
        part = _next_slice(round_, position)
        _compare(round_, part)
        position = part.last
        if not position or round_.repairs or not round_.has_time():
            break
    round_.end_turn(mark, position, pause=PASS_PAUSE)


def _compare(round_: Round, part: _Slice) -> None:
    round_.swept.saw("documents", len(part.rows))
    round_.swept.saw("objects under documents/", sum(len(infos) for infos in part.objects.values()))
    for key in part.strangers:
        round_.found(Kind.ORPHANED_OBJECT, key, "This object belongs to no document.")
    if _is_elsewhere(part):
        round_.swept.failures["originals"] = "not one original is where it should be: is this the right object store?"
        return
    for document_id in sorted(part.objects.keys() | part.rows.keys()):
        with round_.alone(document_id):
            _compare_one(round_, part, document_id)
    settle(
        round_,
        _KINDS,
        lambda found: part.first < _place(found.key) and (not part.last or _place(found.key) <= part.last),
    )


def _compare_one(round_: Round, part: _Slice, document_id: str) -> None:
    infos, row = part.objects.get(document_id, []), part.rows.get(document_id)
    if document_id in part.tombstones or _is_buried(round_, infos, row, document_id):
        finish_purge(round_, document_id, part.tombstones.get(document_id), row, infos)
    elif row is not None:
        check_results(round_, row, infos)
        remove_lost_attempts(round_, row, infos)
    elif all(round_.age(info) >= STILL_WRITING for info in infos):
        adopt(round_, document_id, infos, part.claims.get(document_id))


def _is_buried(round_: Round, infos: Sequence[ObjectInfo], row: Document | None, document_id: str) -> bool:
    """Whether the store says that the document was purged, though the database (of an older backup) does not."""
    original = keys.original(document_id)
    if row is not None and any(info.key == original for info in infos):
        return False
    return round_.store.head(keys.tombstone(document_id)) is not None


def _is_elsewhere(part: _Slice) -> bool:
    """Whether nothing at all of many documents is there: then nothing is concluded from what is missing."""
    return len(part.rows) >= _LOST_ROWS and not part.objects


def _next_slice(round_: Round, after: str) -> _Slice:
    part = _Slice(after, "")
    count = 0
    for name, infos in groupby(round_.store.list(keys.DOCUMENTS, after=_behind(after)), _owner):
        if count >= SLICE_OBJECTS:
            part.last = _last_of(part, after)
            break
        found = list(infos)
        count += len(found)
        if name:
            part.objects[name] = found
        else:
            part.strangers += [info.key for info in found]
    _add_rows(round_, part)
    return part


def _add_rows(round_: Round, part: _Slice) -> None:
    query = select(Document).where(Document.id > part.first).order_by(Document.id).limit(SLICE_ROWS + 1)
    with reading(round_.engine) as session:
        rows = session.scalars(query.where(Document.id <= part.last) if part.last else query).all()
        if len(rows) > SLICE_ROWS:
            rows = rows[:SLICE_ROWS]
            part.last = rows[-1].id
            part.objects = {name: infos for name, infos in part.objects.items() if name <= part.last}
        part.rows = {row.id: row for row in rows}
        missing = [name for name in part.objects if name not in part.rows]
        for some in _some(missing):
            graves = session.scalars(select(Tombstone).where(Tombstone.document_id.in_(some)))
            part.tombstones |= {grave.document_id: grave for grave in graves}
            claims = session.scalars(select(LedgerEntry).where(LedgerEntry.document_id.in_(some)))
            part.claims |= {claim.document_id: claim for claim in claims}


def _some(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + SLICE_ROWS] for start in range(0, len(names), SLICE_ROWS))


def _owner(info: ObjectInfo) -> str:
    """The document that the object lies under; "" for none that can be one."""
    name = _place(info.key)
    try:
        return name if info.key.startswith(keys.document_prefix(name)) else ""
    except InvalidEvent:
        return ""


def _place(key: str) -> str:
    return key.removeprefix(keys.DOCUMENTS).partition("/")[0]


def _behind(document_id: str) -> str:
    """What comes behind every key of the document and before those of the next: 0 follows the slash."""
    return f"{keys.DOCUMENTS}{document_id}0" if document_id else ""


def _last_of(part: _Slice, after: str) -> str:
    return max([*part.objects, *map(_place, part.strangers), after])
