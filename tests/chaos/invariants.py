"""What must be true of everything that is kept, whatever has failed: checked by listing, never by counters.

Each check compares object store, database, search index and the broker's queue with each other and names what is wrong
in sentences. `ALWAYS` holds at every instant, in the middle of a crash too; `SETTLED` once nothing is left to do.
`state` is all that people can see, without times and random names: a disturbed run must end as an undisturbed one.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.database.engine import reading
from shared.database.tables import (
    ArchivedEvent,
    Charge,
    ContentClaim,
    DeadLetter,
    Document,
    DocumentStep,
    LedgerEntry,
    OutboxEvent,
    Replay,
    Tombstone,
)
from shared.documents import PIPELINE, ObjectReference, Status, StepState
from shared.errors import EXPLANATIONS, FailureCode, ObjectNotFound
from shared.events import (
    DocumentConverted,
    DocumentEnriched,
    DocumentIndexed,
    DocumentPurged,
    DocumentRecognized,
    EventData,
    PagesRecognized,
    from_json,
    short_type,
)
from shared.results import StepResult
from shared.search.port import SearchQuery, SearchReader
from shared.storage import keys
from shared.storage.port import ObjectInfo, ObjectStore

RESULTS: Mapping[str, type[EventData]] = {
    "converted": DocumentConverted,
    "recognized": DocumentRecognized,
    "enriched": DocumentEnriched,
}
"""The columns of a document that hold what its steps made, and the events that told of it."""

_RESULT_TYPES = {PagesRecognized.type, *(model.type for model in RESULTS.values())}
_TELL_OF_THE_PURGE = {DocumentPurged.type, DocumentIndexed.type}
_REDACTED = {"document_id", "purged"}


@dataclass(frozen=True)
class Accepted:
    """A file that was taken in with a 2xx, or dropped: from here on nothing may lose it."""

    sha256: str
    filename: str
    document_id: str | None = None
    owner: str = "local"


@dataclass
class Told:
    """What the outside world was told, and what it did: the yardstick that the system itself does not hold.

    `journal` names every page that an engine was paid for, as often as it was; `most_per_page` is how often one may
    appear. `waiting` says how many deliveries the broker still holds.
    """

    accepted: list[Accepted] = field(default_factory=list)
    purged: set[str] = field(default_factory=set)
    forced: set[str] = field(default_factory=set)
    journal: Sequence[str] = ()
    most_per_page: int = 1
    waiting: int = 0


@dataclass(frozen=True)
class Estate:
    """Everything that is kept. `search` is None where searching is switched off or out of reach."""

    engine: Engine
    store: ObjectStore
    search: SearchReader | None = None


@dataclass(frozen=True)
class Inventory:
    """The estate as it was listed once, so that all checks speak of the same moment."""

    estate: Estate
    told: Told
    documents: Mapping[str, Document]
    steps: Sequence[DocumentStep]
    tombstones: Mapping[str, Tombstone]
    events: Sequence[ArchivedEvent]
    outbox: Sequence[OutboxEvent]
    ledger: Sequence[LedgerEntry]
    letters: Sequence[DeadLetter]
    claims: Sequence[ContentClaim]
    charges: Sequence[Charge]
    replays: Sequence[Replay]
    objects: Mapping[str, ObjectInfo]
    entries: frozenset[str]

    def body(self, key: str) -> bytes:
        """The bytes of an object."""
        return self.estate.store.get(key)

    def is_gone(self, document_id: str) -> bool:
        """Whether the document was purged, or is being purged."""
        return document_id in self.tombstones or keys.tombstone(document_id) in self.objects


Check = Callable[[Inventory], Iterator[str]]


def take_inventory(estate: Estate, told: Told | None = None) -> Inventory:
    """List all there is."""
    with reading(estate.engine) as session:
        return Inventory(
            estate=estate,
            told=told or Told(),
            documents={row.id: row for row in _all(session, Document)},
            steps=_all(session, DocumentStep),
            tombstones={row.document_id: row for row in _all(session, Tombstone)},
            events=_all(session, ArchivedEvent),
            outbox=_all(session, OutboxEvent),
            ledger=_all(session, LedgerEntry),
            letters=_all(session, DeadLetter),
            claims=_all(session, ContentClaim),
            charges=_all(session, Charge),
            replays=_all(session, Replay),
            objects={info.key: info for prefix in keys.PREFIXES for info in estate.store.list(prefix)},
            entries=frozenset(estate.search.ids()) if estate.search else frozenset(),
        )


def _all(session: Session, table: type[Any]) -> list[Any]:
    return list(session.scalars(select(table)))


def i1_originals_are_whole(found: Inventory) -> Iterator[str]:
    """Stored bytes equal uploaded bytes, for ever (rules 1)."""
    for document in found.documents.values():
        if keys.tombstone(document.id) in found.objects:
            continue
        yield from _not_whole(found, ObjectReference.model_validate(document.original), "original")
        if document.original["sha256"] != document.sha256:
            yield f"{document.filename}: the row names another original than its own digest"
    known = {document.sha256 for document in found.documents.values()}
    for file in found.told.accepted:
        if file.document_id in found.documents and file.sha256 not in known:
            yield f"{file.filename}: no document has the bytes that were uploaded"


def i2_nothing_is_in_limbo(found: Inventory) -> Iterator[str]:
    """Whatever was accepted has ended: ready, or in need of a person, who is told why."""
    for document in found.documents.values():
        if document.status == Status.PROCESSING:
            yield f"{document.filename}: still processing ({_standing(found, document)})"
    for row in found.outbox:
        yield f"the outbox still holds {short_type(from_json(row.body).type)}"
    for entry in found.ledger:
        if entry.state == "claimed":
            yield f"{entry.key}: claimed and never taken over"
    if found.told.waiting:
        yield f"the broker still holds {found.told.waiting} deliveries"


def i3_one_document_each(found: Inventory) -> Iterator[str]:
    """One content, one key, one version of a dropped object: one document (rules 3)."""
    living = [d for d in found.documents.values() if d.trashed_at is None and d.id not in found.told.forced]
    for (owner, sha256), count in Counter((d.owner, d.sha256) for d in living).items():
        if count > 1:
            yield f"{count} documents of {owner} have the content {sha256[:12]}"
    for entry, count in Counter(entry.document_id for entry in found.ledger).items():
        if count > 1:
            yield f"{count} dropped objects became the document {entry}"
    for claim in found.claims:
        if claim.document_id not in found.documents:
            yield f"the content {claim.sha256[:12]} is held by a document that is none"


def i4_nothing_is_lost(found: Inventory) -> Iterator[str]:
    """What came in is a document, a duplicate, a typed refusal, or was purged: by listing both sides (rules 1, 16)."""
    for file in found.told.accepted:
        if file.document_id in found.documents or file.document_id in found.told.purged:
            continue
        if file.document_id is not None or not _holds(found, file):
            yield f"{file.filename}: accepted, and lost"
    for key in found.objects:
        document_id = _document_of(key)
        if document_id and key == keys.original(document_id) and not _is_known(found, document_id):
            yield f"{key}: an original without a document"
    for entry in found.ledger:
        if entry.state == "received" and not _is_known(found, entry.document_id):
            yield f"{entry.key}: taken over, and lost"
    taken = {entry.key for entry in found.ledger}
    for key in found.objects:
        if key.startswith(keys.INCOMING) and key not in taken:
            yield f"{key}: dropped, and never seen"


def i5_done_once(found: Inventory) -> Iterator[str]:
    """A step done again leaves everything as the first time did (rules 4, 8)."""
    told = Counter(_natural_key(event) for event in found.events if not _is_redacted(event))
    for (event_type, _, _, part), count in told.items():
        if event_type.split()[0] in _RESULT_TYPES and count > 1:
            yield f"{short_type(event_type.split()[0])} {part} of one run and one result is archived {count} times"
    for key, result in _results(found):
        attempts = {reference.key.rpartition("/")[0] for reference in result.payloads.values()}
        if len(attempts - {f"{key.rpartition('/')[0]}/{result.attempt}"}) > 0:
            yield f"{key}: names payloads of another attempt"
    committed = {(result.step, result.fingerprint) for _, result in _results(found)}
    for charge in found.charges:
        if not found.is_gone(charge.document_id) and (charge.step, charge.fingerprint) not in committed:
            yield f"{charge.step}: charged for a result that was never committed"


def i6_the_newest_stands(found: Inventory) -> Iterator[str]:
    """No late event of an earlier run or step replaces what is newer (rules 11, 12)."""
    for document in found.documents.values():
        if document.indexed_version > document.version:
            yield f"{document.filename}: indexed at version {document.indexed_version} of {document.version}"
        yield from _chain(document)
        for column, model in RESULTS.items():
            made = {
                event.payload.get("fingerprint")
                for row in found.events
                if row.document_id == document.id and row.runid == document.runid and row.type == model.type
                for event in [from_json(row.body)]
            }
            result = getattr(document, column)
            # What a run makes of a document that a person has edited waits for that person.
            waits = column == "enriched" and document.review is not None
            if made and result is not None and not waits and result["fingerprint"] not in made:
                yield f"{document.filename}: {column} is not what its current run made"


def i7_no_half_results(found: Inventory) -> Iterator[str]:
    """A pointer names only what exists, whole; search shows only what is committed (rules 6)."""
    for key, result in _results(found):
        for name, reference in result.payloads.items():
            yield from _not_whole(found, reference, f"{key} → {name}")
    for document in found.documents.values():
        if keys.tombstone(document.id) in found.objects:
            continue
        for name, reference in _references(document):
            yield from _not_whole(found, reference, f"{document.filename}: {name}")
    if found.estate.search is None:
        return
    for document_id in found.entries:
        shown = found.documents.get(document_id)
        version = found.estate.search.version_of(document_id)
        if shown is not None and version is not None and version > shown.version:
            yield f"{shown.filename}: search shows version {version}, which is not committed"


def i8_gone_means_gone(found: Inventory) -> Iterator[str]:
    """After a purge nothing brings the document, its objects, its entry or its data back (rules 19, 23)."""
    for document_id in found.tombstones:
        if document_id in found.documents:
            yield f"{document_id}: purged, and a document again"
        if keys.tombstone(document_id) not in found.objects:
            yield f"{document_id}: purged without a tombstone that the steps can see"
        if document_id in found.entries:
            yield f"{document_id}: purged, and still found by search"
        left = [key for key in found.objects if key.startswith(keys.document_prefix(document_id))]
        if left:
            yield f"{document_id}: purged, and {len(left)} objects are there: {left[0]}"
        if any(claim.document_id == document_id for claim in found.claims):
            yield f"{document_id}: purged, and still holds its content"
    for row in found.events:
        is_kept = row.type in _TELL_OF_THE_PURGE or _is_redacted(row)
        if row.document_id in found.tombstones and not is_kept:
            yield f"{row.document_id}: purged, and its {short_type(row.type)} is archived whole"
    for key in found.objects:
        if key.startswith(keys.TOMBSTONES) and key.removeprefix(keys.TOMBSTONES) in found.documents:
            yield f"{key}: a tombstone, and the document is there"


def i8_trash_is_not_found(found: Inventory) -> Iterator[str]:
    """What is in the trash, and what is nobody's, is not found."""
    for document_id in found.entries:
        document = found.documents.get(document_id)
        if document is None:
            yield f"{document_id}: found by search, and no document"
        elif document.trashed_at is not None:
            yield f"{document.filename}: in the trash, and found by search"


