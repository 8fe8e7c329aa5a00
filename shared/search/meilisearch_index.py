"""The search index on a Meilisearch server, for any number of readers and writers.

The server has a small index, the directory, that says which index answers searches (`serving`) and which one is being
filled beside it by a release with another schema (`building-<schema>`). An index is never changed in its schema: the
writer of a new release makes a new one, and until that has every entry writes go to both and searches to the old one.
Then the directory names the new one, in one task, and the old one goes. (The server's own swap would do the same, but
doing it twice undoes it, and its task can not be watched with a key that is limited to some indexes.)
"""

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from shared.errors import Throttled, Unavailable
from shared.search import highlight, hits
from shared.search import meilisearch_query as asking
from shared.search import meilisearch_schema as schema
from shared.search.meilisearch_client import IndexMissing, MeilisearchClient
from shared.search.port import Facet, FacetCount, SearchEntry, SearchHit, SearchQuery, SearchResults
from shared.search.query import ParsedQuery, parse

PAYLOAD_BYTES = 8_000_000
"""Documents that are sent together; the server takes 100 MB at once unless told otherwise."""

BATCH_ENTRIES = 100
IDS_AT_ONCE = 1_000
KNOWN_SECONDS = 1.0
"""How long a reader believes what the directory said; an index that is gone is noticed at once."""

_CLAUSES_ON_PAGES = 6
_ORDERED = ("searchableAttributes", "rankingRules")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Directory:
    """Names of indexes; None where there is none."""

    serving: str | None
    building: str | None
    former: str | None = None
    """What answered before `serving`, and may still have to be deleted."""

    @property
    def targets(self) -> list[str]:
        """Where writes go; the last one is this release's."""
        return list(dict.fromkeys(name for name in (self.serving, self.building) if name))

    @property
    def newest(self) -> str | None:
        """The index that is, or will be, this release's."""
        return self.building or self.serving


