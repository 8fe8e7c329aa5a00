"""All metrics of one web process, and their form on the wire."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge, PlatformCollector, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from shared.database.engine import reading
from shared.errors import Unavailable
from shared.release import VERSION
from web.metrics.reads import Reading, everything
from web.metrics.requests import RequestCounts
from web.metrics.totals import ArchivedEvents, Charges

FRESH_SECONDS = 10.0
BUSY_SHARE = 20.0
"""How many times as long as a reading takes the database is left alone afterwards, however many ask."""

_TIMEOUT = text("SET LOCAL statement_timeout = '5s'")
"""Shorter than what Prometheus waits for an answer."""


class DatabaseMetrics(Collector):
    """Reads the database at most every ten seconds, whoever asks how often. One that is away leaves its metrics out."""

    def __init__(self, engine: Engine, *, search_enabled: bool, fresh_seconds: float = FRESH_SECONDS) -> None:
        self._engine = engine
        self._search_enabled = search_enabled
        self._fresh_seconds = fresh_seconds
        self._charges, self._events = Charges(), ArchivedEvents()
        self._one_at_a_time = threading.Lock()
        self._read_again_at = 0.0
        self._found: list[Metric] = []

    def collect(self) -> Iterator[Metric]:
        """What the last reading found, or a new one."""
        with self._one_at_a_time:
            if time.monotonic() >= self._read_again_at:
                self._read()
            found = self._found
        yield from found

    def _read(self) -> None:
        started = time.monotonic()
        up, found = 1, list[Metric]()
        try:
            found = self._everything()
        except (Unavailable, SQLAlchemyError):
            up = 0
        took = time.monotonic() - started
        self._found = [
            *found,
            GaugeMetricFamily("docuelevate_database_up", "Whether the database answered what is asked here.", up),
            GaugeMetricFamily("docuelevate_database_read_seconds", "How long the database took for all of this.", took),
        ]
        self._read_again_at = time.monotonic() + max(self._fresh_seconds, BUSY_SHARE * took)

    def _everything(self) -> list[Metric]:
        with reading(self._engine) as session:
            if self._engine.dialect.name == "postgresql":
                session.execute(_TIMEOUT)
            view = Reading(session, datetime.now(UTC), self._charges, self._events, self._search_enabled)
            return list(everything(view))


class Metrics:
    """What `GET /metrics` answers with."""

    def __init__(self, engine: Engine, *, search_enabled: bool, fresh_seconds: float = FRESH_SECONDS) -> None:
        self.registry = CollectorRegistry()
        self.requests = RequestCounts(self.registry)
        build = Gauge("docuelevate_build_info", "The release that runs here.", ["version"], registry=self.registry)
        build.labels(VERSION).set(1)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.registry.register(DatabaseMetrics(engine, search_enabled=search_enabled, fresh_seconds=fresh_seconds))

    def exposition(self, accept: str) -> tuple[bytes, str]:
        """The text and its media type: OpenMetrics for who accepts it, else the text format of Prometheus."""
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type
