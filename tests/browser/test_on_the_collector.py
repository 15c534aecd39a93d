"""The script on the real product: what a page calls stands at the vendors' sandbox, once, whatever happens between."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.browser.conftest import watched_pages
from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, asking_page, ready, send, tracked_page
from tests.browser.test_hostile_data import HOSTILE
from tests.support.product import Product
from tests.system.outside import eventually

pytestmark = [pytest.mark.browser, pytest.mark.system, pytest.mark.timeout(180), pytest.mark.xdist_group("real")]

HOUR = 3_600_000
NO_COOKIES = "Object.defineProperty(Document.prototype, 'cookie', {get: () => '', set: () => {}});"
HEARD = "var said = []; var enableLogging = (what, detail) => said.push([what, detail]);"


@pytest.fixture(scope="module")
def shop() -> Iterator[CountingServer]:
    """The pages: another origin than the collector's, of the same site."""
    with CountingServer() as server:
        yield server


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, shop: CountingServer) -> Iterator[Product]:
    own = {"OCHN_KEYS__OWN__VALUES": '["own"]', "OCHN_KEYS__OWN__ORIGINS": json.dumps([shop.origin])}
    with Product(tmp_path_factory.mktemp("data"), environ=own) as product:
        yield product


@pytest.fixture
def tab(context: BrowserContext, shop: CountingServer, product: Product) -> Iterator[OpenTab]:
    shop.pages["/"] = tracked_page(product.url, track=f"{HEARD} function ochntrack() {{ ochn.init(); }}")
    with watched_pages(context, shop.origin) as open_tab:
        yield open_tab


def sends(product: Product, wanted: Callable[[dict[str, Any]], object]) -> list[dict[str, Any]]:
    calls = [call for call in product.received("footprints") if call["path"] == "/jsapi/send"]
    return [call["body"] for call in calls if wanted(call["body"].get("aditionalData", {}))]


def described(product: Product, mark: str, count: int) -> list[str]:
    """What events whose description begins with `mark` said, in order of arrival at the vendor; a copy stands twice."""

    def found() -> list[str]:
        ours = sends(product, lambda data: str(data.get("description", "")).startswith(mark))
        return [body["aditionalData"]["description"] for body in ours]

    eventually(lambda: len(found()) >= count)
    return found()


