"""A topic may be kept for longer, or not as long, as the others."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from base.clock import ManualClock
from base.errors import SettingsError
from base.logs import quiet_logger
from base.metrics import log_metrics
from base.settings import validate
from eventlog.appending import append_durably
from eventlog.build import build_log
from eventlog.embedded import EmbeddedLog
from eventlog.log import Record
from eventlog.settings import LogSettings
from eventlog.topics import Topics
from forwarder.settings import ForwarderRoot
from ochn.check import remarks
from ochn.config import Settings
from tests.support.logs import scanned, writing

TOPICS = Topics()


@pytest.mark.anyio
async def test_each_topic_goes_when_its_own_time_is_up(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = LogSettings.model_validate(
        {
            "embedded": {"retention_hours": 10, "segment_seconds": 60},
            "retention": {"quarantine_hours": 1, "dead_letters_hours": 100},
        }
    )
    log = build_log(settings, tmp_path, TOPICS.all(()), clock, log_metrics(CollectorRegistry()), quiet_logger())
    assert isinstance(log, EmbeddedLog)
    kept = (TOPICS.events, TOPICS.quarantine, TOPICS.dead_letters, TOPICS.receipts)
    async with writing(log) as writer:
        await append_durably(writer, [Record(topic.name, b"k", b"v", clock.now()) for topic in kept])
    left = []
    for hours in (2, 9, 90):
        clock.advance(hours * 3600)
        log._keep_up()
        left.append([topic.name.split(".")[1] for topic in kept if await scanned(log, topic.name)])
    assert left == [["events", "dead-letters", "receipts"], ["dead-letters"], []]


@pytest.mark.anyio
@pytest.mark.parametrize(("ahead", "left"), [("jump", 1), ("advance", 0)])
async def test_a_clock_that_is_put_ahead_makes_nothing_old(tmp_path: Path, ahead: str, left: int) -> None:
    """And if the time has really passed, what is old goes."""
    clock = ManualClock()
    settings = LogSettings.model_validate({"embedded": {"retention_hours": 10, "segment_seconds": 60}})
    log = build_log(settings, tmp_path, TOPICS.all(()), clock, log_metrics(CollectorRegistry()), quiet_logger())
    assert isinstance(log, EmbeddedLog)
    async with writing(log) as writer:
        await append_durably(writer, [Record(TOPICS.events.name, b"k", b"v", clock.now())])
    getattr(clock, ahead)(365 * 86_400)
    for _ in range(2):
        log._keep_up()
    assert len(await scanned(log, TOPICS.events.name)) == left


@pytest.mark.parametrize("hours", [0, -1, "inf"])
def test_a_time_that_is_none_is_named(hours: object) -> None:
    with pytest.raises(SettingsError, match=r"log\.retention\.quarantine_hours"):
        validate(ForwarderRoot, {"log": {"retention": {"quarantine_hours": hours}}}, "test")


def test_what_is_parked_must_be_kept_for_as_long() -> None:
    raw = {"profile": "dev", "log": {"kafka": {"retention_hours": 5}}, "forwarder": {"parked_hours": 6}}
    validate(Settings, raw, "test")
    with pytest.raises(SettingsError, match=r"forwarder.parked_hours = 6: .* for 5 hours \(log.kafka.retention_hours"):
        validate(Settings, {**raw, "log": {**raw["log"], "kind": "kafka"}}, "test")  # type: ignore[dict-item]


def test_what_goes_before_the_events_that_speak_of_it_is_told() -> None:
    raw = {
        "profile": "dev",
        "keys": {"shop": {"values": ["k"]}},
        "collector": {"files_days": 6},
        "log": {"retention": {"receipts_hours": 48}},
    }
    told = remarks(validate(Settings, raw, "test"))
    assert [remark.split(":")[0] for remark in told if "files_days" in remark or "receipts" in remark] == [
        "collector.files_days = 6",
        "log.retention.receipts_hours = 48",
    ]
