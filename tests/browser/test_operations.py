"""What an operator does: send undelivered events again or discard them, replay, follow, stop, rebuild."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from sqlalchemy import func, select

from shared.database.engine import reading, writing
from shared.database.tables import DeadLetter, Document, OutboxEvent, Replay
from tests.browser.app import App
from tests.browser.conftest import OpenPage
from tests.browser.serving import Site, site

LETTERS = "/activity/dead-letters"
REPLAYS = "/activity/replays"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A library of this module's own: replays start runs of documents that other tests look at."""
    with site(tmp_path_factory.mktemp("operations"), filled=True) as running:
        yield running


def _letter(server: Site, number: int) -> DeadLetter:
    with reading(server.engine) as session:
        return session.get_one(DeadLetter, f"{number:036}")


def _letters(page: Page) -> Locator:
    return page.get_by_role("list", name="Undelivered events").get_by_role("listitem")


def _choose(page: Page, title: str) -> None:
    _letters(page).filter(has_text=title).get_by_role("checkbox").check()


def test_the_frame_tells_of_undelivered_events(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url)
    activity = page.get_by_role("navigation", name="Main").get_by_role("link", name="Activity")
    expect(activity.get_by_title("undelivered event")).to_be_visible()
    activity.click()
    page.get_by_role("navigation", name="Activity").get_by_role("link", name="Undelivered").click()
    App(page, server.url).at(LETTERS, "Undelivered")
    expect(_letters(page).first).to_contain_text("the object store does not answer")


