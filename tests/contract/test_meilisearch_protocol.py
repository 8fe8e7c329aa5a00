"""The Meilisearch index at the wire: what is queued and not done, fails, is refused, or is changed by others."""

import socket
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from shared.documents import Status
from shared.errors import DocuElevateError, FailureCode, StepFailed, Throttled, Unavailable
from shared.search import meilisearch_schema as schema
from shared.search.meilisearch_client import MeilisearchClient
from shared.search.meilisearch_index import MeilisearchSearchIndex
from shared.search.port import Facet, SearchEntry, SearchQuery
from shared.search.settings import SearchSettings, search_reader, search_writer
from tests.servers.meilisearch import SEARCH_KEY, WRITE_KEY, Meilisearch, late, meilisearch, status

RECEIVED = datetime(2024, 5, 1, 12, tzinfo=UTC)
OLD = "documents_000000000000_11111111"
SEARCHES = "POST /multi-search"


@pytest.fixture
def server() -> Iterator[Meilisearch]:
    with meilisearch() as made:
        yield made


@pytest.fixture
def index(server: Meilisearch) -> Iterator[MeilisearchSearchIndex]:
    made = index_on(server)
    made.prepare()
    yield made
    made.close()


def index_on(
    server: Meilisearch, key: str = WRITE_KEY, *, task_seconds: float = 30, **how: Any
) -> MeilisearchSearchIndex:
    client = MeilisearchClient(server.url, key, timeout=httpx.Timeout(10.0), task_seconds=task_seconds)
    return MeilisearchSearchIndex(client, **how)


def entry(document_id: str, text: str = "", **fields: object) -> SearchEntry:
    values: dict[str, object] = {"version": 1, "received_at": RECEIVED, "pages": ((1, text),) if text else ()}
    return SearchEntry.model_validate({"document_id": document_id} | values | fields)


def book(version: int, pages: int, word: str) -> SearchEntry:
    texts = tuple((number, f"{word} " + "gewöhnlicher text " * 200) for number in range(1, pages + 1))
    return entry("book", version=version, pages=texts)


def ids(index: MeilisearchSearchIndex, text: str = "", **fields: object) -> list[str]:
    results = index.search(SearchQuery.model_validate({"text": text} | fields))
    return [hit.document_id for hit in results.hits]


def pages(index: MeilisearchSearchIndex, text: str) -> tuple[int, ...]:
    (hit,) = index.search(SearchQuery(text=text)).hits
    return hit.pages


# Tasks (async_operations)


