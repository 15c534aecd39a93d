"""How long the script keeps a page's thread, in that thread's own processor time, as Chromium's trace tells it.

Times by the clock are those of a machine that does nothing else; this time is not. The bars are for a processor four
times slower: so it is told four times. How fast the machine is itself stands beside the load's time: that of scripts
that do no more than they must, loaded by turns with ours. One takes a look at the browser's storage and one at its
cookie; one does what no script can leave out that tells of a visit and keeps it until it is answered.
"""

import json
import statistics
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from playwright.sync_api import BrowserContext, Page

from loadtests.shim_stand import Figure, Stand
from tests.browser.pages import ready

SLOW = 4
LONG_TASK = 50  # ms (W3C, Long Tasks)
SCRIPT = ("EvaluateScript", "FunctionCall", "TimerFire", "RunMicrotasks")  # a task's part that is the page's scripts
SCRIPTS = {"/": "/jsapi/omnichannel.js", "/looks": "/looks.js", "/floor": "/floor.js"}  # of which page
LOOKS = "localStorage.getItem('ochn:id'); document.cookie;"
FLOOR = """const body = 'eid=' + Date.now();
localStorage.setItem('floor', body);
fetch('COLLECTOR/jsapi/send', {method: 'POST', body, keepalive: true});"""
NOBODY = """() => {
  localStorage.clear();
  document.cookie = 'ochn_vid=;path=/;max-age=0';
}"""
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
    return [event for event in events if (event["pid"], event["tid"]) in mains]


def slowed(event: dict[str, Any]) -> float:
    """Its processor time in ms, on the slower machine."""
    return float(event["tdur"]) / 1000 * SLOW


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


class Load(NamedTuple):
    """In ms: the script's own task, and all of its tasks until its first request is out (0: it makes none)."""

    start: float
    told: float


def loading(stand: Stand) -> Iterator[Figure]:
    """As a site's next page has it, as a visitor's very first, and as the first of a new tab, whose renderer is new."""
    stand.tell("loads")
    stand.start()
    least = {"/looks": LOOKS, "/floor": LOOKS + FLOOR.replace("COLLECTOR", stand.collector.origin)}
    for path, script in least.items():
        stand.collector.pages[SCRIPTS[path]] = script
        tag = f'<script src="{stand.collector.origin}{SCRIPTS[path]}"></script>'
        stand.site.pages[path] = f'<link rel="icon" href="data:,">{tag}'
    loads, fresh = stand.trials(50), stand.trials(20)
    with stand.visitor() as context:
        page = stand.open(context)
        ours, looks, floor = by_turns(stand, lambda: page, SCRIPTS, loads)
        nobody = [first_visit(stand, page) for _ in range(fresh)]
        new, new_looks, new_floor = by_turns(stand, context.new_page, SCRIPTS, fresh)
    name, told = "load: evaluate and start, 4x", f"{loads} of 50 loads"
    start = [each.start for each in ours]
    yield Figure(f"{name}, median", "ms", median(start), 3, told, f"best {min(start):.1f}")
    yield Figure(f"{name}, p95", "ms", round(percentile(start, 0.95), 2), 6, told)
    yield took("one look at localStorage and one at the cookie", [each.start for each in looks], told)
    yield took("the same, one write and one request: the floor", [each.start for each in floor], told)
    yield took("until the first request is out", [each.told for each in ours], told)
    ratio = median([each.told for each in ours]) / median([each.told for each in floor])
    yield Figure("until the first request is out, in such floors", "", round(ratio, 1))
    told = f"{fresh} of 20 loads"
    yield took("a visitor's first page, evaluate and start", [each.start for each in nobody], told)
    yield took("a new tab, evaluate and start", [each.start for each in new], told)
    yield took("a new tab, the looks", [each.start for each in new_looks], told)
    yield took("a new tab, the floor", [each.start for each in new_floor], told)


def took(name: str, values: list[float], told: str) -> Figure:
    return Figure(f"{name}, 4x, median", "ms", median(values), None, told, f"best {min(values):.1f}")


def by_turns(stand: Stand, tab: Callable[[], Page], paths: Iterable[str], times: int) -> list[tuple[Load, ...]]:
    """What each page's script took each time."""
    rounds = [[load(stand, tab(), path) for path in paths] for _ in range(times)]
    return list(zip(*rounds, strict=True))


def median(values: list[float]) -> float:
    return round(statistics.median(values), 2)


def first_visit(stand: Stand, page: Page) -> Load:
    page.goto(stand.site.origin + "/looks")
    page.evaluate(NOBODY)
    return load(stand, page, "/")


def load(stand: Stand, page: Page, path: str) -> Load:
    traced(stand, page)
    page.goto(stand.site.origin + path)
    if path == "/":
        ready(page)
    events = trace(stand)
    evaluated = (event for event in events if event["name"] == "EvaluateScript")
    began = next(event for event in evaluated if event["args"]["data"].get("url", "").endswith(SCRIPTS[path]))
    requests = (event for event in events if event["name"] == "ResourceSendRequest")
    posted = [event["ts"] for event in requests if event["args"]["data"].get("requestMethod") == "POST"]
    tasks = (event for event in events if event["name"] in ("EvaluateScript", "TimerFire"))
    told = sum(slowed(event) for event in tasks if began["ts"] <= event["ts"] < min(posted, default=0))
    return Load(slowed(began), told)


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
