"""What can be done about a document, by where it stands and what went wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.database.tables import Document
from shared.errors import FailureCode
from web.actions import Possible, possible_actions


def document(status: str = "attention", code: str | None = None, **more: Any) -> Document:
    return Document(status=status, code=code, **({"recognized": None, "trashed_at": None} | more))


def actions(found: Document, failed: str | None = None, *, in_review: bool = False) -> list[str]:
    return [action.value for action in possible_actions(found, failed, in_review=in_review)]


@pytest.mark.parametrize(
    ("code", "failed", "found"),
    [
        ("encrypted", "convert", ["password", "accept", "replace"]),
        ("corrupt", "convert", ["replace", "accept", "retry"]),
        ("source_gone", "convert", ["replace"]),
        ("conversion_failed", "convert", ["retry", "replace", "accept"]),
        ("ocr_failed", "ocr", ["retry", "language", "accept", "replace"]),
        ("ocr_language_missing", "ocr", ["language", "retry", "accept", "replace"]),
        ("enrich_failed", "enrich", ["retry", "accept", "replace"]),
        ("retries_exhausted", "convert", ["retry", "accept", "replace"]),
        ("retries_exhausted", "ocr", ["retry", "accept", "language", "replace"]),
        ("internal", "enrich", ["retry", "accept", "replace"]),
        ("repaired", None, ["retry", "accept", "replace"]),
    ],
)
def test_a_document_that_needs_attention(code: str, failed: str | None, found: list[str]) -> None:
    assert actions(document(code=code), failed) == found


@pytest.mark.parametrize("code", list(FailureCode))
def test_every_failure_leaves_something_to_do(code: FailureCode) -> None:
    assert actions(document(code=code.value), "convert")


def test_documents_that_need_nothing() -> None:
    assert actions(document("processing")) == ["replace"]
    assert actions(document("ready", recognized={"fingerprint": "r"})) == ["retry", "language", "replace"]
    assert actions(document("ready"), in_review=True) == ["review", "retry", "replace"]


def test_from_the_trash_there_is_one_way() -> None:
    assert actions(document("trashed", trashed_at=datetime.now(UTC))) == [Possible.RESTORE]


@pytest.mark.parametrize(
    ("found", "failed"),
    [(document("attention", "ocr_failed"), "ocr"), (document("ready", recognized={"pages": 1}), None)],
)
def test_another_engine_is_offered_beside_another_language(found: Document, failed: str | None) -> None:
    offered = possible_actions(found, failed, in_review=False, choice_of_engines=True)
    assert offered[offered.index(Possible.LANGUAGE) + 1] is Possible.ENGINE
    assert Possible.ENGINE not in possible_actions(found, failed, in_review=False)


def test_no_engine_helps_where_nothing_was_recognized() -> None:
    found = document("attention", "corrupt")
    assert Possible.ENGINE not in possible_actions(found, "convert", in_review=False, choice_of_engines=True)
