"""What a step works on is looked for again before it counts as gone."""

from pathlib import Path

import pytest

from shared.documents import ObjectReference
from shared.errors import FailureCode, ObjectChanged, ObjectNotFound, StepFailed
from shared.inputs import PAUSES_SECONDS, fetch_source
from shared.storage.directory import DirectoryObjectStore

KEY = "documents/01900000-0000-7000-8000-000000000000/original"


class ConfusedStore(DirectoryObjectStore):
    """Answers so many readings with the errors given, then as it should."""

    errors: list[Exception]

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        if self.errors:
            raise self.errors.pop()
        super().get_file(reference, path)


@pytest.fixture
def store(tmp_path: Path) -> ConfusedStore:
    made = ConfusedStore(tmp_path / "data")
    made.errors = []
    return made


@pytest.mark.parametrize("error", [ObjectNotFound("gone"), ObjectChanged("another one")])
def test_a_source_that_seems_gone_for_a_moment_is_read_all_the_same(
    store: ConfusedStore, tmp_path: Path, error: Exception
) -> None:
    reference = store.put(KEY, b"here", media_type="text/plain")
    store.errors = [error] * len(PAUSES_SECONDS)
    fetch_source(store, reference, tmp_path / "source")
    assert (tmp_path / "source").read_bytes() == b"here"


def test_a_source_that_stays_gone_is_told_and_determines_nothing(store: ConfusedStore, tmp_path: Path) -> None:
    """Rules 5: a source that seems gone is no outcome to be committed."""
    reference = store.put(KEY, b"here", media_type="text/plain")
    store.delete(KEY)
    with pytest.raises(StepFailed) as raised:
        fetch_source(store, reference, tmp_path / "source", gone="The converted PDF is gone.")
    assert (raised.value.code, raised.value.determined) == (FailureCode.SOURCE_GONE, False)
    assert raised.value.message == "The converted PDF is gone."
