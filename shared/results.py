"""The memo of a step: `documents/<id>/<step>/<fingerprint>/`, where each result is committed once and then stands.

An attempt writes its payloads under a name of its own; `result.json` beside the attempts is written last and
create-only. Whoever loses that race answers from the winner's. What is committed holds the outcome, not an event.
"""

import contextlib
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import Field

from shared.documents import Frozen, ObjectReference
from shared.errors import (
    DocumentGone,
    FailureCode,
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    StepFailed,
    Unavailable,
)
from shared.leases import lease
from shared.room import require_room
from shared.storage import keys
from shared.storage.port import ObjectStore
from shared.tracing.spans import span

JSON = "application/json"
_log = logging.getLogger(__name__)


class Failure(Frozen):
    """An outcome that these inputs determine: the document can not pass."""

    code: FailureCode
    message: str


class StepResult(Frozen):
    """`result.json`. `payloads` are the objects made, `data` whatever else the reply needs."""

    step: str
    version: str
    fingerprint: str
    input_fingerprint: str
    attempt: str
    payloads: dict[str, ObjectReference] = Field(default_factory=dict)
    data: dict[str, Any] = Field(default_factory=dict)
    failure: Failure | None = None


class Attempt:
    """One try: a private place for payloads that nobody reads before the commit."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self.id = f"attempt-{secrets.token_hex(8)}"
        self._store = store
        self._prefix = f"{prefix}{self.id}/"

    def store_file(self, name: str, path: Path, media_type: str) -> ObjectReference:
        """Keep a file as this attempt's payload `name`."""
        return self._store.put_file(self._prefix + name, path, media_type=media_type, create_only=True)

    def store_bytes(self, name: str, body: bytes, media_type: str) -> ObjectReference:
        """Keep bytes as this attempt's payload `name`."""
        return self._store.put(self._prefix + name, body, media_type=media_type, create_only=True)


class Work:
    """One step's work on one document with these inputs."""

    def __init__(
        self, store: ObjectStore, document_id: str, step: str, version: str, fingerprint: str, input_fingerprint: str
    ) -> None:
        self.store = store
        self.document_id = document_id
        self.step = step
        self.version = version
        self.fingerprint = fingerprint
        self.input_fingerprint = input_fingerprint
        self.prefix = keys.work_prefix(document_id, step, fingerprint)

    def result(self, name: str = "result.json") -> StepResult | None:
        """The committed result, or None. A commit that lacks its payloads is set aside, to be done again (rules 6)."""
        try:
            result = StepResult.model_validate_json(self.store.get(self.prefix + name))
        except ObjectNotFound:
            return None
        if all(self._is_whole(reference) for reference in result.payloads.values()):
            return result
        self._set_aside(name)
        return None

    def once(
        self, produce: Callable[[Attempt], StepResult], *, unit: str = "all", name: str = "result.json"
    ) -> StepResult:
        """The committed result; where there is none, the work is done under a lease and committed.

        Raises LeaseHeld, DocumentGone, or whatever `produce` raises that its inputs do not determine.
        """
        if (done := self.result(name)) is not None:
            return done
        with lease(self.store, self.prefix, unit):
            # Somebody may have finished between the look and the lease.
            if (done := self.result(name)) is not None:
                return done
            return self._commit(self._attempt(produce), name)

    def once_free(self, produce: Callable[[Attempt], StepResult], name: str) -> StepResult:
        """As `once`, without a lease: for outcomes that cost nothing, such as saying that the unit was given up."""
        return self.result(name) or self._commit(self._attempt(produce), name)

    def outcome(
        self,
        attempt: Attempt,
        *,
        payloads: dict[str, ObjectReference] | None = None,
        data: dict[str, Any] | None = None,
        failure: Failure | None = None,
    ) -> StepResult:
        """A result of this work, ready to be committed."""
        return StepResult(
            step=self.step,
            version=self.version,
            fingerprint=self.fingerprint,
            input_fingerprint=self.input_fingerprint,
            attempt=attempt.id,
            payloads=payloads or {},
            data=data or {},
            failure=failure,
        )

    def _attempt(self, produce: Callable[[Attempt], StepResult]) -> StepResult:
        attempt = Attempt(self.store, self.prefix)
        try:
            with span("work"):
                return produce(attempt)
        except StepFailed as failed:
            if not failed.determined:
                raise
            require_room()
            return self.outcome(attempt, failure=Failure(code=failed.code, message=failed.message))

    def _commit(self, result: StepResult, name: str) -> StepResult:
        with span("commit"):
            return self._committed(result, name)

    def _committed(self, result: StepResult, name: str) -> StepResult:
        refuse_purged(self.store, self.document_id)
        # Stores were seen to say 200 and lose the object: the commit promises what it names.
        if not all(self._is_whole(reference) for reference in result.payloads.values()):
            raise Unavailable("the object store does not have what was written to it")
        body = result.model_dump_json().encode()
        try:
            self.store.put(self.prefix + name, body, media_type=JSON, create_only=True)
        except ObjectExists:
            winner = self.result(name)
            return result if winner is None else winner
        return result

    def _is_whole(self, reference: ObjectReference) -> bool:
        info = self.store.head(reference.key)
        return info is not None and info.size == reference.size

    def _set_aside(self, name: str) -> None:
        _log.warning("a committed result lacks its payloads and is set aside: %s%s", self.prefix, name)
        info = self.store.head(self.prefix + name)
        if info is None:
            return
        with contextlib.suppress(ObjectNotFound, ObjectChanged):
            self.store.copy(info, f"{self.prefix}set-aside-{secrets.token_hex(4)}-{name}", media_type=JSON)
        # Exactly this version where the store can make sure: another worker may have committed a whole one meanwhile.
        # Where it cannot, removing that one as well costs work, not results.
        if not self.store.delete_exact(info):
            self.store.delete(info.key)


def refuse_purged(store: ObjectStore, document_id: str) -> None:
    """Raise DocumentGone where the document has a tombstone."""
    if store.head(keys.tombstone(document_id)) is not None:
        raise DocumentGone(document_id)


def raise_failure(result: StepResult) -> StepResult:
    """The result itself, unless it is a committed failure, which is raised as StepFailed."""
    if result.failure is not None:
        raise StepFailed(result.failure.code, result.failure.message)
    return result
