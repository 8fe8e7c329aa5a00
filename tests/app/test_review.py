"""What a run changes on a document that a person has edited, from the start of the run to the decision."""

from collections.abc import Callable

import pytest

from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, Document, OutboxEvent
from shared.errors import FailureCode
from shared.events import from_json
from shared.metadata import Metadata
from shared.storage import keys
from tests.app.recorded import Archive


def text_of(archive: Archive) -> str:
    return archive.client.get(f"{archive.here}/text?format=plain").text


def test_an_unedited_document_is_replaced_at_once(archive: Archive) -> None:
    archive.record(archive.start())
    archive.run()
    archive.begin("ocr")
    archive.run("other text", "New", "2")
    shown = archive.shown()
    assert (shown["status"], shown["review"], shown["title"]) == ("ready", None, "New")
    assert text_of(archive) == "other text"


class TestPending:
    @pytest.fixture
    def pending(self, edited: Archive) -> Archive:
        edited.begin("ocr")
        edited.run("hello new world", "New", "2")
        return edited

    def test_nothing_that_is_shown_changes_until_it_is_taken(self, pending: Archive) -> None:
        shown = pending.shown()
        assert (shown["status"], shown["review"], shown["code"]) == ("ready", "pending", None)
        assert (shown["title"], shown["sender"]) == ("Mine", "Read")
        assert text_of(pending) == "hello world"
        assert [step["state"] for step in shown["steps"]] == ["done", "done", "done"]

    def test_the_list_finds_it(self, pending: Archive) -> None:
        def found(query: str) -> list[str]:
            return [each["id"] for each in pending.client.get(f"/api/documents?{query}").json()["results"]]

        assert found("review=pending") == [pending.id] == found("status=ready&review=pending")
        assert pending.client.get("/api/status").json()["reviews"] == 1
        pending.client.post(f"{pending.here}/comparison/reject")
        assert found("review=pending") == []
        assert pending.client.get("/api/documents?review=none").status_code == 422

    def test_the_comparison_tells_old_and_new(self, pending: Archive) -> None:
        told = pending.client.get(f"{pending.here}/comparison").json()
        assert (told["state"], told["runid"]) == ("pending", pending.row.runid)
        fields = {field["name"]: field for field in told["fields"]}
        assert set(fields) == set(Metadata.model_fields)
        title, sender = fields["title"], fields["sender"]
        assert (title["locked"], title["changed"], title["after"]["value"]) == (True, False, "Mine")
        assert title["machine"]["value"] == "New"
        assert (sender["before"]["value"], sender["after"]["value"], sender["changed"]) == ("Read", "New", True)
        text = told["text"]
        assert (text["before"]["words"], text["after"]["words"]) == (2, 3)
        assert (text["words_added"], text["words_removed"]) == (1, 0)
        assert [line["kind"] for line in text["lines"]] == ["gap", "removed", "added"]
        assert text["after"]["mean_confidence"] == 0.9

    def test_taken_it_is_shown_and_what_the_person_set_stays(self, pending: Archive) -> None:
        version = pending.row.version
        answer = pending.client.post(f"{pending.here}/comparison/accept")
        shown = answer.json()
        assert answer.status_code == 200
        assert (shown["status"], shown["review"], shown["title"], shown["sender"]) == ("ready", None, "Mine", "New")
        assert shown["version"] == version + 1
        assert text_of(pending) == "hello new world"
        assert pending.client.get(f"{pending.here}/comparison").json()["state"] == "none"
        with reading(pending.engine) as session:
            told = [from_json(row.body) for row in session.query(OutboxEvent).filter_by(document_id=pending.id)]
        assert told[-1].payload["version"] == version + 1

    def test_left_it_is_gone_and_late_events_do_not_bring_it_back(self, pending: Archive) -> None:
        answer = pending.client.post(f"{pending.here}/comparison/reject")
        assert (answer.status_code, answer.json()["review"]) == (200, None)
        pending.record(pending.recognized("o3", "c1", "late"), pending.enriched("Late", "e3", "o3"))
        pending.record(pending.failed("enrich", FailureCode.ENRICH_FAILED))
        shown = pending.shown()
        assert (shown["status"], shown["sender"], shown["review"]) == ("ready", "Read", None)
        assert text_of(pending) == "hello world"

    @pytest.mark.parametrize("what", ["accept", "reject"])
    def test_a_decision_is_made_once_and_on_the_run_that_was_seen(self, pending: Archive, what: str) -> None:
        other = pending.client.post(f"{pending.here}/comparison/{what}?runid=another")
        assert (other.status_code, other.json()["error"]["code"]) == (409, "other_run")
        assert pending.client.post(f"{pending.here}/comparison/{what}?runid={pending.row.runid}").status_code == 200
        again = pending.client.post(f"{pending.here}/comparison/{what}")
        assert (again.status_code, again.json()["error"]["code"]) == (409, "no_review")

    def test_an_edit_meanwhile_stays(self, pending: Archive) -> None:
        pending.client.patch(pending.here, json={"metadata": {"sender": "Me"}})
        assert pending.shown()["review"] == "pending"
        assert pending.client.post(f"{pending.here}/comparison/accept").json()["sender"] == "Me"

    def test_a_field_given_back_shows_what_stands_then_what_was_taken(self, pending: Archive) -> None:
        given = pending.client.patch(pending.here, json={"unlock": ["title"]}).json()
        assert given["title"] == "Read"
        assert pending.client.post(f"{pending.here}/comparison/accept").json()["title"] == "New"

    def test_it_outlasts_the_trash(self, pending: Archive) -> None:
        assert pending.client.delete(pending.here).json()["status"] == "trashed"
        assert pending.client.post(f"{pending.here}/comparison/accept").status_code == 409
        shown = pending.client.post(f"{pending.here}/restore").json()
        assert (shown["status"], shown["review"]) == ("ready", "pending")

    def test_a_purge_takes_it_along(self, pending: Archive) -> None:
        """Rules 23."""
        late = pending.enriched("Late", "e9", "o2")
        pending.client.delete(pending.here)
        assert pending.client.delete(f"{pending.here}?purge=true").status_code == 204
        pending.record(late)
        assert pending.client.get(f"{pending.here}/comparison").status_code == 404
        assert list(pending.store.list(keys.document_prefix(pending.id))) == []

    def test_the_next_run_starts_from_what_stands(self, pending: Archive) -> None:
        pending.begin("enrich", options={"enrich_engine": "local"})
        assert pending.shown()["review"] is None
        pending.record(pending.enriched("Third", "e3", "o1"))
        shown = pending.shown()
        assert (shown["review"], shown["sender"]) == ("pending", "Read")
        assert text_of(pending) == "hello world"
        taken = pending.client.post(f"{pending.here}/comparison/accept").json()
        assert taken["sender"] == "Third"
        assert text_of(pending) == "hello world"