def test_a_write_returns_when_its_task_has_succeeded(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    """A 202 only says that the task is queued."""
    server.polls_needed = 4
    index.write(entry("a", "leuchtturm"))
    assert ids(index, "leuchtturm") == ["a"]
    index.remove("a")
    assert ids(index, "leuchtturm") == []


@pytest.mark.parametrize(
    "code", ["internal", "no_space_left_on_device", "io_error", "too_many_open_files", "index_not_found"]
)
def test_a_task_that_fails_later_is_noticed_and_may_be_tried_again(
    server: Meilisearch, index: MeilisearchSearchIndex, code: str
) -> None:
    server.tasks_fail("documentAdditionOrUpdate", code)
    with pytest.raises(Unavailable):
        index.write(entry("a", "leuchtturm"))
    assert index.version_of("a") is None
    index.write(entry("a", "leuchtturm"))
    assert ids(index, "leuchtturm") == ["a"]


@pytest.mark.parametrize("code", ["invalid_document_id", "missing_document_id", "document_fields_limit_reached"])
def test_what_the_document_itself_causes_is_a_failure_of_the_step(
    server: Meilisearch, index: MeilisearchSearchIndex, code: str
) -> None:
    server.tasks_fail("documentAdditionOrUpdate", code)
    with pytest.raises(StepFailed) as failed:
        index.write(entry("a", "leuchtturm"))
    assert (failed.value.code, failed.value.determined) == (FailureCode.INDEX_FAILED, True)


def test_a_queue_that_stands_still_is_waited_for_within_a_time(server: Meilisearch) -> None:
    patient = index_on(server)
    patient.prepare()
    server.stands_still = True
    with pytest.raises(Unavailable, match="in time"):
        index_on(server, task_seconds=0.2).write(entry("a", "leuchtturm"))
    server.stands_still = False
    patient.write(entry("a", "leuchtturm"))
    assert ids(patient, "leuchtturm") == ["a"]


def test_tasks_that_a_server_lost_are_not_taken_for_done(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    def loses(_: Request) -> Response:
        server.forgets_the_queue()
        return JSONResponse({"message": "…", "code": "task_not_found", "type": "invalid_request", "link": ""}, 404)

    server.goes_wrong("GET /tasks/", loses)
    with pytest.raises(Unavailable):
        index.write(entry("a", "leuchtturm"))
    index.write(entry("a", "leuchtturm"))
    assert index.version_of("a") == 1


def test_a_canceled_task_has_written_nothing(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    canceled = {"uid": 1, "indexUid": None, "status": "canceled", "type": "documentAdditionOrUpdate", "error": None}
    server.goes_wrong("GET /tasks/", lambda _: JSONResponse(canceled))
    with pytest.raises(Unavailable, match="cancel"):
        index.write(entry("a", "leuchtturm"))


# Errors (error_codes)

REFUSALS: list[Callable[[Request], Response]] = [
    status(401, "missing_authorization_header"), status(403, "invalid_api_key"), status(400, "bad_request"),
    status(408), status(429), status(500, "internal"), status(502), status(503, "too_many_search_requests"),
    status(503), status(504), lambda _: Response("<html>", 200), lambda _: JSONResponse([]), lambda _: JSONResponse({}),
    lambda _: RedirectResponse("http://127.0.0.1:9/elsewhere"),
]  # fmt: skip


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_search_that_is_not_answered_is_unavailable_never_empty(
    server: Meilisearch, index: MeilisearchSearchIndex, answer: Callable[[Request], Response]
) -> None:
    index.write(entry("a", "leuchtturm"))
    server.goes_wrong(SEARCHES, answer)
    with pytest.raises(Unavailable):
        ids(index, "leuchtturm")
    assert ids(index, "leuchtturm") == ["a"]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        index = MeilisearchSearchIndex(MeilisearchClient(f"http://127.0.0.1:{unused.getsockname()[1]}", WRITE_KEY))
        for act in (
            index.prepare, lambda: index.write(entry("a")), lambda: index.remove("a"), lambda: list(index.ids()),
            lambda: ids(index), lambda: index.version_of("a"), lambda: index.generation, index.repair, index.reset,
        ):  # fmt: skip
            with pytest.raises(Unavailable):
                act()


def test_a_server_that_hangs_is_left_after_a_time(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    hasty = MeilisearchSearchIndex(MeilisearchClient(server.url, WRITE_KEY, timeout=httpx.Timeout(10.0, read=0.3)))
    server.goes_wrong(SEARCHES, late(1.0))
    with pytest.raises(Unavailable, match="ReadTimeout"):
        ids(hasty, "leuchtturm")
    time.sleep(1.0)  # the server is busy until then


def test_a_wish_for_fewer_requests_is_passed_on(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    server.goes_wrong("POST /indexes/.*/documents", status(429, None, **{"Retry-After": "7"}))
    with pytest.raises(Throttled) as throttled:
        index.write(entry("a", "leuchtturm"))
    assert throttled.value.retry_after_seconds == 7


def test_a_full_queue_may_pass(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    server.goes_wrong("POST /indexes/.*/documents$", status(422, "no_space_left_on_device"))
    with pytest.raises(Unavailable, match="room"):
        index.write(entry("a", "leuchtturm"))


def test_long_documents_are_sent_in_pieces_that_the_server_takes() -> None:
    with meilisearch(payload_limit=600_000) as server:
        index = index_on(server, payload_bytes=50_000)
        index.prepare()
        index.write(book(1, 60, "leuchtturm"))
        assert sum(line.endswith("/documents") for line in server.journal) > 4
        assert len(pages(index, "leuchtturm")) == 5


def test_a_document_that_is_too_large_for_the_server_fails_for_good() -> None:
    with meilisearch(payload_limit=20_000) as server:
        index = index_on(server)
        index.prepare()
        with pytest.raises(StepFailed):
            index.write(book(1, 30, "leuchtturm"))


# Keys (manage_api_keys)


def test_a_key_for_searching_reads_and_writes_nothing(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    index.write(entry("a", "leuchtturm"))
    reader = index_on(server, SEARCH_KEY)
    assert ids(reader, "leuchtturm") == ["a"]
    assert (reader.generation, list(reader.ids()), reader.version_of("a")) == (index.generation, ["a"], 1)
    for act in (reader.prepare, lambda: reader.write(entry("b")), lambda: reader.remove("a"), reader.reset):
        with pytest.raises(Unavailable, match="refuses the key"):
            act()


def test_a_refused_key_is_said_without_showing_it(server: Meilisearch) -> None:
    with pytest.raises(Unavailable, match="refuses the key") as refused:
        ids(index_on(server, "wrong-secret"), "leuchtturm")
    error: BaseException | None = refused.value
    while error is not None:
        assert "wrong-secret" not in repr(error)
        error = error.__cause__


def test_the_key_follows_no_redirect(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    with meilisearch() as other:
        server.goes_wrong(SEARCHES, lambda _: RedirectResponse(f"{other.url}/multi-search"))
        with pytest.raises(Unavailable):
            ids(index, "leuchtturm")
        assert other.journal == []


# Who may see what

NASTY = ["ann", "Ann", "ÄNN", "ánn", 'a" OR owner != "', "a' OR 1=1", "a\\", 'a\\" OR document EXISTS', "a\nb", "a b",
         "owner", "", " ann", "ａｎｎ", "x" * 500, "x" * 501, "_vectors", "a, b"]  # fmt: skip


def test_no_value_is_read_as_syntax_or_taken_for_another(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    index.write_all(entry(f"d{n}", "text", owner=each, sender=each, tags=(each,)) for n, each in enumerate(NASTY))
    for number, value in enumerate(NASTY):
        assert ids(index, "text", owner=value) == [f"d{number}"], value
        assert ids(index, owner=value, tags=(value,)) == [f"d{number}"], value
    facets = index.search(SearchQuery(owner="ann", facets=tuple(Facet))).facets
    assert [(each.value, each.count) for each in facets[Facet.TAG]] == [("ann", 1)]


@pytest.mark.parametrize("text", ['" owner = "ben', "-ann", 'text" -"', "kind = page", '" OR "', "text -", "*"])
def test_nothing_typed_leaves_the_owner(index: MeilisearchSearchIndex, text: str) -> None:
    index.write_all([entry("a", "text ann", owner="ann"), entry("b", "text ben owner kind page", owner="ben")])
    index.write(entry("t", "text ann owner", owner="ann", status=Status.TRASHED))
    assert set(ids(index, text, owner="ann")) <= {"a"}


def test_a_document_whose_id_no_server_takes_is_found_all_the_same(index: MeilisearchSearchIndex) -> None:
    index.write(entry("übung/1 #?%", "text"))
    assert (ids(index, "text"), index.version_of("übung/1 #?%")) == (["übung/1 #?%"], 1)
    index.remove("übung/1 #?%")
    assert list(index.ids()) == []


# Long documents


def test_an_update_is_seen_whole_or_not_at_all(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    index.write(book(1, 40, "alt"))
    for failed in range(3):
        server.tasks_fail("documentAdditionOrUpdate", "internal", times=1)
        with pytest.raises(Unavailable):
            index_on(server, payload_bytes=40_000 * (failed + 1)).write(book(2, 8, "neu"))
        assert (len(pages(index, "alt")), ids(index, "neu")) in [(5, []), (5, ["book"])]
        assert index.version_of("book") in (1, 2)
        index.write(book(1, 40, "alt"))
    index.write(book(2, 8, "neu"))
    assert (ids(index, "alt"), len(pages(index, "neu"))) == ([], 5)
    assert stored_pages(server, index) == {(2, number) for number in range(1, 9)}


def test_pages_of_former_versions_go_and_of_later_ones_stay(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    index.write(book(3, 10, "neu"))
    index.write(book(2, 12, "alt"))  # a late writer, who will find that the row has moved on
    assert {version for version, _ in stored_pages(server, index)} == {2, 3}
    index.write(book(3, 10, "neu"))
    assert stored_pages(server, index) == {(3, number) for number in range(1, 11)}
    index.write(entry("book", "kurz", version=4))
    assert stored_pages(server, index) == set()


def stored_pages(server: Meilisearch, index: MeilisearchSearchIndex) -> set[tuple[int, int]]:
    documents = [each.document for each in server.indexes[index.generation].documents.values()]
    return {(each["version"], each["number"]) for each in documents if each["kind"] == schema.PAGE}


def test_words_beyond_the_positions_of_an_attribute_are_found(index: MeilisearchSearchIndex) -> None:
    """known_limitations: 65,535 positions in an attribute; the rest is silently ignored."""
    texts = tuple((number, f"wort{number} " + "füllung " * 3_000) for number in range(1, 31))
    index.write(entry("d", pages=(*texts, (31, "ganz hinten steht leuchtturm"))))
    assert (ids(index, "leuchtturm"), ids(index, '"steht leuchtturm"')) == (["d"], ["d"])
    assert ids(index, "wort3 wort29 leuchtturm") == ["d"]


# The index itself


def test_a_lost_index_is_not_made_by_a_write_but_by_repair(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    """A server that gets documents for an index it does not have makes one without settings."""
    index.write(entry("a", "leuchtturm"))
    former = index.generation
    del server.indexes[former]
    for act in (lambda: index.write(entry("a")), lambda: index.remove("a"), lambda: ids(index, "leuchtturm")):
        with pytest.raises(Unavailable):
            act()
    assert former not in server.indexes
    assert index.repair()
    assert index.generation != former
    index.write(entry("a", "leuchtturm"))
    assert ids(index, "leuchtturm", owner="") == ["a"]
    assert not index.repair(thorough=True)


def test_a_server_that_lost_everything_gets_a_new_index(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    server.indexes.clear()
    with pytest.raises(Unavailable):
        index.write(entry("a", "leuchtturm"))
    assert index.repair()
    index.write(entry("a", "leuchtturm"))
    assert ids(index, "leuchtturm") == ["a"]


def aged(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    """As an earlier release would have left the server."""
    server.indexes[OLD] = server.indexes.pop(index.generation)
    server.indexes["documents"].put({schema.KEY: "serving", "uid": OLD, "former": None})


def test_a_release_with_another_schema_fills_its_index_while_the_old_one_answers(server: Meilisearch) -> None:
    before = index_on(server)
    before.prepare()
    before.write_all([entry("a", "leuchtturm"), entry("b", "leuchtturm"), entry("c", "leuchtturm")])
    aged(server, before)
    reader = index_on(server, SEARCH_KEY)
    index = index_on(server)
    index.prepare()
    new = index.generation
    assert new not in (OLD, before) and reader.generation == new
    assert sorted(ids(reader, "leuchtturm")) == ["a", "b", "c"]
    index.write(entry("a", "leuchtturm", version=2))
    index.write(entry("d", "neuer leuchtturm"))
    assert sorted(ids(reader, "leuchtturm")) == ["a", "b", "c", "d"]
    assert index.version_of("b") is None  # the new one has it not yet
    index.remove("c")
    assert OLD in server.indexes
    index.write(entry("b", "leuchtturm"))
    assert (index.generation, set(server.indexes)) == (new, {"documents", new})
    assert sorted(ids(index_on(server), "leuchtturm")) == ["a", "b", "d"]
    assert sorted(ids(reader, "leuchtturm")) == ["a", "b", "d"]


@pytest.mark.parametrize("deletion", [1, 2])
def test_a_change_of_index_that_is_cut_short_is_finished_later(server: Meilisearch, deletion: int) -> None:
    before = index_on(server)
    before.prepare()
    before.write(entry("a", "leuchtturm"))
    aged(server, before)
    index = index_on(server)
    index.prepare()
    server.tasks_fail(["documentDeletion", "indexDeletion"][deletion - 1], "internal")
    with pytest.raises(Unavailable):
        index.write(entry("a", "leuchtturm"))
    assert ids(index_on(server), "leuchtturm") == ["a"]
    index_on(server).prepare()
    assert set(server.indexes) == {"documents", index.generation}
    assert ids(index_on(server), "leuchtturm") == ["a"]


def test_settings_that_others_have_changed_are_set_right(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    settings = server.indexes[index.generation].settings
    settings["filterableAttributes"] = list(reversed(settings["filterableAttributes"]))
    index.repair(thorough=True)
    assert not any(line.startswith("PATCH") for line in server.journal[-6:])
    settings["rankingRules"] = ["words"]
    settings["filterableAttributes"] = []
    index.repair(thorough=True)
    found = server.indexes[index.generation].settings
    assert found["rankingRules"][0] == "sort" and "owner" in found["filterableAttributes"]


def test_synonyms_change_without_a_new_index(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    index.write(entry("a", "leuchtturm"))
    changed = index_on(server, synonyms={"KFZ": ["Auto", "Müll-Wagen"]})
    changed.prepare()
    assert changed.generation == index.generation
    assert server.indexes[index.generation].settings["synonyms"] == {
        "kfz": ["auto", "mull wagen"],
        "auto": ["kfz", "mull wagen"],
        "mull wagen": ["kfz", "auto"],
    }


def test_writers_that_start_together_end_with_one_index(server: Meilisearch) -> None:
    first, second = index_on(server), index_on(server)
    second.prepare()
    first.prepare()
    assert first.generation == second.generation
    assert set(server.indexes) == {"documents", first.generation}


# Choosing it


def chosen(server: Meilisearch, tmp_path: Path, **more: object) -> SearchSettings:
    return SearchSettings.model_validate(
        {"data_dir": tmp_path, "meilisearch_url": server.url, "meilisearch_api_key": WRITE_KEY} | more
    )


def test_naming_a_server_chooses_it(server: Meilisearch, tmp_path: Path) -> None:
    settings = chosen(server, tmp_path, meilisearch_search_key=SEARCH_KEY)
    search_writer(settings).write(entry("a", "leuchtturm"))
    reader = search_reader(settings)
    assert settings.engine == "meilisearch"
    assert [hit.document_id for hit in reader.search(SearchQuery(text="leuchtturm")).hits] == ["a"]
    assert list(tmp_path.iterdir()) == []


def test_processes_start_without_the_server(tmp_path: Path) -> None:
    settings = SearchSettings.model_validate({"data_dir": tmp_path, "meilisearch_url": "http://127.0.0.1:9"})
    for side in (search_writer(settings), search_reader(settings)):
        with pytest.raises(Unavailable):
            side.search(SearchQuery(text="leuchtturm"))


def test_no_error_of_the_vendors_leaves_the_adapter(server: Meilisearch, index: MeilisearchSearchIndex) -> None:
    for answer in REFUSALS:
        for request in ("GET ", "POST ", "GET /tasks/"):
            server.goes_wrong(request, answer)
            with pytest.raises(DocuElevateError):
                index.write(entry("a", "leuchtturm"))
            server.is_well_again()
