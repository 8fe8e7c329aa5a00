"""The ports with every call counted: object store, publisher, search index, database."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from shared.documents import ObjectReference
from shared.errors import ObjectNotFound, Unavailable
from shared.events import Event
from shared.publisher import EventPublisher
from shared.search.port import SearchEntry, SearchIndex, SearchQuery, SearchResults
from shared.storage.port import ObjectInfo, ObjectStore, ObjectWriter
from tests.chaos.calls import Calls


def store_down() -> Exception:
    """What an adapter raises when the store does not answer."""
    return Unavailable("the object store does not answer")


class CountedStore:
    """An `ObjectStore` in front of another one. `passed_since` tells what is added to the age of an object."""

    def __init__(self, inner: ObjectStore, calls: Calls, passed_since: Callable[[datetime], float]) -> None:
        self.inner = inner
        self.bucket = inner.bucket
        self._calls = calls
        self._passed_since = passed_since

    def put(
        self,
        key: str,
        body: bytes,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        with self._calls.call(f"store put {kind_of(key)}", store_down):
            return self.inner.put(key, body, media_type=media_type, create_only=create_only, metadata=metadata)

    def put_file(
        self,
        key: str,
        path: Path,
        *,
        media_type: str,
        create_only: bool = False,
        metadata: Mapping[str, str] | None = None,
    ) -> ObjectReference:
        with self._calls.call(f"store put {kind_of(key)}", store_down):
            return self.inner.put_file(key, path, media_type=media_type, create_only=create_only, metadata=metadata)

    @contextmanager
    def writer(self, key: str, *, create_only: bool = False) -> Iterator[ObjectWriter]:
        with self._calls.call("store begin", store_down):
            opened = self.inner.writer(key, create_only=create_only)
        with opened as writer:
            yield _CountedWriter(writer, self._calls, kind_of(key))

    def get(self, key: str) -> bytes:
        number = self._calls.enter(f"store get {kind_of(key)}", store_down)
        if self._calls.is_gone(number):
            raise ObjectNotFound(key)
        body = self.inner.get(key)
        self._calls.leave(number, store_down)
        return body

    def get_file(self, reference: ObjectReference, path: Path) -> None:
        number = self._calls.enter(f"store get {kind_of(reference.key)}", store_down)
        if self._calls.is_gone(number):
            raise ObjectNotFound(reference.key)
        self.inner.get_file(reference, path)
        self._calls.leave(number, store_down)

    @contextmanager
    def open(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[BinaryIO]:
        number = self._calls.enter(f"store get {kind_of(key)}", store_down)
        if self._calls.is_gone(number):
            raise ObjectNotFound(key)
        with self.inner.open(key, start=start, length=length) as stream:
            yield io.BytesIO(stream.read())
        self._calls.leave(number, store_down)

    def head(self, key: str) -> ObjectInfo | None:
        with self._calls.call(f"store head {kind_of(key)}", store_down):
            info = self.inner.head(key)
        return info and self._aged(info)

    def list(self, prefix: str, *, after: str = "") -> Iterator[ObjectInfo]:
        with self._calls.call("store list", store_down):
            return iter([self._aged(info) for info in self.inner.list(prefix, after=after)])

    def copy(
        self, source: ObjectInfo, target: str, *, media_type: str, metadata: Mapping[str, str] | None = None
    ) -> ObjectReference:
        with self._calls.call(f"store copy {kind_of(target)}", store_down):
            return self.inner.copy(source, target, media_type=media_type, metadata=metadata)

    def delete(self, key: str) -> None:
        with self._calls.call(f"store delete {kind_of(key)}", store_down):
            self.inner.delete(key)

    def delete_exact(self, info: ObjectInfo) -> bool:
        with self._calls.call(f"store delete {kind_of(info.key)}", store_down):
            return self.inner.delete_exact(info)

    def delete_prefix(self, prefix: str) -> int:
        with self._calls.call("store delete all", store_down):
            return self.inner.delete_prefix(prefix)

    def remove_leftovers(self, older_than_seconds: float) -> int:
        with self._calls.call("store tidy", store_down):
            return self.inner.remove_leftovers(older_than_seconds)

    def temporary_url(self, key: str, *, seconds: int) -> str | None:
        return self.inner.temporary_url(key, seconds=seconds)

    def weakness(self) -> str | None:
        return self.inner.weakness()

    def _aged(self, info: ObjectInfo) -> ObjectInfo:
        return replace(info, age_seconds=info.age_seconds + self._passed_since(info.last_modified))


class _CountedWriter:
    def __init__(self, inner: ObjectWriter, calls: Calls, kind: str) -> None:
        self._inner, self._calls, self._kind = inner, calls, kind

    def write(self, chunk: bytes) -> None:
        with self._calls.call("store write", store_down):
            self._inner.write(chunk)

    def sha256(self) -> str:
        return self._inner.sha256()

    def commit(self, *, media_type: str, metadata: Mapping[str, str] | None = None) -> ObjectReference:
        with self._calls.call(f"store put {self._kind}", store_down):
            return self._inner.commit(media_type=media_type, metadata=metadata)

    def abort(self) -> None:
        self._inner.abort()


class CountedPublisher:
    """An `EventPublisher` in front of another one."""

    def __init__(self, inner: EventPublisher, calls: Calls) -> None:
        self._inner, self._calls = inner, calls

    def publish(self, event: Event) -> None:
        with self._calls.call("publish", lambda: Unavailable("the broker does not answer")):
            self._inner.publish(event)


class CountedSearch:
    """A `SearchIndex` in front of another one."""

    def __init__(self, inner: SearchIndex, calls: Calls) -> None:
        self._inner, self._calls = inner, calls

    @property
    def generation(self) -> str:
        with self._counted("generation"):
            return self._inner.generation

    def search(self, query: SearchQuery) -> SearchResults:
        with self._counted("query"):
            return self._inner.search(query)

    def version_of(self, document_id: str) -> int | None:
        with self._counted("version"):
            return self._inner.version_of(document_id)

    def ids(self) -> Iterator[str]:
        with self._counted("ids"):
            return iter(list(self._inner.ids()))

    def prepare(self) -> None:
        with self._counted("prepare"):
            self._inner.prepare()

    def write(self, entry: SearchEntry) -> None:
        with self._counted("write"):
            self._inner.write(entry)

    def write_all(self, entries: Iterable[SearchEntry]) -> int:
        with self._counted("write"):
            return self._inner.write_all(entries)

    def remove(self, document_id: str) -> None:
        with self._counted("remove"):
            self._inner.remove(document_id)

    def reset(self) -> None:
        with self._counted("reset"):
            self._inner.reset()

    def repair(self, *, thorough: bool = False) -> bool:
        with self._counted("repair"):
            return self._inner.repair(thorough=thorough)

    def close(self) -> None:
        self._inner.close()

    def _counted(self, what: str) -> Any:
        return self._calls.call(f"search {what}", lambda: Unavailable("the search index does not answer"))


def count_database_calls(engine: Engine, calls: Calls) -> Callable[[], None]:
    """Count every statement and every commit of the engine; the answer ends the counting of commits."""

    @event.listens_for(engine, "before_cursor_execute")
    def before(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        connection.info["call"] = calls.enter(f"database {statement.split()[0].lower()}", _database_down)

    @event.listens_for(engine, "after_cursor_execute")
    def after(connection: Any, *_: Any) -> None:
        calls.leave(connection.info.pop("call", 0), _database_down)

    @event.listens_for(engine, "commit")
    def committing(connection: Any) -> None:
        connection.info["commit"] = calls.enter("database commit", _database_down)
        last.append(connection.info["commit"])

    last: list[int] = []

    def committed(session: Session) -> None:
        if last:
            calls.leave(last.pop(), _database_down)

    event.listen(Session, "after_commit", committed)
    return lambda: event.remove(Session, "after_commit", committed)


def _database_down() -> Exception:
    return OperationalError("", None, Exception("the connection was cut"))


def kind_of(key: str) -> str:
    """What an object is, without its ids."""
    name = key.rpartition("/")[2]
    if name.startswith("lease-"):
        return "lease"
    if key.startswith("documents/"):
        return "part" if name.startswith("part-") else name.partition(".")[0] if "unlocked/" not in key else "unlocked"
    return key.partition("/")[0]
