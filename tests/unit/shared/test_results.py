"""The memo: a result is made once, committed once, and then stands."""

import threading
from pathlib import Path

import pytest

from shared.documents import new_document_id
from shared.errors import DocumentGone, FailureCode, LeaseHeld, StepFailed, Unavailable
from shared.leases import MAX_LOST, Holder, LeaseRecord, lease
from shared.results import Attempt, StepResult, Work
from shared.storage import keys
from shared.storage.directory import DirectoryObjectStore


@pytest.fixture
def store(tmp_path: Path) -> DirectoryObjectStore:
    return DirectoryObjectStore(tmp_path)


@pytest.fixture
def work(store: DirectoryObjectStore) -> Work:
    return Work(store, new_document_id(), "convert", "1", "f" * 64, "s" * 64)


class Producer:
    """Counts how often the work was really done."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.calls = 0

    def __call__(self, attempt: Attempt) -> StepResult:
        self.calls += 1
        payload = attempt.store_bytes("document.pdf", b"%PDF", "application/pdf")
        return self.work.outcome(attempt, payloads={"pdf": payload}, data={"pages": 1})


def test_the_second_time_nothing_is_done(work: Work) -> None:
    produce = Producer(work)
    assert work.once(produce) == work.once(produce)
    assert produce.calls == 1


def test_nothing_is_committed_whose_payloads_the_store_has_lost(store: DirectoryObjectStore, work: Work) -> None:
    """Rules 6: stores exist that say 200 and keep nothing."""

    def produce(attempt: Attempt) -> StepResult:
        payload = attempt.store_bytes("document.pdf", b"%PDF", "application/pdf")
        store.delete(payload.key)
        return work.outcome(attempt, payloads={"pdf": payload})

    with pytest.raises(Unavailable):
        work.once(produce)
    assert work.result() is None
    assert work.once(Producer(work)).payloads


def test_a_failure_that_the_inputs_determine_is_committed(work: Work) -> None:
    def produce(attempt: Attempt) -> StepResult:
        raise StepFailed(FailureCode.CORRUPT, "Broken at page 2.")

    result = work.once(produce)
    assert result.failure is not None
    assert (result.failure.code, result.failure.message) == (FailureCode.CORRUPT, "Broken at page 2.")
    assert work.result() == result


@pytest.mark.parametrize(
    "error", [StepFailed(FailureCode.CONVERSION_TIMEOUT, determined=False), Unavailable("down"), ValueError("bug")]
)
def test_what_may_pass_later_is_not_committed_and_blocks_nobody(work: Work, error: Exception) -> None:
    def produce(attempt: Attempt) -> StepResult:
        raise error

    with pytest.raises(type(error)):
        work.once(produce)
    assert work.result() is None
    assert work.once(Producer(work)).data == {"pages": 1}


def test_of_two_at_once_one_works_and_the_other_is_told_to_wait(work: Work) -> None:
    inside, go_on = threading.Event(), threading.Event()
    done: list[StepResult] = []

    def slow(attempt: Attempt) -> StepResult:
        inside.set()
        go_on.wait(10)
        return Producer(work)(attempt)

    first = threading.Thread(target=lambda: done.append(work.once(slow)))
    first.start()
    assert inside.wait(10)
    with pytest.raises(LeaseHeld):
        work.once(Producer(work))
    go_on.set()
    first.join()
    assert work.result() == done[0]


def test_a_commit_without_its_payload_is_set_aside_and_done_again(work: Work, store: DirectoryObjectStore) -> None:
    produce = Producer(work)
    first = work.once(produce)
    store.delete(first.payloads["pdf"].key)
    second = work.once(produce)
    assert produce.calls == 2
    assert second.attempt != first.attempt
    assert any("set-aside" in info.key for info in store.list(work.prefix))


def test_whoever_loses_the_race_answers_from_the_winner(work: Work) -> None:
    def overtaken(attempt: Attempt) -> StepResult:
        winner = Attempt(work.store, work.prefix)
        result = Producer(work)(winner)
        work.store.put(work.prefix + "result.json", result.model_dump_json().encode(), media_type="application/json")
        return Producer(work)(attempt)

    result = work.once(overtaken)
    assert result == work.result()


def test_a_document_purged_meanwhile_gets_no_result(work: Work, store: DirectoryObjectStore) -> None:
    def produce(attempt: Attempt) -> StepResult:
        store.put(keys.tombstone(work.document_id), b"{}", media_type="application/json")
        return Producer(work)(attempt)

    with pytest.raises(DocumentGone):
        work.once(produce)
    assert work.result() is None


def _lease_of(work: Work, number: int, holder: Holder) -> None:
    body = LeaseRecord(holder=holder).model_dump_json().encode()
    work.store.put(f"{work.prefix}lease-all-{number}.json", body, media_type="application/json")


DEAD = Holder.me().model_copy(update={"process": "1@0"})
ELSEWHERE = Holder(machine="another", process="1@0", supervisor="1@0")


def test_a_dead_holder_on_this_machine_is_not_waited_for(work: Work) -> None:
    _lease_of(work, 1, DEAD)
    assert work.once(Producer(work)).data == {"pages": 1}


def test_a_holder_elsewhere_is_waited_for(work: Work) -> None:
    _lease_of(work, 1, ELSEWHERE)
    with pytest.raises(LeaseHeld):
        work.once(Producer(work))


def test_what_stopped_five_workers_is_given_up(work: Work) -> None:
    for number in range(1, MAX_LOST + 1):
        _lease_of(work, number, DEAD)
    with pytest.raises(StepFailed) as failed:
        work.once(Producer(work))
    assert failed.value.code is FailureCode.INTERNAL


def test_workers_that_went_down_with_their_supervisor_are_not_held_against_the_document(work: Work) -> None:
    for number in range(1, MAX_LOST + 3):
        _lease_of(work, number, DEAD.model_copy(update={"supervisor": "1@0"}))
    assert work.once(Producer(work)).data == {"pages": 1}


def test_units_are_leased_apart(work: Work) -> None:
    with lease(work.store, work.prefix, "0001-0008"), lease(work.store, work.prefix, "0009-0016"):
        pass
