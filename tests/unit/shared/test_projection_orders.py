"""Whatever order events come in, and however often, they mean the same (rules 11 and 12)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.documents import Status, StepState
from shared.events import Event
from shared.progress import Progress
from shared.projection import Letter, Run, Standing, project

START = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = "a" * 64
BASE = Standing(
    SOURCE,
    {"fingerprint": "c0", "input_fingerprint": SOURCE},
    {"fingerprint": "o0", "input_fingerprint": "c0"},
    {"fingerprint": "e0", "input_fingerprint": "o0", "metadata": {"key": "k"}},
)
FAILURE = {"code": "ocr_failed", "message": "m", "hint": "h"}
MARKS = st.integers(1, 2)


def made(kind: str, minute: int, mark: str, source: str) -> Event:
    payload: dict[str, Any] = {"fingerprint": mark, "input_fingerprint": source, "pages": 1, "metadata": {"key": mark}}
    return event(f"document.{kind}", minute, payload)


def event(kind: str, minute: int, payload: dict[str, Any]) -> Event:
    return Event(
        id=f"{kind}-{minute}-{sorted(map(str, payload.items()))}",
        source="/docuelevate/functions/x",
        type=f"org.docuelevate.{kind}.v1",
        subject="d",
        time=START + timedelta(minutes=minute),
        payload=payload,
        runid="r",
    )


MINUTES = st.integers(0, 5)
BATCH = st.tuples(st.integers(0, 6), st.integers(1, 8)).map(
    lambda b: {"batch": {"first": 8 * b[0] + 1, "last": 8 * b[0] + b[1]}}
)
EVENTS = st.one_of(
    st.builds(lambda m: event("document.received", m, {}), MINUTES),
    st.builds(lambda m, c: made("converted", m, f"c{c}", SOURCE), MINUTES, MARKS),
    st.builds(lambda m, o, c: made("recognized", m, f"o{o}", f"c{c}"), MINUTES, MARKS, MARKS),
    st.builds(lambda m, e, o: made("enriched", m, f"e{e}", f"o{o}"), MINUTES, MARKS, MARKS),
    st.builds(
        lambda m, step: event("document.failed", m, {"step": step, **FAILURE}),
        MINUTES,
        st.sampled_from(["convert", "ocr", "enrich"]),
    ),
    st.builds(lambda m, batch: event("pages.requested", m, batch), MINUTES, BATCH),
    st.builds(lambda m, batch: event("pages.recognized", m, batch), MINUTES, BATCH),
)
RUNS = st.lists(EVENTS, max_size=25, unique_by=lambda event: event.id)
LETTERS = st.lists(
    st.builds(Letter, st.sampled_from(["convert", "ocr", "index"]), st.sampled_from([503, 409]), st.just(START)),
    max_size=2,
)


@given(RUNS, LETTERS, st.sampled_from([BASE, Standing(SOURCE)]), st.data())
def test_order_and_repetition_change_nothing(
    events: list[Event], letters: list[Letter], base: Standing, data: st.DataObject
) -> None:
    expected = project(base, events, Run(letters=letters))
    shuffled = data.draw(
        st.permutations(events + data.draw(st.lists(st.sampled_from(events)) if events else st.just([])))
    )
    assert project(base, shuffled, Run(letters=letters)) == expected


@given(RUNS, st.data())
def test_batches_counted_one_by_one_are_the_batches_counted_together(events: list[Event], data: st.DataObject) -> None:
    progress = Progress()
    for each in data.draw(st.permutations(events)):
        progress = Progress.from_json(kept) if (kept := progress.to_json()) else Progress()
        progress = progress.plus([each])
    few = [each for each in events if not each.type.startswith("org.docuelevate.pages.")]
    assert project(BASE, few, Run(progress=progress)) == project(BASE, events, Run())


@given(RUNS, LETTERS)
def test_a_result_stands_on_what_it_was_made_from_and_beats_failure(events: list[Event], letters: list[Letter]) -> None:
    """Rules 11 and 12."""
    projection = project(Standing(SOURCE), events, Run(letters=letters))
    standing, (convert, ocr, enrich) = projection.standing, projection.steps
    if standing.recognized:
        assert standing.converted
        assert standing.recognized["input_fingerprint"] == standing.converted["fingerprint"]
    if standing.enriched:
        assert standing.recognized
        assert standing.enriched["input_fingerprint"] == standing.recognized["fingerprint"]
    results = (standing.converted, standing.recognized, standing.enriched)
    assert [view.state is StepState.DONE for view in (convert, ocr, enrich)] == [
        result is not None for result in results
    ]
    assert (projection.status is Status.READY) == all(results)


@given(RUNS, EVENTS)
def test_another_event_never_takes_away_what_was_reached(events: list[Event], another: Event) -> None:
    def reached(seen: list[Event]) -> int:
        states = [view.state is StepState.DONE for view in project(Standing(SOURCE), seen, Run()).steps]
        return sum(states)

    assert reached([*events, another]) >= reached(events)
