"""Nothing is lost when the page goes: links, forms, closed tabs, reloads, crashes, offline, and the back button."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, described, ready, refused, send, tracked_page, wait_described

pytestmark = pytest.mark.browser

# A request that is due goes out only when the page is left.
NOT_YET = """const later = setTimeout;
window.setTimeout = (call, ms, ...given) => later(call, ms === 90 && sessionStorage.hold ? 6e4 : ms, ...given);"""


@pytest.mark.parametrize("pending", [1, 60, 200])
def test_following_a_link_straight_after_send_loses_nothing_and_doubles_nothing(
    pending: int, site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/next"] = tracked_page(collector.origin)
    page = ready(open_tab())
    said = [f"{number}" for number in range(pending)]
    page.evaluate(
        "all => { all.forEach(d => ochn.send('action', 'engagement', {description: d}));"
        "document.getElementById('link').click(); }",
        said,
    )
    page.wait_for_url("**/next")
    assert wait_described(collector, pending) == said
    ready(page)
    assert len(collector.taken("send")) == pending + 2


def test_leaving_for_another_site_sends_at_once(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    page.evaluate(
        "other => { for (let n = 0; n < 30; n++) ochn.send('action', 'engagement', {description: n});"
        "location.href = other; }",
        collector.origin + "/elsewhere",
    )
    page.wait_for_url("**/elsewhere")
    assert len(wait_described(collector, 30)) == 30


def test_a_form_sends_before_it_leaves_as_it_may_be_redirected_anywhere(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = ready(open_tab())
    page.evaluate("""() => {
      const form = Object.assign(document.createElement('form'), {method: 'post', action: '/jsapi/pay'});
      document.body.append(form);
      for (let n = 0; n < 30; n++) ochn.send('action', 'engagement', {description: n});
      form.submit();
    }""")
    page.wait_for_url("**/jsapi/pay")
    assert len(wait_described(collector, 30)) == 30


def test_closing_the_tab_straight_after_send(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    send(page, *range(10))
    page.close()
    assert len(wait_described(collector, 10)) == 10


def test_a_page_that_is_hidden_sends_at_once(collector: CountingServer, open_tab: OpenTab) -> None:
    """A phone may never wake it again, and no `pagehide` tells of that."""
    page = ready(open_tab(init_script=NOT_YET))
    page.evaluate("sessionStorage.hold = 1")
    send(page, "last")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait_for_timeout(300)
    assert described(collector) == [], "it is seen, and what it gathers can wait"
    page.evaluate("""() => {
      Object.defineProperty(document, 'hidden', {get: () => true});
      document.dispatchEvent(new Event('visibilitychange'));
    }""")
    assert wait_described(collector, 1) == ["last"]


@pytest.mark.parametrize("moment", ["pagehide", "visibilitychange"])
def test_what_the_page_sends_in_its_own_last_handler_is_sent(
    moment: str, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = ready(open_tab())
    page.evaluate(
        """([moment, other]) => {
      addEventListener('unload', () => {}); // keeps the page out of the back/forward cache, where timers might still run
      addEventListener(moment, () => ochn.send('action', 'engagement', {description: 'bye'}));
      location.href = other;
    }""",
        [moment, collector.origin + "/elsewhere"],
    )
    page.wait_for_url("**/elsewhere")
    assert wait_described(collector, 1) == ["bye"]


def test_reloading_in_the_middle_of_a_request(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", delay=1, drop=True)
    send(page, "first", "second")
    page.wait_for_timeout(100)
    page.reload()
    assert set(wait_described(collector, 2)) == {"first", "second"}


@pytest.mark.parametrize(
    "press",
    [Page.reload, lambda page: page.go_back(wait_until="commit"), lambda page: page.goto(page.url + "?again")],
    ids=["reload", "back", "address"],
)
def test_the_browsers_own_buttons_lose_nothing_and_double_nothing(
    press: Callable[[Page], object], site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/next"] = tracked_page(collector.origin)
    page = ready(open_tab(init_script=NOT_YET))
    page.goto(site.origin + "/next")
    ready(page).evaluate("sessionStorage.hold = 1")
    send(page, *range(5))
    page.evaluate("sessionStorage.removeItem('hold')")
    press(page)
    assert wait_described(collector, 5) == [str(number) for number in range(5)]
    ready(page)
    eids = [fields["eid"] for fields in collector.taken("send")]
    assert len(eids) == len(set(eids))


def test_offline_then_reload_then_online(context: BrowserContext, collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    collector.fail("send", drop=True, times=1000)
    send(page, *range(50))
    page.reload()
    page.wait_for_function("window.ochn && ochn.version && ochn.state().queued === 51")
    collector.recover()
    context.set_offline(True)
    context.set_offline(False)
    assert set(wait_described(collector, 50)) == {str(number) for number in range(50)}


def test_a_crashed_tabs_events_are_taken_over_by_a_living_one(collector: CountingServer, open_tab: OpenTab) -> None:
    page = ready(open_tab())
    until = page.evaluate("""() => {
      const eid = Date.now().toString(36) + 'crashed';
      const until = Date.now() + 1500;
      localStorage.setItem('ochn:q:' + eid, `send\\nappkey=demo&eid=${eid}&aditionalData[description]=left`);
      localStorage.setItem('ochn:tab:crashed', until);
      return until;
    }""")
    ready(open_tab())
    assert wait_described(collector, 1) == ["left"]
    taken_over = next(call.at for call in collector.calls if "aditionalData[description]" in call.fields)
    assert taken_over * 1000 >= until, "its word still held: it could have been alive and sending"
    assert len(collector.taken("send")) == 3


def test_a_closed_tabs_events_are_taken_over_at_once(collector: CountingServer, open_tab: OpenTab) -> None:
    leaving, staying = ready(open_tab()), ready(open_tab())
    collector.fail("send", status=503, headers={"Retry-After": "3600"})
    send(leaving, "first", "second")
    refused(leaving).wait_for_function(
        "Object.entries(localStorage).some(([k, v]) => k.startsWith('ochn:tab:') && v > Date.now() + 6e5)"
    )
    leaving.close()
    assert wait_described(collector, 2) == ["first", "second"]
    ready(staying)


def test_back_out_of_the_cache_is_one_visit(collector: CountingServer, site: CountingServer, open_tab: OpenTab) -> None:
    site.pages["/next"] = tracked_page(collector.origin)
    page = ready(open_tab())
    page.evaluate("window.revived = true")
    page.click("#link")
    page.wait_for_url("**/next")
    ready(page)
    collector.wait_taken("send", 2)
    page.go_back(wait_until="commit")
    assert page.evaluate("window.revived"), "the page did not come out of the back/forward cache"
    assert len(collector.wait_taken("send", 3)) == 3
    page.wait_for_timeout(300)
    assert len(collector.taken("send")) == 3


def test_the_page_keeps_its_place_in_the_back_forward_cache_with_events_pending(
    collector: CountingServer, site: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/next"] = tracked_page(collector.origin)
    page = ready(open_tab())
    page.evaluate("""window.revived = true;
      for (let n = 0; n < 40; n++) ochn.send('action', 'engagement', {description: n});
      document.getElementById('link').click();""")
    page.wait_for_url("**/next")
    page.go_back(wait_until="commit")
    assert page.evaluate("window.revived")
    assert wait_described(collector, 40) == [str(number) for number in range(40)]
    ready(page)