class MeilisearchSearchIndex:
    """`SearchIndex` on a server; safe to use from several threads."""

    def __init__(
        self,
        client: MeilisearchClient,
        *,
        name: str = "documents",
        synonyms: Mapping[str, Sequence[str]] | None = None,
        payload_bytes: int = PAYLOAD_BYTES,
    ) -> None:
        """`name` is the directory's, and what the names of the other indexes begin with."""
        self._payload_bytes = payload_bytes
        self._client = client
        self._name = name
        self._building = f"building-{schema.schema_hash()}"
        self._settings = schema.settings(synonyms or {})
        self._known: tuple[float, _Directory] | None = None
        self._lock = threading.Lock()

    # Writing

    def prepare(self) -> None:
        """Create the index if there is none of this release's schema; leaves an existing one alone."""
        self._client.create_index(self._name, schema.KEY)
        directory = self._directory()
        if directory.serving is None:
            self._name_new("serving")
        elif not schema.is_current(directory.serving) and directory.building is None:
            self._name_new(self._building)
        else:
            self._bring_synonyms_up(directory)
        self._finish()

    def write(self, entry: SearchEntry) -> None:
        """Put the entry, in place of the document's former one."""
        self.write_all([entry])

    def write_all(self, entries: Iterable[SearchEntry]) -> int:
        """Put many entries, much faster than one by one; answers how many. After a fault some may not be in."""
        count = 0
        remaining = iter(entries)
        while batch := list(islice(remaining, BATCH_ENTRIES)):
            latest = {entry.document_id: entry for entry in batch}
            until = self._client.patience()
            for uid in self._existing():
                self._put(uid, list(latest.values()), until)
            count += len(batch)
        self._finish()
        return count

    def remove(self, document_id: str) -> None:
        """Take the document out; no error if it is not in."""
        targets = self._existing()
        self._client.wait([self._client.delete(uid, asking.of_document(document_id)) for uid in targets])
        self._finish()

    def reset(self) -> None:
        """Throw everything away and start a new generation, also when the index is broken."""
        self._client.create_index(self._name, schema.KEY)
        before = self._directory()
        self._name_as("serving", self._made(), former=before.serving)
        if before.building:
            self._client.wait([self._client.delete_document(self._name, self._building)])
        for uid in before.targets:
            self._client.delete_index(uid)

    def repair(self, *, thorough: bool = False) -> bool:
        """Begin an empty index where it was lost; whether that was necessary.

        What was damaged on the server's disk is the server's to find. `thorough` sets right what others have set.
        """
        try:
            targets = self._existing()
        except IndexMissing:
            _log.error("the search index is missing on the server and begun anew, to be filled by sweep or a rebuild")
            self._begin_anew()
            return True
        if thorough:
            self._set_right(targets[-1])
        return False

    def close(self) -> None:
        """Close the connections; there is no lock to let go of."""
        self._client.close()

    def _made(self) -> str:
        """The name of a new, empty index with all settings."""
        uid = schema.new_uid(self._name)
        self._client.create_index(uid, schema.KEY)
        self._client.set_settings(uid, self._settings)
        return uid

    def _name_new(self, role: str) -> None:
        """Make an index and name it, unless somebody else has done so meanwhile and was the later one."""
        uid = self._made()
        self._name_as(role, uid)
        if uid not in self._directory().targets:
            self._client.delete_index(uid)

    def _name_as(self, role: str, uid: str, *, former: str | None = None) -> None:
        named = {schema.KEY: role, "uid": uid, "former": former}
        self._client.wait([self._client.put(self._name, json.dumps([named]).encode())])
        self._known = None

    def _begin_anew(self) -> None:
        self._client.create_index(self._name, schema.KEY)
        directory = self._directory()
        lost = [uid for uid in directory.targets if not self._client.index_exists(uid)]
        if directory.building in lost:
            self._name_new(self._building)
        if directory.serving is None or directory.serving in lost:
            self._name_new("serving")
        self.prepare()

    def _bring_synonyms_up(self, directory: _Directory) -> None:
        """Synonyms are the operator's and may change without the entries being written anew."""
        uid, wanted = directory.newest, self._settings["synonyms"]
        if uid is None or not schema.is_current(uid) or not self._client.index_exists(uid):
            return
        if self._client.settings(uid).get("synonyms") != wanted:
            self._client.set_settings(uid, {"synonyms": wanted})

    def _set_right(self, uid: str) -> None:
        found = self._client.settings(uid)
        changed = {name: value for name, value in self._settings.items() if not _same(name, found.get(name), value)}
        if changed and schema.is_current(uid):
            _log.warning("settings of the search index were changed by others: %s", ", ".join(sorted(changed)))
            self._client.set_settings(uid, changed)

    def _put(self, uid: str, entries: Sequence[SearchEntry], until: float) -> None:
        """Pages first, which are not seen before their entry; then the entries; then pages of former versions go."""
        pages = chain.from_iterable(map(schema.page_documents, entries))
        documents = chain(pages, map(schema.entry_document, entries))
        tasks = [self._client.put(uid, payload) for payload in _payloads(documents, self._payload_bytes)]
        self._client.wait(tasks, until=until)
        stale = " OR ".join(
            asking.stale_pages(entry.document_id, entry.version, schema.last_page(entry)) for entry in entries
        )
        if self._client.fetch(uid, filter=stale, fields=[schema.KEY], limit=1)["results"]:
            self._client.wait([self._client.delete(uid, stale)], until=until)

    def _existing(self) -> list[str]:
        """Where writes go. A write to a missing index would have the server make one without any settings."""
        directory = self._directory()
        if directory.serving is None or (not schema.is_current(directory.serving) and directory.building is None):
            raise IndexMissing("The search index is missing on the server.")
        for uid in directory.targets:
            if not self._client.index_exists(uid):
                raise IndexMissing("The search index is missing on the server.")
        return directory.targets

    def _finish(self) -> None:
        """Let the index that was being filled answer, once it has as many entries as the one before.

        It never has one that the other has not, as both get every write. What is cut short here goes on the next time.
        """
        found = self._directory()
        if found.serving and found.building and found.building != found.serving:
            if self._entries(found.building) < self._entries(found.serving):
                return
            self._name_as("serving", found.building, former=found.serving)
            found = _Directory(found.building, found.building, found.serving)
        if found.building:
            self._client.wait([self._client.delete_document(self._name, self._building)])
        if found.former and found.serving:
            self._client.delete_index(found.former)
            self._name_as("serving", found.serving)

    def _entries(self, uid: str) -> int:
        found = self._client.fetch(uid, filter=f"kind = {schema.ENTRY}", fields=[schema.KEY], limit=0)
        return int(found["total"])

    # Reading

    @property
    def generation(self) -> str:
        """The identity of this index; a row indexed in another generation has to be indexed again."""
        newest = self._directory().newest
        if newest is None:
            raise IndexMissing("The search index is missing on the server.")
        return newest

    def version_of(self, document_id: str) -> int | None:
        """The version of the document that the index holds, None if it holds none."""
        found = self._client.document(self._newest(), schema.exact(document_id), ["version"])
        return int(found["version"]) if found else None

    def ids(self) -> Iterator[str]:
        """The ids of all entries, to compare with the rows."""
        uid, offset = self._serving(), 0
        while True:
            wanted = {"filter": f"kind = {schema.ENTRY}", "fields": ["document_id"]}
            found = self._client.fetch(uid, **wanted, offset=offset, limit=IDS_AT_ONCE)["results"]
            yield from (document["document_id"] for document in found)
            if len(found) < IDS_AT_ONCE:
                return
            offset += len(found)

    def search(self, query: SearchQuery) -> SearchResults:
        """Find documents; sees every write that has returned, whichever process made it."""
        started = time.perf_counter()
        parsed = parse(query.text)
        if parsed.impossible:
            return SearchResults(facets=dict.fromkeys(query.facets, ()), took_ms=_elapsed_ms(started))
        try:
            results = self._search(query, parsed)
        except Throttled as error:
            raise Unavailable(str(error)) from error
        return results.model_copy(update={"took_ms": _elapsed_ms(started)})

    def _search(self, query: SearchQuery, parsed: ParsedQuery) -> SearchResults:
        try:
            return _Search(self._client, self._serving(), query, parsed).run()
        except IndexMissing:
            # It has gone since the directory was read.
            self._known = None
            return _Search(self._client, self._serving(), query, parsed).run()

    def _newest(self) -> str:
        return self.generation

    def _serving(self) -> str:
        with self._lock:
            known = self._known
            if known is None or time.monotonic() > known[0]:
                known = self._known = (time.monotonic() + KNOWN_SECONDS, self._directory())
        if known[1].serving is None:
            raise IndexMissing("The search index is missing on the server.")
        return known[1].serving

    def _directory(self) -> _Directory:
        found = self._client.fetch(self._name, ids=["serving", self._building])["results"]
        named = {document[schema.KEY]: document for document in found}
        serving, building = named.get("serving", {}), named.get(self._building, {})
        return _Directory(serving.get("uid"), building.get("uid"), serving.get("former"))