def lose_answers(page: Page, *, silently: bool = False) -> list[str]:
    """The collector takes the next request, and its answer gets lost on the way, or never comes. -> what was asked for,
    as it comes."""
    asked: list[str] = []

    def lose(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            return route.continue_()
        route.fetch()
        return None if silently else route.abort()

    page.route(re.compile(r"/jsapi/(batch|init|send)$"), lose)
    return asked


def test_what_a_page_calls_arrives_in_order_in_one_request(product: Product, tab: OpenTab) -> None:
    page = ready(tab())
    send(page, *[f"order-{number}" for number in range(20)])
    assert described(product, "order-", 20) == [f"order-{number}" for number in range(20)]
    verdicts = page.evaluate("said.filter(([what]) => what === 'accepted').map(([, event]) => event.verdict)")
    assert verdicts == ["accepted"] * 21
    assert page.evaluate("said.filter(([, event]) => event && event.warnings)") == []


def test_what_is_sent_twice_is_delivered_once(product: Product, tab: OpenTab) -> None:
    page = ready(tab())
    asked = lose_answers(page)
    send(page, *[f"twice-{number}" for number in range(5)])
    ready(page)
    send(page, "twice-last")
    ready(page)
    assert len(asked) == 3
    assert described(product, "twice-last", 1)  # one visitor's events stand in order: no copy is still to come
    assert described(product, "twice-", 6) == [f"twice-{number}" for number in range(5)] + ["twice-last"]


def test_a_first_visit_that_is_closed_at_once_is_sent_and_its_visitor_is_known_again(
    product: Product, shop: CountingServer, tab: OpenTab
) -> None:
    for number in (1, 2):
        track = f"function ochntrack() {{ ochn.send('action', 'visit', {{brands: ['closed {number}']}}); }}"
        shop.pages[f"/{number}"] = tracked_page(product.url, track=track)
    page = tab("about:blank")
    asked = lose_answers(page, silently=True)
    page.goto(f"{shop.origin}/1")
    while not asked:
        page.wait_for_timeout(20)
    page.close()
    assert asked == [f"{product.url}/jsapi/batch"]
    ready(tab("/2"))
    visits = eventually(lambda: two(sends(product, lambda data: "closed" in str(data.get("brands")))))
    assert [visit["aditionalData"]["brands"] for visit in visits] == [["closed 1"], ["closed 2"]]
    assert len({visit["uid"] for visit in visits}) == 1


def two(found: list[Any]) -> list[Any]:
    return found if len(found) >= 2 else []


@pytest.mark.parametrize("hours", [48, -48])
def test_a_wrong_clock_is_told_right(hours: int, product: Product, chromium: Browser, shop: CountingServer) -> None:
    shop.pages["/"] = tracked_page(product.url)
    shift = f"const real = Date.now; Date.now = () => real() + {hours * HOUR};"
    with chromium.new_context() as context, watched_pages(context, shop.origin) as open_tab:
        page = ready(open_tab(init_script=shift))
        page.route("**/jsapi/*", lambda route: route.abort())
        sent = [sent_between(page, f"clock{hours}-{number}") for number in range(2)]
        page.unroute("**/jsapi/*")
        began = time.time()
        page.evaluate("dispatchEvent(new Event('online'))")
        ready(page)
        took = time.time() - began  # of this, what the request was on its way counts as the clock's
    assert described(product, f"clock{hours}-", 2) == [f"clock{hours}-0", f"clock{hours}-1"]
    marked = eventually(lambda: two(at_netcore(product, f"clock{hours}-")))
    for activity, (earliest, latest) in zip(marked, sent, strict=True):
        told = datetime.fromisoformat(activity["timestamp"]).timestamp()  # in whole seconds
        assert earliest - 3 <= told <= latest + 2 + took


def sent_between(page: Page, mark: str) -> tuple[float, float]:
    earliest = time.time()
    send(page, mark)
    latest = time.time()
    page.wait_for_timeout(1200)
    return earliest, latest


def at_netcore(product: Product, mark: str) -> list[dict[str, Any]]:
    activities = [activity for call in product.received("netcore") for activity in call["body"]]
    return [one for one in activities if str(one["activity_params"].get("description", "")).startswith(mark)]


def test_the_collectors_own_cookie_remembers_who_may_not_set_one(
    product: Product, chromium: Browser, shop: CountingServer
) -> None:
    shop.pages["/"] = asking_page(product.url, "data-credentials").replace("'demo'", "'own'")
    with chromium.new_context() as context, watched_pages(context, shop.origin) as open_tab:
        page = ready(open_tab(init_script=NO_COOKIES))
        first = page.evaluate("ochn.state().visitor")
        cookie = next(cookie for cookie in context.cookies() if cookie["name"] == "ochn_vid")
        assert (cookie["value"], cookie["sameSite"]) == (first, "Lax")
        page.evaluate("localStorage.clear()")
        page.reload()
        assert ready(page).evaluate("ochn.state().visitor") == first


def test_the_former_scripts_visitor_is_taken_over(product: Product, chromium: Browser, shop: CountingServer) -> None:
    former = "p93eeea7322fed62b9b240d613b6c925b1cf125aed3bf030c64d8a51b35981c73"
    shop.pages["/"] = asking_page(product.url, 'data-old-cookie="fp_id"')
    with chromium.new_context() as context, watched_pages(context, shop.origin) as open_tab:
        context.add_cookies([{"name": "fp_id", "value": former, "url": shop.origin}])
        page = ready(open_tab())
        assert page.evaluate("[ochn.state().visitor, ochn.state().kind]") == [former, "p"]
    calls = eventually(lambda: [call for call in product.received("footprints") if call["body"].get("uid") == former])
    assert [call["body"]["actionType"] for call in calls] == ["visit"]


def test_an_endpoint_of_the_pages_own(product: Product, shop: CountingServer, tab: OpenTab) -> None:
    """A path of the shop that its server passes on: here the browser's traffic is, on its way."""
    shop.pages["/"] = asking_page(product.url, 'data-endpoint="/t"', track="function ochntrack() { ochn.init(); }")
    page = tab("about:blank")
    page.route(
        "**/t/*", lambda route: route.continue_(url=f"{product.url}/jsapi/{route.request.url.rpartition('/')[2]}")
    )
    page.goto(shop.origin)
    ready(page)
    send(page, "endpoint")
    ready(page)
    assert described(product, "endpoint", 1) == ["endpoint"]


def test_a_lead_with_a_file_hears_the_collectors_word(product: Product, tab: OpenTab) -> None:
    page = ready(tab())
    answer = page.evaluate("""() => ochn.register({userEmail: 'ana@shop.example', userFirstName: 'Ana', tags: ['vip'],
      cv: new File([new Uint8Array(300000)], 'cv.pdf', {type: 'application/pdf'})}, true)""")
    assert answer == {"status": "ok", "message": "registered"}
    leads = eventually(lambda: [call for call in product.received("footprints") if call["path"] == "/api/lead"])
    assert leads[0]["body"]["userEmail"] == "ana@shop.example"


def test_no_data_of_a_page_is_refused(product: Product, tab: OpenTab) -> None:
    page = ready(tab())
    for data in HOSTILE.values():
        page.evaluate(f"() => {{ ochn.send('action', 'engagement', {data}); }}")
    ready(page)
    verdicts = page.evaluate("said.filter(([what]) => what === 'accepted').map(([, event]) => event.verdict)")
    assert verdicts == ["accepted"] * (1 + len(HOSTILE))
    assert page.evaluate("ochn.state().dropped") == 0


def test_an_unknown_key_harms_nobody(product: Product, shop: CountingServer, tab: OpenTab) -> None:
    shop.pages["/"] = tracked_page(product.url, key="var ochnkey = 'nobody';")
    page = tab()
    page.wait_for_function("window.ochn && ochn.version && ochn.state().dropped === 1")
    assert page.evaluate("ochn.state().queued") == 1  # the visit, for a page with a key that is known


def test_a_collector_that_is_killed_and_comes_again(product: Product, tab: OpenTab) -> None:
    page = ready(tab())
    send(page, "killed-0")
    assert described(product, "killed-", 1)
    product.kill("collector-0")
    send(page, "killed-1", "killed-2")
    page.reload()
    page.wait_for_function("window.ochn && ochn.version && ochn.state().queued === 0", timeout=60_000)
    assert described(product, "killed-", 3) == ["killed-0", "killed-1", "killed-2"]


def test_what_the_script_tells_by_itself_needs_no_mending(product: Product, shop: CountingServer, tab: OpenTab) -> None:
    body = '<a href="http://localhost:9/x" target="_blank">out</a> <button fai-key="guide" data-fai-search-tag="a">?</button>'
    track = f"{HEARD} function ochntrack() {{ ochn.init(); }}"
    shop.pages["/"] = asking_page(product.url, "data-links data-fai", body, track)
    page = ready(tab())
    page.wait_for_function("!!window.ochnExtras")
    page.click("button")
    page.click("a", modifiers=["Control"])
    page.wait_for_function("ochn.state().sent === 3")
    assert page.evaluate("said.filter(([, event]) => event && event.warnings)") == []
    assert described(product, "fai: guide", 1)
    assert described(product, "links: http://localhost:9/x", 1)
