"""What the script watches by itself, for pages that ask for it: behaviours 19 and 22 of docs/omnichannel.md."""

import pytest
from playwright.sync_api import Page

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, asking_page, ready, tracked_page

pytestmark = pytest.mark.browser

ALL = "data-spa data-links data-downloads data-forms data-fai data-scroll data-engaged data-vitals"
BODY = """<a id="inside" href="/inside">in</a> <a id="top" href="#top">top</a>
<a id="partner" href="http://localhost:9/shoes?secret=1#x" target="_blank"><b id="inner">partner</b></a>
<a id="file" href="/price-list.pdf">file</a> <a id="saved" href="/report" download>saved</a>
<form id="newsletter" action="/thanks"><input name="id" value="own"><input name="email" value="ana@shop.example"></form>
<form id="bare" action="/bare"><button>go</button></form>
<div id="host"></div><p style="height: 3000px">long</p>
<script>
  document.getElementById('host').attachShadow({mode: 'open'}).innerHTML =
    '<button fai-key="size-guide" data-fai-search-tag="boots">?</button>';
  document.getElementById('bare').removeAttribute('id');
  document.addEventListener('click', (event) => { window.prevented = event.defaultPrevented; event.preventDefault(); });
  document.addEventListener('submit', (event) => { window.prevented = event.defaultPrevented; event.preventDefault(); });
</script>"""


def told(collector: CountingServer, kind: str = "") -> list[str]:
    sent = [fields for fields in collector.taken("send") if kind in fields.get("aditionalData[kind]", "")]
    return [fields["aditionalData[description]"] for fields in sent if fields["actionType"] == "engagement"]


def visits(collector: CountingServer) -> list[str]:
    sent = [fields for fields in collector.taken("send") if fields["actionType"] == "visit"]
    return ["/" + fields["page[url]"].split("/", 3)[3] for fields in sent]


@pytest.fixture
def watched(site: CountingServer, collector: CountingServer, open_tab: OpenTab) -> Page:
    site.pages["/"] = asking_page(collector.origin, ALL, BODY)
    page = ready(open_tab())
    page.wait_for_function("!!window.ochnExtras")
    return page


def test_clicks_and_forms_are_told_and_not_touched(collector: CountingServer, watched: Page) -> None:
    for selector in ("#inside", "#top", "#inner", "#file", "#saved", "[fai-key]"):
        watched.click(selector)
        assert watched.evaluate("window.prevented") is False, selector
    watched.evaluate("document.querySelectorAll('form').forEach(form => form.requestSubmit())")
    assert watched.evaluate("window.prevented") is False
    said = [
        "links: http://localhost:9/shoes",
        "downloads: {site}/price-list.pdf",
        "downloads: {site}/report",
        "fai: size-guide",
        "forms: newsletter",
        "forms: /bare",
    ]
    collector.wait(lambda: len(told(collector)) >= len(said))
    site = watched.url.rstrip("/")
    assert told(collector) == [line.format(site=site) for line in said]
    assert "ana@shop.example" not in str(collector.calls)
    assert "secret" not in str(collector.calls)
    hook = next(fields for fields in collector.taken("send") if fields.get("aditionalData[kind]") == "fai")
    assert hook["aditionalData[searchTag]"] == "boots"


