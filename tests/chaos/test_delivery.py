"""Deliveries at their edges: batches in any order and twice, workers of other settings, poison, and very old events."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from functions.ocr.engine import OcrEngine
from functions.ocr.models import PagePlan, RecognizedPage
from shared.events import PagesRequested
from shared.leases import LIFE_SECONDS, MAX_LOST
from tests.chaos.bus import Delivery
from tests.chaos.conftest import remember
from tests.chaos.fragile import Died, MortalCalls
from tests.chaos.invariants import State, differences, i10_others_are_unmoved
from tests.chaos.memory import in_memory
from tests.chaos.papers import PaperEngine, paper
from tests.chaos.report import Report
from tests.chaos.world import World
from tests.papers import INVOICE, LETTER

PAGES = 30
BATCHES = 4
POISON = "poison"


class NewerWorld(World):
    """The next release of ocr, on the same state: its results have other fingerprints."""

    def make_ocr_engine(self) -> OcrEngine:
        return NewerEngine(self.calls, self.write_down, name="paper 2")


class NewerEngine(PaperEngine):
    """Reads as the former one, and says that it is another."""

    def version(self, language: str | None = None) -> str:
        return f"paper 2 {language or ''}".strip()


class KillingEngine(PaperEngine):
    """Takes its process along when it meets a poisonous page."""

    def recognize(
        self, pdf: Path, pages: Sequence[PagePlan], language: str | None = None, **how: Any
    ) -> tuple[RecognizedPage, ...]:
        recognized = super().recognize(pdf, pages, language, **how)
        if any(POISON in word.text for page in recognized for word in page.words):
            assert isinstance(self.calls, MortalCalls)
            self.calls.is_dead = True
            raise Died
        return recognized


class PoisonedWorld(World):
    """A world in which some pages are more than ocr can take."""

    def make_ocr_engine(self) -> OcrEngine:
        return KillingEngine(self.calls, self.write_down)


def started(root: Path) -> PoisonedWorld:
    return PoisonedWorld(root, calls=MortalCalls())


def sheet(number: int, more: str = "") -> str:
    return f"Sheet {number} {more}\n{LETTER}"


def scan(world: World, pages: int = PAGES, poisoned: int | None = None, name: str = "scan.pdf") -> str:
    texts = [sheet(n, POISON if n == poisoned else "") for n in range(1, pages + 1)]
    return world.upload(name, paper(*texts, scanned=True))


def document(world: World, document_id: str) -> dict[str, Any]:
    answer = world.http("GET", f"/api/documents/{document_id}")
    assert answer.status_code == 200
    return dict(answer.json())


def ocr_step(world: World, document_id: str) -> dict[str, Any]:
    return next(step for step in document(world, document_id)["steps"] if step["step"] == "ocr")


def batches(world: World) -> list[Delivery]:
    return [each for each in world.bus.waiting("ocr-pages") if each.type == PagesRequested.type]


def pages_paid(world: World) -> Counter[str]:
    return Counter(line.split()[2] for line in world.journal() if line.startswith("page "))


@pytest.fixture
def root() -> Iterator[Path]:
    """Where worlds lie."""
    with in_memory() as directory:
        yield directory


def played(act: Callable[[World], object]) -> State:
    """The state in the end of what somebody does to a world of its own."""
    with in_memory() as directory:
        world = World(directory)
        try:
            act(world)
            world.settle()
            assert world.violations() == []
            return world.state()
        finally:
            world.close()


def test_batches_may_arrive_in_any_order_and_twice(full: bool, request: pytest.FixtureRequest) -> None:
    """Rules 15: parts are looked up by name; a part that is there is not made again."""
    report, start = Report("batches, any order, twice"), time.monotonic()
    undisturbed = played(scan)
    for seed in range(40 if full else 2):
        ended = played(lambda world, seed=seed: shuffled(world, seed))
        report.runs, report.points = report.runs + 1, report.points + 2 * BATCHES
        report.problems += differences(undisturbed, ended)
    report.seconds = time.monotonic() - start
    remember(request.config, report)
    assert report.problems == []


def shuffled(world: World, seed: int) -> None:
    """A scan whose batches are delivered twice and in any order."""
    scan(world)
    world.settle_without("ocr-pages")
    assert len(batches(world)) == BATCHES
    world.bus.double(batches(world))
    order = batches(world)
    random.Random(seed).shuffle(order)
    for delivery in order:
        world.deliver(delivery)
    world.settle()
    assert pages_paid(world) == {str(n): 1 for n in range(1, PAGES + 1)}


def test_progress_is_seen_on_the_document(root: Path) -> None:
    world = World(root)
    found = scan(world)
    world.settle_without("ocr-pages")
    seen = [ocr_step(world, found)["progress"]]
    for delivery in batches(world)[:-1]:
        world.deliver(delivery)
        world.settle_without("ocr-pages")
        seen.append(ocr_step(world, found)["progress"])
    assert [(each["done"], each["total"]) for each in seen] == [(0, PAGES), (8, PAGES), (16, PAGES), (24, PAGES)]
    world.settle()
    assert ocr_step(world, found)["state"] == "done"
    assert ocr_step(world, found)["progress"]["done"] == PAGES
    world.close()


def test_a_worker_of_other_settings_does_its_batch_as_a_document_of_its_own(root: Path) -> None:
    """Rules 14: nothing of two plans is mixed, and the document ends whole."""
    former = World(root)
    found = scan(former)
    former.settle_without("ocr-pages")
    for delivery in batches(former)[:2]:
        former.deliver(delivery)
    former.close()
    newer = NewerWorld(root)
    newer.settle()
    assert newer.violations(most_per_page=2) == []
    shown = document(newer, found)
    text = newer.http("GET", f"/api/documents/{found}/text", params={"format": "plain"}).text
    assert (shown["status"], text.count("Sheet")) == ("ready", PAGES)
    assert all(f"Sheet {n}\n" in text for n in range(1, PAGES + 1))
    newer.close()


def test_only_the_batch_under_way_is_done_again_after_a_kill(root: Path) -> None:
    world = started(root)
    found = scan(world)
    world.settle_without("ocr-pages")
    first, second = batches(world)[:2]
    world.deliver(first)
    # The process goes while it reads its second batch.
    calls = world.calls
    assert isinstance(calls, MortalCalls) and isinstance(world.ocr_engine, KillingEngine)
    world.ocr_engine.meanwhile = lambda: killed(calls)
    with pytest.raises(Died):
        world.deliver(second)
    world.close()
    again = started(root)
    again.settle()
    paid = pages_paid(again)
    assert document(again, found)["status"] == "ready"
    assert paid == {str(n): 2 if 9 <= n <= 16 else 1 for n in range(1, PAGES + 1)}
    again.close()


def killed(calls: MortalCalls) -> None:
    calls.is_dead = True
    raise Died


def test_a_batch_that_fails_for_good_leaves_the_others_and_names_its_pages(root: Path) -> None:
    """Rules 7 and 15: five lost workers are enough, and the document is what could be read of it."""
    found, deaths = settled_over_corpses(root, lambda world: scan(world, poisoned=12))
    world = started(root)
    shown = document(world, found)
    assert deaths == MAX_LOST
    assert (shown["status"], shown["code"]) == ("attention", "ocr_incomplete")
    [warning] = [each for each in shown["warnings"] if each["code"] == "ocr_incomplete"]
    assert warning["pages"] == list(range(9, 17))
    text = world.http("GET", f"/api/documents/{found}/text", params={"format": "plain"}).text
    assert [n for n in range(1, PAGES + 1) if f"Sheet {n}\n" in text] == [
        n for n in range(1, PAGES + 1) if not 9 <= n <= 16
    ]
    assert world.violations(most_per_page=MAX_LOST) == []
    world.close()


def test_a_poisonous_document_ends_for_good_and_moves_no_other(root: Path) -> None:
    """Rules 7: it has a code and a next step; the others end as they do without it (F31, F32)."""

    def healthy(world: World) -> str:
        for number in range(4):
            scan(world, pages=1 + number, name=f"healthy {number}.pdf")
        world.upload("letter.txt", INVOICE.encode())
        return ""

    def poisoned(world: World) -> str:
        found = scan(world, pages=2, poisoned=1, name="poison.pdf")
        healthy(world)
        return found

    settled_over_corpses(root / "without", healthy)
    found, deaths = settled_over_corpses(root / "with", poisoned)
    undisturbed, world = started(root / "without"), started(root / "with")
    shown = document(world, found)
    assert deaths == MAX_LOST
    assert (shown["status"], shown["code"]) == ("attention", "internal")
    assert shown["failure"]["message"] and shown["failure"]["hint"] and shown["failure"]["actions"]
    assert world.violations(most_per_page=MAX_LOST) == []
    assert list(i10_others_are_unmoved(undisturbed.state(), world.state(), "poison.pdf")) == []
    # And it stays so: neither the sweep nor a duplicate starts the dying again.
    world.sweep(hours=30)
    world.settle()
    assert document(world, found)["code"] == "internal"
    for each in (undisturbed, world):
        each.close()


def settled_over_corpses(root: Path, act: Callable[[World], str]) -> tuple[str, int]:
    """Settle with a new process whenever one dies; what `act` said, and how many died."""
    world, deaths = started(root), 0
    said = act(world)
    while True:
        try:
            world.settle()
            world.close()
            return said, deaths
        except Died:
            deaths += 1
            assert deaths <= 2 * MAX_LOST, "it never ends"
            world.close()
            world = started(root)
            # To its successor the dead one may be on another machine: its lease has to run out.
            world.pass_time(LIFE_SECONDS + 1)


def test_an_old_event_is_as_good_as_a_new_one() -> None:
    """A broker may hold an event for as long as it keeps any; nothing is judged by its age."""
    undisturbed = played(lambda world: world.upload("letter.txt", LETTER.encode()))
    for age in (timedelta(hours=1), timedelta(days=3), timedelta(days=400)):
        assert played(lambda world, age=age: late(world, age)) == undisturbed


def late(world: World, age: timedelta) -> None:
    """An upload whose first event was sent so long ago."""
    world.upload("letter.txt", LETTER.encode())
    world.relay.send_due()
    for delivery in world.bus.deliveries:
        moment = datetime.fromisoformat(delivery.attributes["time"]) - age
        delivery.attributes["time"] = moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
