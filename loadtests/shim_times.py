"""How long the script keeps a page's thread, in that thread's own processor time, as Chromium's trace tells it.

Times by the clock are those of a machine that does nothing else; this time is not. The bars are for a processor four
times slower: so it is told four times. How fast the machine is itself stands beside the load's time: that of a script
that does no more than any queue on a disk must, loaded by turns with ours.
"""

import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any

from playwright.sync_api import BrowserContext, Page

from loadtests.shim_stand import Figure, Stand
from tests.browser.pages import ready

SLOW = 4
LONG_TASK = 50  # ms (W3C, Long Tasks)
SCRIPT = ("EvaluateScript", "FunctionCall", "TimerFire", "RunMicrotasks")  # a task's part that is the page's scripts
SCRIPTS = {"/": "/jsapi/omnichannel.js", "/least": "/least.js"}  # of which page
LEAST = "try { localStorage.getItem('ochn:id'); document.cookie; } catch (e) { }"
SENDS = """count => {
  const times = [];
  for (let n = 0; n < count; n++) {
    const from = performance.now();
    ochn.send('action', 'engagement', {description: 'timed', brands: ['Zara', 'C&A'], n});
    times.push(performance.now() - from);
  }
  return times;
}"""
HIDE = """other => {
  for (let n = 0; n < 60; n++) ochn.send('action', 'engagement', {description: 'hide ' + n});
  location.href = other;
}"""
Trace = list[dict[str, Any]]


def times(stand: Stand) -> Iterator[Figure]:
    yield from loading(stand)
    yield from draining(stand)
    yield from hiding(stand)
    yield from sending(stand)


def traced(stand: Stand, page: Page) -> None:
    stand.browser.start_tracing(page=page, categories=["toplevel", "devtools.timeline"])


def trace(stand: Stand) -> Trace:
    """What the pages' main threads did since `traced`."""
    events: Trace = json.loads(stand.browser.stop_tracing())["traceEvents"]
    named = (event for event in events if event["name"] == "thread_name")
    mains = {(event["pid"], event["tid"]) for event in named if event["args"]["name"] == "CrRendererMain"}
    return [event for event in events if "tdur" in event and (event["pid"], event["tid"]) in mains]


def slowed(event: dict[str, Any]) -> float:
    """Its processor time in ms, on the slower machine."""
    return float(event["tdur"]) / 1000 * SLOW


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def loading(stand: Stand) -> Iterator[Figure]:
    """As a site's next page has it, and as the first page of a new tab, where the renderer itself is new."""
    stand.tell("loads")
    stand.start()
    stand.collector.pages["/least.js"] = LEAST
    stand.site.pages["/least"] = (
        f'<link rel="icon" href="data:,"><script src="{stand.collector.origin}/least.js"></script>'
    )
    loads, fresh = stand.trials(50), stand.trials(20)
    with stand.visitor() as context:
        page = stand.open(context)
        ours, least = by_turns(stand, lambda: page, loads)
        new, least_new = by_turns(stand, context.new_page, fresh)
    name, told = "load: evaluate and start, 4x", f"{loads} of 50 loads"
    yield Figure(f"{name}, median", "ms", median(ours), 3, told, f"best {min(ours):.1f}")
    yield Figure(f"{name}, p95", "ms", round(percentile(ours, 0.95), 2), 6, told)
    looks = "one look at localStorage and one at the cookie, 4x"
    yield Figure(f"{looks}, median", "ms", median(least), None, told, f"best {min(least):.1f}")
    yield Figure("evaluate and start in such looks", "", round(median(ours) / median(least), 1))
    told = f"{fresh} of 20 loads"
    yield Figure("evaluate and start in a new tab, 4x, median", "ms", median(new), None, told, f"best {min(new):.1f}")
    yield Figure(
        "the looks in a new tab, 4x, median", "ms", median(least_new), None, told, f"best {min(least_new):.1f}"
    )


def by_turns(stand: Stand, tab: Callable[[], Page], times: int) -> tuple[list[float], list[float]]:
    """What our script took each time, and what the least one did."""
    pairs = [[load(stand, tab(), path) for path in SCRIPTS] for _ in range(times)]
    return [ours for ours, _ in pairs], [least for _, least in pairs]


def median(took: list[float]) -> float:
    return round(statistics.median(took), 2)


def load(stand: Stand, page: Page, path: str) -> float:
    traced(stand, page)
    page.goto(stand.site.origin + path)
    if path == "/":
        ready(page)
    evaluated = (event for event in trace(stand) if event["name"] == "EvaluateScript")
    return next(slowed(event) for event in evaluated if event["args"]["data"].get("url", "").endswith(SCRIPTS[path]))


def full_queue(stand: Stand, context: BrowserContext) -> Page:
    """A thousand events are kept: the collector has asked for an hour's patience."""
    page = stand.open(context)
    stand.collector.fail("send", status=503, headers={"Retry-After": "3600"}, times=10_000)
    page.evaluate(SENDS, 1000)
    page.wait_for_timeout(300)
    return page


def draining(stand: Stand) -> Iterator[Figure]:
    """They are found by a page that comes later, and all are sent."""
    trials = stand.trials(5)
    stand.tell("a thousand events drain")
    longest = 0.0
    for _ in range(trials):
        stand.start()
        with stand.visitor() as context:
            full_queue(stand, context).close()
            stand.collector.recover()
            page = context.new_page()
            traced(stand, page)
            page.goto(stand.site.origin + "/quiet")
            ready(page)
            longest = max(longest, *(slowed(event) for event in trace(stand) if event["name"] in SCRIPT))
    yield Figure("longest task while 1,000 events drain, 4x", "ms", round(longest, 1), LONG_TASK, f"{trials} of 5")


def hiding(stand: Stand) -> Iterator[Figure]:
    trials = stand.trials(20)
    stand.tell("pagehide")
    stand.start()
    took: list[float] = []
    with stand.visitor() as context:
        for _ in range(trials):
            page = stand.open(context)
            traced(stand, page)
            with page.expect_navigation():
                page.evaluate(HIDE, stand.collector.origin + "/elsewhere")
            dispatched = (event for event in trace(stand) if event["name"] == "EventDispatch")
            took += [slowed(event) for event in dispatched if event["args"]["data"]["type"] == "pagehide"][:1]
            page.close()
    told, worst = f"{trials} of 20", f"worst {max(took):.1f}"
    yield Figure("pagehide with 60 events, 4x, median", "ms", round(statistics.median(took), 2), 5, told, worst)


def sending(stand: Stand) -> Iterator[Figure]:
    """By the clock, as each call takes; the best of the rounds is the one that was disturbed least."""
    rounds = stand.trials(10)
    stand.tell("send()")
    stand.start()
    with stand.visitor() as context:
        page = full_queue(stand, context)
        took: list[list[float]] = [page.evaluate(SENDS, 1000) for _ in range(rounds)]
    told = f"1,000 calls, 1,000 events kept; best of {rounds} of 10 rounds"
    middle = [statistics.mean(sorted(each)[400:600]) for each in took]  # the browser's clock ticks in tenths
    yield Figure("send(), p50", "ms", round(min(middle), 3), 0.1, told)
    yield Figure("send(), p99", "ms", round(min(percentile(each, 0.99) for each in took), 2), 1, told)
