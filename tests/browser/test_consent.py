"""With data-consent the visitor's answer is waited for, and obeyed: behaviour 20 of the table in docs/omnichannel.md."""

import json
from urllib.parse import quote

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, asking_page, described, ready, send, wait_described
from tests.browser.test_leads import PATIENT

pytestmark = pytest.mark.browser

OURS = "[...Object.keys(localStorage), document.cookie].filter(text => /ochn/.test(text))"
GPC = "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true});"
DNT = "Object.defineProperty(Navigator.prototype, 'doNotTrack', {get: () => '1'});"


@pytest.fixture
def gated(site: CountingServer, collector: CountingServer) -> CountingServer:
    site.pages["/"] = asking_page(collector.origin, "data-consent data-links")
    return site


def say(page: Page, answer: object) -> None:
    text = answer if isinstance(answer, str) else json.dumps(answer)
    page.evaluate("text => { document.cookie = 'cookie_consent=' + text + ';path=/'; }", quote(text))


def waiting(page: Page) -> Page:
    page.wait_for_function("window.ochn && ochn.version && ochn.state().queued")
    page.wait_for_timeout(1200)
    return page


@pytest.mark.parametrize("answer", ["accepted", {"analytics": True, "marketing": False}, {"analytics": "granted"}])
@pytest.mark.usefixtures("gated")
def test_nothing_is_stored_sent_or_loaded_before_a_yes_and_nothing_is_lost(
    answer: object, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = waiting(open_tab())
    page.evaluate("dispatchEvent(new Event('online'))")
    assert page.evaluate(OURS) == []
    assert [call.path for call in collector.calls] == ["/jsapi/omnichannel.js"]
    say(page, answer)
    assert collector.wait_taken("send", 1)[0]["actionType"] == "visit"
    ready(page)
    send(page, "later")
    wait_described(collector, 1)
    recorded = collector.taken("send")[1]["consent"]
    assert (recorded if isinstance(answer, str) else json.loads(recorded)) == answer
    page.wait_for_function("!!window.ochnExtras")


@pytest.mark.parametrize("answer", ["declined", {"analytics": False, "marketing": True}])
@pytest.mark.usefixtures("gated")
def test_after_a_no_only_a_lead_goes(answer: object, collector: CountingServer, open_tab: OpenTab) -> None:
    page = waiting(open_tab(init_script=PATIENT))
    say(page, answer)
    page.wait_for_function("ochn.state().queued === 0")
    send(page, "never")
    assert page.evaluate("ochn.register({userEmail: 'ana@shop.example'})")["message"] == "registered"
    page.reload()
    page.wait_for_function("window.ochn && ochn.version")
    page.wait_for_timeout(300)
    assert {call.path for call in collector.calls if call.method == "POST"} == {"/jsapi/register"}
    assert page.evaluate(OURS) == []


def test_a_yes_that_is_taken_back_erases_what_was_kept(
    gated: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    gated.pages["/"] = asking_page(collector.origin, 'data-consent="marketing"')
    page = waiting(open_tab())
    say(page, {"analytics": True})  # not what was asked for
    page.wait_for_timeout(1200)
    assert collector.posts() == 0
    say(page, {"marketing": 1})
    collector.wait_taken("send", 1)
    ready(page)
    assert page.evaluate(OURS) != []
    say(page, "declined")
    send(page, "never")
    assert page.evaluate(OURS) == []
    assert page.evaluate("ochn.state()")["queued"] == 0
    say(page, "accepted")
    send(page, "again")
    assert wait_described(collector, 1) == ["again"]
    assert described(collector) == ["again"]


def test_a_cookie_of_a_like_name_says_nothing(
    gated: CountingServer, context: BrowserContext, collector: CountingServer, open_tab: OpenTab
) -> None:
    said = {"my_cookie_consent": "declined", "cookie_consent": "accepted", "cookie_consent_at": "declined"}
    context.add_cookies([{"name": name, "value": value, "url": gated.origin} for name, value in said.items()])
    ready(open_tab())
    assert collector.wait_taken("send", 1)[0]["consent"] == "accepted"


@pytest.mark.parametrize("signal", [GPC, DNT], ids=["GPC", "DNT"])
@pytest.mark.usefixtures("gated")
def test_the_browsers_own_no_stands_until_the_visitor_says_yes(
    signal: str, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = open_tab(init_script=signal)
    page.wait_for_function("window.ochn && ochn.version")
    page.wait_for_timeout(500)
    assert collector.posts() == 0
    assert page.evaluate(OURS) == []
    say(page, "accepted")
    send(page, "yes")
    assert wait_described(collector, 1) == ["yes"]
