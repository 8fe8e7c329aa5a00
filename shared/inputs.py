"""Reads what a step works on: bytes verified, and looked for again before they count as gone.

A document whose source is gone fails for good, so one confused answer of the object store must not decide that.
"""

import time
from pathlib import Path

from shared.documents import ObjectReference
from shared.errors import FailureCode, ObjectChanged, ObjectNotFound, StepFailed
from shared.storage.port import ObjectStore

PAUSES_SECONDS = (0.2, 0.8)


def fetch_source(store: ObjectStore, reference: ObjectReference, path: Path, *, gone: str | None = None) -> None:
    """Fetch the object referred to into a file.

    Raises StepFailed (source_gone, with `gone` as its message), not determined, where it is not there as it was.
    """
    for pause_seconds in PAUSES_SECONDS:
        try:
            store.get_file(reference, path)
            return
        except (ObjectNotFound, ObjectChanged):
            time.sleep(pause_seconds)
    try:
        store.get_file(reference, path)
    except (ObjectNotFound, ObjectChanged) as error:
        raise StepFailed(FailureCode.SOURCE_GONE, gone, determined=False) from error
