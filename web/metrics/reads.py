"""What is read of the database for one scrape: bounded, over indexes, and with labels from lists that we know."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from shared.database.tables import DeadLetter, Document, DocumentStep, Finding, OutboxEvent, Replay
from shared.documents import PIPELINE, Status, StepState
from shared.events import DATA_MODELS, short_type
from shared.letters import STEP_OF_TRIGGER, UNSETTLED
from web.metrics.totals import ArchivedEvents, Charges
from web.sweep.history import sweep_history
from web.sweep.swept import Deed

WINDOW = timedelta(hours=1)
MOST_DOCUMENTS = 2000
PERCENTILES = (50, 90, 99)
"""Not a `quantile`, which is a label of summaries: these are of a window, and may fall."""
OTHER = "other"

_LATELY = "in the last hour, of the 2,000 documents that changed last"
_TRIGGERS = frozenset({*STEP_OF_TRIGGER, "ingest", "record", "index"})
_STATUSES = frozenset({400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 502, 503, 504})
_ENDED = (StepState.DONE, StepState.FAILED)


@dataclass(frozen=True)
class Reading:
    """One view of the database, and the sums that are carried from one to the next."""

    session: Session
    now: datetime
    charges: Charges
    events: ArchivedEvents
    search_enabled: bool

    def age(self, moment: datetime | None) -> float:
        """Seconds since then; 0 for never, and where another clock is ahead."""
        return max(0.0, (self.now - moment).total_seconds()) if moment else 0.0


def everything(reading: Reading) -> Iterator[Metric]:
    """All metrics that come from the database."""
    for read in (_documents, _steps, _outbox, _letters, _search, _sweep, _replays, _spent, _events):
        yield from read(reading)


def _documents(reading: Reading) -> Iterator[Metric]:
    counts = dict.fromkeys((status.value for status in Status), 0) | _counts(reading.session, Document.status)
    yield _by("docuelevate_documents", "Documents by where they stand.", "status", counts)
    processing = Document.status == Status.PROCESSING.value
    resent = select(func.count()).select_from(Document).where(processing, Document.resends > 0)
    yield GaugeMetricFamily(
        "docuelevate_documents_resent",
        "Documents in processing whose last event sweep has sent again, because nothing came of it.",
        reading.session.scalar(resent),
    )
    yield GaugeMetricFamily(
        "docuelevate_oldest_progress_seconds",
        "How long the document in processing that has stood still longest has done so; 0 where none is in processing.",
        reading.age(reading.session.scalar(select(func.min(Document.changed_at)).where(processing))),
    )


def _steps(reading: Reading) -> Iterator[Metric]:
    since = reading.now - WINDOW
    lately = (
        select(Document.id, Document.runid, Document.run_started_at, Document.status)
        .where(Document.changed_at >= since)
        .order_by(Document.changed_at.desc())
        .limit(MOST_DOCUMENTS)
        .subquery()
    )
    step = DocumentStep
    query = (
        select(step.document_id, step.step, step.state, step.started_at, step.finished_at)
        .add_columns(lately.c.run_started_at, lately.c.status)
        .join(lately, (step.document_id == lately.c.id) & (step.runid == lately.c.runid))
        .where(step.finished_at >= since)
    )
    ended: Counter[tuple[str, str]] = Counter()
    steps: dict[str, list[float]] = defaultdict(list)
    runs: dict[str, float] = {}
    for row in reading.session.execute(query):
        ended[row.step, row.state] += 1
        if row.started_at:
            steps[row.step].append(_seconds(row.started_at, row.finished_at))
        if row.status != Status.PROCESSING.value:
            runs[row.document_id] = max(runs.get(row.document_id, 0.0), _seconds(row.run_started_at, row.finished_at))
    counts = GaugeMetricFamily("docuelevate_steps_ended", f"Steps that ended {_LATELY}.", labels=["step", "state"])
    taken = GaugeMetricFamily(
        "docuelevate_step_duration_seconds",
        f"Percentiles of the time from a step's event to its result, waiting and retries included, {_LATELY}.",
        labels=["step", "percentile"],
    )
    for name in PIPELINE:
        for state in _ENDED:
            counts.add_metric([name, state], ended[name, state])
        for percentile, seconds in _percentiles(steps[name]):
            taken.add_metric([name, percentile], seconds)
    whole = GaugeMetricFamily(
        "docuelevate_run_duration_seconds",
        f"Percentiles of the time from the start of a run to the end of its last step, {_LATELY}.",
        labels=["percentile"],
    )
    for percentile, seconds in _percentiles(runs.values()):
        whole.add_metric([percentile], seconds)
    yield from (counts, taken, whole)


def _outbox(reading: Reading) -> Iterator[Metric]:
    numbers = select(func.count(), func.min(OutboxEvent.created_at), func.sum(OutboxEvent.attempts))
    waiting, oldest, attempts = reading.session.execute(numbers.where(OutboxEvent.problem.is_(None))).one()
    set_aside = reading.session.scalar(select(func.count()).where(OutboxEvent.problem.is_not(None)))
    counts = {"waiting": waiting, "set_aside": set_aside or 0}
    yield _by("docuelevate_outbox_events", "Events that wait to be sent, or that nobody can read.", "state", counts)
    yield GaugeMetricFamily(
        "docuelevate_outbox_oldest_seconds", "Age of the oldest event that waits to be sent.", reading.age(oldest)
    )
    yield GaugeMetricFamily(
        "docuelevate_outbox_attempts", "How often the broker did not take the events that wait.", attempts or 0
    )


def _letters(reading: Reading) -> Iterator[Metric]:
    labels = (DeadLetter.trigger, DeadLetter.status, DeadLetter.state)
    query = select(*labels, func.count()).where(DeadLetter.state.in_(UNSETTLED)).group_by(*labels)
    counts: Counter[tuple[str, str, str]] = Counter()
    for trigger, status, state, count in reading.session.execute(query):
        cause = "no_answer" if status is None else str(status) if status in _STATUSES else OTHER
        counts[trigger if trigger in _TRIGGERS else OTHER, cause, state] += count
    letters = GaugeMetricFamily(
        "docuelevate_dead_letters",
        "Dead letters that are open, or were sent again with an end not known yet, by the last answer to them.",
        labels=["trigger", "cause", "state"],
    )
    for values, count in counts.items():
        letters.add_metric(values, count)
    yield letters


def _search(reading: Reading) -> Iterator[Metric]:
    if not reading.search_enabled:
        return
    behind = select(func.count(), func.min(Document.changed_at)).where(Document.indexed_version < Document.version)
    count, oldest = reading.session.execute(behind).one()
    yield GaugeMetricFamily(
        "docuelevate_search_behind_documents", "Documents whose search entry is older than they are.", count
    )
    yield GaugeMetricFamily(
        "docuelevate_search_behind_seconds", "How long the oldest of those has been waiting.", reading.age(oldest)
    )


def _sweep(reading: Reading) -> Iterator[Metric]:
    findings = _counts(reading.session, Finding.kind)
    yield _by("docuelevate_sweep_findings", "What sweep found and cannot repair.", "kind", findings)
    history = sweep_history(reading.session)
    deeds = CounterMetricFamily("docuelevate_sweep_deeds", "What sweep has done, since ever.", labels=["deed"])
    for deed in Deed:
        deeds.add_metric([deed], history.totals.get(deed, 0))
    yield deeds
    yield GaugeMetricFamily(
        "docuelevate_sweep_last_timestamp_seconds",
        "When the last sweep began, in seconds since 1970; 0 where there was none.",
        history.swept_at.timestamp() if history.swept_at else 0,
    )
    yield GaugeMetricFamily(
        "docuelevate_sweep_failures", "Parts of the last sweep that were kept from their work.", history.failures
    )


def _replays(reading: Reading) -> Iterator[Metric]:
    counts = _counts(reading.session, Replay.kind, Replay.state == "running")
    yield _by("docuelevate_replays", "Replays and rebuilds under way.", "kind", counts)


def _spent(reading: Reading) -> Iterator[Metric]:
    spent = reading.charges.read(reading.session, reading.now)
    yield CounterMetricFamily("docuelevate_ocr_pages", "Pages recognized from images, since ever.", spent.pages)
    yield CounterMetricFamily("docuelevate_tokens", "Tokens of language models, since ever.", spent.tokens)
    yield CounterMetricFamily("docuelevate_cost_usd", "US dollars for language models, since ever.", spent.cost)


def _events(reading: Reading) -> Iterator[Metric]:
    counts = dict.fromkeys(map(short_type, DATA_MODELS), 0) | {OTHER: 0}
    for name, count in reading.events.read(reading.session, reading.now).items():
        counts[short_type(name) if name in DATA_MODELS else OTHER] += count
    archived = CounterMetricFamily(
        "docuelevate_events_archived", "Events that were archived since this process began to count.", labels=["type"]
    )
    for name, count in counts.items():
        archived.add_metric([name], count)
    yield archived


def _counts(session: Session, column: InstrumentedAttribute[str], *conditions: ColumnElement[bool]) -> dict[str, int]:
    return dict(session.execute(select(column, func.count()).where(*conditions).group_by(column)).all())


def _by(name: str, text: str, label: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())


def _percentiles(seconds: Iterable[float]) -> Iterator[tuple[str, float]]:
    """By nearest rank; none of nothing."""
    ordered = sorted(seconds)
    for percentile in PERCENTILES if ordered else ():
        yield str(percentile), ordered[ceil(percentile * len(ordered) / 100) - 1]
