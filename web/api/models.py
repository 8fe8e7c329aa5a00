"""What the JSON API answers and accepts. The OpenAPI description is made from these models, pages are built from them.

Times are UTC with their zone; sizes are bytes; page numbers count from 1; links are paths on this server.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from shared.database.tokens import TokenScope
from shared.documents import Frozen, Notice, Status, StepState
from shared.errors import Action
from shared.events import LANGUAGE_PATTERN
from shared.metadata import Metadata, Money
from shared.search.port import FacetCount, Snippet, SnippetPart
from web.actions import Possible

UNLOCKABLE = tuple(Metadata.model_fields)
"""The fields that PATCH can set, and give back to the machine."""


class Problem(Frozen):
    """What went wrong. `message` is fit to be shown; `request_id` finds the log lines."""

    code: str
    message: str
    request_id: str


class ErrorAnswer(Frozen):
    """Every answer from 400 on."""

    error: Problem


class DocumentLinks(Frozen):
    """Where the document and its parts are. Those that are not there yet are null."""

    self: str
    page: str
    original: str
    metadata: str
    events: str
    pdf: str | None = None
    text: str | None = None
    thumbnail: str | None = None


class Progress(Frozen):
    """The step that is at work or next, with pages done of all where the step counts them."""

    step: str
    state: StepState
    done: int | None = None
    total: int | None = None


class DocumentSummary(Frozen):
    """A document as lists, search and the live stream show it."""

    id: str
    status: Status
    title: str
    filename: str
    media_type: str
    size: int
    sha256: str
    channel: str
    version: int
    revision: int
    received_at: datetime
    changed_at: datetime
    trashed_at: datetime | None = None
    pages: int | None = None
    document_type: str | None = None
    sender: str | None = None
    language: str | None = None
    document_date: str | None = None
    total: Money | None = None
    tags: tuple[str, ...] = ()
    code: str | None = None
    message: str | None = None
    review: Literal["pending"] | None = None
    progress: Progress | None = None
    links: DocumentLinks


class StepView(Frozen):
    """Where one step of the current run stands. `progress` counts pages, where the step does."""

    step: str
    state: StepState
    attempts: int
    started: datetime | None = None
    finished: datetime | None = None
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    progress: Progress | None = None


class Failure(Frozen):
    """Why the document needs attention, and what a person can do: the first action is the best.

    `attempts` counts how often the step failed or was given up, `at` is the last time.
    """

    code: str
    message: str
    hint: str
    actions: tuple[Action, ...]
    retryable: bool
    step: str | None = None
    attempts: int | None = None
    at: datetime | None = None


class FileVersion(Frozen):
    """One form of the document that can be fetched."""

    kind: Literal["original", "pdf", "searchable_pdf", "text"]
    media_type: str
    size: int
    sha256: str
    href: str


class CostView(Frozen):
    """What was spent: pages recognized from images, tokens of language models, money as a decimal string."""

    ocr_pages: int = 0
    tokens: int = 0
    cost: str = "0"


class DocumentDetail(DocumentSummary):
    """A document with everything that is known of it. `cost` is that of all its runs."""

    runid: str
    run_from: str
    run_started_at: datetime
    options: dict[str, Any]
    steps: tuple[StepView, ...]
    metadata: Metadata
    locked: tuple[str, ...]
    warnings: tuple[Notice, ...]
    failure: Failure | None = None
    actions: tuple[Possible, ...] = ()
    replaces: str | None = None
    replaced_by: str | None = None
    versions: tuple[FileVersion, ...]
    indexed: bool
    cost: CostView = CostView()


class MetadataSidecar(Metadata):
    """The metadata as shown, with what tells which document and which bytes they belong to."""

    document_id: str
    version: int
    filename: str
    media_type: str
    size: int
    sha256: str
    received_at: datetime
    pages: int | None = None


class DocumentList(Frozen):
    """One page of documents. `next` and `previous` are paths with an opaque cursor."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[DocumentSummary, ...]


class UploadedDocument(Frozen):
    """What became of one uploaded file. `trashed`: the document that it equals lies in the trash (see `restore`)."""

    id: str
    status: Status
    filename: str
    sha256: str
    duplicate_of: str | None = None
    trashed: bool = False
    message: str | None = None
    links: dict[str, str] = Field(default_factory=dict)


class UploadAnswer(Frozen):
    """The documents of one upload, in the order of its files."""

    documents: tuple[UploadedDocument, ...]


class MetadataPatch(BaseModel):
    """Values that a person sets (plain, as `{"title": "…"}`), and fields given back to the machine."""

    model_config = ConfigDict(extra="forbid")

    metadata: dict[str, Any] = Field(default_factory=dict)
    unlock: list[str] = Field(default_factory=list)


class ReplayOptions(BaseModel):
    """What a replay does otherwise than the run before; unset ones stay as they were."""

    model_config = ConfigDict(extra="forbid")

    language: Annotated[str, StringConstraints(pattern=LANGUAGE_PATTERN, max_length=100)] | None = None
    ocr_engine: str | None = Field(default=None, max_length=40)
    enrich_engine: str | None = Field(default=None, max_length=40)


class ReplayRequest(BaseModel):
    """Where a new run starts. `force` does the named step again although its result is there."""

    model_config = ConfigDict(extra="forbid")

    from_: Literal["convert", "ocr", "enrich", "index"] = Field(default="convert", alias="from")
    force: bool = False
    options: ReplayOptions = Field(default_factory=ReplayOptions)


