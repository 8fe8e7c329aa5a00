"""Whether the schema is as new as the code.

Asked at each cold start of a function, so it does without Alembic, which takes long to import.
"""

import re
import threading
import time
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from shared.database.engine import reading
from shared.errors import Unavailable

_REVISIONS = Path(__file__).parent / "migrations" / "versions"
_NUMBER = re.compile(r"r(\d{4})_\w+\.py")
PAUSE_SECONDS = 1.0
"""Between two questions to the database; Knative's proxy asks many times a second until a pod is ready."""


def newest_revision() -> str:
    """The revision that this code was written for: the number of the last migration."""
    return max(found[1] for path in _REVISIONS.iterdir() if (found := _NUMBER.fullmatch(path.name)))


def require_current(engine: Engine) -> None:
    """Raise Unavailable while the schema is older than the code. A newer one is fine (rules 25)."""
    with reading(engine) as session:
        # An empty database has no table of Alembic's, which is not the same as one that does not answer.
        is_migrated = inspect(session.connection()).has_table("alembic_version")
        found = session.scalar(text("SELECT version_num FROM alembic_version")) if is_migrated else None
    if found is None or found < newest_revision():
        raise Unavailable("the database schema is older than this release; run `docuelevate migrate`")


class SchemaIsCurrent:
    """A function's answer to "are you ready?": asks the database until the schema is current, then never again.

    What a database does that fails later is for each event to tell: a pod taken out for it would not help.
    """

    def __init__(self, engine: Engine, *, pause_seconds: float = PAUSE_SECONDS) -> None:
        self._engine = engine
        self._pause_seconds = pause_seconds
        self._asking = threading.Lock()
        self._is_current = False
        self._reason = "the database has not answered yet"
        self._ask_again_at = 0.0

    def __call__(self) -> None:
        """Return where it is. Raises Unavailable where it is not, at once while another call still asks."""
        if self._is_current:
            return
        if not self._asking.acquire(blocking=False):
            raise Unavailable(self._reason)
        try:
            self._ask()
        finally:
            self._asking.release()

    def _ask(self) -> None:
        if time.monotonic() < self._ask_again_at:
            raise Unavailable(self._reason)
        try:
            require_current(self._engine)
            self._is_current = True
        except Unavailable as error:
            self._reason = str(error)
            raise
        finally:
            self._ask_again_at = time.monotonic() + self._pause_seconds
