"""What is done while something fails: one scenario per step of the pipeline and per thing that a person can do."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import delete

from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, Document
from shared.documents import new_document_id
from shared.events import DocumentEnriched, DocumentReceived, DocumentRecognized
from shared.originals import Provenance
from shared.storage import keys
from tests.chaos.bus import Delivery
from tests.chaos.papers import broken, paper
from tests.chaos.world import World
from tests.papers import INVOICE, LETTER

Act = Callable[[World], object]

PASSWORD = "open sesame"
BYSTANDER = "bystander.txt"
"""A document that has nothing to do with what fails."""


def _nothing(world: World) -> None:
    """The broker delivers again by itself."""


@dataclass(frozen=True)
class Scenario:
    """`prepare` is made once, `begin` in each attempt; `act` is what fails, and `again` what follows on a restart.

    With `sweeps` what is left behind may need a sweep; everything else has to heal by redelivery alone.
    """

    name: str
    prepare: Act
    act: Act
    begin: Act = _nothing
    again: Act = _nothing
    sweeps: bool = False


def letter(world: World) -> str:
    """A text."""
    return world.upload("letter.txt", LETTER.encode())


def scan(world: World) -> str:
    """Two pages to be recognized in one go."""
    return world.upload("scan.pdf", paper(INVOICE, LETTER, scanned=True))


def book(world: World) -> str:
    """Twenty pages: three batches."""
    return world.upload("book.pdf", paper(*(f"Page {n}\n{LETTER}" for n in range(1, 21)), scanned=True))


def id_of(world: World, filename: str) -> str:
    """The document of this name."""
    with reading(world.engine) as session:
        (found,) = session.query(Document.id).filter(Document.filename == filename).one()
        return str(found)


def _with_bystander(make: Act) -> Act:
    def prepare(world: World) -> None:
        world.upload(BYSTANDER, b"Nothing happens to me.")
        world.settle()
        make(world)

    return prepare


def _delivered(name: str, make: Act, trigger: str, *, leave: int = 0, wanted: str | None = None) -> Scenario:
    """One delivery to a trigger. `leave`: how many to pass before; `wanted`: the type of the event."""

    def meant(world: World) -> Delivery:
        return next(d for d in world.bus.waiting(trigger) if wanted in (None, d.type))

    def prepare(world: World) -> None:
        make(world)
        world.settle(until=lambda d: d.trigger == trigger and wanted in (None, d.type))
        for _ in range(leave):
            world.deliver(meant(world))
            world.settle(until=lambda d: d.trigger == trigger and wanted in (None, d.type))

    return Scenario(name, _with_bystander(prepare), lambda world: world.deliver(meant(world)))


def _asked(name: str, prepare: Act, act: Act) -> Scenario:
    """Something that a person does, and does again when no answer came."""
    return Scenario(name, _with_bystander(prepare), act, again=act)


def _settled(*makers: Callable[[World], str]) -> Act:
    def prepare(world: World) -> None:
        for make in makers:
            make(world)
        world.settle()

    return prepare


def _trash(world: World) -> None:
    assert world.insist("DELETE", f"/api/documents/{id_of(world, 'scan.pdf')}").status_code == 200


def _restore(world: World) -> None:
    assert world.insist("POST", f"/api/documents/{id_of(world, 'scan.pdf')}/restore").status_code == 200


def _trashed(world: World) -> None:
    _settled(scan)(world)
    _trash(world)
    world.settle()


def _purge(world: World) -> None:
    (document_id,) = (file.document_id for file in world.told.accepted if file.filename == "scan.pdf")
    assert document_id is not None
    world.purge(document_id)


def _unlock(world: World) -> None:
    path = f"/api/documents/{id_of(world, 'secret.pdf')}/unlock"
    assert world.insist("POST", path, json={"password": PASSWORD}).status_code == 202


def _replay(world: World) -> None:
    path = f"/api/documents/{id_of(world, 'scan.pdf')}/replay"
    wanted = {"from": "ocr", "options": {"language": "fr"}}
    assert world.insist("POST", path, json=wanted).status_code == 202


def _begun(path: str, **request: object) -> Act:
    """Work that an operator has begun on all documents; every item is dealt with in the same way, so few are enough."""

    def prepare(world: World) -> None:
        _settled(letter)(world)
        told = world.insist("POST", path, json={**request, "rate": 1000})
        assert told.status_code == 202, told.text

    return prepare


def _finish(world: World) -> None:
    world.finish_replays()


def _patch(world: World) -> None:
    told = world.insist("PATCH", f"/api/documents/{id_of(world, 'scan.pdf')}", json={"metadata": {"title": "Mine"}})
    assert told.status_code == 200


def _dropped(world: World) -> None:
    world.drop("dropped.txt", INVOICE.encode())
    world.announce("dropped.txt")


def _neglected(world: World) -> None:
    """A letter and an original that only the store knows, a file that nobody told of, an event that the broker lost."""
    _dead_letter(world)
    world.settle()
    with writing(world.engine) as session:
        session.execute(delete(DeadLetter))
    about = Provenance("stored.txt", "local", "api").to_metadata()
    world.store.put(keys.original(new_document_id()), b"Stored, no more.", media_type="text/plain", metadata=about)
    world.drop("unseen.txt", b"Dropped, and nobody said so.")
    scan(world)
    world.relay.send_due()
    world.bus.lose(world.bus.deliveries)


def _dead_letter(world: World) -> None:
    """convert has refused an event for good; the letter waits for its sink."""
    letter(world)
    world.settle_without("convert")
    (delivery,) = world.bus.waiting("convert")
    delivery.is_letter = True
    delivery.error = {"knativeerrorcode": "422", "knativeerrordest": "http://convert"}
    world.bus.pass_time(0)


SCENARIOS: tuple[Scenario, ...] = (
    replace(_asked("upload", _nothing, lambda world: scan(world)), sweeps=True),
    Scenario("relay", _with_bystander(lambda w: scan(w)), lambda world: world.relay.send_due()),
    Scenario(
        "ingest",
        _with_bystander(_nothing),
        act=lambda world: world.deliver_next("ingest"),
        begin=_dropped,
    ),
    _delivered("convert", letter, "convert"),
    _delivered("convert: cannot", lambda w: w.upload("broken.pdf", broken()), "convert"),
    _delivered("ocr whole", scan, "ocr"),
    _delivered("ocr plan", book, "ocr"),
    _delivered("ocr batch", book, "ocr-pages"),
    _delivered("ocr join", book, "ocr-pages", leave=2),
    _delivered("enrich", scan, "enrich"),
    _delivered("record: received", scan, "record", wanted=DocumentReceived.type),
    _delivered("record: recognized", scan, "record", wanted=DocumentRecognized.type),
    _delivered("record: enriched", scan, "record", wanted=DocumentEnriched.type),
    _delivered("index", letter, "index"),
    _asked("trash", _settled(scan), _trash),
    _asked("restore", _trashed, _restore),
    _asked("purge", _trashed, _purge),
    _asked("replay", _settled(scan), _replay),
    _asked(
        "reprocess many",
        _begun("/api/events/replay", mode="reprocess", filter={}, options={"language": "fr"}, **{"from": "ocr"}),
        _finish,
    ),
    _asked(
        "redeliver many", _begun("/api/events/replay", mode="redeliver", filter={"type": "document.received"}), _finish
    ),
    _asked("rebuild index", _begun("/api/rebuild", what="index"), _finish),
    _asked("rebuild projections", _begun("/api/rebuild", what="projections"), _finish),
    _asked("unlock", _settled(lambda w: w.upload("secret.pdf", paper(INVOICE, password=PASSWORD))), _unlock),
    _asked("set metadata", _settled(scan), _patch),
    Scenario(
        "dead letter",
        _with_bystander(_dead_letter),
        lambda world: world.deliver(world.bus.waiting("convert")[0]),
        # The letter's sink answers with no event: the index is woken by the next sweep.
        sweeps=True,
    ),
    replace(_asked("sweep", _neglected, lambda world: world.sweep()), sweeps=True),
)