def i9_paid_once(found: Inventory) -> Iterator[str]:
    """No page and no text is paid for more often than crashes explain (rules 7)."""
    for page, count in Counter(found.told.journal).items():
        if count > found.told.most_per_page:
            yield f"{page}: paid for {count} times, {found.told.most_per_page} are explained"


def i10_others_are_unmoved(before: "State", after: "State", poison: str) -> Iterator[str]:
    """What a document that fails does to the others: nothing. Compares two states, all but the document `poison`."""
    rest = [[d for d in state["documents"] if d["filename"] != poison] for state in (before, after)]
    if rest[0] != rest[1]:
        yield from differences({"documents": rest[0]}, {"documents": rest[1]})


def i11_failures_are_visible(found: Inventory) -> Iterator[str]:
    """Every failure has a reason, a time and a next step, no stack trace; every letter is kept twice (rules 18)."""
    for document in found.documents.values():
        if document.status != Status.ATTENTION:
            continue
        if document.code not in {code.value for code in FailureCode} and not document.warnings:
            yield f"{document.filename}: needs attention, and nobody says why"
        known = EXPLANATIONS.get(FailureCode(document.code)) if document.code in set(FailureCode) else None
        if known is not None and not (document.message and document.hint):
            yield f"{document.filename}: {document.code} without a sentence and a next step"
        if "Traceback" in (document.message or ""):
            yield f"{document.filename}: shows a stack trace"
    stored = {key for key in found.objects if key.startswith(keys.DEAD_LETTERS)}
    for letter in found.letters:
        if letter.state != "purged" and letter.key not in stored:
            yield f"a letter of {letter.trigger} lacks its object"
    noted = {_letter_name(letter.key) for letter in found.letters}
    for key in stored:
        if _letter_name(key) not in noted:
            yield f"{key}: a letter that the database does not know"


