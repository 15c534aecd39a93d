"""Pages that use the script as real ones do, and what came of it at the collector."""

import time
from collections.abc import Callable

from playwright.sync_api import Page

from tests.browser.counting_server import CountingServer

PATIENCE = 60.0  # seconds
OpenTab = Callable[..., Page]
TRACK_VISIT = "function ochntrack() { ochn.init(); ochn.send('action', 'visit'); }"
STUB = "window.ochn = {q: []}; ['init', 'send', 'config'].forEach(m => { ochn[m] = (...a) => { ochn.q.push([m, ...a]); }; });"


def loader(collector: str) -> str:
    """The vendor's own (reference page "JavaScript library"), base URL filled in."""
    return f"""<script>
    (function (d, s, id) {{
      var js, ojs = d.getElementsByTagName(s)[0];
      if (d.getElementById(id)) {{return;}}
      js = d.createElement(s); js.id = id; js.async=!0;
      js.src = "{collector}/jsapi/omnichannel.js"; ojs.parentNode.insertBefore(js, ojs);
    }} (document, 'script', 'omnichanneltrack'));
    </script>"""


def tracked_page(collector: str, *, key: str = "var ochnkey = 'demo';", track: str = TRACK_VISIT) -> str:
    return f"""<!doctype html><html><head><title>A page</title><link rel="icon" href="data:,">
    <script>{key} {track}</script></head><body><a id="link" href="/next">next</a>{loader(collector)}</body></html>"""


def asking_page(collector: str, attributes: str, body: str = "", track: str = TRACK_VISIT) -> str:
    """A page whose script tag asks for more than today's pages do: `data-links data-spa`."""
    return f"""<!doctype html><html><head><title>A page</title><link rel="icon" href="data:,">
    <script>var ochnkey = 'demo'; {track}</script>
    <script async {attributes} src="{collector}/jsapi/omnichannel.js"></script></head><body>{body}</body></html>"""


def send(page: Page, *descriptions: object) -> None:
    page.evaluate("all => all.forEach(d => ochn.send('action', 'engagement', {description: d}))", list(descriptions))


def ready(page: Page) -> Page:
    """Asked from outside each time: under a strict policy a page may not evaluate a text by itself, as
    `wait_for_function` lets it."""
    until = time.monotonic() + PATIENCE
    while not page.evaluate("!!window.ochn && !!ochn.version && !!ochn.state().kind && ochn.state().queued === 0"):
        assert time.monotonic() < until, "the script is not ready"
        page.wait_for_timeout(20)
    return page


def refused(page: Page) -> Page:
    """It has heard that its last request came to nothing, and pauses."""
    page.wait_for_function("ochn.state().failures > 0")
    return page


def described(collector: CountingServer) -> list[str]:
    """What send() calls said, in order of arrival, each event once however often it came."""
    seen = {fields["eid"]: fields.get("aditionalData[description]", "") for fields in collector.taken("send")}
    return [description for description in seen.values() if description]


def wait_described(collector: CountingServer, count: int) -> list[str]:
    collector.wait(lambda: len(described(collector)) >= count)
    return described(collector)
