"""The vocabulary: what new runs are told of the library, and that a run keeps what it was told (rules 9)."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from shared.database.engine import reading, writing
from shared.database.tables import Document, DocumentTag
from shared.database.vocabulary import offered_vocabulary
from shared.documents import ObjectReference
from shared.events import DocumentRecognized
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore
from shared.vocabulary import MAX_TAGS, VocabularySnapshot
from tests.app.sweep.estate import Estate
from web.api.models import ReplayRequest
from web.runs import replay
from web.sweep import Sweep

OWNER = "local"


@pytest.fixture
def library(engine: Engine, tmp_path) -> Estate:
    """An estate whose sweep offers vocabularies."""
    estate = Estate(engine, DirectoryObjectStore(tmp_path / "objects"))
    estate.sweep = Sweep(engine, estate.store, estate.broker, offers_vocabulary=True)
    return estate


def tagged(library: Estate, *tags: str, body: bytes = b"x", **values: object) -> str:
    document_id = library.document(body, **values)
    with writing(library.engine) as session:
        session.add_all(DocumentTag(document_id=document_id, tag=tag) for tag in tags)
    return document_id


def gone(library: Estate, document_id: str) -> None:
    """As after a purge, as far as it matters here."""
    library.store.delete(keys.original(document_id))
    with writing(library.engine) as session:
        session.delete(session.get_one(Document, document_id))


def options(library: Estate, document_id: str) -> str | None:
    return library.row(document_id).options["vocabulary"]


def offered(library: Estate, owner: str = OWNER) -> VocabularySnapshot | None:
    with reading(library.engine) as session:
        key = offered_vocabulary(session, owner)
    return VocabularySnapshot.model_validate_json(library.store.get(key)) if key else None


def later(library: Estate) -> None:
    library.swept(after=timedelta(hours=1, minutes=1))


def test_an_empty_library_offers_nothing(library: Estate) -> None:
    library.swept()
    assert offered(library) is None and library.keys("vocabulary/") == []
    assert options(library, library.document()) is None


def test_new_runs_name_what_the_library_knows(library: Estate) -> None:
    tagged(library, "Strom", "Steuer", body=b"1", sender="Stadtwerke")
    tagged(library, "Strom", body=b"2", sender="Stadtwerke")
    tagged(library, body=b"3", sender="Only once")
    library.swept()
    assert offered(library) == VocabularySnapshot(tags=("Steuer", "Strom"), senders=("Stadtwerke",))
    key = options(library, library.document(b"4"))
    assert key is not None and library.keys("vocabulary/") == [key]


def test_another_document_of_the_same_words_makes_no_other_snapshot(library: Estate) -> None:
    tagged(library, "Strom", "Gas", body=b"1")
    library.swept()
    tagged(library, "Gas", body=b"2")
    later(library)
    assert len(library.keys("vocabulary/")) == 1


def test_a_snapshot_is_named_by_its_content_and_holds_the_most_used(library: Estate) -> None:
    tagged(library, *(f"tag {number:03}" for number in range(MAX_TAGS + 50)), body=b"1")
    tagged(library, "tag 149", body=b"2")
    library.swept()
    found = offered(library)
    assert found and len(found.tags) == MAX_TAGS and "tag 149" in found.tags
    assert library.keys("vocabulary/") == [found.key]


def test_owners_do_not_learn_of_each_other_nor_of_the_trash(library: Estate) -> None:
    tagged(library, "Mine", body=b"1")
    tagged(library, "Theirs", body=b"2", owner="somebody")
    tagged(library, "Thrown away", body=b"3", trashed_at=library.now)
    library.swept()
    mine, theirs = offered(library), offered(library, "somebody")
    assert mine and theirs and (mine.tags, theirs.tags) == (("Mine",), ("Theirs",))


def ready_for_enrich(library: Estate, document_id: str) -> None:
    row = library.row(document_id)
    text = ObjectReference(bucket="b", key="k", size=1, sha256="0" * 64, etag="e", media_type="application/json")
    converted = {"fingerprint": "c", "input_fingerprint": row.sha256}
    recognized = DocumentRecognized(
        document_id=document_id,
        fingerprint="o",
        input_fingerprint="c",
        text=text,
        searchable_pdf=text,
        pages=1,
        ocr_pages=1,
    )
    library.change(document_id, converted=converted, recognized=recognized.model_dump(mode="json"))


@pytest.mark.parametrize(
    ("step", "force", "learns"),
    [("enrich", False, False), ("enrich", True, True), ("convert", True, False), ("convert", False, False)],
)
def test_a_run_keeps_the_recorded_snapshot_unless_enrich_is_forced(
    library: Estate, step: str, force: bool, learns: bool
) -> None:
    """rules 9: an unforced replay costs no tokens, however much the library has learned since."""
    tagged(library, "Strom", body=b"1")
    library.swept()
    document_id = library.document(b"2")
    ready_for_enrich(library, document_id)
    before = options(library, document_id)
    tagged(library, "Gas", body=b"3")
    later(library)
    request = ReplayRequest.model_validate({"from": step, "force": force})
    replay(library.engine, OWNER, document_id, request)
    assert (options(library, document_id) != before) is learns


def test_what_no_run_names_any_more_goes(library: Estate) -> None:
    """A word that only purged documents had stays as long as a living document's run names the snapshot, no longer."""
    first = tagged(library, "Secret", body=b"1")
    tagged(library, "Open", body=b"3")
    library.swept()
    reader = library.document(b"2")
    named = options(library, reader)
    gone(library, first)
    for _ in range(8):
        later(library)
    assert named in library.keys("vocabulary/")
    gone(library, reader)
    for _ in range(8):
        later(library)
    found = offered(library)
    assert found and found.tags == ("Open",)
    assert library.keys("vocabulary/") == [found.key]


def test_what_was_offered_last_stays_while_somebody_may_be_about_to_name_it(library: Estate) -> None:
    tagged(library, "Strom", body=b"1")
    library.swept()
    (before,) = library.keys("vocabulary/")
    tagged(library, "Gas", body=b"2")
    library.swept(after=timedelta(hours=12))
    assert before in library.keys("vocabulary/")


def test_an_emptied_library_offers_nothing_more(library: Estate) -> None:
    document_id = tagged(library, "Strom", body=b"1")
    library.swept()
    gone(library, document_id)
    for _ in range(9):
        later(library)
    assert offered(library) is None and library.keys("vocabulary/") == []


def test_a_report_changes_nothing(library: Estate) -> None:
    tagged(library, "Strom", body=b"1")
    library.swept(report=True)
    assert library.keys(keys.VOCABULARY) == []
