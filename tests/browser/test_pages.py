"""Every page, in both themes and all widths: scripts run, nothing is cut off, axe finds nothing serious."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.app import App
from tests.browser.conftest import OpenPage
from tests.browser.operations import replay_id
from tests.browser.serving import Site

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text(encoding="utf-8")
INVOICE = "scan-2026-11-23.pdf"
LONG = "a-very-long-file-name-" + "that-never-ends-" * 9 + ".eml"
PAGES = {
    "home": "/",
    "documents": "/documents",
    "filtered": "/documents?tag=workshop&document_type=utility_bill",
    "nothing filtered": "/documents?tag=unknown",
    "trash": "/documents?trashed=true",
    "review": "/review",
    "search": "/search?q=shelves",
    "nothing found": "/search?q=zebra",
    "activity": "/activity",
    "undelivered": "/activity/dead-letters",
    "undelivered, sorted out": "/activity/dead-letters?state=all&trigger=ocr",
    "nothing undelivered": "/activity/dead-letters?trigger=ingest",
    "one undelivered": f"/activity/dead-letters/{0:036}",
    "replays": "/activity/replays",
    "new replay": "/activity/replays?new=reprocess",
    "replay": "/activity/replays/" + replay_id("reprocess"),
    "failed replay": "/activity/replays/" + replay_id("rebuild_projections"),
    "events": "/activity/events",
    "filtered events": "/activity/events?type=document.failed&since=2026-01-01",
    "checks": "/activity/checks",
    "comparison": "bill-09.pdf/comparison",
    "nothing to compare": "bill-08.pdf/comparison",
    "new run to look at": "bill-09.pdf",
    "settings": "/settings",
    "upload": "/upload",
    "ready": INVOICE,
    "timeline": f"{INVOICE}?tab=timeline",
    "processing": "20261123_074512_scan_0007.tiff",
    "encrypted": "payslip-october.pdf",
    "corrupt": "broken-export.pdf",
    "right to left": "kashf.pdf",
    "long": LONG,
    "trashed": "old-flyer.pdf",
}


def _address(library: Site, place: str) -> str:
    if place.startswith("/"):
        return library.url + place
    filename = re.split("[?/]", place, maxsplit=1)[0]
    return library.url + library.document(filename) + place.removeprefix(filename)


def _settled(page: Page) -> None:
    page.wait_for_selector("html.scripted")
    if page.locator(".document[data-pdf^='/']").count():
        page.wait_for_selector(".page canvas")


@pytest.mark.parametrize("place", PAGES.values(), ids=PAGES.keys())
def test_a_page_is_accessible_and_fits_every_screen(library: Site, open_page: OpenPage, place: str) -> None:
    page = open_page(_address(library, place))
    _settled(page)
    page.evaluate(AXE)
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert _serious_findings(page) == [], theme
    for width in (390, 800, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 390, "height": 844})
    assert _serious_findings(page) == [], "on a phone"


def _serious_findings(page: Page) -> list[tuple[str, list[str]]]:
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        (each["id"], [node["html"][:160] for node in each["nodes"]])
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("place", ["/", "/documents", "/search?q=workshop", "/activity"])
def test_lists_are_small_and_usable_before_scripts_run(library: Site, open_page: OpenPage, place: str) -> None:
    page = open_page(library.url + place, scripts=False)
    assert len(page.content().encode()) < 150_000
    page.locator("main .row-link").first.click()
    expect(page.locator(".document h1")).to_be_visible()
    expect(page.get_by_role("link", name="Open the PDF").or_(page.locator(".preview p")).first).to_be_visible()
    expect(page.locator(".fact").first).to_be_visible()


def test_pages_ask_nobody_but_their_server(library: Site, open_page: OpenPage) -> None:
    page = open_page("about:blank")
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.goto(library.url + library.document(INVOICE))
    App(page, library.url).wait_for_pages()
    assert hosts - {""} == {urlsplit(library.url).netloc}


def test_what_the_browser_keeps_never_goes_stale(library: Site, open_page: OpenPage) -> None:
    page = open_page(library.url)
    style = page.locator("link[rel=stylesheet]").first.get_attribute("href")
    assert style is not None
    kept = page.request.get(library.url + style)
    other = page.request.get(library.url + "/static/another-release/" + style.split("/", 3)[3])
    assert "immutable" in kept.headers["cache-control"]
    assert other.status == 200
    assert other.headers["cache-control"] == "no-cache"


def test_an_empty_library_says_what_to_do(empty_library: Site, open_page: OpenPage) -> None:
    page = open_page(empty_library.url)
    expect(page.get_by_role("heading", name="Drop documents here")).to_be_visible()
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Documents").click()
    expect(page.get_by_role("heading", name="No documents yet")).to_be_visible()


def test_an_unknown_document_is_a_page_that_helps(library: Site, open_page: OpenPage) -> None:
    page = open_page(library.url)
    answer = page.request.get(library.url + "/documents/nothing")
    assert answer.status == 404
    assert "There is nothing here" in answer.text()


def test_search_that_does_not_answer_is_not_an_empty_result(searchless_library: Site, open_page: OpenPage) -> None:
    page = open_page(searchless_library.url)
    answer = page.request.get(searchless_library.url + "/search?q=shelves")
    assert answer.status == 503
    assert "Search does not answer" in answer.text()


def test_markup_in_names_stays_text(empty_library: Site, open_page: OpenPage) -> None:
    page = open_page(empty_library.url)
    App(page, empty_library.url).drop([("<img src=x onerror=alert(1)>.txt", "one")])
    row = App(page, empty_library.url).upload_of("<img src=x onerror=alert(1)>.txt")
    expect(row.get_by_role("link")).to_be_visible()
    page.goto(empty_library.url + "/documents")
    expect(page.locator(".row-link")).to_have_text("<img src=x onerror=alert(1)>")


def test_the_chosen_theme_stays(library: Site, open_page: OpenPage) -> None:
    page = open_page(library.url + "/settings", theme="light")
    page.get_by_text("Dark", exact=True).click()
    page.goto(library.url + "/documents")
    assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"