class UnlockRequest(BaseModel):
    """The password of an encrypted original; used once and kept nowhere."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    password: SecretStr = Field(min_length=1, max_length=1000)


class ReplayAnswer(Frozen):
    """The run that was started, and the step it really starts at."""

    runid: str
    started_at_step: str


class TimelineEntry(Frozen):
    """One event of a document. `data` are those of the event, as archived.

    `replayof` names the event that this one repeats; `replayrun` the replay, or else the run, that it began.
    """

    number: int
    id: str
    type: str
    source: str
    subject: str
    time: datetime
    recorded_at: datetime
    runid: str | None = None
    current_run: bool = True
    replayof: str | None = None
    replayrun: str | None = None
    step: str | None = None
    summary: str
    data: dict[str, Any]


class Timeline(Frozen):
    """The events of one document, oldest first."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[TimelineEntry, ...]


class ArchivedEventView(Frozen):
    """One event of the archive with its attributes; `event` is the CloudEvent as it was received."""

    number: int
    id: str
    type: str
    source: str
    subject: str
    time: datetime
    recorded_at: datetime
    document_id: str | None = None
    runid: str | None = None
    event: dict[str, Any]


class EventList(Frozen):
    """One page of the archive, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[ArchivedEventView, ...]


class SearchHitView(DocumentSummary):
    """A document found. `page_numbers` and `snippets` go together, best first; `snippet` is the first's parts."""

    score: float
    page_numbers: tuple[int, ...] = ()
    snippet: tuple[SnippetPart, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    highlights: dict[str, tuple[SnippetPart, ...]] = Field(default_factory=dict)
    matched_fields: tuple[str, ...] = ()


class SearchAnswer(Frozen):
    """One page of hits. `relaxed`: no document has all the words, these have most. `facets` count the whole result."""

    query: str
    total: int
    page: int
    page_size: int
    took_ms: float
    relaxed: bool = False
    next: str | None = None
    previous: str | None = None
    hits: tuple[SearchHitView, ...]
    facets: dict[str, dict[str, int]] = Field(default_factory=dict)


class Facets(Frozen):
    """The values that the filters of the list can take, with how many documents have each; most frequent first."""

    status: tuple[FacetCount, ...] = ()
    document_type: tuple[FacetCount, ...] = ()
    sender: tuple[FacetCount, ...] = ()
    tag: tuple[FacetCount, ...] = ()
    language: tuple[FacetCount, ...] = ()
    year: tuple[FacetCount, ...] = ()


class TokenRequest(BaseModel):
    """A token to be made. Without an expiry it is good until it is removed."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
    ]
    scope: TokenScope = TokenScope.READ
    expires_at: datetime | None = None
    expires_in_days: int | None = Field(default=None, ge=1, le=36_500)


class TokenView(Frozen):
    """A token as it is listed; `prefix` is how it begins. `last_used_at` is exact to a minute."""

    id: str
    name: str
    scope: TokenScope
    prefix: str
    created_at: datetime
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


class CreatedToken(TokenView):
    """A new token with the token itself, which is not shown again."""

    token: str


class TokenList(Frozen):
    """One page of tokens, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[TokenView, ...]


class ComparedField(Frozen):
    """A field of the metadata as it stands and as it will be once the new run is taken, each with its evidence.

    What a person has set is `locked` and stays; `machine` is then what the new run has read there.
    """

    name: str
    before: Any = None
    after: Any = None
    machine: Any = None
    locked: bool = False
    changed: bool = False


class TextStatistics(Frozen):
    """The text in numbers. `mean_confidence` is that of the words read from images, null where there are none."""

    pages: int
    words: int
    characters: int
    mean_confidence: float | None = None
    engine: str = ""
    languages: tuple[str, ...] = ()


class ChangedLine(Frozen):
    """A line that only one of the texts has; `gap` names the page that the lines after it are on."""

    kind: Literal["removed", "added", "gap"]
    text: str


class ComparedText(Frozen):
    """Both texts in numbers, how many words are in one of them only, and the first lines that differ."""

    before: TextStatistics
    after: TextStatistics
    words_added: int = 0
    words_removed: int = 0
    lines: tuple[ChangedLine, ...] = ()
    more_lines: bool = False


class RunFailure(Frozen):
    """The step of the new run that did not pass."""

    step: str
    code: str
    message: str
    hint: str


class Comparison(Frozen):
    """What a new run would change. `none`: nothing waits for a decision."""

    state: Literal["pending", "none"]
    runid: str
    fields: tuple[ComparedField, ...] = ()
    text: ComparedText | None = None
    failure: RunFailure | None = None


class StatusAnswer(Frozen):
    """Counts of documents by status, what waits for a decision on a review and to be sent, and what was spent."""

    documents: dict[str, int]
    reviews: int = 0
    cost: CostView = CostView()
    outbox: int
    oldest_outbox_seconds: float | None = None


class HealthAnswer(Frozen):
    """The process answers."""

    status: Literal["ok"] = "ok"


class DependencyState(Frozen):
    """One dependency: reached, or why not. `provider` is who serves it, by the name that its setting has."""

    ok: bool
    provider: str | None = None
    message: str | None = None
    took_ms: float


class ReadyAnswer(Frozen):
    """Every dependency by name. Without database or object store nothing works: `unavailable`; without others less."""

    status: Literal["ready", "degraded", "unavailable"]
    dependencies: dict[str, DependencyState]
