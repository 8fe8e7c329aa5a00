"""What the API of dead letters answers and accepts. Times are UTC with their zone."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from shared.documents import Frozen
from shared.letters import LetterState

MOST_IDS = 1000
_Filter = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
_Cursor = Annotated[str, StringConstraints(max_length=1000)]
_Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


class LetterEvent(Frozen):
    """Which event could not be delivered. `subject` and `time` are known once it is archived."""

    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    runid: str | None = None


class _Letter(Frozen):
    id: str
    trigger: str
    state: LetterState
    status: int | None
    """The last answer's; null where none came in time, or none that could be read."""
    code: str | None
    message: str | None
    cause: str
    hint: str
    document_id: str | None
    arrivals: int
    """How often the broker gave up on this event at this trigger."""
    replays: int
    first_at: datetime
    last_at: datetime
    tried_since: datetime | None
    reason: str | None


class DeadLetterView(_Letter):
    """An event that a trigger gave up on: what happened, in words, and what can be done."""

    event: LetterEvent


class DeadLetterDetail(_Letter):
    """The same with the event whole, as it was kept, error attributes and all; null where that is gone."""

    event: dict[str, Any] | None


class DeadLetterList(Frozen):
    """One page of dead letters, latest arrival first."""

    count: int
    next: str | None
    previous: str | None
    results: tuple[DeadLetterView, ...]


class LetterFilter(BaseModel):
    """What letters are chosen by, as in the list; without a state it is those that are open."""

    model_config = ConfigDict(extra="forbid")

    state: LetterState = LetterState.OPEN
    trigger: _Filter | None = None
    code: _Filter | None = None
    type: _Filter | None = None
    document: _Filter | None = None
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None


class LettersRequest(BaseModel):
    """Which letters, by id or by filter, and whether to say only what would happen."""

    model_config = ConfigDict(extra="forbid")

    ids: list[_Filter] | None = Field(default=None, max_length=MOST_IDS)
    filter: LetterFilter | None = None
    cursor: _Cursor | None = Field(default=None, description="What `next` said: go on with the same filter from there.")
    dry_run: bool = False

    @model_validator(mode="after")
    def _has_one_choice(self) -> "LettersRequest":
        if (self.ids is None) == (self.filter is None):
            raise ValueError("name either ids or a filter; an empty filter means all that are open")
        if self.cursor is not None and self.filter is None:
            raise ValueError("a cursor goes on with a filter")
        return self


class LettersDiscard(LettersRequest):
    """The same, with the reason why nobody needs them any more."""

    reason: _Reason


class DiscardRequest(BaseModel):
    """Why nobody needs the letter any more."""

    model_config = ConfigDict(extra="forbid")

    reason: _Reason


class SkippedLetter(Frozen):
    """A letter that was left alone, and why."""

    id: str
    code: str
    message: str


class LettersAnswer(Frozen):
    """How many letters were dealt with, how many were left alone by reason, and the first of those one by one.

    A filter that chooses many is dealt with in parts, so that no request lasts long: `next` goes into the `cursor` of
    the next request, until it is null.
    """

    dry_run: bool = False
    count: int
    skipped: dict[str, int]
    letters: tuple[SkippedLetter, ...] = ()
    next: str | None = None
