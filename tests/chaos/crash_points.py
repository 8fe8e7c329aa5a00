"""Tries every outside call of every scenario: dies before it and after it, or lets it fail, and looks what is left.

`python -m tests.chaos.crash_points` is a worker: it reads jobs as lines of JSON and answers each with a line. It forks
for each attempt, so that an attempt costs no start; that is why it has no thread of its own.
"""

import json
import logging
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from shared.errors import DocuElevateError
from tests.chaos.calls import CRASHED, Calls, Fault
from tests.chaos.invariants import ALWAYS, State, differences
from tests.chaos.report import Report
from tests.chaos.scenarios import SCENARIOS, Scenario, letter, scan
from tests.chaos.seeded import CRASHING
from tests.chaos.world import World, copy_world

SWEEPS = 3
CRASHES = (Fault.CRASH_BEFORE, Fault.CRASH_AFTER)


@dataclass(frozen=True)
class Loop:
    """The crash loop of one scenario in a directory of its own."""

    scenario: Scenario
    directory: Path
    world: Callable[..., World] = World
    until_wrong: bool = False
    """Whether the first thing that is wrong is enough."""

    def run(self, points: int | None = None, error_points: int | None = None) -> Report:
        """Try every point, or so many of them for each kind of crash and error, spread evenly."""
        report = Report(self.scenario.name)
        self._in_child(self._prepare)
        made, undisturbed = self._in_child(self._undisturbed)
        report.calls = {name: made.count(name) for name in sorted(set(made))}
        began, tried = time.monotonic(), set[int]()
        attempts = [
            (number, fault)
            for fault in Fault
            for number in _spread(
                [number for number, name in enumerate(made, 1) if _can(fault, name)],
                points if fault in CRASHES else error_points,
            )
        ]
        if self.until_wrong:
            # From both ends: a step claims its work at the beginning and commits it at the end.
            attempts.sort(key=lambda attempt: min(attempt[0], len(made) - attempt[0]))
        for number, fault in attempts:
            if self._try(report, fault, number, undisturbed):
                tried.add(number)
            if report.problems and self.until_wrong:
                break
        report.points = len(tried)
        report.seconds = round(time.monotonic() - began, 1)
        return report

    def _try(self, report: Report, fault: Fault, number: int, undisturbed: State) -> bool:
        """Whether it came to the fault: only then does the call count as one that was tried."""
        name = f"{self.scenario.name}, {fault} call {number}"
        copy_world(self._before, self._root)
        fired = self._in_child(lambda: self._disturbed(fault, number))
        if fault in CRASHES and fired is None:
            found = self._in_child(lambda: self._restarted(undisturbed))
        elif fired and fired[0]:
            name, found = f"{name} ({fired[0]})", self._in_child(lambda: self._goes_on(fault, undisturbed))
        else:
            found = None
        shutil.rmtree(self._root)
        if found is None:
            return False
        report.runs += 1
        report.lost += sum(" I4: " in problem for problem in found)
        report.problems += [f"{name}: {problem}" for problem in found]
        return True

    @property
    def _before(self) -> Path:
        return self.directory / "before"

    @property
    def _root(self) -> Path:
        return self.directory / "world"

    def _prepare(self) -> None:
        world = self.world(self._before)
        self.scenario.prepare(world)
        world.close()

    def _undisturbed(self) -> tuple[list[str], State]:
        copy_world(self._before, self._root)
        world = self._opened(Calls())
        self._act(world)
        made = world.calls.made
        self._heal(world)
        problems, found = world.violations(), world.state()
        world.close()
        shutil.rmtree(self._root)
        assert not problems, f"without any fault: {problems}"
        return made, found

    def _disturbed(self, fault: Fault, number: int) -> list[str | None]:
        """Act, and let it happen. For a crash the process ends in here; for an error it says whether it came to one."""
        calls = Calls(number, fault)
        world = self._opened(calls)
        try:
            self._act(world)
        except (DocuElevateError, SQLAlchemyError, OSError, AssertionError):
            # Whoever asked is told that it failed.
            if calls.fired is None:
                raise
        world.close()
        return [calls.fired]

    def _restarted(self, undisturbed: State) -> list[str]:
        world = self.world(self._root)
        found = [f"at once {problem}" for problem in world.violations(ALWAYS, most_per_page=2)]
        self.scenario.again(world)
        return found + self._judged(world, undisturbed)

    def _goes_on(self, fault: Fault, undisturbed: State) -> list[str]:
        world = self.world(self._root)
        self.scenario.again(world)
        # What seems to be gone may fail for good; everything else must end as if nothing had been.
        return self._judged(world, None if fault is Fault.GONE else undisturbed)

    def _judged(self, world: World, undisturbed: State | None) -> list[str]:
        # What seemed to be gone was told as an answer: only a sweep asks again.
        self._heal(world, sweeps=undisturbed is None)
        found = [f" {problem}" for problem in world.violations(most_per_page=2)]
        if undisturbed is not None:
            found += differences(undisturbed, world.state())
        world.close()
        return found

    def _heal(self, world: World, *, sweeps: bool = False) -> None:
        world.settle()
        # Long walks over the store are made in turns: a few sweeps see everything.
        for _ in range(SWEEPS if self.scenario.sweeps or sweeps else 0):
            world.sweep(hours=7)
            world.settle()

    def _opened(self, calls: Calls) -> World:
        world = self.world(self._root, calls=calls)
        self.scenario.begin(world)
        calls.watch_files(world.data, world.scratch)
        return world

    def _act(self, world: World) -> None:
        with world.calls.counting():
            self.scenario.act(world)

    def _in_child(self, work: Callable[[], Any]) -> Any:
        """The result of work in a process of its own; None where it died of the fault that was asked for."""
        return in_child(work)


