"""The page's side: its key in every form, its ochntrack, the loader as pages really use it."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.counting_server import CountingServer
from tests.browser.pages import STUB, TRACK_VISIT, OpenTab, loader, ready, refused, tracked_page

pytestmark = pytest.mark.browser


def visits(collector: CountingServer, page: Page) -> list[str]:
    """The actions the collector took, once this page has nothing more to send."""
    page.wait_for_function("window.ochn && ochn.version && ochn.state().queued === 0")
    return [fields["actionType"] for fields in collector.taken("send")]


@pytest.mark.parametrize("keyword", ["var", "let", "const"])
def test_the_key_is_found_however_it_is_declared(
    keyword: str, site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = tracked_page(collector.origin, key=f"{keyword} ochnkey = 'shop-key';")
    assert visits(collector, open_tab()) == ["visit"]
    assert {fields["appkey"] for fields in collector.taken("init") + collector.taken("send")} == {"shop-key"}


def test_a_key_in_its_dead_zone_is_read_when_it_has_its_value(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = f"""<link rel="icon" href="data:,"><script src="{collector.origin}/jsapi/omnichannel.js"></script>
    <script>ochn.init(); ochn.send('action', 'visit'); let ochnkey = 'late';</script>"""
    assert visits(collector, open_tab()) == ["visit"]
    assert collector.taken("send")[0]["appkey"] == "late"


def test_without_a_key_events_wait_for_a_page_that_has_one(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = tracked_page(collector.origin, key="")
    site.pages["/keyed"] = tracked_page(collector.origin)
    page = open_tab()
    page.wait_for_function("window.ochn && ochn.version && ochn.state().queued === 2")
    page.wait_for_timeout(300)
    assert not [call for call in collector.calls if call.method == "POST"]
    page.goto(site.origin + "/keyed")
    assert visits(collector, page) == ["visit", "visit"]


def test_the_loader_twice_and_the_script_twice_make_one_visit(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    again = f'<script src="{collector.origin}/jsapi/omnichannel.js"></script>'
    site.pages["/"] = tracked_page(collector.origin) + loader(collector.origin) + again
    page = open_tab()
    assert visits(collector, page) == ["visit"]


@pytest.mark.parametrize("stub", [STUB, ""], ids=["with a stub", "without"])
def test_a_page_that_calls_ochntrack_before_the_script_is_there(
    stub: str, site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    call = f"{stub} {TRACK_VISIT} if (window.ochn) ochntrack();"
    site.pages["/"] = tracked_page(collector.origin, track=call)
    assert visits(collector, open_tab()) == ["visit"]


@pytest.mark.parametrize(
    "track",
    [
        "function ochntrack() { ochn.init(); ochn.send('action', 'visit'); throw new Error('mine'); }",
        "async function ochntrack() { await ochn.init(); ochn.send('action', 'visit'); throw new Error('mine'); }",
        "const ochntrack = async () => { if (ochn.init) ochn.init(); if (ochn.send) ochn.send('action', 'visit'); };",
    ],
    ids=["throwing", "rejecting", "const"],
)
def test_ochntrack_of_every_kind_is_called_once(
    track: str, site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = tracked_page(collector.origin, track=track)
    assert visits(collector, open_tab()) == ["visit"]


def test_ochntrack_declared_after_the_script_ran(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = f"""<link rel="icon" href="data:,"><script>var ochnkey = 'demo';</script>
    <script src="{collector.origin}/jsapi/omnichannel.js"></script><script>{TRACK_VISIT}</script>"""
    assert visits(collector, open_tab()) == ["visit"]


def test_a_page_that_never_calls_init_is_introduced_when_it_sends(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = tracked_page(collector.origin, track="function ochntrack() { ochn.send('action', 'visit'); }")
    assert visits(collector, open_tab()) == ["visit"]
    assert len(collector.taken("init")) == 1


def test_the_vendors_snippet_alone_is_told_that_it_sends_no_visit(
    site: CountingServer, collector: CountingServer, chromium: Browser
) -> None:
    track = "var enableLogging = true; function ochntrack() { ochn.init(); }"
    site.pages["/"] = tracked_page(collector.origin, track=track)
    with chromium.new_context() as context:
        page = context.new_page()
        with page.expect_console_message(lambda message: "init ok, no send on this page" in message.text):
            page.goto(site.origin)
    assert collector.taken("send") == []


def test_init_is_asked_once_then_a_page_costs_one_request(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = open_tab()
    collector.wait_taken("send", 1)
    for count in (2, 3):
        ready(page).reload()
        collector.wait_taken("send", count)
    assert len(collector.taken("init")) == 1
    assert {fields["uid"] for fields in collector.taken("send")} == {"a" * 64}
    assert [fields.get("uType") for fields in collector.taken("send")] == [None, "p", "p"]  # first beside its init
    assert collector.posts() == 3


def test_tabs_opened_together_are_one_visitor(collector: CountingServer, open_tab: OpenTab) -> None:
    collector.fail("init", status=503, headers={"Retry-After": "3600"})
    first = refused(open_tab())
    ready(open_tab())
    first.evaluate("dispatchEvent(new Event('online'))")
    ready(first)
    assert len(collector.taken("init")) == 1
    assert len(collector.taken("send")) == 2


def test_an_email_learned_later_asks_again_and_makes_the_visitor_a_customer(
    collector: CountingServer, open_tab: OpenTab
) -> None:
    page = open_tab()
    collector.wait_taken("send", 1)
    page.evaluate("ochn.init('Ana@Shop.example'); ochn.init('ana@shop.example '); ochn.send('action', 'contact')")
    anonymous, identified = collector.taken("send")[0], collector.wait_taken("send", 2)[1]
    assert collector.taken("init")[1]["email"] == "Ana@Shop.example"
    assert collector.taken("init")[1]["pid"] == anonymous["uid"]
    assert identified["uid"] == "c" * 64
    assert len(collector.taken("init")) == 2


def test_what_is_told_of_the_device_and_of_the_page(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/landing"] = tracked_page(collector.origin)
    page = open_tab("/landing?utm_source=mail&utm_medium=spring&other=1")
    visit = collector.wait_taken("send", 1)[0]
    init = collector.taken("init")[0]
    assert visit["page[url]"] == page.url
    assert visit["page[title]"] == "A page"
    assert {name: value for name, value in visit.items() if name.startswith("utm")} == {
        "utm[source]": "mail",
        "utm[medium]": "spring",
    }
    assert init["technicalInfo[screenSize]"] == "1280x720"
    assert init["technicalInfo[browserType]"] == "Chrome"
    assert init["technicalInfo[deviceOs]"] == "Linux"
    assert 0 <= int(visit["sentAt"]) - int(visit["ts"]) < 60_000
    assert visit["eid"] != init["eid"]
