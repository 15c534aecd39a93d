"""The sandbox's page in a real browser: each call once, in order, also of those that come while it looks."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.support.sandbox import SandboxProcess

pytestmark = pytest.mark.browser

COUNT = 8


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SandboxProcess]:
    with SandboxProcess(tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context() as context:
        page = context.new_page()
        broken = list[str]()
        page.on("pageerror", lambda error: broken.append(str(error)))
        yield page
        assert not broken


def call(sandbox: SandboxProcess, destination: str = "footprints") -> None:
    """One that is refused, which is a call as well."""
    path = {"footprints": "/footprints/jsapi/send", "netcore": "/netcore/v1/activity/upload"}[destination]
    assert httpx.post(sandbox.url + path, json={}).status_code != 404


def test_what_comes_between_its_two_questions_is_shown_once(sandbox: SandboxProcess, page: Page) -> None:
    call(sandbox)
    made = [1]

    def counted(route: Route) -> None:
        reply = route.fetch()
        if made[0] < COUNT:
            call(sandbox)
            made[0] += 1
        route.fulfill(response=reply)

    page.route("**/_sandbox/counts", counted)
    page.goto(sandbox.url)
    expect(page.locator("summary .n")).to_have_text([str(number) for number in range(COUNT, 0, -1)])
    expect(page.locator(".card b").first).to_have_text(str(COUNT))


def test_a_card_shows_its_destination_alone_and_keeps_the_keyboard(sandbox: SandboxProcess, page: Page) -> None:
    for destination in ("footprints", "netcore", "netcore"):
        call(sandbox, destination)
    page.goto(sandbox.url)
    expect(page.locator("summary")).to_have_count(3)
    page.locator(".card", has_text="footprints").focus()
    page.keyboard.press("Space")
    expect(page.locator("summary .to")).to_have_text(["footprints"])
    call(sandbox)
    expect(page.locator("summary .to")).to_have_text(["footprints", "footprints"])
    page.keyboard.press("Enter")
    expect(page.locator("summary")).to_have_count(4)
    expect(page.locator(".card[aria-pressed=true]")).to_have_count(0)


def test_it_begins_anew_with_the_sandbox(sandbox: SandboxProcess, page: Page, tmp_path: Path) -> None:
    for _ in range(3):
        call(sandbox)
    page.goto(sandbox.url)
    expect(page.locator("summary")).to_have_count(3)
    sandbox.kill()
    expect(page.locator("#live")).to_have_text("the sandbox does not answer")
    for one in (tmp_path / "sandbox").iterdir():
        one.unlink()
    sandbox.start()
    call(sandbox)
    expect(page.locator("summary .n")).to_have_text(["1"])
    expect(page.locator("#live")).to_have_text("live")