def _payloads(documents: Iterable[Mapping[str, Any]], most_bytes: int) -> Iterator[bytes]:
    """The documents as JSON arrays of at most so many bytes, in order; a larger document stands alone."""
    filled: list[bytes] = []
    size = 0
    for document in documents:
        written = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        if filled and size + len(written) > most_bytes:
            yield b"[" + b",".join(filled) + b"]"
            filled, size = [], 0
        filled.append(written)
        size += len(written) + 2
    if filled:
        yield b"[" + b",".join(filled) + b"]"


def _same(name: str, found: Any, wanted: Any) -> bool:
    """Whether a setting is as wanted: the server knows more fields, and has most lists in an order of its own."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(_same(each, found.get(each), value) for each, value in wanted.items())
    if isinstance(wanted, list) and isinstance(found, list) and name not in _ORDERED:
        return sorted(map(json.dumps, found)) == sorted(map(json.dumps, wanted))
    return bool(found == wanted)


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


@dataclass(frozen=True, slots=True)
class _Search:
    """One search in one index."""

    client: MeilisearchClient
    uid: str
    query: SearchQuery
    parsed: ParsedQuery

    def run(self) -> SearchResults:
        found, relaxed = self._find()
        matcher = highlight.Matcher(self.parsed.clauses)
        pages = self._likeliest_pages(found["hits"])
        return SearchResults(
            hits=tuple(self._hit(document, matcher, pages) for document in found["hits"]),
            facets=_facets(self.query.facets, found.get("facetDistribution") or {}),
            total=int(found["totalHits"]),
            relaxed=relaxed,
        )

    def _find(self) -> tuple[dict[str, Any], bool]:
        """The first way of asking that finds something; then most of the words."""
        strict = self.client.search([self._whole(text, "all") for text in asking.readings(self.parsed)])
        found = next((result for result in strict if result["totalHits"]), None)
        if found is not None or len(self.parsed.units) < 2:
            return found or strict[0], False
        some = self._some()
        return (some, True) if some else (strict[0], False)

    def _some(self) -> dict[str, Any] | None:
        """What has all of those words that anything has; or else as many as the server finds, rare ones first."""
        alone = [self._asked(text) | {"limit": 0} for text in asking.single_units(self.parsed)]
        counts = [result["estimatedTotalHits"] for result in self.client.search(alone)]
        units = [unit for unit, count in zip(self.parsed.units, counts, strict=False) if count]
        if not units:
            return None
        text = asking.reading_of(self.parsed, units)
        results = self.client.search([self._whole(text, strategy) for strategy in ("all", "frequency")])
        return next((result for result in results if result["totalHits"]), None)

    def _asked(self, text: str) -> dict[str, Any]:
        return {
            "indexUid": self.uid,
            "q": text,
            "filter": asking.filters(self.query),
            "matchingStrategy": "all",
            "attributesToRetrieve": ["document_id", "version", "source"],
        }

    def _whole(self, text: str, strategy: str) -> dict[str, Any]:
        sort = asking.order(self.query, self.parsed)
        return self._asked(text) | {
            "matchingStrategy": strategy,
            "page": self.query.page,
            "hitsPerPage": self.query.page_size,
            "facets": [facet.value for facet in self.query.facets],
            **({"sort": sort} if sort else {"showRankingScore": True}),
        }

    def _hit(self, document: dict[str, Any], matcher: highlight.Matcher, pages: dict[str, hits.Pages]) -> SearchHit:
        document_id = document["document_id"]
        score = float(document.get("_rankingScore", 0.0))
        return hits.hit(document_id, score, document["source"], matcher, lambda: pages.get(document_id, ()))

    def _likeliest_pages(self, found: Sequence[dict[str, Any]]) -> dict[str, hits.Pages]:
        """The likeliest pages of all long documents of a result, asked for at once."""
        texts = asking.clauses_alone(self.parsed)[:_CLAUSES_ON_PAGES]
        if len(self.parsed.units) > 1:
            texts = [asking.reading_of(self.parsed, self.parsed.units), *texts]
        long = [document for document in found if "pages" not in document["source"]]
        queries = [(document["document_id"], self._on_pages(document, text)) for document in long for text in texts]
        if not queries:
            return {}
        pages: dict[str, dict[int, str]] = {}
        for (document_id, _), result in zip(queries, self.client.search([q for _, q in queries]), strict=True):
            of_document = pages.setdefault(document_id, {})
            of_document.update((page["number"], page["text"]) for page in result["hits"])
        return {document_id: tuple(of_document.items()) for document_id, of_document in pages.items()}

    def _on_pages(self, document: dict[str, Any], text: str) -> dict[str, Any]:
        return {
            "indexUid": self.uid,
            "q": text,
            "filter": asking.pages_of(document["document_id"], document["version"]),
            "matchingStrategy": "all",
            "attributesToRetrieve": ["number", "text"],
            "limit": hits.PAGES_COMPARED,
        }


def _facets(wanted: Sequence[Facet], counted: Mapping[str, Mapping[str, int]]) -> dict[Facet, tuple[FacetCount, ...]]:
    return {facet: _counts(facet, counted.get(facet.value, {})) for facet in wanted}


def _counts(facet: Facet, counted: Mapping[str, int]) -> tuple[FacetCount, ...]:
    values = ((key if facet is Facet.YEAR else schema.readable(key), count) for key, count in counted.items())
    counts = [FacetCount(value=value, count=count) for value, count in values if value is not None]
    return tuple(sorted(counts, key=lambda each: (-each.count, each.value)))
