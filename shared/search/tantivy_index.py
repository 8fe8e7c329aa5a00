"""The embedded search index: tantivy in a directory. One process writes, any number read; a commit is on disk.

Directory: `<schema>/` holds tantivy's files and the file `generation`. The writer's lock is the kernel's, so a writer
that was killed leaves none behind.
"""

import json
import logging
import os
import shutil
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

import tantivy

from shared.errors import Unavailable
from shared.search import highlight, hits
from shared.search.port import (
    Facet,
    FacetCount,
    Ordering,
    SearchEntry,
    SearchHit,
    SearchQuery,
    SearchResults,
)
from shared.search.query import ParsedQuery, parse
from shared.search.tantivy_files import damaged_file, missing_file
from shared.search.tantivy_query import QueryBuilder
from shared.search.tantivy_schema import ENTRY, SCHEMA, build_schema, documents

WRITER_MEMORY_BYTES = 64_000_000
BATCH_ENTRIES = 4_000
"""So many entries of `write_all` are committed together."""

_ENGINE_ERRORS = (ValueError, OSError, RuntimeError)
_log = logging.getLogger(__name__)
_SORT_FIELDS = {
    Ordering.DATE: "day",
    Ordering.RECEIVED: "received",
    Ordering.TITLE: "sort_title",
}


@dataclass(frozen=True, slots=True)
class _Translated:
    """Raise Unavailable for what the engine or the disk says; a panic of the engine's is no Exception in Python."""

    doing: str

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and (issubclass(kind, _ENGINE_ERRORS) or kind.__name__ == "PanicException"):
            raise Unavailable(f"The search index cannot be {self.doing}: {error}") from error


@dataclass(frozen=True, slots=True)
class _Change:
    """What is written together: ids to take out, then documents to put in."""

    removed: Sequence[str]
    added: Iterable[tantivy.Document]
    done: Future[None] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class _Opened:
    """An index as it was opened: `identity` changes when the directory is replaced, `commit` with every commit."""

    index: tantivy.Index
    generation: str
    identity: tuple[int, int]
    commit: tuple[int, int, int]


