"""Several tabs of one visitor: nothing lost, nothing twice, one bound for what all of them keep."""

from contextlib import suppress

import pytest
from playwright.sync_api import Error, Page

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, described, ready, refused, send, wait_described

pytestmark = pytest.mark.browser

KEPT = "Object.entries(localStorage).filter(([key]) => key.startsWith('ochn:q:'))"
COUNT_HEARD = """() => {
  window.heard = 0;
  addEventListener('storage', (event) => { if (event.newValue && event.key.startsWith('ochn:q:')) heard++; });
}"""
HEAR_NO_MORE = """Object.keys(localStorage).filter(key => key.startsWith('ochn:tab:'))
  .forEach(key => localStorage.setItem(key, Math.min(localStorage[key], Date.now() + 1000)))"""


def crash(page: Page) -> None:
    """Its renderer is gone, as with kill -9: no handler runs, nothing is said."""
    with page.expect_event("crash"), suppress(Error):
        page.goto("chrome://crash", wait_until="commit", timeout=5000)


def test_a_crashed_page_that_is_opened_again(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=503, times=1000, headers={"Retry-After": "3600"})
    send(page, *range(20))
    crash(refused(page))
    page.close()
    collector.recover()
    again = open_tab()
    again.evaluate(HEAR_NO_MORE)  # half a minute of patience with the tab that crashed, in one second
    again.reload()
    assert wait_described(collector, 20) == [str(number) for number in range(20)]


def test_eight_tabs_of_which_four_are_killed(collector: CountingServer, open_tab: OpenTab) -> None:
    tabs = [ready(open_tab()) for _ in range(8)]
    collector.fail("send", status=503, times=1000)
    for number, tab in enumerate(tabs):
        send(tab, *(f"{number}-{count}" for count in range(10)))
    for tab in tabs[:4]:
        if not tab.is_closed():
            crash(tab)
            tab.close()
    collector.recover()
    tabs[7].evaluate(HEAR_NO_MORE)
    tabs[7].reload()
    for tab in tabs[4:]:
        tab.evaluate("dispatchEvent(new Event('online'))")
    expected = {f"{number}-{count}" for number in range(8) for count in range(10)}
    assert set(wait_described(collector, 80)) == expected
    for tab in tabs[4:]:
        tab.wait_for_function("ochn.state().queued === 0")
    assert {fields["uid"] for fields in collector.taken("send")} == {"a" * 64}


def test_a_duplicated_tab_sends_its_own_and_not_the_others(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", status=503, headers={"Retry-After": "3600"})
    send(page, "waits")
    refused(page)
    copy = ready(open_tab())
    send(copy, "goes")
    assert wait_described(collector, 1) == ["goes"]
    page.evaluate("dispatchEvent(new Event('online'))")
    assert wait_described(collector, 2) == ["goes", "waits"]
    ready(page)
    assert len(collector.taken("send")) == 4  # and two visits


def test_what_all_tabs_keep_has_one_bound_and_living_tabs_lose_nothing_by_it(
    collector: CountingServer, open_tab: OpenTab
) -> None:
    first, second = ready(open_tab()), ready(open_tab())
    collector.fail("send", status=503, times=1000, headers={"Retry-After": "3600"})
    many = "all => { for (const d of all) ochn.send('action', 'engagement', {description: d}); }"
    second.evaluate(COUNT_HEARD)
    first.evaluate(many, [f"a{number}" for number in range(700)])
    second.wait_for_function("heard === 700")
    second.evaluate(many, [f"b{number}" for number in range(700)])
    kept = second.evaluate(KEPT)
    assert len(kept) <= 1000
    assert sum(len(text) for _, text in kept) <= 512 * 1024
    assert sum("%5D=b" in text for _, text in kept) >= 400, "the newest are what is kept"
    for page in (first, second):
        refused(page)
    collector.recover()
    for page in (first, second):
        page.evaluate("dispatchEvent(new Event('online'))")
    wait_described(collector, 1100)
    ready(first)
    ready(second)
    assert sum(name.startswith("a") for name in described(collector)) == 700, "memory still had them"
    assert second.evaluate(KEPT) == []