def i12_nobody_sees_others(found: Inventory) -> Iterator[str]:
    """What belongs to one person is found and named by nobody else's document."""
    for document in found.documents.values():
        for name, reference in _references(document):
            if not keys.belongs_to(reference.key, document.id):
                yield f"{document.filename}: its {name} is an object of another document"
    search = found.estate.search
    for owner in {document.owner for document in found.documents.values()} if search else ():
        hits = search.search(SearchQuery(owner=owner, page_size=200)).hits if search else ()
        for hit in hits:
            shown = found.documents.get(hit.document_id)
            if shown is not None and shown.owner != owner:
                yield f"{owner} finds {shown.filename} of {shown.owner}"


def index_is_current(found: Inventory) -> Iterator[str]:
    """Every living document is found, as it is now (rules 21)."""
    search = found.estate.search
    for document in found.documents.values() if search else ():
        if document.trashed_at is None and search is not None:
            version = search.version_of(document.id)
            if version != document.version:
                yield f"{document.filename}: search holds version {version} of {document.version}"


ALWAYS: Mapping[str, Check] = {"I1": i1_originals_are_whole, "I7": i7_no_half_results, "I12": i12_nobody_sees_others}
"""True at every instant."""

SETTLED: Mapping[str, Check] = {
    **ALWAYS,
    "I2": i2_nothing_is_in_limbo,
    "I3": i3_one_document_each,
    "I4": i4_nothing_is_lost,
    "I5": i5_done_once,
    "I6": i6_the_newest_stands,
    "I6 index": index_is_current,
    "I8": i8_gone_means_gone,
    "I8 trash": i8_trash_is_not_found,
    "I9": i9_paid_once,
    "I11": i11_failures_are_visible,
}
"""True once nothing is left to do. I10 compares two states: see `i10_others_are_unmoved`."""