class TantivySearchIndex:
    """`SearchIndex` in a local directory; safe to use from several threads."""

    def __init__(self, path: Path, *, lock_wait_seconds: float = 5.0) -> None:
        """`lock_wait_seconds`: how long a first write waits for another writing process to end."""
        self._parent = path
        self._path = path / SCHEMA
        self._lock_wait_seconds = lock_wait_seconds
        self._schema = build_schema()
        self._builder = QueryBuilder(self._schema)
        self._page_builder = QueryBuilder(self._schema, prefix="page_")
        self._open_lock = threading.Lock()
        self._opened: _Opened | None = None
        self._write_lock = threading.Lock()
        self._writer: tantivy.IndexWriter | None = None
        self._writes_to: tuple[int, int] | None = None
        self._verified = False
        self._pending: deque[_Change] = deque()

    # Writing

    def prepare(self) -> None:
        """Create the index if there is none of this release's schema; leaves an existing one alone."""
        if (self._path / "generation").exists():
            return
        with _Translated("created"):
            self._parent.mkdir(parents=True, exist_ok=True)
            fresh = self._fresh_directory()
            try:
                fresh.rename(self._path)
            except OSError:
                shutil.rmtree(fresh)
                if not (self._path / "generation").exists():
                    raise

    def _fresh_directory(self) -> Path:
        fresh = Path(tempfile.mkdtemp(prefix="new-", dir=self._parent))
        tantivy.Index(self._schema, str(fresh))
        with (fresh / "generation").open("w") as file:
            file.write(f"embedded-{SCHEMA}-{uuid.uuid4().hex}")
            file.flush()
            os.fsync(file.fileno())
        return fresh

    def write(self, entry: SearchEntry) -> None:
        """Put the entry, in place of the document's former one."""
        self._apply(_Change([entry.document_id], list(documents(entry))))

    def write_all(self, entries: Iterable[SearchEntry]) -> int:
        """Put many entries, much faster than one by one; answers how many. After a fault some may not be in."""
        count = 0
        remaining = iter(entries)
        while batch := list(islice(remaining, BATCH_ENTRIES)):
            latest = list({entry.document_id: entry for entry in batch}.values())
            # Made while it is being written: the engine indexes in a thread of its own meanwhile.
            added = (document for entry in latest for document in documents(entry))
            self._apply(_Change([entry.document_id for entry in latest], added))
            count += len(batch)
        return count

    def remove(self, document_id: str) -> None:
        """Take the document out; no error if it is not in."""
        self._apply(_Change([document_id], []))

    def reset(self) -> None:
        """Throw everything away and start a new generation, also when the index is broken."""
        with self._write_lock, _Translated("reset"):
            self._release()
            self._parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists():
                old = Path(tempfile.mkdtemp(prefix="old-", dir=self._parent))
                self._path.rename(old / SCHEMA)
                shutil.rmtree(old)
            self.prepare()

    def repair(self, *, thorough: bool = False) -> bool:
        """Set a damaged index aside and begin an empty one, a new generation; whether that was necessary.

        What keeps it from opening is found each time; `thorough` reads all of it, once in the life of this object.
        """
        if thorough and self._verified:
            return False
        with self._write_lock, _Translated("repaired"):
            if not self._path.exists():
                self.prepare()
                return True
            self._release()  # nothing is merged meanwhile
            problem = self._problem(thorough=thorough)
            self._verified = self._verified or thorough
            if problem is None:
                return False
            _log.error("the search index is damaged and begun anew, to be filled by sweep or a rebuild: %s", problem)
            self._set_aside()
            self.prepare()
            return True

    def close(self) -> None:
        """Let go of the writer's lock, so that another process may write."""
        with self._write_lock:
            self._release()

    def _apply(self, change: _Change) -> None:
        """Commit the change; those that wait for each other are committed together, as a commit waits for the disk."""
        self._pending.append(change)
        with self._write_lock:
            if not change.done.done():
                self._commit_pending()
        change.done.result()

    def _commit_pending(self) -> None:
        changes = [self._pending.popleft() for _ in range(len(self._pending))]
        try:
            with _Translated("written"):
                writer = self._acquire()
                for change in changes:
                    for document_id in change.removed:
                        writer.delete_documents_by_term("document_id", document_id)
                        writer.delete_documents_by_term("page_of", document_id)
                    for document in change.added:
                        writer.add_document(document)
                writer.commit()
        except Unavailable as error:
            self._release()
            for change in changes:
                change.done.set_exception(error)
        else:
            for change in changes:
                change.done.set_result(None)

    def _acquire(self) -> tantivy.IndexWriter:
        if self._writer is not None and self._identity() != self._writes_to:
            # The directory was lost or replaced beneath us: what is written there is written to nowhere.
            self._release()
        if self._writer is None:
            self.prepare()
            self._writes_to = self._identity()
            index = tantivy.Index.open(str(self._path))
            deadline = time.monotonic() + self._lock_wait_seconds
            while self._writer is None:
                self._writer = _locked_writer(index, last_try=time.monotonic() >= deadline)
            self._remove_leftovers()
        return self._writer

    def _problem(self, *, thorough: bool) -> str | None:
        """What is wrong with the index itself, None where that is nothing or only that the machine lacks something."""
        try:
            if not (self._path / "generation").read_text().startswith("embedded-"):
                return "it does not say which one it is"
            index = tantivy.Index.open(str(self._path))
            index.config_reader("manual", 0)
            index.reload()
            missing = missing_file(self._path)
        except FileNotFoundError as error:
            return str(error)
        except ValueError as error:
            # The engine names what the operating system refuses in these words.
            passing = any(mark in str(error) for mark in ("Os {", "os error", "LockBusy"))
            return None if passing else str(error)
        return missing or (damaged_file(self._path) if thorough else None)

    def _set_aside(self) -> None:
        """Keep the last damaged index for whoever wants to know why; one is enough."""
        for former in self._parent.glob("damaged-*"):
            shutil.rmtree(former)
        self._path.rename(self._parent / f"damaged-{uuid.uuid4().hex}")

    def _remove_leftovers(self) -> None:
        """Indexes of earlier releases, and what a reset that was cut short had put aside."""
        for path in self._parent.iterdir():
            if path.name.startswith("old-") or (path.name.isdigit() and int(path.name) < int(SCHEMA)):
                shutil.rmtree(path)

    def _release(self) -> None:
        """End the writer: what is not committed is discarded, merges are finished, the lock is free."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with suppress(ValueError, RuntimeError):
                writer.wait_merging_threads()

    # Reading

    @property
    def generation(self) -> str:
        """The identity of this index; a row indexed in another generation has to be indexed again."""
        return self._current().generation

    def version_of(self, document_id: str) -> int | None:
        """The version of the document that the index holds, None if it holds none."""
        index = self._current().index
        with _Translated("read"):
            searcher = index.searcher()
            query = tantivy.Query.term_query(self._schema, "document_id", document_id)
            found = searcher.search(query, limit=1).hits
            return int(searcher.fast_field_values("version", [found[0][1]])[0] or 0) if found else None

    def ids(self) -> Iterator[str]:
        """The ids of all entries, to compare with the rows."""
        index = self._current().index
        with _Translated("read"):
            entries, searcher = tantivy.Query.term_query(self._schema, "kind", ENTRY), index.searcher()
            # Room for as many ids as the limit says is taken beforehand.
            found = (
                searcher.terms_with_prefix("document_id", "", entries, searcher.num_docs) if searcher.num_docs else []
            )
        return (document_id for document_id, _ in found)

    def search(self, query: SearchQuery) -> SearchResults:
        """Find documents; sees every write that has returned, whichever process made it."""
        started = time.perf_counter()
        index = self._current().index
        parsed = parse(query.text)
        if parsed.impossible:
            return SearchResults(facets=dict.fromkeys(query.facets, ()), took_ms=_elapsed_ms(started))
        with _Translated("read"):
            results = _Search(index.searcher(), self._builder, self._page_builder, query, parsed).run()
        return results.model_copy(update={"took_ms": _elapsed_ms(started)})

    def _current(self) -> _Opened:
        """The index as of its last commit, opened or reloaded if something has changed on disk."""
        with self._open_lock, _Translated("read"):
            identity, commit = self._state()
            if self._opened is None or self._opened.identity != identity:
                index = tantivy.Index.open(str(self._path))
                index.config_reader("manual", 0)
                generation = (self._path / "generation").read_text()
                self._opened = _Opened(index, generation, identity, commit)
            elif self._opened.commit != commit:
                self._opened.index.reload()
                self._opened = _Opened(self._opened.index, self._opened.generation, identity, commit)
            return self._opened

    def _identity(self) -> tuple[int, int] | None:
        """Which directory this is; None where there is none."""
        try:
            generation = (self._path / "generation").stat()
        except FileNotFoundError:
            return None
        return generation.st_ino, generation.st_mtime_ns

    def _state(self) -> tuple[tuple[int, int], tuple[int, int, int]]:
        """Taken before reading: what is committed meanwhile is seen by the next search."""
        generation = (self._path / "generation").stat()
        meta = (self._path / "meta.json").stat()
        return (generation.st_ino, generation.st_mtime_ns), (meta.st_ino, meta.st_mtime_ns, meta.st_size)


def _locked_writer(index: tantivy.Index, *, last_try: bool) -> tantivy.IndexWriter | None:
    try:
        return index.writer(WRITER_MEMORY_BYTES, 1)
    except ValueError as error:
        if "LockBusy" not in str(error):
            raise
        if last_try:
            raise Unavailable("The search index is being written by another process.") from error
    time.sleep(0.05)
    return None


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


@dataclass(frozen=True, slots=True)
class _Search:
    """One search on one state of the index."""

    searcher: tantivy.Searcher
    builder: QueryBuilder
    page_builder: QueryBuilder
    query: SearchQuery
    parsed: ParsedQuery

    def run(self) -> SearchResults:
        found, result, relaxed = self._find()
        matcher = highlight.Matcher(self.parsed.clauses)
        by_score = _ranked(self.query, self.parsed)
        return SearchResults(
            hits=tuple(self._hit(score if by_score else 0.0, address, matcher) for score, address in result.hits),
            facets=self._facets(found),
            total=_count(result),
            relaxed=relaxed,
        )

    def _find(self) -> tuple[tantivy.Query, tantivy.SearchResult, bool]:
        filters = self.builder.filters(self.query)
        wanted = self.builder.strict(self.parsed, filters)
        result = self._page_of(wanted)
        if _count(result):
            return wanted, result, False
        for at_least in range(len(self.parsed.units) - 1, 0, -1):
            fewer = self.builder.relaxed(self.parsed, filters, at_least)
            some = self._page_of(fewer)
            if _count(some):
                return fewer, some, True
        return wanted, result, False

    def _page_of(self, wanted: tantivy.Query) -> tantivy.SearchResult:
        limit = self.query.page_size
        # The engine takes room for all hits before the page's last one: no more than there can be.
        offset = min((self.query.page - 1) * limit, self.searcher.num_docs)
        if _ranked(self.query, self.parsed):
            return self.searcher.search(wanted, limit, offset=offset, weight_by_field="recency")
        ordering = Ordering.RECEIVED_NEWEST if self.query.ordering is Ordering.RELEVANCE else self.query.ordering
        descending = ordering.startswith("-")
        order = tantivy.Order.Desc if descending else tantivy.Order.Asc
        name = _SORT_FIELDS[Ordering(ordering.removeprefix("-"))]
        return self.searcher.search(wanted, limit, order_by_field=name, offset=offset, order=order)

    def _facets(self, found: tantivy.Query) -> dict[Facet, tuple[FacetCount, ...]]:
        if not self.query.facets:
            return {}
        wanted = {
            facet.value: {"terms": {"field": facet.value, "size": hits.FACET_VALUES}} for facet in self.query.facets
        }
        counted = self.searcher.aggregate(found, wanted)
        return {facet: _facet_counts(counted[facet.value]["buckets"]) for facet in self.query.facets}

    def _hit(self, score: float, address: tantivy.DocAddress, matcher: highlight.Matcher) -> SearchHit:
        document = self.searcher.doc(address)
        document_id = str(document.get_first("document_id"))
        return hits.hit(document_id, score, _loaded(document), matcher, lambda: self._candidates(document_id))

    def _candidates(self, document_id: str) -> list[tuple[int, str]]:
        """The likeliest pages of a long document."""
        if not self.parsed.clauses:
            return []
        wanted = self.page_builder.pages(self.parsed.clauses, document_id)
        found = self.searcher.search(wanted, hits.PAGES_COMPARED, count=False).hits
        return [(number, text) for number, text in (_loaded(self.searcher.doc(address)) for _, address in found)]


def _loaded(document: tantivy.Document) -> Any:
    source: Any = document.get_first("source")
    return json.loads(bytes(source))


def _ranked(query: SearchQuery, parsed: ParsedQuery) -> bool:
    """Without words there is nothing to rank by: the newest come first."""
    return query.ordering is Ordering.RELEVANCE and bool(parsed.units)


def _count(result: tantivy.SearchResult) -> int:
    """The type stub does not know `count`."""
    return int(getattr(result, "count", None) or 0)


def _facet_counts(buckets: list[dict[str, Any]]) -> tuple[FacetCount, ...]:
    counts = [FacetCount(value=_facet_value(bucket["key"]), count=bucket["doc_count"]) for bucket in buckets]
    return tuple(sorted(counts, key=lambda count: (-count.count, count.value)))


def _facet_value(key: object) -> str:
    return str(int(key)) if isinstance(key, float) else str(key)