def test_a_run_left_leaves_its_options_behind(edited: Archive) -> None:
    edited.begin("ocr", options={"language": "fr"})
    assert edited.shown()["options"]["language"] == "fr"
    edited.run("bonjour", "Neuf", "2")
    assert edited.client.post(f"{edited.here}/comparison/reject").json()["options"]["language"] is None


def test_a_run_that_changes_nothing_just_ends(edited: Archive) -> None:
    edited.begin("convert")
    assert edited.shown()["status"] == "processing"
    edited.run()
    shown = edited.shown()
    assert (shown["status"], shown["review"]) == ("ready", None)
    assert edited.client.post(f"{edited.here}/comparison/accept").status_code == 409


@pytest.mark.parametrize("title", ["Read", "New"])
def test_what_was_lost_and_made_again_is_shown_at_once(edited: Archive, title: str) -> None:
    """The same result, elsewhere: only what is new waits for the person."""
    for prefix in ("ocr/o1/", "enrich/e1/"):
        edited.store.delete_prefix(keys.document_prefix(edited.id) + prefix)
    assert edited.client.get(f"{edited.here}/pdf").status_code == 404
    edited.begin("ocr")
    edited.record(
        edited.recognized(attempt="b"), edited.enriched(title, "e1" if title == "Read" else "e2", attempt="b")
    )
    assert edited.shown()["review"] == (None if title == "Read" else "pending")
    assert (edited.shown()["sender"], text_of(edited)) == ("Read", "hello world")
    assert edited.client.get(f"{edited.here}/pdf").status_code == 200


def test_while_the_run_goes_on_there_is_nothing_to_decide(edited: Archive) -> None:
    edited.begin("ocr")
    edited.record(edited.recognized("o2", "c1", "new"))
    shown = edited.shown()
    assert (shown["status"], shown["review"]) == ("processing", None)
    assert [step["state"] for step in shown["steps"]] == ["done", "done", "running"]
    assert text_of(edited) == "hello world"
    refused = edited.client.post(f"{edited.here}/comparison/accept")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "processing")


def test_a_failure_under_review_leaves_the_document_usable(edited: Archive) -> None:
    edited.begin("ocr", force=True)
    edited.record(edited.failed("ocr", FailureCode.OCR_FAILED))
    shown = edited.shown()
    assert (shown["status"], shown["code"], shown["review"]) == ("ready", None, "pending")
    assert shown["steps"][1]["code"] == "ocr_failed"
    told = edited.client.get(f"{edited.here}/comparison").json()
    assert (told["failure"]["code"], told["text"]["words_added"]) == ("ocr_failed", 0)
    assert edited.client.delete(edited.here).status_code == 200
    assert edited.client.post(f"{edited.here}/restore").json()["status"] == "ready"
    kept = edited.client.post(f"{edited.here}/comparison/reject").json()
    assert (kept["status"], kept["review"]) == ("ready", None)


def test_a_late_success_beats_the_failure_under_review(edited: Archive) -> None:
    """Rules 11."""
    edited.begin("ocr")
    edited.record(edited.failed("ocr", FailureCode.OCR_FAILED))
    edited.run("new text", "New", "2")
    assert edited.client.get(f"{edited.here}/comparison").json()["failure"] is None


