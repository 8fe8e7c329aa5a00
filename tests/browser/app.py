"""The web application as a person uses it: the steps of a journey, by what is on the page."""

import re
from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


class App:
    """A window of the application. Each step waits until what it did can be seen."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url

    def go(self, path: str) -> None:
        """Open a page by its address."""
        self.page.goto(f"{self.url}{path}")

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.page.keyboard.press(key)

    def at(self, path: str, heading: str) -> None:
        """Expect to be on a page, with its content there; the parameters of the address do not matter."""
        expect(self.page).to_have_url(re.compile(rf"{re.escape(self.url + path)}(\?.*)?$"))
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading)

    # Upload ----------------------------------------------------------------------------------------------------------

    def upload(self, *files: Path) -> None:
        """Choose files with the Upload button."""
        with self.page.expect_file_chooser() as chooser:
            self.page.get_by_role("banner").get_by_role("link", name="Upload").click()
        chooser.value.set_files([str(file) for file in files])

    def drop(self, files: Sequence[tuple[str, str]]) -> None:
        """Drop text files, given as (name, content), on the window."""
        transfer = self.page.evaluate_handle(
            """files => {
                const transfer = new DataTransfer();
                for (const [name, text] of files) transfer.items.add(new File([text], name, { type: "text/plain" }));
                return transfer;
            }""",
            list(map(list, files)),
        )
        self.page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
        self.page.dispatch_event("body", "drop", {"dataTransfer": transfer})

    @property
    def tray(self) -> Locator:
        """The list of uploads at the lower right."""
        return self.page.get_by_role("region", name="Uploads")

    def upload_of(self, filename: str) -> Locator:
        """What the tray says of a file."""
        return self.tray.get_by_role("listitem").filter(has_text=filename)

    def wait_until_done(self, filename: str, *, milliseconds: int = 120_000) -> None:
        """Wait until a file has gone all its way."""
        expect(self.upload_of(filename)).to_have_class(re.compile(r"\bdone\b"), timeout=milliseconds)

    def open_upload(self, filename: str) -> None:
        """Follow the tray's link to the document."""
        self.upload_of(filename).get_by_role("link").click()
        expect(self.page.locator(".document")).to_be_visible()

    # Finding ---------------------------------------------------------------------------------------------------------

    def search(self, words: str) -> None:
        """Search from wherever one is."""
        self.press("/")
        field = self.page.get_by_role("searchbox", name="Search documents")
        expect(field).to_be_focused()
        field.fill(words)
        self.press("Enter")
        expect(self.page.locator('main[data-page="search"] h1')).to_have_text(words)

    @property
    def rows(self) -> Locator:
        """The documents of the list or result that is shown."""
        return self.page.locator("main .row")

    def row(self, title: str) -> Locator:
        """One of them."""
        return self.rows.filter(has=self.page.get_by_role("link", name=title, exact=True))

    def open_row(self, title: str) -> None:
        """Open a document of the list."""
        self.row(title).get_by_role("link", name=title, exact=True).click()
        expect(self.page.locator(".document")).to_be_visible()

    # One document ----------------------------------------------------------------------------------------------------

    def fact(self, name: str) -> Locator:
        """A field of the document by its name in the API."""
        return self.page.locator(f'.fact[data-field="{name}"]')

    def value(self, name: str) -> Locator:
        """What is shown for a field."""
        return self.fact(name).locator(".value")

    def edit(self, name: str, text: str) -> None:
        """Give a field another value, with the keyboard."""
        self.value(name).focus()
        self.press("e")
        field = self.fact(name).locator("input, textarea, select").first
        expect(field).to_be_focused()
        field.fill(text)
        self.press("Enter")
        expect(self.fact(name).get_by_text("Saved")).to_be_visible()

    def wait_for_pages(self) -> None:
        """Wait until a page is drawn."""
        expect(self.page.locator(".page canvas").first).to_be_visible()

    @property
    def marked(self) -> Locator:
        """The boxes on the pages that show where a value was read."""
        return self.page.locator(".page .box")

    def tab(self, name: str) -> None:
        """Turn to Facts, Text or Timeline."""
        self.page.get_by_role("navigation", name="Sections").get_by_role("link", name=name).click()
