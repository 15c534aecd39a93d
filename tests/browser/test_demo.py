"""The demo shop, used as a newcomer would: what is clicked is sent, and the panel shows it."""

import base64

import pytest
from playwright.sync_api import Page, expect

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, ready

pytestmark = pytest.mark.browser


@pytest.fixture
def shop(site: CountingServer, open_tab: OpenTab) -> Page:
    """The demo loads the script from its own origin, as the collector serves both."""
    return ready(open_tab("/demo/"))


def own_data(fields: dict[str, str]) -> dict[str, str]:
    return {
        name.removeprefix("aditionalData"): value for name, value in fields.items() if name.startswith("aditionalData")
    }


def shopped(site: CountingServer) -> list[dict[str, str]]:
    """What the shop's own code sent: what is told by itself carries a kind."""
    return [fields for fields in site.taken("send") if "aditionalData[kind]" not in fields]


def test_shopping_sends_a_visit_an_engagement_and_a_sale(site: CountingServer, shop: Page) -> None:
    chair = shop.locator(".card", has_text="Sola lounge chair")
    chair.locator(".look").click()
    chair.locator(".add").click()
    shop.locator(".card", has_text="Fern planter").locator(".add").click()
    shop.click("#bag-button")
    shop.click("#buy")
    sent = site.wait_taken("send", 5)
    assert [fields["actionType"] for fields in sent] == ["visit", "visit", "engagement", "engagement", "sale"]
    assert own_data(sent[1]) == {"[brands][0]": "Casa Verde", "[interests][0]": "Furniture"}
    assert own_data(sent[4]) == {"[receipts][0][name]": "Casa Verde", "[receipts][0][value]": "472"}
    expect(shop.locator("#panel-events li")).to_have_count(6)
    expect(shop.locator(".state[data-state=delivered]")).to_have_count(6)


def test_feedback_and_a_booked_visit(site: CountingServer, shop: Page) -> None:
    shop.click("#scale button:text-is('9')")
    shop.fill("#contact [name=day]", "2030-05-17")
    shop.select_option("#contact [name=senderType]", "organization")
    shop.click("#contact button")
    site.wait(lambda: len(shopped(site)) >= 3)
    sent = shopped(site)
    assert own_data(sent[1]) == {"[rating]": "9"}
    assert own_data(sent[2]) == {"[appointmentDate]": "2030-05-17 10:30:00", "[senderType]": "organization"}


def test_joining_registers_with_the_photograph_and_fills_in_next_time(site: CountingServer, shop: Page) -> None:
    shop.fill("#lead [name=userFirstName]", "Ana")
    shop.fill("#lead [name=userEmail]", "ana@shop.example")
    shop.check("#lead [value=ceramics]")
    shop.set_input_files("#lead [name=photo]", {"name": "room.png", "mimeType": "image/png", "buffer": b"\x89PNG"})
    shop.click("#lead .primary")
    expect(shop.locator("#lead-thanks")).to_have_text("Welcome to the circle, Ana.")
    lead = site.taken("register")[0]
    assert lead["lead[userEmail]"] == "ana@shop.example"
    assert lead["lead[tags][0]"] == "ceramics"
    assert base64.b64decode(lead["lead[photo][data]"]) == b"\x89PNG"
    site.wait(lambda: len(shopped(site)) >= 2)
    assert shopped(site)[1]["actionType"] == "profiling"
    shop.reload()
    shop.fill("#newsletter-email", "ana@shop.example")
    shop.click("#newsletter button")
    expect(shop.locator("#newsletter-thanks")).to_have_text("Welcome back, Ana.")
    expect(shop.locator("#lead [name=userFirstName]")).to_have_value("Ana")


def test_signing_in_makes_the_visitor_a_customer(site: CountingServer, shop: Page) -> None:
    expect(shop.locator("#panel-visitor")).to_contain_text("someone new")
    shop.fill("#sign-in-email", "ana@shop.example")
    shop.click("#sign-in button")
    expect(shop.locator("#panel-visitor")).to_contain_text("a customer")
    assert [fields.get("email") for fields in site.taken("init")] == [None, "ana@shop.example"]


def test_the_panel_shows_what_waits_for_a_collector_that_is_away(site: CountingServer, shop: Page) -> None:
    site.fail("send", times=1000, status=503)  # a try may follow the last one at once: none may get through meanwhile
    shop.click("#scale button:text-is('3')")
    expect(shop.locator("#panel-counts")).to_have_text("1 waiting")
    expect(shop.locator("#panel-queued")).to_have_text("1")
    expect(shop.locator("#panel-failures")).not_to_have_text("0")
    site.recover()
    expect(shop.locator(".state[data-state=delivered]")).to_have_count(3, timeout=30_000)


def test_what_cannot_be_sent_is_told_in_the_panel(site: CountingServer, shop: Page) -> None:
    site.fail("send", status=400)
    shop.evaluate("() => { ochn.send('action', 'engagement', {description: 'a', deep: {a: {b: {c: {d: {e: {}}}}}}}); }")
    expect(shop.locator("#panel-dropped")).to_have_text("1")
    expect(shop.locator("#panel-left")).to_have_text("1")
    expect(shop.locator("#panel-sent")).to_have_text("2")


def test_the_shop_asks_for_more_and_may_ask_first(site: CountingServer, shop: Page) -> None:
    shop.click("text=Shop the collection")
    shop.click("text=Our catalogue")
    told = [f"downloads: {site.origin}/demo/art.svg", "fai: hero"]
    site.wait(
        lambda: sorted(fields.get("aditionalData[description]", "") for fields in site.taken("send"))[-2:] == told
    )
    posts = site.posts()
    shop.context.clear_cookies()
    shop.evaluate("localStorage.clear()")
    shop.click("text=A shop that asks first")
    shop.wait_for_function("window.ochn && ochn.version && ochn.state().queued === 2")
    left = site.posts()
    assert left - posts <= 1  # what the first page told as it was left
    shop.click("text=Yes, do")
    expect(shop.locator("#panel-visitor")).to_contain_text("someone new")
    expect(shop.locator("#ask")).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_sticks_out_and_nothing_is_asked_of_other_hosts(width: int, site: CountingServer, shop: Page) -> None:
    asked: list[str] = []
    shop.on("request", lambda request: asked.append(request.url))
    shop.set_viewport_size({"width": width, "height": 800})
    shop.reload()
    ready(shop)
    assert shop.evaluate("document.documentElement.scrollWidth") == width
    assert asked
    assert [url for url in asked if not url.startswith(site.origin)] == []
