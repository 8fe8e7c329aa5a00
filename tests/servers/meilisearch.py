"""A server that speaks Meilisearch's protocol as documented, strictly, with a queue of tasks and faults from a script.

Sources: the OpenAPI description at https://www.meilisearch.com/docs/reference/api/openapi (routes, fields, statuses),
…/reference/errors/error_codes, …/indexing/tasks_and_batches/async_operations (states; a task that is not waited for may
not have happened), …/capabilities/security/how_to/manage_api_keys (actions, index patterns), …/resources/help/
known_limitations. A route, field, header or parameter that these do not name is refused as the server would, and noted
in `violations`: a test finds none. Documents that are put into an index that is not there make one, without settings.
"""

import atexit
import fnmatch
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.servers import meilisearch_search as engine
from tests.servers.asgi import serving
from tests.servers.ports import free_port

MASTER_KEY = "master-0123456789abcdef"
WRITE_KEY = "write-0123456789abcdef"
SEARCH_KEY = "search-0123456789abcdef"
WRITE_ACTIONS = (
    *("search", "documents.*", "indexes.create", "indexes.get", "indexes.delete"),
    *("settings.get", "settings.update", "tasks.get"),
)
SEARCH_ACTIONS = ("search", "documents.get")

_HEADERS = {
    *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"),
    "authorization",
}
_SEARCH_FIELDS = {
    *("q", "offset", "limit", "page", "hitsPerPage", "attributesToRetrieve", "attributesToCrop", "cropLength"),
    *("cropMarker", "attributesToHighlight", "highlightPreTag", "highlightPostTag", "showMatchesPosition", "filter"),
    *("sort", "distinct", "facets", "matchingStrategy", "attributesToSearchOn", "rankingScoreThreshold", "locales"),
    *("hybrid", "vector", "showRankingScore", "showRankingScoreDetails", "indexUid", "federationOptions"),
}
_NOT_EMULATED = {
    *("attributesToCrop", "attributesToHighlight", "showMatchesPosition", "distinct", "attributesToSearchOn"),
    *("rankingScoreThreshold", "locales", "hybrid", "vector", "showRankingScoreDetails", "federationOptions"),
}
_SETTINGS: dict[str, Any] = {
    "displayedAttributes": ["*"],
    "searchableAttributes": ["*"],
    "filterableAttributes": [],
    "sortableAttributes": [],
    "rankingRules": ["words", "typo", "proximity", "attributeRank", "sort", "wordPosition", "exactness"],
    "stopWords": [],
    "nonSeparatorTokens": [],
    "separatorTokens": [],
    "dictionary": [],
    "synonyms": {},
    "distinctAttribute": None,
    "proximityPrecision": "byWord",
    "typoTolerance": {
        "enabled": True,
        "minWordSizeForTypos": {"oneTypo": 5, "twoTypos": 9},
        "disableOnWords": [],
        "disableOnAttributes": [],
        "disableOnNumbers": False,
    },
    "faceting": {"maxValuesPerFacet": 100, "sortFacetValuesBy": {"*": "alpha"}},
    "pagination": {"maxTotalHits": 1000},
    "embedders": {},
    "searchCutoffMs": None,
    "localizedAttributes": None,
    "facetSearch": True,
    "prefixSearch": "indexingTime",
}
_RULES = {"words", "typo", "proximity", "attribute", "attributeRank", "wordPosition", "sort", "exactness"}
_ENQUEUED_AT = "2024-08-08T17:05:55.791772Z"


class Refused(Exception):
    """Answered with an error object."""

    def __init__(self, status: int, code: str, message: str = "…", kind: str = "invalid_request") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.kind = status, code, message, kind

    def object(self) -> dict[str, str]:
        link = f"https://docs.meilisearch.com/errors#{self.code}"
        return {"message": self.message, "code": self.code, "type": self.kind, "link": link}


class OutOfProtocol(Refused):
    """What no documented request looks like: answered as the server would, and noted."""


