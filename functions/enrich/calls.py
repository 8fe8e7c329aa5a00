"""The calls made for a document, kept beside its result: a cap that holds over deliveries, duplicates and crashes.

`call-<run>-<n>.json` is written create-only before a call, and says afterwards what it has used. So a worker that dies
between the answer and the commit costs one call, which is counted; a new run may call again.
"""

from functions.enrich.extractor import Usage
from shared.documents import Frozen
from shared.errors import ObjectNotFound
from shared.storage.port import ObjectStore

JSON = "application/json"


class CallRecord(Frozen):
    """What stands in the object of a call."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    finished: bool = False


class StoredCalls:
    """`Calls` of one document, inputs and run, as objects under `prefix`. For the holder of the lease only."""

    def __init__(self, store: ObjectStore, prefix: str, runid: str | None) -> None:
        self._store = store
        self._all = f"{prefix}call-"
        self._mine = f"{self._all}{runid or 'none'}-"
        self._current = ""

    def begin(self) -> None:
        """Note a call that is about to be made."""
        self._current = f"{self._mine}{self.made() + 1}.json"
        self._write(CallRecord(), create_only=True)

    def finish(self, usage: Usage) -> None:
        """Note what the call begun last has used."""
        self._write(CallRecord(prompt_tokens=usage.prompt, completion_tokens=usage.completion, finished=True))

    def made(self) -> int:
        """How many were begun in this run."""
        return sum(1 for _ in self._store.list(self._mine))

    def used(self) -> Usage:
        """What all of them have used, those of other runs too."""
        records = [self._read(info.key) for info in self._store.list(self._all)]
        return sum((Usage(each.prompt_tokens, each.completion_tokens) for each in records), Usage())

    def _read(self, key: str) -> CallRecord:
        try:
            return CallRecord.model_validate_json(self._store.get(key))
        except ObjectNotFound:
            return CallRecord()

    def _write(self, record: CallRecord, *, create_only: bool = False) -> None:
        self._store.put(self._current, record.model_dump_json().encode(), media_type=JSON, create_only=create_only)
