"""Holds back what a new run makes of a document that a person has edited, until a person takes it or leaves it.

`base` keeps what stood when the run began, so that the projection of a run never depends on its own former outcomes;
`review` keeps what the run has made so far. A run without `review` replaces what stood at once.
"""

from enum import StrEnum
from typing import Any

from shared.database.tables import Document
from shared.documents import Status
from shared.projection import Projection, Standing

RESULTS = ("converted", "recognized", "enriched")


class ReviewState(StrEnum):
    """Where the review of a run stands."""

    RUNNING = "running"
    """The run goes on; what it makes is not shown."""
    PENDING = "pending"
    """The run has ended with something new, or failed: a person is to decide."""
    SAME = "same"
    """The run has ended with what stood already: nothing is to be decided."""
    REJECTED = "rejected"
    """A person has left it. What the run still sends changes nothing."""


UNDECIDED = (ReviewState.RUNNING, ReviewState.PENDING)


def review_state(document: Document) -> ReviewState | None:
    """Where the review of the current run stands; None where its results are shown as they come."""
    review = document.review
    return ReviewState(review["state"]) if review and review["runid"] == document.runid else None


def base_of(document: Document) -> Standing:
    """What the document stood on when its current run began.

    A row whose run was begun by a release that did not keep it stands on what it shows.
    """
    kept: Any = document.base if document.base and document.base["runid"] == document.runid else None
    results = {name: kept.get(name) if kept else getattr(document, name) for name in RESULTS}
    return Standing(source_sha256(document), **results)


def source_sha256(document: Document) -> str:
    """The digest of what the current run converts: the original, or its opened copy."""
    unlocked = document.options.get("unlocked")
    return str(unlocked["sha256"]) if unlocked else document.sha256


def return_to_base(document: Document) -> None:
    """Give the row the options of what it shows again: those of a run that nobody has accepted end with it."""
    if review_state(document) in UNDECIDED and document.base:
        document.options = document.base["options"]


def begin(document: Document, runid: str) -> None:
    """Note what the row stands on, before it gets a new run, and hold that run's results back where a person is to see
    them first.

    Called before options, status and run of the row are changed, after `return_to_base`.
    """
    held_back = _is_to_be_reviewed(document)
    results = {name: getattr(document, name) for name in RESULTS}
    document.base = {"runid": runid, "options": document.options, "warnings": document.warnings, **results}
    document.review = {"runid": runid, "state": ReviewState.RUNNING.value} if held_back else None


def reviewed(document: Document, projection: Projection, machine_metadata: dict[str, Any] | None) -> dict[str, Any]:
    """The review of a run as it stands now. `machine_metadata` are those of its enriched result, if that is new."""
    failed = projection.failed
    standing = projection.standing
    return {
        "runid": document.runid,
        "state": _state(base_of(document), projection).value,
        **{name: getattr(standing, name) for name in RESULTS},
        "machine_metadata": machine_metadata,
        "warnings": [notice.model_dump(mode="json") for notice in projection.warnings],
        "failure": {
            "step": failed.step.value,
            "code": failed.code,
            "message": failed.message,
            "hint": failed.hint,
        }
        if failed
        else None,
    }


def _is_to_be_reviewed(document: Document) -> bool:
    """Whether a person has edited a document that can be used: what replaces it is a surprise then."""
    usable = document.status == Status.READY or review_state(document) in UNDECIDED
    return bool(document.locked) and document.recognized is not None and usable


def _state(base: Standing, projection: Projection) -> ReviewState:
    if projection.status is Status.PROCESSING:
        return ReviewState.RUNNING
    if projection.failed is None and projection.standing.fingerprints == base.fingerprints:
        return ReviewState.SAME
    return ReviewState.PENDING