def violations(estate: Estate, told: Told | None = None, checks: Mapping[str, Check] = SETTLED) -> list[str]:
    """Everything that is wrong, each with the name of its invariant; empty where all is well."""
    found = take_inventory(estate, told)
    return [f"{name}: {problem}" for name, check in checks.items() for problem in check(found)]


State = dict[str, Any]


def state(estate: Estate, *, payload_digests: bool = True) -> State:
    """What people can see and what was paid for, without times, versions and random names; sorted.

    `payload_digests` compares derived files byte by byte too, where the engines make the same ones each time.
    """
    found = take_inventory(estate)
    documents = [_shown(found, document, payload_digests) for document in found.documents.values()]
    return {
        "documents": sorted(documents, key=lambda shown: json.dumps(shown, sort_keys=True)),
        "letters": sorted([letter.trigger, letter.state, short_type(letter.event_type)] for letter in found.letters),
        "ledger": sorted([entry.key, entry.state, bool(entry.duplicate_of)] for entry in found.ledger),
        "incoming": sorted(key for key in found.objects if key.startswith(keys.INCOMING)),
        "purged": len(found.tombstones),
        "replays": sorted([each.kind, each.state, each.total, each.done, each.skipped] for each in found.replays),
        "entries": len(found.entries),
    }


