"""The projections made anew from archive, dead letters and metadata objects, while the pipeline goes on."""

from collections.abc import Callable

import pytest
from sqlalchemy import delete, func, select, update

from shared.database.engine import reading, writing
from shared.database.tables import ArchivedEvent, Document, DocumentStep, DocumentTag, OutboxEvent, Table
from shared.errors import FailureCode
from tests.app.recorded import Archive
from web.replays import Job, Stale
from web.reprojecting import Reprojecting

Rows = dict[str, list[tuple[object, ...]]]


def rebuild(archive: Archive, meanwhile: Callable[[], object] = lambda: None) -> tuple[int, int]:
    """Documents derived anew, and those left alone."""
    worker = Reprojecting(archive.engine, archive.store)
    with reading(archive.engine) as session:
        extent = worker.extent(session, {})
    cursor, done, skipped = None, 0, 0
    while (batch := worker.next_batch(Job("job", {}, 10, cursor, extent.bound), 100)) is not None:
        meanwhile()
        try:
            with writing(archive.engine) as session:
                counts = batch.apply(session)
        except Stale:
            continue
        cursor, done, skipped = batch.cursor, done + counts.done, skipped + counts.skipped
    return done, skipped


def everything(archive: Archive) -> Rows:
    """All rows of all tables."""
    with reading(archive.engine) as session:
        found = {table.name: session.execute(select(table)).all() for table in Table.metadata.sorted_tables}
        return {name: sorted(map(tuple, rows), key=repr) for name, rows in found.items()}


def derived(archive: Archive) -> object:
    shown = archive.shown()
    return {
        name: value for name, value in shown.items() if name not in ("version", "revision", "changed_at", "indexed")
    }


def under_review(archive: Archive) -> None:
    archive.begin("ocr")
    archive.run("other text", "New", "2")


def rejected(archive: Archive) -> None:
    under_review(archive)
    archive.client.post(f"{archive.here}/comparison/reject")


def failed(archive: Archive) -> None:
    archive.client.patch(archive.here, json={"unlock": ["title"]})
    archive.begin("ocr", force=True)
    archive.record(archive.failed("ocr", FailureCode.OCR_FAILED))


def accepted(archive: Archive) -> None:
    failed(archive)
    archive.client.post(f"{archive.here}/accept")


def given_up(archive: Archive) -> None:
    archive.client.patch(archive.here, json={"unlock": ["title"]})
    archive.begin("enrich", force=True)
    event = archive.converted()
    archive.recorder.bury("enrich", {**event.attributes(), "knativeerrorcode": 503}, event.payload)


def trashed(archive: Archive) -> None:
    archive.client.delete(archive.here)


def just_begun(archive: Archive) -> None:
    archive.client.post(f"{archive.here}/replay", json={"from": "ocr"})


SITUATIONS = [under_review, rejected, failed, accepted, given_up, trashed, just_begun, Archive.edit]


@pytest.mark.parametrize("situation", SITUATIONS)
def test_an_undisturbed_system_is_left_exactly_as_it_is(edited: Archive, situation: Callable[[Archive], None]) -> None:
    situation(edited)
    before = everything(edited)
    assert sum(rebuild(edited)) == 1
    assert everything(edited) == before


@pytest.mark.parametrize("situation", [s for s in SITUATIONS if s is not just_begun])
def test_damaged_rows_are_healed(edited: Archive, situation: Callable[[Archive], None]) -> None:
    situation(edited)
    before = derived(edited)
    damage = {
        "converted": None,
        "recognized": {"fingerprint": "x"},
        "enriched": None,
        "machine_metadata": {},
        "pages": 99,
    }
    shown = {
        "title": "?",
        "sender": "?",
        "code": "internal",
        "message": "?",
        "warnings": [{"code": "x", "message": "y"}],
    }
    state = {} if edited.row.trashed_at else {"status": "processing"}
    with writing(edited.engine) as session:
        session.execute(update(Document).values(**damage, **shown, **state))
        session.execute(delete(DocumentTag))
        if situation is not rejected:
            session.execute(delete(DocumentStep))
    assert rebuild(edited) == (1, 0)
    assert derived(edited) == before


def test_what_was_projected_of_another_run_is_taken_back(archive: Archive) -> None:
    """Rules 11: a row that took in results which none of its events tells of."""
    archive.record(archive.start(), archive.converted())
    foreign = archive.recognized("o9").payload
    with writing(archive.engine) as session:
        session.execute(update(Document).values(recognized=foreign, status="ready"))
    assert rebuild(archive) == (1, 0)
    assert (archive.row.recognized, archive.row.status) == (None, "processing")


def test_the_index_hears_of_what_was_healed_and_of_nothing_else(edited: Archive) -> None:
    def told() -> int:
        with reading(edited.engine) as session:
            return session.scalar(select(func.count()).select_from(OutboxEvent)) or 0

    before = told()
    rebuild(edited)
    assert told() == before
    with writing(edited.engine) as session:
        session.execute(update(Document).values(title="?"))
    rebuild(edited)
    assert told() == before + 1


def test_a_run_that_goes_on_meanwhile_is_not_set_back(archive: Archive) -> None:
    archive.record(archive.start(), archive.converted(), archive.recognized())
    rest = iter([archive.enriched()])

    def meanwhile() -> None:
        for event in rest:
            archive.record(event)

    assert rebuild(archive, meanwhile) == (1, 0)
    assert (archive.row.status, archive.row.title) == ("ready", "Read")


def test_what_was_purged_meanwhile_stays_purged(edited: Archive) -> None:
    """Rules 23."""

    def purge() -> None:
        edited.client.delete(edited.here)
        edited.client.delete(f"{edited.here}?purge=true")

    assert rebuild(edited, purge) == (0, 1)
    with reading(edited.engine) as session:
        assert session.get(Document, edited.id) is None
        assert not any("Read" in row.body for row in session.scalars(select(ArchivedEvent)))


def test_metadata_that_cannot_be_read_leave_the_row_as_it_is(edited: Archive) -> None:
    assert edited.row.enriched is not None
    edited.store.delete(edited.row.enriched["metadata"]["key"])
    before = everything(edited)
    assert rebuild(edited) == (0, 1)
    assert everything(edited) == before


def test_a_document_of_which_nothing_has_arrived_is_left_alone(archive: Archive) -> None:
    before = everything(archive)
    assert rebuild(archive) == (0, 1)
    assert everything(archive) == before


def test_an_administrator_has_it_done(edited: Archive) -> None:
    answer = edited.client.post("/api/rebuild", json={"what": "projections", "rate": 100})
    assert (answer.status_code, answer.json()["kind"], answer.json()["count"]) == (202, "rebuild_projections", 1)