def test_nothing_is_told_unasked_and_no_second_file_is_loaded(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    site.pages["/"] = tracked_page(collector.origin) + BODY
    page = ready(open_tab())
    for selector in ("#inner", "#file", "[fai-key]"):
        page.click(selector)
    page.evaluate("document.querySelector('form').requestSubmit(); history.pushState(0, '', '/shoes')")
    page.wait_for_timeout(1500)
    page.goto(collector.origin + "/elsewhere")
    assert [call.path for call in collector.calls if "extras" in call.path] == []
    assert len(collector.wait_taken("send", 1)) == 1


def test_a_page_without_loads_visits_each_path_it_stays_at(collector: CountingServer, watched: Page) -> None:
    seen = ["/"]
    for change, visited in (
        ("history.pushState(0, '', '/shoes')", "/shoes"),
        ("history.replaceState(0, '', '/shoes?size=42')", "/shoes?size=42"),
        ("location.hash = '#reviews'", ""),  # a place on the page
        ("location.hash = '#/cart'", "/shoes?size=42#/cart"),  # a router's
        ("history.pushState(0, '', '/gone'); history.pushState(0, '', '/here')", "/here"),  # passed through
    ):
        watched.evaluate(change)
        if visited:
            seen.append(visited)
            collector.wait(lambda: len(visits(collector)) >= len(seen))
        else:
            watched.wait_for_timeout(1300)
        assert visits(collector) == seen
    watched.evaluate("history.back(); history.back()")
    collector.wait(lambda: len(visits(collector)) == len(seen) + 1)
    assert watched.evaluate("history.pushState.toString()").endswith("{ [native code] }")


@pytest.mark.parametrize(
    "route",
    [
        "history.pushState(0, '', '/shoes'); ochn.send('action', 'visit')",
        "ochn.send('action', 'visit'); history.pushState(0, '', '/shoes')",
        "history.pushState(0, '', '/shoes'); setTimeout(() => ochn.send('action', 'visit'), 600)",
    ],
    ids=["after", "before", "later"],
)
def test_a_page_that_sends_its_own_visits_sends_them_once(route: str, collector: CountingServer, watched: Page) -> None:
    watched.wait_for_timeout(200)
    watched.evaluate(route)
    collector.wait(lambda: len(visits(collector)) == 2)
    watched.wait_for_timeout(1300)
    assert len(visits(collector)) == 2


def test_a_path_just_reached_is_visited_also_when_the_page_is_left_at_once(
    collector: CountingServer, watched: Page
) -> None:
    watched.wait_for_timeout(200)
    watched.evaluate("history.pushState(0, '', '/shoes')")
    watched.goto(collector.origin + "/elsewhere")
    collector.wait(lambda: visits(collector) == ["/", "/shoes"])


def test_reading_is_told_when_the_page_is_left(collector: CountingServer, watched: Page) -> None:
    watched.mouse.move(100, 100)
    watched.mouse.wheel(0, 1200)
    watched.click("#top")
    watched.wait_for_timeout(2500)  # a tick of the second, also on a machine that is busy
    watched.goto(collector.origin + "/elsewhere")
    collector.wait(lambda: len(told(collector)) >= 3)
    (depth,), (time,), (vitals,) = [told(collector, kind) for kind in ("scroll", "engaged", "vitals")]
    assert 20 < int(depth.removeprefix("scroll: ").removesuffix(" %")) < 100
    assert 1 <= int(time.removeprefix("engaged: ").removesuffix(" s")) < 30
    assert vitals.startswith("vitals: LCP ")
    fields = next(fields for fields in collector.taken("send") if fields.get("aditionalData[kind]") == "vitals")
    assert {"aditionalData[ttfb]", "aditionalData[fcp]", "aditionalData[lcp]"} <= set(fields)
    assert collector.posts() == 2  # the visit and its init, then all of this


def test_a_page_asks_by_config_and_takes_it_back(
    site: CountingServer, collector: CountingServer, open_tab: OpenTab
) -> None:
    track = "function ochntrack() { ochn.config({fai: true}); ochn.init(); ochn.send('action', 'visit'); }"
    site.pages["/"] = asking_page(collector.origin, "", BODY, track)
    page = ready(open_tab())
    page.wait_for_function("!!window.ochnExtras")
    page.click("[fai-key]")
    collector.wait(lambda: told(collector) == ["fai: size-guide"])
    assert page.evaluate("ochn.config({fai: false, forms: true})") == {"fai": False, "forms": True}
    page.evaluate("new Promise(done => setTimeout(done))")  # it takes it up in a task of its own
    page.click("[fai-key]")
    page.evaluate("document.querySelector('form').requestSubmit()")
    collector.wait(lambda: told(collector)[1:] == ["forms: newsletter"])
