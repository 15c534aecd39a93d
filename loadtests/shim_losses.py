"""What a page sends and then is left, closed, killed or refused: how much of it is lost, how much comes twice."""

from collections.abc import Callable, Iterator
from contextlib import suppress

from playwright.sync_api import Error

from loadtests.shim_stand import Figure, Stand, crash
from tests.browser.pages import ready

# The word of a tab for its events, which holds for half a minute, found by one of them.
TAB = """said => 'ochn:tab:' + Object.keys(localStorage).find(key =>
  key.startsWith('ochn:q:') && localStorage[key].endsWith('%5D=' + said)).slice('ochn:q:'.length + 8)"""
EXPIRE = "tabs => tabs.forEach(tab => localStorage.setItem(tab, Date.now() + 300))"
Scenario = Callable[[Stand, int], None]


def link(stand: Stand, trials: int) -> None:
    with stand.visitor() as context:
        page = stand.open(context)
        for _ in range(trials):
            with page.expect_navigation():
                stand.send(page, then="document.getElementById('link').click()")
            page.wait_for_function("window.ochn && ochn.version")
        ready(page)


def reload(stand: Stand, trials: int) -> None:
    with stand.visitor() as context:
        page = stand.open(context)
        for _ in range(trials):
            with page.expect_navigation():
                stand.send(page, then="location.reload()")
            ready(page)


def reload_button(stand: Stand, trials: int) -> None:
    """Of which a page is told only as it goes."""
    with stand.visitor() as context:
        page = stand.open(context)
        for _ in range(trials):
            stand.send(page)
            page.reload()
            ready(page)


def close(stand: Stand, trials: int) -> None:
    """And the visitor never comes again: what did not leave with the page is lost."""
    for _ in range(trials):
        with stand.visitor() as context:
            page = stand.open(context)
            stand.send(page)
            page.close()
            stand.settle(5)


def slow_init(stand: Stand, trials: int) -> None:
    first_visits(stand, trials, closing=False)


def close_before_init(stand: Stand, trials: int) -> None:
    first_visits(stand, trials, closing=True)


def first_visits(stand: Stand, trials: int, *, closing: bool) -> None:
    """Ten visitors at a time; init takes 3 s."""
    for first in range(0, trials, 10):
        contexts = [stand.browser.new_context() for _ in range(min(10, trials - first))]
        stand.collector.fail("init", delay=3, times=len(contexts))
        for context in contexts:
            page = context.new_page()
            page.goto(stand.site.origin)
            page.wait_for_function("window.ochn && ochn.version")
            stand.send(page)
            if closing:
                page.close()
        stand.settle(20)
        for context in contexts:
            for page in context.pages:
                ready(page)
            context.close()


def offline(stand: Stand, trials: int) -> None:
    """Chromium lets a keepalive request pass while it plays offline: so the collector does not hear it either."""
    with stand.visitor() as context:
        for _ in range(trials):
            page = stand.open(context)
            context.set_offline(True)
            stand.collector.fail("send", drop=True, times=1000)
            stand.send(page)
            page.wait_for_timeout(300)
            with suppress(Error):
                page.reload()  # the browser's own page tells that there is no network
            context.set_offline(False)
            stand.collector.recover()
            page.goto(stand.site.origin)
            ready(page)
            page.close()


def refused(status: int, headers: dict[str, str], *, times: int = 1, drop: bool = False) -> Scenario:
    def scenario(stand: Stand, trials: int) -> None:
        with stand.visitor() as context:
            page = stand.open(context)
            for _ in range(trials):
                stand.collector.fail("send", status=status, headers=headers, drop=drop, times=times)
                stand.send(page)
                ready(page)

    return scenario


def back_and_forward(stand: Stand, trials: int) -> None:
    with stand.visitor() as context:
        page = stand.open(context)
        for _ in range(trials):
            with page.expect_navigation():
                stand.send(page, 5, then="document.getElementById('link').click()")
            ready(page)
            stand.send(page, 5, then="history.back()")
            page.wait_for_url(stand.site.origin + "/", wait_until="commit")
        ready(page)


