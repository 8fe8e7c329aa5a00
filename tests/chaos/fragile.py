"""A world whose process can die in the middle of anything and is then started again on what it left."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import event

from functions.ocr.handler import Recognizer
from tests.chaos.calls import Calls, Error, Fault
from tests.chaos.world import World

BATCH_PAGES = 2


class Died(BaseException):
    """The process is gone. Nothing may catch this; whatever is still tried while it unwinds does not get out either."""


@dataclass
class MortalCalls(Calls):
    """Calls of which one ends the process in which they are made, without ending the one of the tests."""

    is_dead: bool = False

    def enter(self, name: str, error: Error) -> int:
        """As `Calls`, until death."""
        if self.is_dead:
            raise Died
        return super().enter(name, error)

    def leave(self, number: int, error: Error) -> None:
        """As `Calls`, until death."""
        if self.is_dead:
            raise Died
        super().leave(number, error)

    def _strike(self, fault: Fault, name: str) -> None:
        if self.fault is fault:
            self.fired = name
            self.is_dead = True
            raise Died


class FragileWorld(World):
    """Small batches, so that few pages make many."""

    def __init__(self, root: Path, *, calls: Calls) -> None:
        super().__init__(root, calls=calls)
        self._connections: set[Any] = set()
        event.listen(self.engine, "checkout", lambda connection, *_: self._connections.add(connection))

    def make_recognizer(self) -> Recognizer:
        return Recognizer(self.store, self.tools, self.ocr_engine, self.publisher, BATCH_PAGES)

    def may_equal_others(self, document_id: str) -> None:
        """Remember of a restored document that an equal one may have come in while it was in the trash (rules 3)."""
        with self._told() as known:
            known["forced"].append(document_id)

    def vanish(self) -> None:
        """End without order: the system closes what the process had open, transactions and all."""
        for connection in self._connections:
            with suppress(sqlite3.Error):
                connection.close()
        self.close()

    def purge_named(self, document_id: str, filename: str) -> None:
        """Purge, and remember of a dropped file which document it was."""
        self.purge(document_id)
        with self._told() as known:
            for accepted in known["accepted"]:
                if accepted[1] == filename:
                    accepted[2] = document_id


@dataclass
class Machine:
    """The computer on which the world runs: what is on its disk outlives every process."""

    root: Path

    def __post_init__(self) -> None:
        self.calls = MortalCalls()
        self.world = FragileWorld(self.root, calls=self.calls)

    def dying(self, work: Callable[[World], object], at: int, fault: Fault) -> bool:
        """Do something that ends the process at call `at`; whether it came to that. Afterwards there is a new one."""
        self.calls.target, self.calls.fault, self.calls.made = at, fault, []
        with suppress(Died), self.calls.counting():
            work(self.world)
        if self.calls.is_dead:
            self._start_again()
            return True
        return False

    def _start_again(self) -> None:
        self.world.vanish()
        self.calls = MortalCalls()
        self.world = FragileWorld(self.root, calls=self.calls)
