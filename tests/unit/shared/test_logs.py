"""What log lines say they are about."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO

import anyio.to_thread
import pytest
from starlette.applications import Starlette

from shared.errors import Unavailable
from shared.events import AnyData, Event, ObjectCreated, new_event
from shared.logs import JsonLines, logging_about
from shared.step import StepContext
from tests.unit.shared.test_step import Handler, arriving, post, raising

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@contextmanager
def written() -> Iterator[list[dict[str, str]]]:
    """The lines of this process, as a machine reads them."""
    text, lines = StringIO(), list[dict[str, str]]()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    handler.setFormatter(JsonLines("test"))
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
        lines += [json.loads(line) for line in text.getvalue().splitlines()]


@pytest.mark.anyio
async def test_every_line_of_a_step_says_what_it_is_about(serve: Callable[[Handler], Starlette]) -> None:
    def handler(context: StepContext, data: AnyData) -> None:
        logging.getLogger("functions.convert.core").info("half of it")

    event = arriving(traceparent=TRACEPARENT)
    with written() as lines:
        await post(serve(handler), event)
    about = {"document": event.subject, "run": "run-1", "event": event.id, "type": event.type, "trace": TRACE}
    mine = [line for line in lines if "half of it" in line["message"] or "->" in line["message"]]
    assert [line["message"].partition(" in ")[0] for line in mine] == ["half of it", "document.received -> done"]
    assert all(about.items() <= line.items() for line in mine)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("error", "outcome"),
    [(Unavailable("the store is away"), "Unavailable"), (ZeroDivisionError(), "ZeroDivisionError")],
)
async def test_an_error_is_told_with_what_it_is_about(
    serve: Callable[[Handler], Starlette], error: Exception, outcome: str
) -> None:
    event = arriving()
    with written() as lines:
        await post(serve(raising(error)), event)
    told = [line for line in lines if line.get("event") == event.id]
    assert f"-> {outcome} in" in told[-1]["message"]
    assert ("exception" in told[0]) == (outcome == "ZeroDivisionError")


def test_a_dropped_file_is_no_document() -> None:
    data = ObjectCreated(bucket="b", key="incoming/secret name.pdf", size=1, etag="e")
    event: Event = new_event(data, source="/docuelevate/web", subject="incoming/secret%20name.pdf")
    assert event.about["document"] is None
    assert "secret" not in repr(event.about)


@pytest.mark.anyio
async def test_threads_tell_what_they_work_for_and_others_do_not() -> None:
    log = logging.getLogger("somewhere")
    with written() as lines:
        with logging_about(request="r1", document=None):
            await anyio.to_thread.run_sync(log.info, "within")
            with logging_about(document="d1"):
                log.info("deeper", extra={"fields": {"document": "d2"}})
        log.info("outside")
    within, deeper, outside = lines
    assert within["request"] == "r1" and "document" not in within
    assert (deeper["request"], deeper["document"]) == ("r1", "d2")
    assert "request" not in outside