def differences(expected: Any, actual: Any, path: str = "") -> list[str]:
    """Where two states differ, as `path: expected → actual`."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = sorted(expected.keys() | actual.keys())
        return [line for n in names for line in differences(expected.get(n), actual.get(n), f"{path}.{n}".strip("."))]
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [line for i, (e, a) in pairs for line in differences(e, a, f"{path}[{i}]")]
    return [] if expected == actual else [f"{path}: {expected!r} → {actual!r}"[:400]]


def _shown(found: Inventory, document: Document, payload_digests: bool) -> dict[str, Any]:
    search = found.estate.search
    results = {name: getattr(document, name) for name in RESULTS}
    return {
        "filename": document.filename,
        "owner": document.owner,
        "sha256": document.sha256,
        "channel": document.channel,
        "status": document.status,
        "code": document.code,
        "trashed": document.trashed_at is not None,
        "pages": document.pages,
        "title": document.title,
        "warnings": sorted(warning["code"] for warning in document.warnings),
        "metadata": document.machine_metadata,
        "set": document.user_metadata,
        "locked": document.locked,
        "review": document.review is not None,
        "accepted": document.accepted_code,
        "language": document.options.get("language"),
        "unlocked": document.options.get("unlocked") is not None,
        "steps": sorted([s.step, s.state, s.code, s.done, s.total] for s in found.steps if _is_current(s, document)),
        "results": sorted(name for name, result in results.items() if result),
        "payloads": sorted(_digests(document)) if payload_digests else [],
        "found": search is not None and search.version_of(document.id) == document.version,
        "claims": sum(claim.document_id == document.id for claim in found.claims),
        "charges": sorted([c.step, c.pages, c.tokens, c.cost] for c in found.charges if c.document_id == document.id),
    }


def _digests(document: Document) -> Iterator[str]:
    for name, reference in _references(document):
        yield f"{name} {reference.sha256}"


def _references(document: Document) -> Iterator[tuple[str, ObjectReference]]:
    named = {"unlocked copy": document.options.get("unlocked")}
    for column, names in (
        ("converted", ("pdf",)),
        ("recognized", ("text", "searchable_pdf")),
        ("enriched", ("metadata",)),
    ):
        result = getattr(document, column) or {}
        named |= {name: result.get(name) for name in names}
    for name, reference in named.items():
        if reference is not None:
            yield name, ObjectReference.model_validate(reference)


def _results(found: Inventory) -> Iterator[tuple[str, StepResult]]:
    """Every committed result of every document that is not being purged."""
    for key in found.objects:
        document_id, name = _document_of(key), key.rpartition("/")[2]
        is_commit = name == "result.json" or (name.startswith("part-") and name.endswith(".json"))
        if document_id and is_commit and not found.is_gone(document_id):
            try:
                yield key, StepResult.model_validate_json(found.body(key))
            except ObjectNotFound:
                continue


def _not_whole(found: Inventory, reference: ObjectReference, what: str) -> Iterator[str]:
    info = found.objects.get(reference.key)
    if info is None:
        yield f"{what}: {reference.key} is not there"
    elif hashlib.sha256(found.body(reference.key)).hexdigest() != reference.sha256:
        yield f"{what}: {reference.key} has other bytes than recorded"


def _chain(document: Document) -> Iterator[str]:
    """Each result was made from the one before it, once a run has ended well."""
    if document.status != Status.READY:
        return
    pairs = (("converted", "recognized"), ("recognized", "enriched"))
    for before, after in pairs:
        earlier, later = getattr(document, before), getattr(document, after)
        if earlier and later and later["input_fingerprint"] != earlier["fingerprint"]:
            yield f"{document.filename}: {after} was not made from what is {before}"


def _standing(found: Inventory, document: Document) -> str:
    states = {s.step: s.state for s in found.steps if _is_current(s, document)}
    return ", ".join(f"{step.value} {states.get(step.value, StepState.WAITING)}" for step in PIPELINE)


def _is_current(step: DocumentStep, document: Document) -> bool:
    return step.document_id == document.id and step.runid == document.runid


def _natural_key(row: ArchivedEvent) -> tuple[str, str | None, str, str]:
    payload = from_json(row.body).payload
    part = json.dumps(payload.get("batch"), sort_keys=True) if "batch" in payload else str(payload.get("code", ""))
    # The event that starts a run at a later step is of web, and says what a step may say again.
    return f"{row.type} {row.source}", row.runid, str(payload.get("fingerprint")), part


def _is_redacted(row: ArchivedEvent) -> bool:
    return set(from_json(row.body).payload) <= _REDACTED


def _is_known(found: Inventory, document_id: str) -> bool:
    return document_id in found.documents or found.is_gone(document_id)


def _holds(found: Inventory, file: Accepted) -> bool:
    return any(d.sha256 == file.sha256 and d.owner == file.owner for d in found.documents.values())


def _document_of(key: str) -> str | None:
    return key.split("/")[1] if key.startswith(keys.DOCUMENTS) else None


def _letter_name(key: str) -> str:
    """Trigger and event of a letter: the same event that fails again leaves a further object of this name."""
    _, trigger, name = key.split("/")
    return f"{trigger}/{name[:32]}"
