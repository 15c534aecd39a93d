"""Chromium, a site and a collector on another origin, and a watch over everything the page must never see."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.counting_server import CountingServer
from tests.browser.pages import PATIENCE, OpenTab, tracked_page
from tests.support.tools import require

CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# A module, not a session: while Playwright's loop is alive in this thread, no asyncio test can run in it.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    expect.set_options(timeout=PATIENCE * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require("chromium"),
            args=CHROMIUM_ARGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield browser
        browser.close()


@pytest.fixture
def collector() -> Iterator[CountingServer]:
    with CountingServer() as server:
        server.pages["/elsewhere"] = "<title>Another site</title>"
        yield server


@pytest.fixture
def site(collector: CountingServer) -> Iterator[CountingServer]:
    with CountingServer() as server:
        server.pages["/"] = tracked_page(collector.origin)
        yield server


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    with chromium.new_context() as context:
        yield context


@pytest.fixture
def open_tab(context: BrowserContext, site: CountingServer) -> Iterator[OpenTab]:
    with watched_pages(context, site.origin) as open_tab:
        yield open_tab


@contextmanager
def watched_pages(context: BrowserContext, origin: str) -> Iterator[OpenTab]:
    """Opens a path of the origin; at the end no tab may have seen an error, a rejection or a word in its console."""
    heard: list[str] = []

    def said(message: ConsoleMessage) -> None:
        # Chromium itself tells of every failed request; no script can hinder it.
        if not message.text.startswith("Failed to load resource"):
            heard.append(f"console.{message.type}: {message.text}")

    def open_tab(path: str = "/", *, init_script: str = "") -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: heard.append(f"uncaught: {error}"))
        page.on("console", said)
        if init_script:
            page.add_init_script(init_script)
        page.goto(origin + path if path.startswith("/") else path)
        return page

    yield open_tab
    for page in context.pages:
        page.evaluate("1")  # what the page still had to say has come when this is answered
    assert heard == []
