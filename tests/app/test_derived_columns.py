"""Columns derived from metadata take whatever the metadata hold, on either database."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from shared.database.documents import Arrival, apply_metadata, register
from shared.database.engine import reading, writing
from shared.database.tables import Document, DocumentTag
from shared.documents import ObjectReference, new_document_id
from shared.metadata import Metadata, Value


@pytest.fixture
def document_id(engine: Engine, tmp_path: Path) -> str:
    new_id = new_document_id()
    original = ObjectReference(bucket="b", key="k", size=1, sha256="0" * 64, etag="e", media_type="text/plain")
    with writing(engine) as session:
        register(session, Arrival(new_id, "run", original, "a.txt", "api"), source="/s")
    return new_id


def apply(engine: Engine, document_id: str, metadata: Metadata) -> Document:
    with writing(engine) as session:
        document = session.get_one(Document, document_id)
        document.machine_metadata = metadata.model_dump(mode="json")
        apply_metadata(session, document)
    with reading(engine) as session:
        return session.get_one(Document, document_id)


def said(value: str) -> Value[str]:
    return Value[str](value=value, origin="rule")


def test_a_sender_too_long_for_an_index_is_cut(engine: Engine, document_id: str) -> None:
    # What does not repeat itself cannot be compressed either.
    sender = "".join(chr(0x4E00 + number) for number in range(5000))
    assert apply(engine, document_id, Metadata(sender=said(sender))).sender == sender[:300]


def test_a_nul_is_left_out(engine: Engine, document_id: str) -> None:
    assert apply(engine, document_id, Metadata(title=said("A\0B"), sender=said("C\0D"))).title == "AB"


def test_tags_that_differ_only_in_what_is_cut_are_one(engine: Engine, document_id: str) -> None:
    apply(engine, document_id, Metadata(tags=(said("x" * 200 + "a"), said("x" * 200 + "b"))))
    with reading(engine) as session:
        assert list(session.scalars(select(DocumentTag.tag))) == ["x" * 200]