@dataclass
class Index:
    """Documents by key, and settings."""

    primary_key: str | None
    settings: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(_SETTINGS)))
    documents: dict[str, engine.Indexed] = field(default_factory=dict)

    def searchable(self) -> list[str]:
        return list(self.settings["searchableAttributes"])

    def put(self, document: dict[str, Any]) -> None:
        self.documents[str(document[self.primary_key or "id"])] = engine.Indexed(document, self.searchable())


@dataclass
class Task:
    """Queued work. It runs, after all before it, when its state has been asked for often enough."""

    uid: int
    index_uid: str | None
    kind: str
    work: Callable[[], object]
    status: str = "enqueued"
    error: dict[str, str] | None = None
    asked: int = 0


@dataclass
class Fault:
    """What happens instead to the next `times` requests whose method and path match."""

    answer: Callable[[Request], Response]
    matches: re.Pattern[str]
    times: int


class Meilisearch:
    """The state of one server; `url` is known while it runs."""

    def __init__(self, *, payload_limit: int = 100 * 1024 * 1024) -> None:
        self.url = ""
        self.payload_limit = payload_limit
        self.indexes: dict[str, Index] = {}
        self.tasks: list[Task] = []
        self.keys: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
            MASTER_KEY: (("*",), ("*",)),
            WRITE_KEY: (WRITE_ACTIONS, ("documents*",)),
            SEARCH_KEY: (SEARCH_ACTIONS, ("documents*",)),
        }
        self.violations: list[str] = []
        self.journal: list[str] = []
        self.failing: dict[str, tuple[str, int]] = {}
        self.polls_needed = 2
        self.stands_still = False
        self._faults: list[Fault] = []
        self._lock = threading.RLock()

    # What a test may arrange

    def goes_wrong(self, request: str, answer: Callable[[Request], Response], *, times: int = 1) -> None:
        """`request` is a pattern of "METHOD /path"."""
        self._faults.append(Fault(answer, re.compile(request), times))

    def is_well_again(self) -> None:
        """Nothing more of what was arranged happens."""
        self._faults.clear()

    def tasks_fail(self, kind: str, code: str, *, times: int = 1) -> None:
        """The next tasks of this kind are accepted and fail later."""
        self.failing[kind] = (code, times)

    def forgets_the_queue(self) -> None:
        """As after a disk that was lost: what was queued is unknown."""
        with self._lock:
            for task in self.tasks:
                if task.status in ("enqueued", "processing"):
                    task.status = "unknown"

    # The application

    def app(self) -> Starlette:
        routes = [
            ("GET", "/health", None, lambda _: {"status": "available"}),
            ("POST", "/indexes", "indexes.create", self._create),
            ("GET", "/indexes/{uid}", "indexes.get", self._index),
            ("DELETE", "/indexes/{uid}", "indexes.delete", self._delete_index),
            ("GET", "/indexes/{uid}/settings", "settings.get", lambda asked: self._named(asked).settings),
            ("PATCH", "/indexes/{uid}/settings", "settings.update", self._set),
            ("POST", "/indexes/{uid}/documents", "documents.add", self._add),
            ("POST", "/indexes/{uid}/documents/fetch", "documents.get", self._fetch),
            ("POST", "/indexes/{uid}/documents/delete", "documents.delete", self._delete),
            ("GET", "/indexes/{uid}/documents/{key}", "documents.get", self._document),
            ("DELETE", "/indexes/{uid}/documents/{key}", "documents.delete", self._delete_one),
            ("POST", "/multi-search", "search", self._multi_search),
            ("GET", "/tasks/{task:int}", "tasks.get", self._task),
        ]
        made = [
            Route(path, self._answering(action, answer), methods=[method]) for method, path, action, answer in routes
        ]
        return Starlette(routes=[*made, Route("/{path:path}", self._unknown, methods=["GET", "POST", "PUT", "PATCH"])])

    async def _unknown(self, request: Request) -> Response:
        self.violations.append(f"{request.method} {request.url.path} is no route that is known here")
        return JSONResponse(Refused(404, "not_found").object(), 404)

    def _answering(self, action: str | None, answer: Callable[["Asked"], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            body = await request.body()
            fault = self._fault(request)
            if fault is not None:
                return fault.answer(request)
            try:
                with self._lock:
                    asked = self._asked(request, body, action)
                    result = answer(asked)
            except Refused as error:
                if isinstance(error, OutOfProtocol):
                    self.violations.append(f"{request.method} {request.url.path}: {error.message}")
                return JSONResponse(error.object(), error.status)
            if isinstance(result, Task):
                return JSONResponse(_summary(result), 202)
            return JSONResponse(result)

        return endpoint

    def _fault(self, request: Request) -> Fault | None:
        line = f"{request.method} {request.url.path}"
        self.journal.append(line)
        for fault in self._faults:
            if fault.times and fault.matches.search(line):
                fault.times -= 1
                return fault
        return None

    def _asked(self, request: Request, body: bytes, action: str | None) -> "Asked":
        unknown = set(request.headers) - _HEADERS
        if unknown:
            raise OutOfProtocol(400, "bad_request", f"headers {sorted(unknown)}")
        allowed = self._allowed(request.headers.get("authorization"), action)
        if len(body) > self.payload_limit:
            raise Refused(413, "payload_too_large", "The provided payload reached the size limit.")
        asked = Asked(request, _parsed(request, body), allowed)
        uid = request.path_params.get("uid")
        if uid is not None:
            asked.require(uid)
        return asked

    def _allowed(self, header: str | None, action: str | None) -> tuple[str, ...]:
        """The patterns of indexes that the key may touch."""
        if action is None:
            return ("*",)
        if header is None or not header.startswith("Bearer "):
            raise Refused(401, "missing_authorization_header", "The Authorization header is missing.", "auth")
        actions, indexes = self.keys.get(header.removeprefix("Bearer "), ((), ()))
        if not any(fnmatch.fnmatchcase(action, each) for each in actions):
            raise Refused(403, "invalid_api_key", "The provided API key is invalid.", "auth")
        return indexes

    # Indexes and settings

    def _named(self, asked: "Asked") -> Index:
        return self._of(asked.uid)

    def _of(self, uid: str) -> Index:
        if uid not in self.indexes:
            raise Refused(404, "index_not_found", f"Index `{uid}` not found.")
        return self.indexes[uid]

    def _index(self, asked: "Asked") -> dict[str, Any]:
        index = self._named(asked)
        times = {"createdAt": _ENQUEUED_AT, "updatedAt": _ENQUEUED_AT}
        return {"uid": asked.uid, "primaryKey": index.primary_key, **times}

    def _create(self, asked: "Asked") -> Task:
        body = asked.fields({"uid", "primaryKey"}, {"uid"})
        uid = str(body["uid"])
        asked.require(uid)
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,400}", uid):
            raise OutOfProtocol(400, "invalid_index_uid", uid)

        def work() -> None:
            if uid in self.indexes:
                raise Refused(409, "index_already_exists", f"Index `{uid}` already exists.")
            self.indexes[uid] = Index(body.get("primaryKey"))

        return self._queued("indexCreation", uid, work)

    def _delete_index(self, asked: "Asked") -> Task:
        uid = asked.uid

        def work() -> None:
            self._of(uid)
            del self.indexes[uid]

        return self._queued("indexDeletion", uid, work)

    def _set(self, asked: "Asked") -> Task:
        body = asked.fields(set(_SETTINGS), set())
        _check_settings(body)
        uid = asked.uid

        def work() -> None:
            index = self.indexes.setdefault(uid, Index(None))
            for name, value in body.items():
                default = _SETTINGS[name]
                merged = {**index.settings[name], **value} if isinstance(value, dict) and name != "synonyms" else value
                index.settings[name] = json.loads(json.dumps(default)) if value is None else merged
            for document in [each.document for each in index.documents.values()]:
                index.put(document)

        return self._queued("settingsUpdate", uid, work)

    # Documents

    def _add(self, asked: "Asked") -> Task:
        asked.parameters({"primaryKey"})
        documents = asked.body
        if not isinstance(documents, list) or not all(isinstance(each, dict) for each in documents):
            raise Refused(400, "malformed_payload", "The `json` payload provided is malformed.")
        uid = asked.uid

        def work() -> None:
            index = self.indexes.setdefault(uid, Index(None))
            keys = [document.get(index.primary_key or "id") for document in documents]
            if any(key is None for key in keys):
                raise Refused(400, "missing_document_id", "Document doesn't have a primary key attribute.")
            if not all(re.fullmatch(r"[A-Za-z0-9_-]{1,511}", str(key)) for key in keys):
                raise Refused(400, "invalid_document_id", "Document identifier is invalid.")
            for document in documents:
                index.put(document)

        return self._queued("documentAdditionOrUpdate", uid, work)

    def _delete(self, asked: "Asked") -> Task:
        body, index = asked.fields({"filter"}, {"filter"}), self._named(asked)
        self._filtered(index, body["filter"])

        def work() -> None:
            for each in self._filtered(index, body["filter"]):
                del index.documents[str(each.document[index.primary_key or "id"])]

        return self._queued("documentDeletion", asked.uid, work)

    def _delete_one(self, asked: "Asked") -> Task:
        index, key = self._named(asked), asked.request.path_params["key"]
        return self._queued("documentDeletion", asked.uid, lambda: index.documents.pop(key, None))

    def _document(self, asked: "Asked") -> dict[str, Any]:
        parameters = asked.parameters({"fields"})
        found = self._named(asked).documents.get(asked.request.path_params["key"])
        if found is None:
            raise Refused(404, "document_not_found", "Document not found.")
        return _fields(found.document, parameters["fields"].split(",") if "fields" in parameters else None)

    def _fetch(self, asked: "Asked") -> dict[str, Any]:
        body = asked.fields({"offset", "limit", "fields", "ids", "filter"}, set())
        index = self._named(asked)
        found = [each.document for each in self._filtered(index, body.get("filter"))]
        if "ids" in body:
            found = [each for each in found if each[index.primary_key or "id"] in body["ids"]]
        offset, limit = body.get("offset", 0), body.get("limit", 20)
        shown = [_fields(each, body.get("fields")) for each in found[offset : offset + limit]]
        return {"results": shown, "offset": offset, "limit": limit, "total": len(found)}

    def _filtered(self, index: Index, expression: object) -> list[engine.Indexed]:
        try:
            return engine.filtered(list(index.documents.values()), expression, index.settings["filterableAttributes"])
        except engine.Invalid as error:
            raise OutOfProtocol(400, "invalid_document_filter", str(error)) from error

    # Search

    def _multi_search(self, asked: "Asked") -> dict[str, Any]:
        queries = asked.fields({"queries", "federation"}, {"queries"})["queries"]
        return {"results": [self._search(asked, query) for query in queries]}

    def _search(self, asked: "Asked", query: dict[str, Any]) -> dict[str, Any]:
        unknown = set(query) - _SEARCH_FIELDS or set(query) & _NOT_EMULATED
        if unknown or "indexUid" not in query:
            raise OutOfProtocol(400, "bad_request", f"fields {sorted(unknown)} of a search")
        asked.require(query["indexUid"])
        index = self._of(query["indexUid"])
        _check_search(query, index.settings)
        try:
            found = engine.found(list(index.documents.values()), index.settings, {"matchingStrategy": "last"} | query)
        except engine.Invalid as error:
            raise Refused(400, "invalid_search_filter", str(error)) from error
        documents = [document for document, _ in found][: index.settings["pagination"]["maxTotalHits"]]
        first, most, pagination = _pagination(query, len(documents))
        shown = [
            _fields(document, query.get("attributesToRetrieve"))
            | ({"_rankingScore": score} if query.get("showRankingScore") else {})
            for document, score in found[first : first + most]
        ]
        names = dict.fromkeys(query.get("facets") or [], index.settings["faceting"]["maxValuesPerFacet"])
        facets = {name: engine.distribution(documents, name, size) for name, size in names.items()}
        counted = {"facetDistribution": facets, "facetStats": {}} if names else {}
        asked_for = {"indexUid": query["indexUid"], "query": query.get("q") or "", "processingTimeMs": 1}
        return {"hits": shown, **asked_for, **pagination, **counted}

    # Tasks

    def _queued(self, kind: str, uid: str | None, work: Callable[[], object]) -> Task:
        task = Task(len(self.tasks), uid, kind, work)
        self.tasks.append(task)
        return task

    def _task(self, asked: "Asked") -> dict[str, Any]:
        number = asked.request.path_params["task"]
        task = self.tasks[number] if number < len(self.tasks) else None
        seen = task is not None and (task.index_uid is None or asked.may(task.index_uid))
        # Tasks of no index are only for keys of all indexes.
        if task is None or not seen or task.status == "unknown" or (task.index_uid is None and not asked.may("*")):
            raise Refused(404, "task_not_found", f"Task `{number}` not found.")
        task.asked += 1
        if task.asked >= self.polls_needed and not self.stands_still:
            for each in self.tasks[: number + 1]:
                self._run(each)
        shown = {"uid": task.uid, "batchUid": task.uid, "indexUid": task.index_uid, "status": task.status}
        return shown | {"type": task.kind, "canceledBy": None, "error": task.error, "enqueuedAt": _ENQUEUED_AT}

    def _run(self, task: Task) -> None:
        if task.status != "enqueued":
            return
        code, times = self.failing.get(task.kind, ("", 0))
        try:
            if times:
                self.failing[task.kind] = (code, times - 1)
                raise Refused(400, code, "It went wrong later.", "internal")
            task.work()
            task.status = "succeeded"
        except Refused as error:
            task.status, task.error = "failed", error.object()


@dataclass
class Asked:
    """One request: what it says, and the indexes that its key may touch."""

    request: Request
    body: Any
    patterns: tuple[str, ...]

    @property
    def uid(self) -> str:
        return str(self.request.path_params["uid"])

    def may(self, uid: str) -> bool:
        return any(pattern == "*" or fnmatch.fnmatchcase(uid, pattern) for pattern in self.patterns)

    def require(self, uid: str) -> None:
        if not self.may(uid):
            raise Refused(403, "invalid_api_key", "The provided API key is invalid.", "auth")

    def fields(self, known: set[str], required: set[str]) -> dict[str, Any]:
        if not isinstance(self.body, dict) or set(self.body) - known or required - set(self.body):
            raise OutOfProtocol(400, "bad_request", f"body {str(self.body)[:200]}")
        return self.body

    def parameters(self, known: set[str]) -> dict[str, str]:
        found = dict(self.request.query_params)
        if set(found) - known:
            raise OutOfProtocol(400, "bad_request", f"parameters {sorted(found)}")
        return found


def _parsed(request: Request, body: bytes) -> Any:
    if request.method in ("GET", "DELETE"):
        if body:
            raise OutOfProtocol(400, "bad_request", "a body")
        return None
    if request.headers.get("content-type") != "application/json":
        raise OutOfProtocol(415, "invalid_content_type", str(request.headers.get("content-type")))
    try:
        return json.loads(body)
    except ValueError as error:
        raise Refused(400, "malformed_payload", "The json payload provided is malformed.") from error


def _check_settings(body: dict[str, Any]) -> None:
    rules = [rule for rule in body.get("rankingRules") or [] if not re.fullmatch(r"\w+:(asc|desc)", rule)]
    if set(rules) - _RULES or ("attribute" in rules and {"attributeRank", "wordPosition"} & set(rules)):
        raise OutOfProtocol(400, "invalid_settings_ranking_rules", str(rules))
    for name in ("typoTolerance", "faceting", "pagination"):
        if isinstance(body.get(name), dict) and set(body[name]) - set(_SETTINGS[name]):
            raise OutOfProtocol(400, "bad_request", f"{name}: {sorted(body[name])}")
    for rule in body.get("localizedAttributes") or []:
        if set(rule) != {"attributePatterns", "locales"} or set(rule["locales"]) - {"eng", "deu", "jpn", "cmn", "kor"}:
            raise OutOfProtocol(400, "invalid_settings_localized_attributes", str(rule))


def _check_search(query: dict[str, Any], settings: dict[str, Any]) -> None:
    if query.get("matchingStrategy", "last") not in ("last", "all", "frequency"):
        raise OutOfProtocol(400, "invalid_search_matching_strategy", str(query["matchingStrategy"]))
    names = [each.partition(":")[0] for each in query.get("sort") or []]
    if set(names) - set(settings["sortableAttributes"]) or (names and "sort" not in settings["rankingRules"]):
        raise OutOfProtocol(400, "invalid_search_sort", str(names))
    if set(query.get("facets") or []) - set(settings["filterableAttributes"]):
        raise OutOfProtocol(400, "invalid_search_facets", str(query["facets"]))


def _pagination(query: dict[str, Any], total: int) -> tuple[int, int, dict[str, int]]:
    if "page" in query or "hitsPerPage" in query:
        page, size = query.get("page", 1), query.get("hitsPerPage", 20)
        pages = -(-total // size) if size else 0
        shown = {"hitsPerPage": size, "page": page, "totalPages": pages, "totalHits": total}
        return (page - 1) * size, size if page else 0, shown
    offset, limit = query.get("offset", 0), query.get("limit", 20)
    return offset, limit, {"limit": limit, "offset": offset, "estimatedTotalHits": total}


def _fields(document: dict[str, Any], names: list[str] | None) -> dict[str, Any]:
    return dict(document) if names is None else {name: document[name] for name in names if name in document}


def _summary(task: Task) -> dict[str, Any]:
    shown = {"taskUid": task.uid, "indexUid": task.index_uid, "status": "enqueued", "type": task.kind}
    return shown | {"enqueuedAt": _ENQUEUED_AT}


# Faults


def status(number: int, code: str | None = None, **headers: str) -> Callable[[Request], Response]:
    """An error status, with the server's error object, or with a proxy's page."""

    def answer(_: Request) -> Response:
        if code is None:
            return Response("<html>upstream</html>", number, headers, "text/html")
        return JSONResponse(Refused(number, code).object(), number, headers)

    return answer


def late(seconds: float) -> Callable[[Request], Response]:
    """An answer that takes its time."""

    def answer(_: Request) -> Response:
        time.sleep(seconds)
        return JSONResponse({})

    return answer


@contextmanager
def meilisearch(host: str = "127.0.0.1", **how: Any) -> Iterator[Meilisearch]:
    """A running server; at the end every request must have been as documented."""
    server = Meilisearch(**how)
    with serving(server.app(), host) as url:
        server.url = url
        yield server
    assert not server.violations, server.violations


@cache
def started(program: str) -> str:
    """The address of a real server with an empty database, which ends with this process."""
    directory = Path(tempfile.mkdtemp(prefix="meilisearch-"))
    address = f"127.0.0.1:{free_port()}"
    options = {"--http-addr": address, "--db-path": str(directory / "data"), "--master-key": MASTER_KEY}
    arguments = [each for option in options.items() for each in option]
    process = subprocess.Popen([program, *arguments, "--no-analytics"], cwd=directory, stderr=subprocess.DEVNULL)
    atexit.register(_ended, process, directory)
    deadline = time.monotonic() + 60
    while not _is_healthy(f"http://{address}"):
        assert process.poll() is None and time.monotonic() < deadline, "the server did not start"
        time.sleep(0.1)
    return f"http://{address}"


def _ended(process: subprocess.Popen[bytes], directory: Path) -> None:
    process.kill()
    process.wait()
    shutil.rmtree(directory, ignore_errors=True)


def _is_healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").is_success
    except httpx.TransportError:
        return False


@contextmanager
def search_server() -> Iterator[tuple[str, str]]:
    """Address and key: of a real server (MEILISEARCH_BIN started, MEILISEARCH_URL with its key), or of the stand-in."""
    if program := os.environ.get("MEILISEARCH_BIN"):
        yield started(program), MASTER_KEY
        return
    if url := os.environ.get("MEILISEARCH_URL"):
        yield url, os.environ.get("MEILISEARCH_API_KEY", "")
        return
    with meilisearch() as server:
        server.polls_needed = 1
        yield server.url, WRITE_KEY
