"""From a file on the desk to the hit in the search: a browser on the whole product, pipeline included."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.app import App
from tests.browser.conftest import OpenPage
from tests.papers import INVOICE, png
from tests.servers.docuelevate import SETTLE_SECONDS, Instance, running, wait_for


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with running(tmp_path / "data") as started:
        yield started


def test_a_scan_is_uploaded_understood_and_found(instance: Instance, open_page: OpenPage, tmp_path: Path) -> None:
    paper = tmp_path / "invoice.png"
    paper.write_bytes(png(INVOICE))
    app = App(open_page(f"{instance.url}/"), instance.url)

    app.upload(paper)
    app.wait_until_done("invoice.png")
    app.open_upload("invoice.png")
    app.wait_for_pages()
    expect(app.value("reference_number")).to_contain_text("RE-2025-0417")
    expect(app.value("total")).to_contain_text("99")
    app.value("total").hover()
    expect(app.marked.first).to_be_visible()

    # A document is ready before it is found, and the page of results does not look again.
    wait_for(lambda: bool(instance.found("Umsatzsteuer")), SETTLE_SECONDS, "the scan was not found")
    app.search("Umsatzsteuer")
    expect(app.rows).to_have_count(1)
    expect(app.rows.first.locator("mark").first).to_have_text("Umsatzsteuer")
    app.rows.first.get_by_role("link").first.click()
    app.wait_for_pages()
    text = app.page.locator(".page .textLayer, .page .text-layer").first
    expect(text).to_contain_text("Umsatzsteuer")
