"""The main behaviours in Debian's Firefox, which leaves pages and keeps them in ways of its own."""

import time
from collections.abc import Iterator

import pytest

from tests.browser.counting_server import CountingServer
from tests.browser.firefox import Firefox, Tab
from tests.browser.pages import asking_page, described, wait_described
from tests.browser.test_hostile_data import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with Firefox(tmp_path_factory.mktemp("profile")) as firefox:
        yield firefox


@pytest.fixture
def tab(firefox: Firefox, site: CountingServer, collector: CountingServer) -> Iterator[Tab]:
    site.pages["/next"] = site.pages["/"]
    yield ready(firefox.open(site.origin))
    assert firefox.heard == []


def ready(tab: Tab) -> Tab:
    until = time.monotonic() + 30
    while not tab.evaluate("!!window.ochn && !!ochn.version && !!ochn.state().kind && ochn.state().queued === 0"):
        assert time.monotonic() < until, tab.evaluate("window.ochn && ochn.state && ochn.state()")
        time.sleep(0.02)
    return tab


def send(tab: Tab, *descriptions: object, then: str = "") -> None:
    calls = "".join(f"ochn.send('action', 'engagement', {{description: '{said}'}});" for said in descriptions)
    tab.evaluate(f"(() => {{ {calls} {then} }})()")


def test_a_visit_and_what_follows_it_in_order(collector: CountingServer, tab: Tab) -> None:
    assert collector.taken("send")[0]["actionType"] == "visit"
    collector.fail("send", status=503)
    send(tab, *range(20))
    assert wait_described(collector, 20) == [str(number) for number in range(20)]
    assert {call.method for call in collector.calls} == {"GET", "POST"}
    assert collector.taken("init")[0]["technicalInfo[browserType]"] == "Firefox"


def test_links_reloads_closing_and_going_back_lose_nothing(collector: CountingServer, tab: Tab) -> None:
    send(tab, "link", then="document.getElementById('link').click()")
    wait_described(collector, 1)
    ready(tab)
    send(tab, "reload")
    tab.reload()
    wait_described(collector, 2)
    ready(tab)
    tab.back()
    wait_described(collector, 2)
    ready(tab)
    send(tab, "close")
    tab.close()
    assert set(wait_described(collector, 3)) == {"link", "reload", "close"}


def test_what_a_page_hands_over_by_mistake(collector: CountingServer, tab: Tab) -> None:
    for data in HOSTILE.values():
        tab.evaluate(f"ochn.send('action', 'engagement', {data}).status")
    ready(tab)
    assert tab.evaluate("ochn.state().dropped") == 0
    assert len(collector.taken("send")) == 1 + len(HOSTILE)


def test_consent_and_what_is_asked_for(firefox: Firefox, site: CountingServer, collector: CountingServer) -> None:
    site.pages["/gated"] = asking_page(collector.origin, "data-consent data-spa data-fai", '<b fai-key="guide">?</b>')
    tab = firefox.open(f"{site.origin}/gated")
    time.sleep(1.5)
    assert collector.posts() == 0
    tab.evaluate("document.cookie = 'cookie_consent=accepted'")
    collector.wait_taken("send", 1)
    until = time.monotonic() + 60
    while not tab.evaluate("!!window.ochnExtras") and time.monotonic() < until:
        time.sleep(0.05)
    tab.evaluate("document.querySelector('b').click()")
    tab.evaluate("history.pushState(0, '', '/shoes')")
    assert wait_described(collector, 1) == ["fai: guide"]
    pages = [fields["page[url]"] for fields in collector.wait_taken("send", 3) if fields["actionType"] == "visit"]
    assert pages == [f"{site.origin}/gated", f"{site.origin}/shoes"]
    tab.evaluate("document.cookie = 'cookie_consent=;max-age=0'")
    assert described(collector) == ["fai: guide"]
    assert firefox.heard == []