def test_undelivered_events_are_chosen_and_sent_again(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + LETTERS)
    expect(page.get_by_role("button", name="Send again")).to_be_disabled()
    _choose(page, "January")
    _choose(page, "February")
    expect(page.get_by_text("2 chosen")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(page.get_by_text("2 events sent again.")).to_be_visible()
    expect(_letters(page).filter(has_text="January")).to_have_count(0)
    assert [_letter(server, number).replays for number in (0, 1)] == [1, 1]
    with reading(server.engine) as session:
        queued = select(func.count()).where(OutboxEvent.document_id == server.ids["bill-01.pdf"])
        assert session.scalar(queued) == 1


def test_an_event_is_discarded_only_with_a_reason(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + LETTERS)
    _choose(page, "March")
    page.get_by_role("button", name="Discard…").click()
    dialog = page.get_by_role("dialog", name="Discard this event?")
    dialog.get_by_role("button", name="Discard").click()
    expect(dialog).to_be_visible()
    dialog.get_by_label("Why").fill("The bill came by post")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 event discarded.")).to_be_visible()
    letter = _letter(server, 2)
    assert (letter.state, letter.reason) == ("discarded", "The bill came by post")
    page.goto(f"{server.url}{LETTERS}?state=discarded")
    expect(_letters(page).filter(has_text="The bill came by post")).to_be_visible()


def test_one_event_shows_why_and_what_it_is(server: Site, open_page: OpenPage) -> None:
    page = open_page(f"{server.url}{LETTERS}?trigger=index")
    page.get_by_role("link", name="Electricity bill April 2026").click()
    expect(page.get_by_text("index answered 500")).to_be_visible()
    expect(page.locator("dl.sheet")).to_contain_text("3 times")
    expect(page.locator("pre")).to_contain_text('"type": "org.docuelevate.document.converted.v1"')
    expect(page.get_by_role("link", name="Electricity bill April 2026")).to_have_attribute(
        "href", server.document("bill-04.pdf")
    )
    page.get_by_role("button", name="Send again").click()
    expect(page.locator(".page-head .pill")).to_have_text("Sent again")
    expect(page.locator("dl.sheet")).to_contain_text("1 time")


def test_keys_choose_undelivered_events(server: Site, open_page: OpenPage) -> None:
    app = App(open_page(server.url + LETTERS), server.url)
    app.press("j", "x")
    expect(app.page.get_by_text("1 chosen")).to_be_visible()
    app.press("x")
    expect(app.page.get_by_text("Choose all shown")).to_be_visible()


def test_a_replay_says_beforehand_what_it_will_do_and_then_how_far_it_is(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + REPLAYS)
    page.get_by_role("button", name="Process again…").click()
    dialog = page.get_by_role("dialog", name="Process documents again")
    dialog.get_by_role("combobox", name="Kind", exact=True).select_option(label="Utility bill")
    expect(dialog.get_by_role("status")).to_have_text("9 documents will be processed again.")
    dialog.get_by_label("Tag").fill("no such tag")
    expect(dialog.get_by_role("status")).to_contain_text("Nothing to do")
    expect(dialog.get_by_role("button", name="Start")).to_be_disabled()
    dialog.get_by_label("Tag").fill("")
    dialog.get_by_role("combobox", name="From which step").select_option(label="From the facts")
    expect(dialog.get_by_role("status")).to_contain_text("9 documents")
    dialog.get_by_role("button", name="Start").click()
    expect(page).to_have_url(re.compile(REPLAYS + "/[0-9a-f-]{36}$"))
    expect(page.get_by_text("9 of 9 documents")).to_be_visible()
    expect(page.locator(".page-head .pill")).to_have_text("Finished")
    page.goto(server.url + REPLAYS)
    expect(page.get_by_role("list", name="Past replays").get_by_role("listitem").first).to_contain_text(
        "From the facts"
    )


def test_a_replay_that_goes_on_is_found_again_and_stopped(server: Site, open_page: OpenPage) -> None:
    page = open_page(f"{server.url}{REPLAYS}?new=reprocess&document_type=contract")
    dialog = page.get_by_role("dialog", name="Process documents again")
    dialog.get_by_role("combobox", name="Kind", exact=True).select_option("")
    dialog.get_by_label("At most so many per second").fill("0.1")
    expect(dialog.get_by_role("status")).to_contain_text("left out: 1 in the trash")
    dialog.get_by_role("button", name="Start").click()
    expect(page.locator(".page-head .pill")).to_have_text("At work")
    page.goto(server.url + "/activity")
    running = page.get_by_role("list", name="Replays at work").get_by_role("listitem")
    expect(running).to_contain_text("6 per minute")
    running.get_by_role("button", name="Stop").click()
    page.get_by_role("dialog", name="Stop this?").get_by_role("button", name="Stop").click()
    expect(running).to_have_count(0)
    with reading(server.engine) as session:
        assert session.scalar(select(Replay.state).order_by(Replay.created_at.desc()).limit(1)) == "cancelled"


def test_events_of_the_archive_are_sent_again_as_they_are_filtered(server: Site, open_page: OpenPage) -> None:
    page = open_page(f"{server.url}/activity/events?subject={server.ids['scan-2026-11-23.pdf']}")
    page.locator("summary", has_text="Kind").click()
    page.get_by_role("link", name="Text ready").click()
    expect(page.get_by_role("status").first).to_contain_text("2 events with these filters")
    page.get_by_role("link", name="Send these again…").click()
    dialog = page.get_by_role("dialog", name="Send events again")
    expect(dialog.get_by_role("combobox", name="Kind", exact=True)).to_have_value("document.recognized")
    expect(dialog.get_by_role("status")).to_contain_text("1 event will be sent again.")
    expect(dialog.get_by_role("status")).to_contain_text("1 left out: 1 of earlier runs.")
    dialog.get_by_role("button", name="Start").click()
    expect(page.get_by_text("1 of 1 event")).to_be_visible()


def test_the_search_is_rebuilt_with_progress(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + REPLAYS)
    page.get_by_role("button", name="Rebuild the search…").click()
    page.get_by_role("dialog", name="Rebuild the search?").get_by_role("button", name="Rebuild").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search rebuilt")
    expect(page.locator(".task-progress")).to_contain_text(re.compile(r"of \d+ documents"))


def test_a_document_shows_its_runs_and_which_of_them_repeat(server: Site, open_page: OpenPage) -> None:
    app = App(open_page(server.url + server.document("scan-2026-11-23.pdf") + "?tab=timeline"), server.url)
    app.page.get_by_text("Events, as they were recorded").click()
    runs = app.page.locator("#events .run")
    expect(runs).to_have_count(2)
    expect(runs.first).to_contain_text("processed again")
    app.page.get_by_role("link", name="Open in the archive").click()
    app.at("/activity/events", "Events")
    expect(app.rows.first).to_contain_text("Invoice NL-2026-1187")


def test_findings_name_the_document_and_what_helps(server: Site, open_page: OpenPage) -> None:
    page = open_page(server.url + "/activity/checks")
    found = page.get_by_role("list", name="Findings").get_by_role("listitem").first
    expect(found).to_contain_text("Original is damaged")
    found.get_by_role("link", name="Electricity bill August 2026").click()
    expect(page.locator(".document h1")).to_have_text("Electricity bill August 2026")


def test_nobody_to_look_after_is_said_kindly(empty_library: Site, open_page: OpenPage) -> None:
    page = open_page(empty_library.url + LETTERS)
    expect(page.get_by_role("heading", name="Everything was delivered")).to_be_visible()
    for place, words in (
        ("Replays", "Nothing was replayed yet"),
        ("Events", "Nothing has happened yet"),
        ("Checks", "Everything is as it should be"),
    ):
        page.get_by_role("navigation", name="Activity").get_by_role("link", name=place).click()
        expect(page.get_by_role("heading", name=words)).to_be_visible()


def test_many_are_dealt_with_by_their_filter(server: Site, open_page: OpenPage) -> None:
    with writing(server.engine) as session:
        document = session.get_one(Document, server.ids["bill-09.pdf"])
        session.add_all(_more(document, 60))
    page = open_page(f"{server.url}{LETTERS}?trigger=record")
    expect(page.get_by_role("button", name="Choose all 60")).to_be_hidden()
    page.get_by_role("checkbox", name="Choose all shown").check()
    page.get_by_role("button", name="Choose all 60").click()
    expect(page.get_by_text("60 chosen")).to_be_visible()
    page.get_by_role("button", name="Discard…").click()
    dialog = page.get_by_role("dialog", name="Discard 60 events?")
    dialog.get_by_label("Why").fill("A test")
    dialog.get_by_role("button", name="Discard").click()
    expect(page.get_by_text("60 events discarded.")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing matches these filters")).to_be_visible()


def _more(document: Document, number: int) -> Iterator[DeadLetter]:
    for each in range(number):
        yield DeadLetter(
            id=f"more-{each:031}",
            trigger="record",
            event_source="/docuelevate/functions/ocr",
            event_id=f"event-{each}",
            event_type="org.docuelevate.document.recognized.v1",
            document_id=document.id,
            runid=document.runid,
            status=503,
            key=f"dead-letters/record/{each:064}-20261123T000000000000Z.json",
            state="open",
            first_at=document.received_at,
            last_at=document.received_at,
        )