def killed(stand: Stand, trials: int) -> None:
    """A trial is ten events: eight tabs send ten each, four of them are killed."""
    for _ in range(max(1, trials // 8)):
        with stand.visitor() as context:
            tabs = [stand.open(context) for _ in range(8)]
            stand.collector.fail("send", status=503, times=1000)
            dead = []
            for number, tab in enumerate(tabs):
                last = stand.send(tab)[-1]
                if number < 4:
                    dead.append(tab.evaluate(TAB, last))
                    crash(tab)
            stand.collector.recover()
            tabs[4].evaluate(EXPIRE, dead)  # or all would wait for half a minute
            tabs[4].wait_for_timeout(500)
            stand.flush(context)
            for tab in tabs[4:]:
                tab.evaluate("dispatchEvent(new Event('online'))")
                ready(tab)


# Name, events of the full run, scenario.
SCENARIOS: tuple[tuple[str, int, Scenario], ...] = (
    ("a link is followed", 1000, link),
    ("the page is reloaded", 1000, reload),
    ("the browser's reload button", 300, reload_button),
    ("the tab is closed", 1000, close),
    ("init takes 3 s", 1000, slow_init),
    ("init takes 3 s, the first page is closed before", 300, close_before_init),
    ("offline, reload, online", 300, offline),
    ("a burst of 503", 300, refused(503, {}, times=2)),
    ("the answer is reset", 300, refused(200, {}, drop=True)),
    ("429 and Retry-After", 300, refused(429, {"Retry-After": "1"})),
    ("back and forward", 300, back_and_forward),
    ("eight tabs, four killed", 320, killed),
)


def losses(stand: Stand) -> Iterator[Figure]:
    sent = twice = 0
    for name, events, scenario in SCENARIOS:
        stand.tell(name)
        stand.start()
        scenario(stand, stand.trials(events // 10))
        yield Figure(f"lost: {name}", "events", stand.lost(), 0, f"{len(stand.sent):,} of {events:,} events")
        repeated = stand.twice()
        sent, twice = sent + len(stand.sent), twice + repeated
        yield Figure(f"twice on the wire: {name}", "events", repeated, None, f"{len(stand.sent):,} events")
    yield Figure("twice on the wire, of all", "%", round(100 * twice / sent, 2), 1, f"{twice} of {sent:,} events")
    yield Figure("uncaught errors and rejections", "", len(stand.heard), 0, "; ".join(stand.heard[:3]))


def outage(stand: Stand) -> Iterator[Figure]:
    """The collector is down for a minute with a hundred events waiting."""
    seconds = max(10, round(60 * stand.share))
    stand.tell(f"down for {seconds} s")
    stand.start()
    with stand.visitor() as context:
        page = stand.open(context)
        stand.collector.fail("send", drop=True, times=10_000)
        first = stand.send(page, 100)[0]
        page.wait_for_timeout(seconds * 1000)
        # By when the script sent it: Chromium by itself repeats a request whose connection was kept open and is closed.
        calls = [call.fields for call in stand.collector.calls]
        asked = len({sent["sentAt"] for sent in calls if sent.get("aditionalData[description]") == first})
        stand.collector.recover()
        clock = page.evaluate("performance.now()")
        ready(page)
        took = (page.evaluate("performance.now()") - clock) / 1000
    yield Figure("requests of a tab while the collector is down", "", asked, 8, f"{seconds} of 60 s")
    yield Figure(
        "until 100 waiting events are there", "s", round(took, 1), 10, note="after the collector has come back"
    )
    yield Figure("lost: the collector is down", "events", stand.lost(), 0, "100 of 100 events")


def restores(stand: Stand) -> Iterator[Figure]:
    """Out of the back/forward cache each time, and one visit each."""
    trials = stand.trials(50)
    stand.tell("back/forward cache")
    stand.start()
    with stand.visitor() as context:
        page = stand.open(context)
        cached = 0
        for _ in range(trials):
            page.evaluate("window.revived = true")
            page.click("#link")
            page.wait_for_url("**/next")
            ready(page)
            page.go_back(wait_until="commit")
            cached += page.evaluate("!!window.revived")
            page.wait_for_function("ochn.state().queued === 0")
        visits = len(stand.collector.taken("send"))
    yield Figure("restores that missed the back/forward cache", "", trials - cached, 0, f"{trials} of 50")
    yield Figure("visits too many or too few at restores", "", abs(visits - 1 - 2 * trials), 0, f"{trials} of 50")
