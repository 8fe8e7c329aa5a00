"""What the routes work with: built once in `web.app`, handed to each request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from sqlalchemy import Engine
from starlette.requests import Request

from shared.search.port import SearchReader
from shared.storage.port import ObjectStore
from web.changes import ChangeFeed
from web.hooks.signatures import SnsMessages
from web.long_work import long_work
from web.metrics.exposition import Metrics
from web.outbox import Relay
from web.providers import Provider
from web.replays import Replays
from web.settings import WebSettings
from web.sweep import Sweep
from web.unlocking import Unlocker


@dataclass(frozen=True)
class Context:
    """The settings and the ports. `search` is None with ENABLE_SEARCH=false."""

    settings: WebSettings
    engine: Engine
    store: ObjectStore
    search: SearchReader | None
    relay: Relay
    changes: ChangeFeed
    unlocker: Unlocker
    sweep: Sweep | None = None
    """Where the environment says more of sweeping than the ports here do."""
    sns: SnsMessages = field(default_factory=SnsMessages)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    """Who serves what, by capability, to be shown."""

    @cached_property
    def replays(self) -> Replays:
        """Replays and rebuilds."""
        return long_work(self.engine, self.store, self.search, on_events=self.relay.wake)

    @cached_property
    def metrics(self) -> Metrics:
        """What is counted here and read of the database for Prometheus."""
        return Metrics(self.engine, search_enabled=self.search is not None)


def context_of(request: Request) -> Context:
    """The context of the application that answers this request."""
    context: Context = request.app.state.context
    return context
