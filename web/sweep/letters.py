"""Dead letters: those that only the store knows are brought in, those of passing causes are sent again, with pauses.

Letters whose step has passed are closed. One that cannot be read, or whose object is gone, is told (rules 18 and 19).
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, func, or_, select, update

from shared.database.engine import reading, writing
from shared.database.letters import note_letter
from shared.database.tables import DeadLetter
from shared.errors import DocumentGone, InvalidEvent, ObjectNotFound
from shared.events import Event, event_of
from shared.letters import UNSETTLED, LetterState
from shared.storage import keys
from shared.storage.port import ObjectInfo
from web.letters import close_passed, replay_letters
from web.sweep.findings import between, settle
from web.sweep.marks import grown
from web.sweep.round import BATCH, LONGEST_PAUSE, Round
from web.sweep.swept import Deed, Kind

PASSING = (408, 409, 429, 502, 503, 504)
"""Answers that another try may not get. No answer at all is one as well."""

MOST_REPLAYS = 8
IMPORT_PATIENCE = timedelta(minutes=1)
SLICE = 2000
PASS_PAUSE = timedelta(minutes=10)
_LOOKED_UP = 200
_TEXT_COLUMNS = {"source": 200, "id": 100, "type": 100, "runid": 36}
_NAME = re.compile(r"dead-letters/(?P<trigger>[a-z0-9-]{1,63})/(?P<name>[0-9a-f]+)-(?P<arrival>\d{8}T\d{12}Z)\.json")
_SEND_AGAIN_BY = "sweep"


def import_letters(round_: Round) -> None:
    """Go on with the walk through `dead-letters/`."""
    mark = round_.turn("dead-letters")
    if mark is None:
        return
    position, seen = mark.position, 0
    while True:
        infos = _next(round_, position)
        unknown, doomed = _judged(round_, infos)
        for info in doomed:
            _remove(round_, info, "a dead letter of a purged document")
        for info in unknown:
            _import(round_, info)
        first, position = position, infos[-1].key if len(infos) == _LOOKED_UP else ""
        settle(round_, (Kind.LETTER_UNREADABLE,), between(first, position))
        seen += len(infos)
        if not position or not round_.has_time() or (round_.repairs and seen >= SLICE):
            break
    round_.swept.saw("objects under dead-letters/", seen)
    round_.end_turn(mark, position, pause=PASS_PAUSE)


def _next(round_: Round, after: str) -> list[ObjectInfo]:
    found: list[ObjectInfo] = []
    for info in round_.store.list(keys.DEAD_LETTERS, after=after):
        found.append(info)
        if len(found) == _LOOKED_UP:
            break
    return found


def _judged(round_: Round, infos: Sequence[ObjectInfo]) -> tuple[list[ObjectInfo], list[ObjectInfo]]:
    """Those whose event has no letter as late as they are, and those that a purge was to remove."""
    old = [info for info in infos if round_.age(info) >= IMPORT_PATIENCE]
    unknown, doomed = [], []
    with reading(round_.engine) as session:
        query = select(DeadLetter.key, DeadLetter.state).where(DeadLetter.key.in_([info.key for info in old]))
        named: dict[str, str] = dict(session.execute(query).all())
        for info in old:
            # Of an event that failed often, the row names the last object.
            same_event = info.key.rpartition("-")[0] + "-"
            later = DeadLetter.key.startswith(same_event, autoescape=True) & (DeadLetter.key > info.key)
            state = named.get(info.key) or session.scalar(select(DeadLetter.state).where(later))
            if state is None:
                unknown.append(info)
            elif state == LetterState.PURGED.value:
                doomed.append(info)
    return unknown, doomed


def _import(round_: Round, info: ObjectInfo) -> None:
    place = _NAME.fullmatch(info.key)
    if place is None:
        round_.found(Kind.LETTER_UNREADABLE, info.key, "Its name is not one that dead letters have.")
        return
    try:
        attributes, data = _content(round_.store.get(info.key))
        event = event_of(attributes, data if isinstance(data, dict) else {})
        _require_storable(event)
    except (ObjectNotFound, *_UNREADABLE) as error:
        if not isinstance(error, ObjectNotFound):
            round_.found(Kind.LETTER_UNREADABLE, info.key, f"This dead letter cannot be read: {error}"[:500])
        return
    document_id = _document_id(event, data)
    if document_id and round_.store.head(keys.tombstone(document_id)) is not None:
        _remove(round_, info, "a dead letter of a purged document")
        return
    if round_.repairs:
        arrival = datetime.strptime(place["arrival"], "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)
        try:
            with writing(round_.engine) as session:
                note_letter(
                    session,
                    place["trigger"],
                    event,
                    attributes,
                    document_id=document_id,
                    key=info.key,
                    arrival=arrival,
                )
        except DocumentGone:
            _remove(round_, info, "a dead letter of a purged document")
            return
    round_.did(Deed.IMPORTED, info.key, f"{event.type} of {event.subject}")


_UNREADABLE = (InvalidEvent, ValueError, KeyError, TypeError)


def _content(body: bytes) -> tuple[dict[str, Any], Any]:
    """The attributes and the data of a letter, as record keeps them."""
    content = json.loads(body)
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")
    data: Any = content.pop("data", None)
    if "data_base64" in content:
        try:
            data = base64.b64decode(content.pop("data_base64"))
        except binascii.Error as error:
            raise ValueError("its data are not what they are said to be") from error
    return content, data


def _require_storable(event: Event) -> None:
    for name, most in _TEXT_COLUMNS.items():
        value = getattr(event, name) or ""
        if "\0" in value or len(value) > most:
            raise InvalidEvent(f"the attribute {name} is too long or has a NUL")


def _document_id(event: Event, data: Any) -> str | None:
    """The document that the letter is about, as record sees it."""
    if isinstance(data, dict) and data.get("document_id") != event.subject:
        return None
    try:
        keys.document_prefix(event.subject)
    except InvalidEvent:
        return None
    return event.subject


def _remove(round_: Round, info: ObjectInfo, why: str) -> None:
    if round_.repairs:
        round_.store.delete(info.key)
    round_.did(Deed.REMOVED, info.key, why)


def tell_of_missing_letters(round_: Round) -> None:
    """Go on looking whether the objects of letters that still matter are there."""
    mark = round_.turn("letters")
    if mark is None:
        return
    position = mark.position
    while True:
        rows = _unsettled(round_, position)
        for row in rows:
            if round_.store.head(row.key) is None:
                message = "The dead letter itself is gone; what is known of it is in the database only."
                round_.found(Kind.LETTER_MISSING, row.key, message, row.document_id)
        round_.swept.saw("dead letters", len(rows))
        position = rows[-1].id if len(rows) == BATCH else ""
        if not position or round_.repairs or not round_.has_time():
            break
    looked_at = {row.key for row in rows}
    settle(round_, (Kind.LETTER_MISSING,), lambda found: found.key in looked_at or not position)
    round_.end_turn(mark, position, pause=PASS_PAUSE)


def _unsettled(round_: Round, after: str) -> Sequence[DeadLetter]:
    query = select(DeadLetter).where(DeadLetter.id > after, DeadLetter.state.in_(UNSETTLED))
    with reading(round_.engine) as session:
        return session.scalars(query.order_by(DeadLetter.id).limit(BATCH)).all()


def close_letters(round_: Round) -> None:
    """Close what has passed."""
    if round_.repairs and (closed := close_passed(round_.engine)):
        round_.did(Deed.CLOSED, keys.DEAD_LETTERS, "their steps have passed since", times=closed)


def replay_passing(round_: Round) -> None:
    """Send letters of passing causes again, each one less and less often."""
    for letter in _due(round_):
        if round_.repairs:
            if not _claim(round_, letter):
                continue
            dealt = replay_letters(round_.engine, round_.store, [letter.id], by=_SEND_AGAIN_BY)
        else:
            dealt = replay_letters(round_.engine, round_.store, [letter.id], by=_SEND_AGAIN_BY, dry_run=True)
        if dealt.count:
            round_.did(Deed.REPLAYED, letter.id, f"{letter.event_type} to {letter.trigger}, answered {letter.status}")


def _due(round_: Round) -> Sequence[DeadLetter]:
    query = (
        select(DeadLetter)
        .where(
            DeadLetter.state == LetterState.OPEN.value,
            or_(DeadLetter.status.is_(None), DeadLetter.status.in_(PASSING)),
            DeadLetter.replays < MOST_REPLAYS,
            func.coalesce(DeadLetter.replay_at, DeadLetter.last_at) < round_.now,
            DeadLetter.last_at < round_.now - round_.patience,
        )
        .order_by(DeadLetter.last_at)
        .limit(BATCH)
    )
    with reading(round_.engine) as session:
        rows = session.scalars(query).all()
    return [row for row in rows if row.last_at + grown(round_.patience, LONGEST_PAUSE, row.replays) < round_.now]


def _claim(round_: Round, letter: DeadLetter) -> bool:
    """Of two sweeps at once one sends: `replay_at` moves by compare-and-set."""
    seen = DeadLetter.replay_at.is_(None) if letter.replay_at is None else DeadLetter.replay_at == letter.replay_at
    statement = (
        update(DeadLetter)
        .where(DeadLetter.id == letter.id, DeadLetter.state == LetterState.OPEN.value, seen)
        .values(replay_at=round_.now + grown(round_.patience, LONGEST_PAUSE, letter.replays + 1))
    )
    with writing(round_.engine) as session:
        return cast("CursorResult[Any]", session.execute(statement)).rowcount == 1
