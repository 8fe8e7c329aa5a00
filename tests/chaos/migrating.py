"""Migrates the database named, and dies by SIGKILL right before the statement number `KILL_AT`."""

import itertools
import os
import signal
import sys
from typing import Any

from sqlalchemy import event

from shared.database.engine import open_database
from shared.database.schema import migrate

engine = open_database(sys.argv[1])
numbers = itertools.count(1)


@event.listens_for(engine, "before_cursor_execute")
def perhaps_die(*_: Any) -> None:
    """Count the statement."""
    if next(numbers) == int(os.environ["KILL_AT"]):
        os.kill(os.getpid(), signal.SIGKILL)


migrate(engine)
