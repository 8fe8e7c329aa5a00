"""What a person decides on a document: what a new run made of it, to live with a failure, to bring another file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from shared.database.engine import reading
from shared.database.tables import Document
from tests.browser.app import App
from tests.browser.conftest import OpenPage
from tests.browser.serving import Site, site

REVIEWED = "bill-09.pdf"
TITLE = "Electricity bill September 2026"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    """A library of the test's own: each decision is final."""
    with site(tmp_path / "data", filled=True) as running:
        yield running


def _document(server: Site, filename: str) -> Document:
    with reading(server.engine) as session:
        return session.get_one(Document, server.ids[filename])


def _compare(server: Site, page: Page) -> None:
    """From the review list to the comparison, by way of the document's banner."""
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Review").click()
    expect(page.get_by_role("region", name="Changed by a new run")).to_contain_text(TITLE)
    page.goto(server.url + server.document(REVIEWED))
    expect(page.get_by_text("A new run changed 3 facts and the text (+13 −4 words)")).to_be_visible()
    page.get_by_role("link", name="Compare").click()
    App(page, server.url).at(server.document(REVIEWED) + "/comparison", "What a new run changed")


def test_what_a_new_run_made_is_compared_and_taken(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url)
    _compare(server, page)
    date = page.get_by_role("row", name="Date", exact=False).first
    expect(date).to_contain_text("3 Sep 2026")
    expect(date).to_contain_text("10 Sep 2026")
    expect(page.get_by_role("row").filter(has_text="City Works Bremen")).to_contain_text("Stays as it is")
    expect(page.locator("ins", has_text="Pay until 24 September 2026")).to_be_visible()
    page.get_by_role("button", name="Take the new").click()
    expect(page.get_by_text("The new values are taken.")).to_be_visible()
    expect(page.get_by_role("link", name="Compare")).to_have_count(0)
    assert _document(server, REVIEWED).review is None


def test_what_a_new_run_made_is_left(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url)
    _compare(server, page)
    page.get_by_role("button", name="Keep what stands").click()
    expect(page.get_by_text("What stood is kept.")).to_be_visible()
    expect(page.locator('.fact[data-field="document_date"] time')).to_have_attribute("datetime", "2026-09-03")
    page.goto(server.url + server.document(REVIEWED) + "/comparison")
    expect(page.get_by_role("heading", name="Nothing waits for a decision")).to_be_visible()


def test_a_document_is_accepted_as_it_is(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + server.document("letter-hospital.pdf"))
    failure = page.get_by_role("region", name="What happened")
    expect(failure).to_contain_text("Extracting facts")
    failure.get_by_role("button", name="Accept as it is").click()
    expect(page.get_by_text("Accepted as it is.")).to_be_visible()
    expect(failure).to_have_count(0)
    accepted = _document(server, "letter-hospital.pdf")
    assert (accepted.status, accepted.accepted_code) == ("ready", "enrich_failed")


def test_what_was_accepted_without_pages_keeps_its_original(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + server.document("broken-export.pdf"))
    page.get_by_role("button", name="Keep only the file").click()
    expect(page.get_by_role("region", name="What happened")).to_have_count(0)
    expect(page.get_by_role("link", name="Download the original")).to_be_visible()
    assert _document(server, "broken-export.pdf").accepted_code == "corrupt"


def test_another_file_takes_the_place_of_a_damaged_one(server: Site, open_page: OpenPage, tmp_path: Path) -> None:
    better = tmp_path / "export again.txt"
    better.write_text("Now it can be read.", encoding="utf-8")
    page = open_page(server.url + server.document("broken-export.pdf"))
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Replace the file…").first.click()
    chooser.value.set_files(str(better))
    expect(page.locator(".document h1")).to_have_text("export again")
    page.get_by_text("About the file").click()
    page.get_by_role("link", name="broken-export").click()
    expect(page.get_by_text("Another file took its place:")).to_be_visible()
    expect(page.get_by_text("This document is in the trash.")).to_be_visible()
    with reading(server.engine) as session:
        new = session.scalars(select(Document).where(Document.filename == "export again.txt")).one()
    assert _document(server, "broken-export.pdf").replaced_by == new.id
