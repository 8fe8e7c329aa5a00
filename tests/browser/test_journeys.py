"""What people do: by keyboard, by mouse, and while documents change under their eyes."""

import re
from pathlib import Path

from playwright.sync_api import expect
from sqlalchemy import select

from shared.database.documents import apply_metadata, touch
from shared.database.engine import writing
from shared.database.tables import Document, DocumentStep
from shared.documents import Status, StepState
from tests.browser.app import App
from tests.browser.conftest import OpenPage
from tests.browser.serving import Site

INVOICE = "scan-2026-11-23.pdf"


def test_a_keyboard_alone_goes_from_search_to_an_accepted_value(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url), library.url)
    app.search("meter 64.20")
    app.press("j", "Enter")
    expect(app.page.locator(".document h1")).to_have_text("Electricity bill March 2026")
    app.value("sender").focus()
    app.press("a")
    expect(app.fact("sender").get_by_text("Accepted")).to_be_visible()
    expect(app.fact("sender")).to_have_attribute("data-locked", "true")


def test_letters_lead_to_the_places(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url), library.url)
    for letter, place in (("d", "Documents"), ("r", "Review"), ("a", "Activity")):
        app.press("g", letter)
        app.at(f"/{place.lower()}", place)
    app.press("?")
    expect(app.page.get_by_role("dialog", name="Keys")).to_be_visible()
    app.press("Escape")
    expect(app.page.get_by_role("dialog")).to_have_count(0)


def test_an_edit_is_saved_and_can_be_taken_back(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document("bill-04.pdf")), library.url)
    app.edit("reference_number", "M-4711")
    expect(app.value("reference_number")).to_have_text("M-4711")
    expect(app.fact("reference_number").get_by_label("Set by a person")).to_be_visible()
    app.fact("reference_number").get_by_role("button", name="Undo").click()
    expect(app.fact("reference_number")).to_have_attribute("data-locked", "false")
    app.edit("sender", "City Works")
    app.page.reload()
    expect(app.value("sender")).to_have_text("City Works")
    expect(app.page.locator("h1")).to_have_text("Electricity bill April 2026")


def test_escape_takes_an_edit_back(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document("bill-05.pdf")), library.url)
    app.value("sender").focus()
    app.press("e")
    app.page.keyboard.type("Somebody else")
    app.press("Escape")
    expect(app.value("sender")).to_be_focused()
    app.page.reload()
    expect(app.value("sender")).to_have_text("Stadtwerke Bremen")


def test_a_value_that_cannot_be_is_explained_where_it_was_typed(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document("bill-05.pdf"), expected="status of 422"), library.url)
    app.value("total").focus()
    app.press("e")
    app.page.keyboard.type("a lot")
    with app.page.expect_response(lambda answer: answer.request.method == "PATCH") as answer:
        app.press("Enter")
    assert answer.value.status == 422
    expect(app.fact("total").get_by_role("alert")).to_be_visible()
    app.press("Escape")
    expect(app.value("total")).to_have_text("€66.20")


def test_amounts_are_understood_as_people_type_them(library: Site, open_page: OpenPage) -> None:
    page = open_page(library.url)
    facts = page.locator("script[type=module]").get_attribute("src")
    assert facts is not None
    typed = ["1.240,50", "1,240.50", "€ 1 240,5", "1.240", "12,5", "0.125", "1.240.000", "-3,20", "7"]
    understood = page.evaluate(
        "async ([path, typed]) => { const { amount } = await import(path); return typed.map((each) => amount(each)); }",
        [facts.replace("app.js", "facts.js"), typed],
    )
    assert understood == ["1240.50", "1240.50", "1240.5", "1240", "12.5", "0.125", "1240000", "-3.20", "7"]


def test_tags_are_added_and_removed(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document("bill-06.pdf")), library.url)
    app.fact("tags").get_by_label("Add a tag").fill("urgent")
    app.press("Enter")
    expect(app.fact("tags").get_by_role("link", name="urgent")).to_be_visible()
    app.fact("tags").get_by_role("button", name="Remove the tag energy").click()
    expect(app.fact("tags").get_by_role("link", name="energy")).to_have_count(0)


def test_a_value_shows_where_it_was_read(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document(INVOICE)), library.url)
    app.wait_for_pages()
    app.value("total").hover()
    expect(app.marked).to_have_count(1)
    box, page = app.marked.bounding_box(), app.page.locator(".page").first.bounding_box()
    assert box and page
    # The total stands at the right end of its line, in the upper half of the page.
    assert box["x"] > page["x"] + page["width"] / 2
    assert page["y"] < box["y"] < page["y"] + page["height"] / 2


