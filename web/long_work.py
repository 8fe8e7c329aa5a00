"""Which worker goes on with which kind of replay."""

from collections.abc import Callable

from sqlalchemy import Engine

from shared.search.port import SearchReader
from shared.storage.port import ObjectStore
from web.redelivering import Redelivering
from web.reindexing import Reindexing
from web.replays import ReplayKind, Replays, Worker
from web.reprocessing import Reprocessing
from web.reprojecting import Reprojecting


def long_work(
    engine: Engine, store: ObjectStore, search: SearchReader | None, *, on_events: Callable[[], None]
) -> Replays:
    """The replays of this server."""
    workers: dict[ReplayKind, Worker] = {
        ReplayKind.REDELIVER: Redelivering(engine),
        ReplayKind.REPROCESS: Reprocessing(engine),
        ReplayKind.REBUILD_INDEX: Reindexing(engine, search),
        ReplayKind.REBUILD_PROJECTIONS: Reprojecting(engine, store),
    }
    return Replays(engine, workers, on_events)