def in_child(work: Callable[[], Any]) -> Any:
    """The result of work (as JSON takes it) in a forked process; None where that was told to crash."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "w") as answer:
            answer.write(json.dumps(_outcome(work)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        told = answer.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == CRASHED:
        return None
    outcome = json.loads(told)
    if "error" in outcome:
        raise RuntimeError(outcome["error"])
    return outcome["result"]


def _outcome(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"result": work()}
    except BaseException:
        return {"error": traceback.format_exc()}


def _can(fault: Fault, name: str) -> bool:
    """Whether this can happen at such a call. What is done to a file is only heard of before it is done."""
    if fault is Fault.GONE:
        return name.startswith("store get")
    return fault in (Fault.CRASH_BEFORE, Fault.REFUSED) or not name.startswith(("file ", "process "))


def _spread(numbers: Sequence[int], wanted: int | None) -> Sequence[int]:
    """All of them, or so many that lie evenly, first and last among them."""
    if wanted is None or wanted >= len(numbers):
        return numbers
    if wanted < 2:
        return numbers[:wanted]
    return [numbers[round(place * (len(numbers) - 1) / (wanted - 1))] for place in range(wanted)]


class _NoSearch:
    """Stands in for the index while the parent warms up: the real one has threads, which do not survive a fork."""

    generation = "none"

    def version_of(self, document_id: str) -> int | None:
        return None

    def ids(self) -> Iterator[str]:
        return iter(())

    def write(self, entry: object) -> None:
        """Nothing is kept."""

    def remove(self, document_id: str) -> None:
        """Nothing is there."""

    def close(self) -> None:
        """Nothing is open."""


class _Warming(World):
    def make_search(self) -> Any:
        return _NoSearch()


def warm_up(directory: Path) -> None:
    """Do everything once, so that no attempt pays for what a process does only the first time."""
    world = _Warming(directory)
    for make in (letter, scan):
        make(world)
    world.settle()
    world.violations({})
    world.close()
    shutil.rmtree(directory)


def serve(directory: Path) -> None:
    """Answer jobs until there are no more."""
    known = {scenario.name: scenario for scenario in SCENARIOS}
    logging.disable(logging.CRITICAL)
    warm_up(directory / "warm")
    for line in sys.stdin:
        job = json.loads(line)
        where = directory / job["scenario"].replace(" ", "-").replace(":", "")
        try:
            kind = CRASHING[job["world"]] if "world" in job else World
            loop = Loop(known[job["scenario"]], where, kind, until_wrong="world" in job)
            report = loop.run(job["points"], job["error_points"])
        except RuntimeError as error:
            report = Report(job["scenario"], problems=[str(error)])
        shutil.rmtree(where, ignore_errors=True)
        print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
