"""What the API answers and accepts about replays, rebuilds and the archive. As in `web.api.models`: times are UTC."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from shared.documents import Frozen, Status
from shared.errors import FailureCode
from shared.metadata import DocumentType
from web.api.models import ReplayOptions
from web.filters import moment_of
from web.replays import FASTEST, SLOWEST, ReplayKind, ReplayState

MAX_IDS = 10_000
DEFAULT_RATE = 10.0
REBUILD_RATE = 100.0

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Rate = Annotated[float, Field(ge=SLOWEST, le=FASTEST, description="Items per second.")]


class ReplayFilter(BaseModel):
    """Which events, or which documents; unset members let everything pass.

    The first six are about archived events (`type` may leave out prefix and version), the next four about documents as
    they are now. `ids` names documents; for `redeliver` events as well.
    """

    model_config = ConfigDict(extra="forbid")

    type: Text | None = None
    subject: Text | None = None
    source: Text | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    runid: Text | None = None
    status: Status | None = None
    code: FailureCode | None = None
    document_type: DocumentType | None = None
    tag: tuple[Text, ...] = ()
    ids: tuple[Text, ...] | None = Field(default=None, max_length=MAX_IDS)

    @field_validator("since", "until", mode="before")
    @classmethod
    def _as_in_query_strings(cls, value: Any, info: Any) -> Any:
        return moment_of(value, end_of_day=info.field_name == "until") if isinstance(value, str) else value

    @field_validator("tag", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value or ()


class ReplayOfMany(BaseModel):
    """Events to be sent again (`redeliver`), or new runs of documents from a step (`reprocess`).

    `force` does the step named in `from` again although its result is there; `options` are overlaid on each document's.
    """

    model_config = ConfigDict(extra="forbid")

    filter: ReplayFilter = Field(default_factory=ReplayFilter)
    mode: Literal["redeliver", "reprocess"]
    from_: Literal["convert", "ocr", "enrich", "index"] = Field(default="convert", alias="from")
    force: bool = False
    options: ReplayOptions = Field(default_factory=ReplayOptions)
    rate: Rate = DEFAULT_RATE
    dry_run: bool = False

    @model_validator(mode="after")
    def _only_runs_are_forced(self) -> "ReplayOfMany":
        if self.mode == "redeliver" and (self.force or self.options.model_dump(exclude_none=True)):
            raise ValueError("redeliver sends events as they were: force and options belong to reprocess")
        return self


class RebuildRequest(BaseModel):
    """What is to be made anew from the database and the archive, while everything goes on serving."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["index", "projections"]
    rate: Rate = REBUILD_RATE


class DryRun(Frozen):
    """What a replay would do: so many items, and how many of those that match are left out, by reason."""

    dry_run: Literal[True] = True
    count: int
    skipped: dict[str, int]


class ReplayView(Frozen):
    """A replay or rebuild. Of `count` items `done` are dealt with; `skipped` were left out on the way.

    `message` says why it waits, was cancelled or failed. `progress` goes from 0 to 1.
    """

    id: str
    kind: ReplayKind
    state: ReplayState
    mode: Literal["redeliver", "reprocess"] | None = None
    from_: str | None = Field(default=None, alias="from", serialization_alias="from")
    filter: dict[str, Any] | None = None
    rate: float
    count: int
    done: int
    skipped: int
    created_at: datetime
    finished_at: datetime | None = None
    message: str | None = None
    progress: float
    requested_by: str


class ReplayList(Frozen):
    """One page of replays, newest first."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[ReplayView, ...]
