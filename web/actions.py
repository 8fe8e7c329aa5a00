"""What a person can do about a document now. Pure; the routes behind the actions decide again when they are asked."""

from enum import StrEnum

from shared.database.tables import Document
from shared.documents import Status, Step
from shared.errors import EXPLANATIONS, Action, FailureCode


class Possible(StrEnum):
    """An action that would be accepted now; the first of a list is the best."""

    REVIEW = "review"
    UNLOCK = "password"
    RETRY = "retry"
    LANGUAGE = "language"
    ENGINE = "engine"
    ACCEPT = "accept"
    REPLACE = "replace"
    RESTORE = "restore"


_SAME = {
    Action.UNLOCK: Possible.UNLOCK,
    Action.RETRY: Possible.RETRY,
    Action.OTHER_LANGUAGE: Possible.LANGUAGE,
    Action.ACCEPT: Possible.ACCEPT,
    Action.REPLACE: Possible.REPLACE,
}


def possible_actions(
    document: Document, failed: str | None, *, in_review: bool, choice_of_engines: bool = False
) -> tuple[Possible, ...]:
    """The actions, best first. `failed` is the step that the run failed at, `in_review` that a person is to decide,
    `choice_of_engines` that more than one recognizes text here.
    """
    if document.trashed_at is not None:
        return (Possible.RESTORE,)
    found = [Possible.REVIEW] if in_review else []
    if document.status == Status.ATTENTION.value:
        found += _about_failure(document, failed)
    elif document.status == Status.READY.value:
        found += [Possible.RETRY, *([Possible.LANGUAGE] if document.recognized else [])]
    if choice_of_engines and Possible.LANGUAGE in found:
        # Who may name another language may as well ask somebody else.
        found.insert(found.index(Possible.LANGUAGE) + 1, Possible.ENGINE)
    return tuple(dict.fromkeys([*found, Possible.REPLACE]))


def _about_failure(document: Document, failed: str | None) -> list[Possible]:
    code = next((code for code in FailureCode if code == document.code), None)
    if code is None:
        # A notice that needs a decision.
        return [Possible.RETRY, Possible.ACCEPT]
    found = [_SAME[action] for action in EXPLANATIONS[code].actions if action in _SAME]
    return [*found, *([Possible.LANGUAGE] if failed == Step.OCR else [])]