def test_a_dead_letter_under_review_leaves_the_document_usable(edited: Archive) -> None:
    edited.begin("ocr")
    start = edited.converted()
    edited.recorder.bury("ocr", {**start.attributes(), "knativeerrorcode": 503}, start.payload)
    shown = edited.shown()
    assert (shown["status"], shown["review"], shown["steps"][1]["code"]) == ("ready", "pending", "retries_exhausted")
    with reading(edited.engine) as session:
        assert [letter.state for letter in session.query(DeadLetter)] == ["open"]


class TestAccept:
    @pytest.fixture
    def failed(self, archive: Archive) -> Archive:
        archive.record(archive.start(), archive.converted(), archive.failed("ocr", FailureCode.OCR_FAILED))
        assert archive.shown()["status"] == "attention"
        return archive

    def test_a_document_is_kept_without_its_text(self, failed: Archive) -> None:
        for _ in range(2):
            answer = failed.client.post(f"{failed.here}/accept")
            shown = answer.json()
            assert (answer.status_code, shown["status"], shown["code"], shown["failure"]) == (200, "ready", None, None)
        assert [notice["code"] for notice in shown["warnings"]] == ["ocr_failed"]
        assert [step["state"] for step in shown["steps"]] == ["done", "failed", "skipped"]

    def test_it_outlasts_the_trash(self, failed: Archive) -> None:
        failed.client.post(f"{failed.here}/accept")
        failed.client.delete(failed.here)
        assert failed.client.post(f"{failed.here}/restore").json()["status"] == "ready"

    def test_a_late_success_is_shown(self, failed: Archive) -> None:
        failed.client.post(f"{failed.here}/accept")
        failed.record(failed.recognized(), failed.enriched())
        shown = failed.shown()
        assert (shown["status"], shown["warnings"], shown["title"]) == ("ready", [], "Read")

    def test_another_failure_is_asked_about_again(self, failed: Archive) -> None:
        failed.client.post(f"{failed.here}/accept")
        failed.record(failed.recognized(), failed.failed("enrich", FailureCode.ENRICH_FAILED))
        assert (failed.shown()["status"], failed.shown()["code"]) == ("attention", "enrich_failed")

    def test_a_new_run_asks_again(self, failed: Archive) -> None:
        failed.client.post(f"{failed.here}/accept")
        failed.begin("ocr")
        failed.record(failed.failed("ocr", FailureCode.OCR_FAILED))
        assert failed.shown()["status"] == "attention"

    def test_a_doubt_can_be_accepted(self, archive: Archive) -> None:
        doubt = {"code": "corrupt", "message": "Repaired.", "needs_decision": True}
        archive.record(archive.start(), archive.converted(warnings=[doubt]), archive.recognized(), archive.enriched())
        assert archive.shown()["code"] == "corrupt"
        shown = archive.client.post(f"{archive.here}/accept").json()
        assert (shown["status"], shown["warnings"][0]["needs_decision"]) == ("ready", False)

    @pytest.mark.parametrize(
        ("prepare", "code"),
        [
            (lambda archive: archive.record(archive.failed("convert", FailureCode.SOURCE_GONE)), "not_acceptable"),
            (lambda archive: archive.record(archive.converted()), "processing"),
            (lambda archive: archive.client.delete(archive.here), "trashed"),
        ],
    )
    def test_what_cannot_be_accepted(self, archive: Archive, prepare: Callable[[Archive], object], code: str) -> None:
        prepare(archive)
        answer = archive.client.post(f"{archive.here}/accept")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, code)


class TestCost:
    def test_a_result_is_booked_once_however_often_it_is_told(self, edited: Archive) -> None:
        """Rules 8."""
        edited.run()
        edited.begin("convert")
        edited.run()
        assert edited.shown()["cost"] == {"ocr_pages": 1, "tokens": 7, "cost": "0.001"}
        edited.begin("enrich", force=True)
        edited.record(edited.enriched("New", "e2"))
        assert edited.shown()["cost"] == {"ocr_pages": 1, "tokens": 14, "cost": "0.002"}

    def test_what_was_spent_outlasts_a_purge(self, edited: Archive) -> None:
        edited.client.delete(edited.here)
        edited.client.delete(f"{edited.here}?purge=true")
        assert edited.client.get("/api/status").json()["cost"] == {"ocr_pages": 1, "tokens": 7, "cost": "0.001"}

    @pytest.mark.parametrize("cost", ["much", "NaN", "-1", "1e30", ""])
    def test_a_price_that_is_none_costs_nothing(self, archive: Archive, cost: str) -> None:
        archive.record(archive.start(), archive.converted(), archive.recognized())
        event = archive.enriched()
        archive.record(event.model_copy(update={"payload": {**event.payload, "cost": cost, "tokens": 10**12}}))
        assert archive.shown()["cost"]["cost"] == "0"


def test_a_row_begun_by_an_older_release_is_not_emptied(edited: Archive) -> None:
    """Rules 25: a run that was begun without noting what stood."""
    edited.begin("ocr")
    with writing(edited.engine) as session:
        row = session.get_one(Document, edited.id)
        row.base = row.review = None
    edited.record(edited.failed("ocr", FailureCode.OCR_FAILED))
    assert text_of(edited) == "hello world"
