"""What the API of the sweep answers and accepts. Times are UTC with their zone."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from shared.documents import Frozen


class SweepLine(Frozen):
    """One thing that was done, or would be."""

    deed: str
    subject: str
    detail: str


class SweepFinding(Frozen):
    """Something that is not as it should be. `key` is the object, or where the objects are. The times are missing for
    what a report has found: it writes nothing down."""

    id: str
    kind: str
    key: str
    message: str
    document_id: str | None
    found_at: datetime | None = None
    seen_at: datetime | None = None


class SweepReport(Frozen):
    """One sweep, or what one would do. `complete` is false where a report did not get to look at everything in time."""

    report: bool
    complete: bool
    did: dict[str, int]
    lines: tuple[SweepLine, ...]
    findings: tuple[SweepFinding, ...]
    checked: dict[str, int]
    failures: dict[str, str]
    """What was out of reach, by part of the sweep."""


class SweepStatus(Frozen):
    """When there was a sweep last, and all findings that stand, the newest first. `count` counts those beyond too."""

    last_swept_at: datetime | None
    last: SweepReport | None
    count: int
    findings: tuple[SweepFinding, ...]


class SweepRequest(BaseModel):
    """With `report` nothing is changed, and everything is looked at as far as the time goes."""

    model_config = ConfigDict(extra="forbid")

    report: bool = False
