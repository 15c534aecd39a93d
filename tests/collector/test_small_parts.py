"""Times, consent, admission, the log's own limit, and what is reported."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Gauge

from base.clock import ManualClock
from base.logs import Logger
from base.metrics import collector_metrics
from base.reasons import Refusal
from collector.admission import Admission
from collector.judging.moments import moments, read_moment
from collector.judging.signals import consent, read_cookies
from collector.reports import Reports
from eventlog.errors import RecordTooLarge
from tests.collector.inside import PickyLog, header, inside

pytestmark = pytest.mark.anyio

RECEIVED = 1_800_000_000.0
RECEIPT = "2027-01-15T08:00:00.000Z"
DAY = 86_400_000


@pytest.mark.parametrize(
    ("ts", "sent_at", "time", "bad"),
    [
        (None, None, RECEIPT, False),
        (None, 1, RECEIPT, False),
        ("2027-01-15T07:59:00Z", None, "2027-01-15T07:59:00.000Z", False),
        (1_799_999_940_000, None, "2027-01-15T07:59:00.000Z", False),
        ("1799999940000.5", None, "2027-01-15T07:59:00.000Z", False),
        (5_000, 65_000, "2027-01-15T07:59:00.000Z", False),  # a phone that lives in 1970
        ("2030-01-01T00:00:00Z", "2030-01-01T02:01:00+02:00", "2027-01-15T07:59:00.000Z", False),
        (65_000, 5_000, RECEIPT, False),  # a clock set back by a minute meanwhile
        (66_000, 5_000, RECEIPT, True),
        (1_800_000_000_000 - 31 * DAY, None, RECEIPT, True),
        (1_800_000_000_000 + DAY, None, RECEIPT, True),
        ("yesterday", None, RECEIPT, True),
        ("2027-01-15T07:59:00", None, RECEIPT, True),  # no zone
        (1_799_999_940_000, "soon", "2027-01-15T07:59:00.000Z", True),
    ],
)
def test_the_devices_clock_is_corrected(ts: Any, sent_at: Any, time: str, bad: bool) -> None:
    found = moments(ts, sent_at, RECEIVED, RECEIPT)
    assert (found.time, found.bad) == (time, bad)


@pytest.mark.parametrize("value", [True, -1, 10**400, float("nan"), float("inf"), "", ".", "\ud800", [], {}, "9" * 99])
def test_what_is_no_time(value: Any) -> None:
    assert read_moment(value) is None


async def test_a_time_that_cannot_be_read_stays_with_the_event(tmp_path: Path) -> None:
    async with inside(tmp_path) as house:
        await house.send("/mobileapi/geo", "appkey=demo&mid=v&lat=1&lon=2&ts=yesterday&eid=" + "x" * 129)
        (event,) = house.events()
    assert event.data == {"lat": "1", "lon": "2", "ts": "yesterday", "eid": "x" * 129}
    assert (event.clienttime, event.clienteventid) == (None, None)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({}, None),
        ({"cookie": "cookie_consent=accepted"}, "cookie=accepted"),
        ({"cookie": "a=b; cookie_consent=declined ; c"}, "cookie=declined"),
        ({"cookie": 'cookie_consent="accepted"', "sec-gpc": "1", "dnt": "1"}, "cookie=accepted;gpc=1;dnt=1"),
        (
            {"cookie": "cookie_consent=%7B%22analytics%22%3Atrue%2C%22marketing%22%3A%22no%22%7D"},
            "cookie=analytics:yes,marketing:no",
        ),
        ({"cookie": 'cookie_consent={"analytics":0,"x":[]}'}, "cookie=analytics:no"),
        ({"cookie": "cookie_consent=%FF", "sec-gpc": "0", "dnt": "unspecified"}, None),
        ({"cookie": "cookie_consent=[1]"}, None),
        ({"cookie": 'cookie_consent={"analytics":{}}'}, None),
    ],
)
def test_consent_is_what_was_said(headers: dict[str, str], said: str | None) -> None:
    assert consent(headers, read_cookies(headers)) == said


@pytest.mark.anyio
async def test_admission_counts_requests_and_bytes() -> None:
    admission = Admission(2, 100, Gauge("g", "g", registry=None))
    assert [admission.enter(60), admission.enter(60), admission.enter(40), admission.enter(0)] == [
        True,
        False,
        True,
        False,
    ]
    admission.leave(60)
    admission.leave(40)
    assert admission.enter(1000)  # alone
    assert not admission.enter(1)
    admission.leave(1000)
    assert (admission.requests, admission.bytes) == (0, 0)


@pytest.mark.anyio
@pytest.mark.parametrize(("sizes", "crowded"), [([1], False), ([1, 1], True), ([49], False), ([50], True)])
async def test_half_of_the_requests_or_of_the_bytes_is_a_crowd(sizes: list[int], crowded: bool) -> None:
    admission = Admission(4, 100, Gauge("g", "g", registry=None))
    assert all(admission.enter(size) for size in sizes)
    assert admission.is_half_full() == crowded


async def test_what_the_log_refuses_for_its_size_is_kept_beside_it(tmp_path: Path) -> None:
    body = "appkey=demo&mid=v&lat=1&lon=2&note=" + "x" * 2000
    most = {"bytes": 1000}
    log = PickyLog(lambda record: RecordTooLarge("it is") if len(record.value or b"") > most["bytes"] else None)
    async with inside(tmp_path, writer=log) as house:
        reply = await house.send("/mobileapi/geo", body)
        assert (reply.status, header(reply, "x-event-status")) == (200, "quarantined; reason=event_too_large")
        (kept,) = (tmp_path / "oversize").iterdir()
        assert b"x" * 2000 in kept.read_bytes()
        assert [record.topic for record in log.records] == ["ochn.quarantine"]
        most["bytes"] = 10
        assert (await house.send("/mobileapi/geo", body)).status == 503


def test_refusals_are_counted_always_and_told_seldom(recorder: tuple[Logger, list[dict[str, Any]]]) -> None:
    logger, lines = recorder
    clock, registry = ManualClock(), CollectorRegistry()
    reports = Reports(collector_metrics(registry), logger, clock, events=False)
    for _ in range(100):
        reports.refused(Refusal.UNKNOWN_KEY)
    clock.advance(11)
    reports.refused(Refusal.UNKNOWN_KEY)
    assert registry.get_sample_value("ochn_refused_total", {"reason": "unknown_key"}) == 101
    assert [line["times"] for line in lines] == [1, 100]
