"""A browser, a served library, and pages that fail their test when a script fails or a policy is broken."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.serving import Site, site

_ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

OpenPage = Callable[..., Page]

expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system (CHROMIUM names another); root may only run it without its sandbox."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "no Chromium found: install it, or name it in CHROMIUM"
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=arguments)
        yield found
        found.close()


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A library with documents in every state. Tests that change a document choose one that no other looks at."""
    with site(tmp_path_factory.mktemp("library"), filled=True) as running:
        yield running


@pytest.fixture
def empty_library(tmp_path: Path) -> Iterator[Site]:
    """A library without documents."""
    with site(tmp_path / "data", filled=False) as running:
        yield running


@pytest.fixture
def searchless_library(tmp_path: Path) -> Iterator[Site]:
    """A library whose search does not answer."""
    with site(tmp_path / "data", filled=False, search=False) as running:
        yield running


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Opens an address in a window of its own. At the end no script may have failed, nothing may have been refused.

    `expected` is a part of the console's message about a refusal that the test provokes.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def open_(
        url: str,
        *,
        width: int = 1280,
        height: int = 900,
        theme: str = "light",
        scripts: bool = True,
        expected: str = "",
    ) -> Page:
        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning") and not (expected and expected in message.text):
                problems.append(f"{page.url}: {message.text}")

        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            locale="en-GB",
            java_script_enabled=scripts,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(f"{url}: {error}"))
        page.on("console", heard)
        page.goto(url)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not problems
