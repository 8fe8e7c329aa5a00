"""One sweep: its parts one after the other. What keeps one from its work is told, and does not stop the others."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from shared.errors import ObjectChanged, ObjectExists, ObjectNotFound, Throttled, Unavailable
from shared.publisher import EventPublisher
from shared.storage.port import ObjectInfo, ObjectStore
from web.sweep.findings import forget_unswept, save_findings
from web.sweep.history import remember_sweep
from web.sweep.housekeeping import forget_old, relay_overdue, remove_leftovers, remove_old_events
from web.sweep.incoming import announce_unseen, resume_claims
from web.sweep.indexing import wake_index
from web.sweep.letters import close_letters, import_letters, replay_passing, tell_of_missing_letters
from web.sweep.objects import compare_objects
from web.sweep.purges import remove_again
from web.sweep.round import BROKEN, PART_SECONDS, PATIENCE, Round
from web.sweep.stalled import resend_stalled
from web.sweep.swept import Swept
from web.sweep.verification import verify_originals
from web.sweep.vocabulary import keep_vocabularies

PARTS: tuple[tuple[str, Callable[[Round], None]], ...] = (
    ("outbox", relay_overdue),
    ("new letters", import_letters),
    ("passed letters", close_letters),
    ("stalled documents", resend_stalled),
    ("letters to send again", replay_passing),
    ("search index", wake_index),
    ("incoming", announce_unseen),
    ("unfinished claims", resume_claims),
    ("purged documents", remove_again),
    ("objects", compare_objects),
    ("originals", verify_originals),
    ("missing letters", tell_of_missing_letters),
    ("unfinished writes", remove_leftovers),
    ("archive", remove_old_events),
    ("old answers", forget_old),
    ("vocabularies", keep_vocabularies),
    ("findings", forget_unswept),
    ("history", remember_sweep),
)
"""In this order: what a person waits for comes first."""

_log = logging.getLogger(__name__)


@dataclass
class Sweep:
    """Compares database, object store, broker and index, and puts right what it can. Any number may run at once.

    `generation` tells which index there is now. `is_settled` says of an object under `incoming/` whether its writer is
    done, where that is not certain: in a folder.
    """

    engine: Engine
    store: ObjectStore
    publisher: EventPublisher
    search_enabled: bool = True
    generation: Callable[[], str] | None = None
    is_settled: Callable[[ObjectInfo], bool] = lambda _info: True
    event_retention_days: int = 0
    offers_vocabulary: bool = False
    patience: timedelta = PATIENCE

    def run(self, now: datetime | None = None, *, report: bool = False, part_seconds: float = PART_SECONDS) -> Swept:
        """Sweep once; with `report` nothing is changed, and everything looked at as far as the time goes.

        What was out of reach is among `failures`; the next sweep goes on.
        """
        swept = Swept(report=report)
        round_ = Round(
            engine=self.engine,
            store=self.store,
            publisher=self.publisher,
            now=now or datetime.now(UTC),
            swept=swept,
            part_seconds=part_seconds,
            patience=self.patience,
            search_enabled=self.search_enabled,
            generation=self.generation,
            is_settled=self.is_settled,
            event_retention_days=self.event_retention_days,
            offers_vocabulary=self.offers_vocabulary,
        )
        for name, part in PARTS:
            _do(round_, name, part)
        _tell(swept)
        return swept


def _do(round_: Round, name: str, part: Callable[[Round], None]) -> None:
    round_.begin_part()
    try:
        part(round_)
        save_findings(round_)
    except (Unavailable, Throttled) as error:
        round_.swept.failures[name] = str(error)
    except (ObjectNotFound, ObjectChanged, ObjectExists, IntegrityError) as error:
        # Somebody else was faster; the next sweep sees what is there then.
        _log.info("the sweep's part %r met something that moved: %s", name, error)
    except BROKEN as error:
        _log.error("the sweep's part %r met something that it cannot read", name, exc_info=error)
        round_.swept.failures[name] = f"something there cannot be read: {type(error).__name__}: {error}"[:500]


def _tell(swept: Swept) -> None:
    if swept.report:
        return
    if done := str(swept):
        _log.info("sweep: %s", done)
    for name, reason in swept.failures.items():
        _log.warning("sweep: %s cut short: %s", name, reason)
