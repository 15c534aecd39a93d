"""Where omnichannel.js is measured: a real Chromium, a site, and a server on another origin that counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

from tests.browser.conftest import CHROMIUM_ARGS
from tests.browser.counting_server import CountingServer
from tests.browser.pages import described, ready, tracked_page
from tests.support.tools import require

PATIENCE = 60.0  # seconds for the last event of a scenario
SEND = """all => { for (const d of all) ochn.send('action', 'engagement', {description: d}); }"""
LINK = '<a id="link" href="/next">next</a>'


@dataclass(frozen=True)
class Figure:
    """`most` is the bar, where there is one; a value above it has missed it. `trials`: how many of how many."""

    name: str
    unit: str
    value: float
    most: float | None = None
    trials: str = ""
    note: str = ""

    @property
    def held(self) -> bool | None:
        return None if self.most is None else self.value <= self.most


@dataclass
class Stand:
    """`share` of the full trials is run. Every event has a name of its own, so that what is lost can be told."""

    browser: Browser
    collector: CountingServer
    site: CountingServer
    share: float
    tell: Callable[[str], None]
    sent: set[str] = field(default_factory=set)
    heard: list[str] = field(default_factory=list)
    _names: Iterator[int] = field(default_factory=count)

    def trials(self, full: int) -> int:
        return max(1, round(full * self.share))

    @contextmanager
    def visitor(self) -> Iterator[BrowserContext]:
        with self.browser.new_context() as context:
            context.on("weberror", lambda error: self.heard.append(str(error.error)))
            yield context

    def open(self, context: BrowserContext, path: str = "/") -> Page:
        page = context.new_page()
        page.goto(self.site.origin + path)
        return ready(page)

    def names(self, number: int) -> list[str]:
        made = [f"e{next(self._names)}" for _ in range(number)]
        self.sent.update(made)
        return made

    def send(self, page: Page, number: int = 10, then: str = "") -> list[str]:
        """All in one task of the page, and `then` in the same. -> their names."""
        names = self.names(number)
        page.evaluate(f"all => {{ ({SEND})(all); {then} }}", names)
        return names

    def flush(self, context: BrowserContext) -> None:
        """A page that comes later, as the visitor's next would: it takes over what others have left."""
        page = context.new_page()
        page.goto(self.site.origin + "/quiet")
        page.wait_for_function("window.ochn && ochn.version")
        page.evaluate("dispatchEvent(new Event('online'))")
        page.wait_for_timeout(100)  # it looks for what others have left in a task of its own
        for each in context.pages:
            each.wait_for_function("ochn.state().queued === 0", timeout=PATIENCE * 1000)

    def start(self) -> None:
        """Counts begin anew."""
        self.collector.recover()
        self.collector.calls.clear()
        self.sent.clear()

    def settle(self, seconds: float) -> None:
        """Until all that was sent is there, or this time has passed."""
        with suppress(AssertionError):
            self.collector.wait(lambda: self.sent <= set(described(self.collector)), seconds)

    def lost(self) -> int:
        self.settle(PATIENCE)
        return len(self.sent - set(described(self.collector)))

    def twice(self) -> int:
        arrived = [fields["eid"] for fields in self.collector.taken("send")]
        return len(arrived) - len(set(arrived))


@contextmanager
def stand(share: float, tell: Callable[[str], None]) -> Iterator[Stand]:
    with CountingServer() as collector, CountingServer() as site, sync_playwright() as playwright:
        site.pages |= {path: tracked_page(collector.origin) for path in ("/", "/next")}
        collector.pages["/elsewhere"] = '<link rel="icon" href="data:,">'
        site.pages["/quiet"] = tracked_page(collector.origin, track="")
        browser = playwright.chromium.launch(
            executable_path=require("chromium"),
            args=CHROMIUM_ARGS,
            ignore_default_args=["--disable-back-forward-cache"],
        )
        yield Stand(browser, collector, site, share, tell)
        browser.close()


def crash(page: Page) -> None:
    """As kill -9 of its renderer does: no handler runs."""
    with page.expect_event("crash"), suppress(Error):
        page.goto("chrome://crash", wait_until="commit", timeout=5000)
    page.close()
