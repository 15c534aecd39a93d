"""What a page may hand over by mistake, and the bounds of what is kept. No tab may see an error (conftest)."""

import pytest

from tests.browser.counting_server import CountingServer
from tests.browser.pages import OpenTab, ready

pytestmark = pytest.mark.browser

HOSTILE = {
    "cycle": "(() => { const a = {good: 1}; a.self = a; a.list = [a, a]; return a; })()",
    "bushy cycle": "(() => { const a = {good: 1}; for (let n = 0; n < 90; n++) a['k' + n] = a; return a; })()",
    "function": "({good: 1, call() {}, later: async () => {}})",
    "node": "({good: 1, node: document.body, window, event: new MouseEvent('click')})",
    "symbol and bigint": "({good: 1, symbol: Symbol('s'), big: 10n, nan: NaN})",
    "throwing getter": "({good: 1, get bad() { throw new Error('mine'); }})",
    "revoked proxy": "({good: 1, bad: (() => { const p = Proxy.revocable({}, {}); p.revoke(); return p.proxy; })()})",
    "throwing toJSON": "({good: 1, bad: {toJSON() { throw new Error('mine'); }}})",
    "lone surrogates": "({good: 1, half: 'a\\ud83d', '\\udc00': 'b'})",
    "one megabyte": "({good: 1, long: 'x'.repeat(1e6), wide: Array.from({length: 50}, () => 'y'.repeat(2e4))})",
    "many fields": "({good: 1, many: Object.fromEntries(Array.from({length: 5000}, (_, n) => ['n' + n + 'x', n]))})",
    "long list": "({good: 1, list: Array.from({length: 500}, (_, n) => n), years: {2024: 'a'}})",
    "long name": "({good: 1, ['x'.repeat(300)]: 1, ['é'.repeat(150)]: 1})",
    "deep": "({good: 1, a: {b: {c: {d: {e: {f: {g: 1}}}}}}})",
}


def test_what_can_be_sent_is_sent_within_the_collectors_limits(collector: CountingServer, open_tab: OpenTab) -> None:
    page = open_tab()
    collector.wait_taken("send", 1)
    for data in HOSTILE.values():
        page.evaluate(f"() => {{ ochn.send('action', 'engagement', {data}); }}")
    events = collector.wait_taken("send", 1 + len(HOSTILE))[1:]
    for kind, event in zip(HOSTILE, events, strict=True):
        assert event.get("aditionalData[good]") == "1", kind
        assert len(event) < 1000, kind
        assert sum(map(len, event.values())) < 200_000, kind
        assert max(len(name.encode()) for name in event) <= 256, kind
        assert max(len(value.encode()) for value in event.values()) <= 16_384, kind
        assert max(name.count("[") for name in event) <= 5, kind
        parts = [part for name in event for part in name.replace("]", "").split("[")[1:]]
        assert all(int(part) <= 99 for part in parts if part.isdigit()), kind
    mended = dict(zip(HOSTILE, events, strict=True))["lone surrogates"]
    assert (mended["aditionalData[half]"], mended["aditionalData[\ufffd]"]) == ("a\ufffd", "b")


def test_calls_that_make_no_sense_do_no_harm(collector: CountingServer, open_tab: OpenTab) -> None:
    page = open_tab()
    for call in ("ochn.send()", "ochn.send({}, [])", "ochn.init({})", "ochn.init(Symbol('s'))", "ochn.prepopulate(1)"):
        page.evaluate(f"() => {{ {call}; }}")
    page.evaluate("() => { ochn.send('action', 'contact'); }")
    collector.wait(lambda: any(fields.get("actionType") == "contact" for fields in collector.taken("send")))


@pytest.mark.parametrize(("length", "at_least"), [(4, 1000), (3000, 100)], ids=["by number", "by size"])
def test_what_is_kept_is_bounded_and_leads_outlive_visits(
    length: int, at_least: int, collector: CountingServer, open_tab: OpenTab
) -> None:
    page = open_tab()
    collector.wait_taken("send", 1)
    ready(page)  # else the visit, on its way when the others come, is one of the thousand
    for path in ("send", "register"):
        collector.fail(path, drop=True, times=10_000)
    page.evaluate(
        """length => {
      ochn.register({userEmail: 'ana@shop.example'});
      for (let n = 0; n < 1100; n++) {
        ochn.send('action', 'engagement', {description: String(n).padStart(length, '0')});
      }
    }""",
        length,
    )
    queued, dropped = page.evaluate("[ochn.state().queued, ochn.state().dropped]")
    kept = page.evaluate("Object.entries(localStorage).filter(([key]) => key.startsWith('ochn:q:'))")
    assert queued + dropped == 1101
    assert at_least <= queued <= 1000
    assert len(kept) == queued
    assert sum(len(text) for _, text in kept) <= 512 * 1024 + 1000 * len("register\n")
    assert sum(text.startswith("register\n") for _, text in kept) == 1
    assert any(text.endswith("1099") for _, text in kept)
