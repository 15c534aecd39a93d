"""The other tests here load the built script by its plain name; these load it, and its source, by the other ones."""

import pytest
from playwright.sync_api import BrowserContext, Page

from collector.door.shim import EXTRAS, hashed_path, integrity
from tests.browser.counting_server import ALIAS, BUILT, BUILT_EXTRAS, CountingServer
from tests.browser.pages import TRACK_VISIT, OpenTab, ready, send, wait_described

pytestmark = pytest.mark.browser

CSP = (
    "default-src 'none'; img-src data:; script-src 'nonce-x' 'strict-dynamic'; connect-src {us}; "
    "require-trusted-types-for 'script'"
)


def page_of(script: str, *, policy: str = "") -> str:
    return f"""<!doctype html><meta http-equiv="Content-Security-Policy" content="{policy}">
    <link rel="icon" href="data:,"><script nonce="x">var ochnkey = 'demo'; {TRACK_VISIT}</script>{script}"""


@pytest.mark.parametrize("path", ["/jsapi/omnichannel.src.js", ALIAS], ids=["readable source", "alias"])
def test_the_other_paths(path: str, site: CountingServer, collector: CountingServer, open_tab: OpenTab) -> None:
    site.pages["/"] = page_of(f'<script async src="{collector.origin}{path}"></script>')
    page = ready(open_tab())
    assert [fields["actionType"] for fields in collector.wait_taken("send", 1)] == ["visit"]
    collector.fail("send", status=503)
    send(page, *range(10))
    page.reload()
    assert sorted(wait_described(collector, 10)) == [str(number) for number in range(10)]


def test_a_policy_that_stops_the_extras_stops_nothing_else(
    context: BrowserContext, site: CountingServer, collector: CountingServer
) -> None:
    """Nobody watches this page's console: Chromium itself complains there of the second script."""
    tag = f'<script nonce="x" async data-fai src="{collector.origin}/jsapi/omnichannel.js"></script>'
    site.pages["/"] = page_of(tag, policy=CSP.format(us=collector.origin))
    page = context.new_page()
    page.goto(site.origin)
    assert [fields["actionType"] for fields in collector.wait_taken("send", 1)] == ["visit"]
    send(ready(page), "and goes on")
    assert wait_described(collector, 1) == ["and goes on"]
    assert [call.path for call in collector.calls if "extras" in call.path] == []


def until_extras(page: Page) -> None:
    """Asked from outside, as `ready` does it."""
    while not page.evaluate("!!window.ochnExtras"):
        page.wait_for_timeout(20)


def test_under_a_strict_policy_by_hash(site: CountingServer, collector: CountingServer, open_tab: OpenTab) -> None:
    """A violation is an error in the console, and none may stand there."""
    pinned = ((hashed_path(BUILT), BUILT), (hashed_path(BUILT_EXTRAS, EXTRAS), BUILT_EXTRAS))
    tags = [
        f"""<script nonce="x" async data-fai src="{collector.origin}{path}"
        integrity="{integrity(build)}" crossorigin="anonymous"></script>"""
        for path, build in pinned
    ]
    site.pages["/"] = page_of("".join(tags) + '<b fai-key="guide">?</b>', policy=CSP.format(us=collector.origin))
    page = ready(open_tab())
    until_extras(page)
    page.click("b")
    assert wait_described(collector, 1) == ["fai: guide"]
    assert [call.path for call in collector.calls if "extras" in call.path] == [pinned[1][0]]
    page.evaluate("ochn.register({userEmail: 'ann@shop.example'})")
    collector.wait_taken("register", 1)
    assert [fields["actionType"] for fields in collector.taken("send")] == ["visit", "engagement"]