def test_a_hit_opens_its_page_with_the_words_marked(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url), library.url)
    app.search("warranty")
    expect(app.rows.locator("mark").first).to_have_text("warranty")
    app.rows.get_by_role("link", name="page 2").click()
    app.wait_for_pages()
    expect(app.page.locator("[data-hits]")).to_have_text("1 of 1 hits")
    expect(app.page.get_by_role("spinbutton", name="Page")).to_have_value("2")
    app.page.wait_for_function("CSS.highlights.get('hit-current')?.size === 1")
    assert app.page.evaluate("[...CSS.highlights.get('hit-current')].map(String)") == ["warranty"]


def test_filters_stand_in_the_address(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + "/documents"), library.url)
    app.page.locator("summary").filter(has_text="Kind").click()
    app.page.get_by_role("group", name="Filters").get_by_role("link", name="Utility bill").click()
    expect(app.rows).to_have_count(9)
    expect(app.page).to_have_url(re.compile(r"document_type=utility_bill"))
    app.page.go_back()
    expect(app.rows.first).to_be_visible()
    app.page.go_forward()
    app.page.get_by_role("link", name="Utility bill remove this filter").click()
    app.at("/documents", "Documents")


def test_neighbours_follow_the_list(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + "/documents?document_type=utility_bill"), library.url)
    app.rows.first.get_by_role("link").first.click()
    expect(app.page.locator("h1")).to_have_text("Electricity bill September 2026")
    app.press("j")
    expect(app.page.locator("h1")).to_have_text("Electricity bill August 2026")
    app.page.get_by_role("link", name="Back to the list").click()
    expect(app.page).to_have_url(re.compile(r"document_type=utility_bill"))


def test_uploads_are_followed_across_pages_and_duplicates_are_named(
    empty_library: Site, open_page: OpenPage, tmp_path: Path
) -> None:
    app = App(open_page(empty_library.url), empty_library.url)
    note, copy = tmp_path / "note.txt", tmp_path / "copy.txt"
    note.write_text("The same words.")
    copy.write_text("The same words.")
    app.upload(note)
    expect(app.upload_of("note.txt")).to_contain_text("Converting")
    app.press("g", "d")
    expect(app.row("note")).to_be_visible()
    app.upload(copy)
    expect(app.upload_of("copy.txt")).to_contain_text("Already here")
    app.page.reload()
    app.open_upload("copy.txt")
    expect(app.page.locator("h1")).to_have_text("note")


def test_a_refused_upload_says_why_and_can_be_sent_again(empty_library: Site, open_page: OpenPage) -> None:
    app = App(open_page(empty_library.url, expected="net::ERR_FAILED"), empty_library.url)
    app.page.route("**/api/documents", lambda route: route.abort("failed"), times=1)
    app.drop([("letter.txt", "Dear all")])
    expect(app.upload_of("letter.txt")).to_contain_text("The connection broke")
    app.upload_of("letter.txt").get_by_role("button", name="Send again").click()
    expect(app.upload_of("letter.txt").get_by_role("link")).to_be_visible()


def test_rows_change_in_place_while_a_document_is_worked_on(library: Site, open_page: OpenPage) -> None:
    name = "Jahresbericht 2025.odt"
    app = App(open_page(library.url + "/documents"), library.url)
    other = App(open_page(library.url + library.document(name)), library.url)
    app.page.locator(".row-link").nth(3).focus()
    focused = app.page.evaluate("document.activeElement.textContent")
    with writing(library.engine) as session:
        step = session.scalars(
            select(DocumentStep).where(DocumentStep.document_id == library.ids[name], DocumentStep.step == "ocr")
        ).one()
        step.state, step.done, step.total = StepState.RUNNING.value, 2, 9
        touch(session.get_one(Document, library.ids[name]), content=False)
        convert = session.scalars(
            select(DocumentStep).where(DocumentStep.document_id == library.ids[name], DocumentStep.step == "convert")
        ).one()
        convert.state = StepState.DONE.value
    expect(app.row("Jahresbericht 2025").locator(".pill")).to_have_text("Recognizing 2 of 9 pages")
    expect(other.page.locator(".document-head .pill")).to_have_text("Recognizing 2 of 9 pages")
    assert app.page.evaluate("document.activeElement.textContent") == focused
    with writing(library.engine) as session:
        document = session.get_one(Document, library.ids[name])
        document.status = Status.READY.value
        document.machine_metadata = {"title": {"value": "Annual report 2025", "confidence": 0.9, "origin": "rule"}}
        apply_metadata(session, document)
        touch(document, content=True)
    expect(app.row("Annual report 2025")).to_be_visible()
    expect(other.page.locator("h1")).to_have_text("Annual report 2025")
    expect(other.value("title")).to_have_text("Annual report 2025")


def test_trash_can_be_taken_back(library: Site, open_page: OpenPage) -> None:
    app = App(open_page(library.url + library.document("bill-07.pdf")), library.url)
    app.page.locator("summary[title=More]").click()
    app.page.get_by_role("button", name="Move to the trash").click()
    expect(app.page.get_by_text("This document is in the trash")).to_be_visible()
    app.page.get_by_role("button", name="Undo").click()
    expect(app.page.get_by_text("This document is in the trash")).to_have_count(0)
