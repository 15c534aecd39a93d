"""Who sends too much: held back above a rate, refused far above it, and nobody else is harmed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from base.clock import ManualClock
from base.logs import Logger
from base.metrics import collector_metrics
from base.reasons import Quarantine, Refusal
from collector.calls import Call
from collector.errors import Refused
from collector.judging.judge import Verdict
from collector.judging.keys import AppKey, KeyRing
from collector.judging.rates import _MOST, Buckets, Rates
from collector.reports import Reports
from collector.settings import KeySettings, RateSettings
from eventlog.event import Event
from tests.collector.inside import Inside, body_of, header, inside

WEB, MOBILE, BATCH = Call("web", "send"), Call("mobile", "send"), Call("web", "batch")
KEY = AppKey("demo", "default", frozenset(), frozenset())


def rates_of(clock: ManualClock, *, dev: bool = False, **told: Any) -> Rates:
    return Rates(RateSettings(**told), 500, clock.monotonic, dev=dev)


def verdicts(rates: Rates, calls: int, client: str = "192.0.2.7", call: Call = WEB, **fields: Any) -> dict[str, int]:
    told = {"taken": 0, "held": 0, "refused": 0}
    for _ in range(calls):
        try:
            told["held" if rates.over(call, KEY, client, fields) else "taken"] += 1
        except Refused as refused:
            assert refused.refusal is Refusal.RATE
            told["refused"] += 1
    return told


def test_an_address_of_the_web() -> None:
    clock = ManualClock()
    rates = rates_of(clock)
    assert verdicts(rates, 3000) == {"taken": 200, "held": 1800, "refused": 1000}
    assert verdicts(rates, 10, "192.0.2.8") == {"taken": 10, "held": 0, "refused": 0}
    clock.advance(1)
    assert verdicts(rates, 1000) == {"taken": 50, "held": 450, "refused": 500}
    clock.advance(60)
    assert verdicts(rates, 200)["taken"] == 200


def test_a_phone_by_key_and_mid_and_never_by_address() -> None:
    rates = rates_of(ManualClock())
    assert verdicts(rates, 1000, call=MOBILE, mid="one") == {"taken": 80, "held": 720, "refused": 200}
    assert verdicts(rates, 80, call=MOBILE, mid="two")["taken"] == 80
    assert verdicts(rates, 1000, call=Call("mobile", "init"))["taken"] == 1000
    batch = Call("mobile", "batch")
    assert [rates.over(batch, KEY, "", {"events": [{"mid": "three"}] * 100}) for _ in range(2)] == [False, True]


def test_a_batch_counts_as_its_events_and_is_taken_whole() -> None:
    clock = ManualClock()
    rates = rates_of(clock)
    assert verdicts(rates, 2, call=BATCH, events=[{}] * 500) == {"taken": 1, "held": 1, "refused": 0}
    clock.advance(5.9)
    assert verdicts(rates, 1)["held"] == 1
    clock.advance(0.2)
    assert verdicts(rates, 1)["taken"] == 1


def test_an_ipv6_house_is_one() -> None:
    rates = rates_of(ManualClock(), web_burst=2)
    assert verdicts(rates, 2, "2001:db8::1")["taken"] == 2
    assert verdicts(rates, 1, "2001:db8::ffff")["held"] == 1
    assert verdicts(rates, 1, "2001:db8:0:1::1")["taken"] == 1


@pytest.mark.parametrize(("told", "dev", "client"), [({}, True, "127.0.0.1"), ({}, True, "::1"), ({}, False, "")])
def test_who_is_not_counted(told: dict[str, Any], dev: bool, client: str) -> None:
    rates = rates_of(ManualClock(), dev=dev, **told)
    assert verdicts(rates, 5000, client)["taken"] == 5000
    assert {rates.stranger(client) for _ in range(50)} == {Refusal.UNKNOWN_KEY}


def test_a_load_test_from_one_host() -> None:
    rates = rates_of(ManualClock(), unlimited=("192.0.2.0/29", "2001:db8::1"))
    assert verdicts(rates, 5000)["taken"] == 5000
    assert verdicts(rates, 5000, call=MOBILE, mid="one")["taken"] == 5000
    assert verdicts(rates, 5000, "192.0.2.9")["refused"] > 0
    assert verdicts(rates_of(ManualClock()), 5000, "127.0.0.1")["refused"] > 0


def test_a_quota_is_of_all_who_use_the_key() -> None:
    clock = ManualClock()
    rates, key = rates_of(clock), AppKey("shop", "default", frozenset(), frozenset(), quota=5)
    held = [rates.over(WEB, key, f"192.0.2.{n}", {}) for n in range(30)]
    assert (held.count(False), held[:20].count(True)) == (20, 0)
    assert not rates.over(WEB, KEY, "192.0.2.1", {})
    clock.advance(1)
    more = AppKey("shop", "default", frozenset(), frozenset(), quota=50)  # as reloaded
    assert not any(rates.over(WEB, more, f"192.0.2.{n}", {}) for n in range(100))


def test_strangers_are_counted_by_address() -> None:
    clock = ManualClock()
    rates = rates_of(clock)
    told = [rates.stranger("192.0.2.7") for _ in range(12)]
    assert told == [Refusal.UNKNOWN_KEY] * 10 + [Refusal.BAD_KEYS] * 2
    assert rates.stranger("192.0.2.8") is Refusal.UNKNOWN_KEY
    clock.advance(6.1)
    assert rates.stranger("192.0.2.7") is Refusal.UNKNOWN_KEY


def test_a_million_addresses_fit() -> None:
    buckets = Buckets(50, 200)
    assert all(buckets.take(str(number), number / 100_000) for number in range(1_000_000))
    assert len(buckets) <= 2 * _MOST
    busy = [buckets.take("busy", 10.0) for _ in range(300)]
    for number in range(50_000):
        buckets.take(str(number), 10.0)
        busy.append(buckets.take("busy", 10.0))
    assert busy.count(True) == 200, "who goes on sending is not forgotten for others"


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 5)), max_size=60))
def test_a_bucket_never_gives_more_than_it_may(steps: list[tuple[float, int]]) -> None:
    """Against the plain reading: within any time no more than the burst, what came in meanwhile, and one debt."""
    buckets, now, given_at = Buckets(2, 6, largest=5), 0.0, list[tuple[float, int]]()
    for pause, count in steps:
        now += pause
        if buckets.take("a", now, count):
            given_at.append((now, count))
    for first, (start, _) in enumerate(given_at):
        taken = 0
        for moment, count in given_at[first:]:
            assert taken <= 6 - 0.999 + 2 * (moment - start) + 1e-6
            taken += count


class Watched(str):
    """A text that tells when it is compared."""

    __slots__ = ("compared",)
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        self.compared = True
        return str.__eq__(self, other)


def test_a_wrong_key_is_never_compared_with_a_right_one() -> None:
    """Only their hashes are, which are seeded anew in each process: time tells nothing of how much of it was right."""
    right = Watched("571e64183647a855d0sgf3a3")
    ring = KeyRing({"shop": KeySettings.model_construct(values=(right,))})
    right.compared = False
    assert not any(ring.find(right[:length] + "x" * (len(right) - length)) for length in range(len(right)))
    assert right.compared is False
    found = ring.find(str.__str__(right))
    assert (found is not None, right.compared) == (True, True)


async def many(house: Inside, count: int, path: str = "/jsapi/send", **fields: str) -> list[str]:
    body = "&".join(f"{name}={value}" for name, value in fields.items())
    replies = [await house.send(path, body) for _ in range(count)]
    return [header(reply, "x-event-status") or body_of(reply)["reason"] for reply in replies]


@pytest.mark.anyio
async def test_what_becomes_of_a_request(tmp_path: Path) -> None:
    visit = {"appkey": "demo", "uid": "v", "requestType": "action", "actionType": "visit"}
    async with inside(tmp_path, rates={"web_per_second": 1, "web_burst": 2, "refuse_at": 2}) as house:
        told = await many(house, 5, **visit)
        assert told == ["accepted"] * 2 + ["quarantined; reason=over_rate"] * 2 + ["rate"]
        assert [len(house.events()), len(house.quarantined())] == [2, 2]
        assert house.quarantined()[0].data == house.events()[0].data, "nothing is missing that a replay needs"
        refused = await house.send("/jsapi/send", "appkey=demo")
        assert (refused.status, header(refused, "retry-after")) == (429, "2")
        assert house.count("ochn_refused_total", reason="rate") == 2
        assert house.count("ochn_quarantined_total", reason="over_rate") == 2
        assert (await many(house, 3, "/mobileapi/geo", appkey="demo", mid="v", lat="1", lon="2"))[-1] == "accepted"


@pytest.mark.anyio
async def test_bad_keys_and_a_good_one_from_one_address(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        told = await many(house, 12, "/mobileapi/geo", appkey="nobody", mid="v")
        assert told == ["unknown_key"] * 10 + ["bad_keys"] * 2
        assert await many(house, 1, "/mobileapi/geo", appkey="demo", mid="v", lat="1", lon="2") == ["accepted"]


def test_one_line_tells_an_operator_who_is_too_fast(recorder: tuple[Logger, list[dict[str, Any]]]) -> None:
    logger, lines = recorder
    clock = ManualClock()
    reports = Reports(collector_metrics(CollectorRegistry()), logger, clock, events=False)
    stamp = "2026-11-22T00:00:00.000Z"
    event = Event(
        id="1",
        type="ochn.web.visit",
        subject="v",
        time=stamp,
        receivedtime=stamp,
        tenant="t",
        appkeyname="demo",
        door="/jsapi/send",
        data={},
    )

    async def report() -> None:
        for _ in range(50):
            reports.received(reports.note(Verdict(event, (), (Quarantine.OVER_RATE,), {})))
            clock.advance(0.5)

    asyncio.run(report())
    assert [(line["event"], line["appkeyname"], line["times"]) for line in lines] == [
        ("event.over_rate", "demo", 1),
        ("event.over_rate", "demo", 20),
        ("event.over_rate", "demo", 20),
    ]
    assert "trusted_proxies" in lines[0]["hint"]
