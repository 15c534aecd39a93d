"""Nothing is lost while the page stays: slow, failing and refusing collectors, blocked storage, patched fetch."""

import re

import pytest
from playwright.sync_api import BrowserContext, Route

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, ready, refused, send, tracked_page, wait_described

pytestmark = pytest.mark.browser

NO_STORAGE = """
  const blocked = () => { throw new DOMException('blocked', 'SecurityError'); };
  const refuse = { get: blocked, set: blocked };
  Object.defineProperty(window, 'localStorage', refuse);
  Object.defineProperty(Document.prototype, 'cookie', refuse);
"""
FILL_STORAGE = """() => {
  for (let size = 1 << 20; size >= 1; size >>= 1) {
    try { for (let n = 0; ; n++) localStorage.setItem('page' + size + '.' + n, 'x'.repeat(size)); } catch (e) {}
  }
}"""
PRERENDERING = "Object.defineProperty(document, 'prerendering', {get: () => !window.seen});"
SOON = "const later = setTimeout; window.setTimeout = (call, ms) => later(call, ms >= 2e4 && ms < 4e4 ? 1000 : ms);"
THROWING_FETCH = "window.fetch = () => { throw new Error('patched'); };"


def test_what_is_sent_before_init_has_answered_follows_it_in_order(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    collector.fail("init", delay=1)
    twenty = "for (let n = 0; n < 20; n++) ochn.send('action', 'engagement', {description: n});"
    track = f"function ochntrack() {{ ochn.init(); {twenty} }}"
    site.pages["/"] = tracked_page(collector.origin, track=track)
    open_tab()
    assert wait_described(collector, 20) == [str(number) for number in range(20)]
    posts = [call.path for call in collector.calls if call.method == "POST"]
    assert posts == ["/jsapi/init"] + ["/jsapi/send"] * 20
    assert collector.posts() == 1


@pytest.mark.parametrize("status", [0, 408, 425, 429, 500, 503])
def test_the_collectors_trouble_is_waited_out(status: int, collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=status, drop=status == 0)
    send(page, "first", "second")
    assert wait_described(collector, 2) == ["first", "second"]
    assert page.evaluate("ochn.state().dropped") == 0


def test_a_collector_that_hangs_is_given_up_and_asked_again(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab(init_script=SOON))
    collector.fail("send", delay=600)
    send(page, "first")
    page.wait_for_timeout(100)
    send(page, "second")
    wait_described(collector, 2)


@pytest.mark.parametrize("blocked", ["**/jsapi/omnichannel.js", re.compile("/jsapi/(init|send|batch)$")])
def test_a_browser_that_blocks_the_script_or_its_calls(
    blocked: str | re.Pattern[str], context: BrowserContext, collector: CountingServer, open_tab: OpenTab
) -> None:
    tried: list[str] = []

    def block(route: Route) -> None:
        tried.append(route.request.url)
        route.abort("blockedbyclient")

    context.route(blocked, block)
    page = open_tab()
    while not tried:
        page.wait_for_timeout(20)
    page.wait_for_timeout(2000)
    page.evaluate("window.ochn && ochn.send('action', 'engagement', {description: 'kept'})")
    assert collector.posts() == 0
    assert 1 <= len(tried) <= 4
    context.unroute(blocked)
    if page.evaluate("!!window.ochn"):
        page.reload()
        assert wait_described(collector, 1) == ["kept"]


def test_a_thousand_kept_events_go_in_few_requests_and_in_order(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    before = collector.posts()
    send(page, *range(900))
    assert wait_described(collector, 900) == [str(number) for number in range(900)]
    assert collector.posts() - before <= 20
    ready(page)
    assert page.evaluate("ochn.state().sent") == 902


def test_a_collector_without_batches(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=404)
    send(page, *range(5))
    assert wait_described(collector, 5) == [str(number) for number in range(5)]
    assert collector.posts() == 1 + 1 + 5


def test_retry_after_is_obeyed_and_nothing_else_is_sent_meanwhile(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=429, headers={"Retry-After": "2"})
    send(page, "first")
    refused(page)
    send(page, "second")
    assert wait_described(collector, 2) == ["first", "second"]
    asked, then = [call.at for call in collector.calls if "aditionalData[description]" in call.fields][:2]
    assert then - asked >= 2


def test_a_refusal_costs_that_one_event(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=400, times=2)  # to both together, then to the first by itself
    send(page, "bad", "good")
    assert wait_described(collector, 1) == ["good"]
    assert page.evaluate("ochn.state().dropped") == 1


def test_an_unknown_key_keeps_asking_nobody(site: CountingServer, collector: CountingServer, open_tab: OpenTab) -> None:
    collector.fail("init", status=403, times=100)
    page = open_tab()
    collector.wait(lambda: any(call.status == 403 for call in collector.calls))
    send(page, "kept")
    collector.wait(lambda: collector.posts() == 2)  # what came with the init, then the init by itself
    page.wait_for_timeout(1500)
    assert collector.posts() == 2
    collector.recover()
    page.reload()
    assert wait_described(collector, 1) == ["kept"]


def test_storage_and_cookies_blocked(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab(init_script=NO_STORAGE))
    send(page, *range(20))
    assert wait_described(collector, 20) == [str(number) for number in range(20)]


def test_a_sandboxed_frame(site: CountingServer, collector: CountingServer, open_tab: OpenTab) -> None:
    site.pages["/inner"] = tracked_page(collector.origin)
    site.pages["/outer"] = '<link rel="icon" href="data:,"><iframe sandbox="allow-scripts" src="/inner"></iframe>'
    open_tab("/outer")
    assert len(collector.wait_taken("send", 1)) == 1


def test_storage_full_of_the_pages_own_data_loses_nothing(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=503, headers={"Retry-After": "3600"})
    send(page, *range(10))
    refused(page).evaluate(FILL_STORAGE)
    own = page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('page')).length")
    send(page, *range(10, 20))
    newest = "Object.entries(localStorage).some(([key, text]) => key.startsWith('ochn:q:') && text.endsWith('%5D=19'))"
    assert page.evaluate(newest), "the newest is not kept on disk, though older ones could have made room"
    assert page.evaluate("Object.keys(localStorage).filter(key => key.startsWith('page')).length") == own
    assert page.evaluate("ochn.state().queued") == 20
    page.evaluate("dispatchEvent(new Event('online'))")
    assert wait_described(collector, 20) == [str(number) for number in range(20)]


@pytest.mark.parametrize("patch", [THROWING_FETCH, "delete window.fetch;"], ids=["throwing", "missing"])
def test_fetch_patched_by_the_page(patch: str, collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab(init_script=patch))
    send(page, "staying")
    assert wait_described(collector, 1) == ["staying"]
    page.evaluate(
        "other => { for (let n = 0; n < 30; n++) ochn.send('action', 'engagement', {description: 'leaving' + n});"
        "location.href = other; }",
        collector.origin + "/elsewhere",
    )
    page.wait_for_url("**/elsewhere")
    assert set(wait_described(collector, 31)) == {"staying", *(f"leaving{number}" for number in range(30))}


def test_no_request_ever_asks_for_a_preflight(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    send(page, "one")
    ready(page).evaluate("ochn.register({userEmail: 'ana@shop.example'})")
    collector.wait_taken("register", 1)
    assert {call.method for call in collector.calls} == {"GET", "POST"}
    kinds = {call.headers["Content-Type"] for call in collector.calls if call.method == "POST"}
    assert kinds == {"application/x-www-form-urlencoded", "text/plain;charset=UTF-8"}


def test_a_prerendered_page_says_nothing_until_it_is_seen(collector: CountingServer, open_tab: OpenTab) -> None:
    """Chromium prerenders but does not activate while Playwright is attached, so the page's state is played to it."""
    page = open_tab(init_script=PRERENDERING)
    page.wait_for_function("window.ochn && ochn.version")
    page.evaluate("ochn.send('action', 'engagement', {description: 'early'})")
    page.wait_for_timeout(500)
    assert not [call for call in collector.calls if call.method == "POST"]
    page.evaluate("window.seen = true; document.dispatchEvent(new Event('prerenderingchange'));")
    assert wait_described(collector, 1) == ["early"]
    assert [fields["actionType"] for fields in collector.wait_taken("send", 2)] == ["engagement", "visit"]
