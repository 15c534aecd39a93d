"""Sent again: what was asked for, nothing else, and none of it twice, wherever a replay was stopped."""

import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import orjson
import pytest

from base.lock import lock_data_dir
from eventlog.event import Event
from eventlog.log import Record
from forwarder.keeping.dead_letters import DESTINATION_HEADER
from ochn.replaying.resending import Journal, rate_below
from tests.forwarder.stand import TOPICS
from tests.ochn.stand import Stand
from tests.ochn.tracing.test_trace import refuse

DEAD = ("dead-letters", "replay", "--all", "--yes", "--rate=1000")


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    return Stand(tmp_path)


def dead(stand: Stand, count: int) -> list[Event]:
    events = [stand.event(f"v{number}", ("visit", "sale")[number % 2]) for number in range(count)]
    stand.upstream.fault = refuse
    stand.bring(*events)
    stand.upstream.fault = lambda _call: None
    return events


def sent_again(stand: Stand) -> Counter[str]:
    """By id, how often an event stands in the log for `fp` alone."""
    meant = [record for record in stand.logged() if (DESTINATION_HEADER, b"fp") in record.headers]
    assert all(Event.from_record(record).replayed for record in meant)
    return Counter(Event.from_record(record).id for record in meant)


def listed(stand: Stand, *filters: str) -> list[str]:
    told = stand.ask("dead-letters", "list", "--json", *filters)
    return [orjson.loads(line)["id"] for line in told.splitlines()]


def test_dead_letters_by_filter_are_shown_before_they_are_sent(stand: Stand) -> None:
    events = dead(stand, 6)
    ids = [event.id for event in events]
    assert listed(stand) == listed(stand, "--destination=fp", "--reason=refused", "--key=shop", "--since=2h") == ids
    none = ("--reason=too_old", "--until=2h", "--since=2030-01-01T00:00:00Z")
    assert [listed(stand, filters) for filters in none] == [[]] * len(none)
    assert "no dead letter is like that" in stand.ask("dead-letters", "list", none[0])
    for nobody, there_are in (("--destination=other", "fp"), ("--reason=tired", "too_old"), ("--key=app", "shop")):
        told = stand.ask("dead-letters", "list", nobody, code=1)
        assert told.startswith(f"there is no {nobody[2:].replace('=', ' ')}")
        assert there_are in told
    shown = stand.ask(*DEAD[:3], "--dry-run", "--rate=2")
    assert "visit 3, sale 3" in shown.replace("web.", "")
    assert "fp takes no time with an event: it will be dated now there." in shown
    assert "about 3 s" in shown
    assert "nobody is there to agree" in stand.ask(*DEAD[:3], "--rate=9", code=1)
    assert "no dead letter that could be sent" in stand.ask(*DEAD, "--reason=too_old", code=1)
    assert "which ones?" in stand.ask("dead-letters", "replay", code=1)
    assert sent_again(stand) == {}
    assert "replayed 6" in stand.ask(*DEAD, "--destination=fp")
    assert (sent_again(stand), listed(stand)) == (Counter(ids), [])
    stand.do(stand.world.deliver)
    assert sorted(stand.upstream.ids()) == ids


def stop(stand: Stand, name: str, records: Sequence[tuple[str, Record]], *, appended: bool) -> None:
    """The last run told its journal of a step, and was killed before (or after) it was in the log."""
    Journal(stand.directory, name).write(doing=[key for key, _ in records], at=records[0][1].timestamp)
    if appended:
        stand.do(lambda: stand.world.append_records(*(record for _, record in records)))


@pytest.mark.parametrize("appended", [True, False])
def test_a_replay_that_was_killed_goes_on_and_sends_none_twice(stand: Stand, appended: bool) -> None:
    events = dead(stand, 5)
    begun = [(f"{event.id}:fp", again(stand, event)) for event in events[:2]]
    stop(stand, "dead-letters", begun, appended=appended)
    stand.ask(*DEAD)
    assert (sent_again(stand), listed(stand)) == (Counter(event.id for event in events), [])


def test_what_is_refused_again_before_its_letter_is_taken_back_stays(stand: Stand) -> None:
    """The replay was killed between the two, or was slower than the destination."""
    (event,) = dead(stand, 1)
    stop(stand, "dead-letters", [(f"{event.id}:fp", again(stand, event))], appended=True)
    stand.upstream.fault = refuse
    stand.do(stand.world.deliver)
    stand.upstream.fault = lambda _call: None
    assert listed(stand) == [event.id, event.id]
    stand.ask(*DEAD)
    stand.do(stand.world.deliver)
    assert (sent_again(stand), listed(stand)) == (Counter({event.id: 2}), [])
    assert stand.upstream.ids()[-1] == event.id
    assert stand.outcomes(event.id, "--whole") == [["dead"], ["dead"], ["delivered"]]


def test_ctrl_c_says_how_it_goes_on(stand: Stand) -> None:
    events = dead(stand, 12)
    here = (f"--config={stand.directory / 'ochn.toml'}", f"--data-dir={stand.directory}")
    heard = ["env", "--default-signal=INT"]  # also where a shell that runs these tests beside itself has it ignored
    ochn = [*heard, sys.executable, "-m", "ochn", *DEAD[:4], "--rate=0.1", *here]  # two minutes: no signal is late
    process = subprocess.Popen(ochn, stderr=subprocess.PIPE, text=True)
    journal, deadline = stand.directory / "replays" / "dead-letters.json", time.monotonic() + 60
    while not journal.exists() or orjson.loads(journal.read_bytes()).get("sent", 0) < 1:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert (process.returncode, told.splitlines()[-1].startswith("stopped: ")) == (130, True), told
    assert sent_again(stand).total() == 1
    stand.ask(*DEAD)
    assert sent_again(stand) == Counter(event.id for event in events)


def test_without_the_journal_they_would_go_twice(stand: Stand) -> None:
    events = dead(stand, 5)
    stop(stand, "dead-letters", [(f"{event.id}:fp", again(stand, event)) for event in events[:2]], appended=True)
    (stand.directory / "replays" / "dead-letters.json").unlink()
    stand.ask(*DEAD)
    assert sent_again(stand).total() == 7


def again(stand: Stand, event: Event) -> Record:
    record = event._replace(replayed=True).to_record(TOPICS.events.name, stand.now())
    return record._replace(headers=(*record.headers, (DESTINATION_HEADER, b"fp")))


def test_one_replay_at_a_time(stand: Stand) -> None:
    dead(stand, 1)
    with lock_data_dir(stand.directory, "replay"):
        assert "in use by another replay" in stand.ask(*DEAD, code=1)


def arrived(stand: Stand, count: int) -> list[Event]:
    """Ten seconds after each other."""
    events = []
    for number in range(count):
        event = stand.event(f"v{number}", ("visit", "sale")[number % 2])
        stand.do(partial(stand.world.append, event))
        events.append(event)
    return events


def window(stand: Stand, events: Sequence[Event]) -> tuple[str, ...]:
    """From the first of the events up to, not including, the last."""
    moments = (f"--from={events[0].receivedtime}", f"--to={events[-1].receivedtime}")
    return ("replay", *moments, "--destination=fp", "--yes", "--rate=4")


def test_a_window_of_the_log(stand: Stand) -> None:
    events = arrived(stand, 6)
    asked = window(stand, events[1:5])
    assert "there is no destination" in stand.ask(*asked, "--destination=nobody", code=1)
    assert "nothing of that window" in stand.ask(*asked, "--type=geo", code=1)
    assert "there is no key app" in stand.ask(*asked, "--key=app", code=1)
    assert "there is no type sail" in stand.ask(*asked, "--type=sail", code=1)
    assert "--to is not after --from" in stand.ask(*asked, "--from=1h", "--to=2h", code=1)
    assert "3" in stand.ask(*asked, "--dry-run")
    assert sent_again(stand) == {}
    stand.do(stand.world.deliver)
    assert "replayed 3" in stand.ask(*asked)
    assert sent_again(stand) == Counter(event.id for event in events[1:4])
    stand.do(stand.world.deliver)
    assert Counter(stand.upstream.ids()) == Counter(event.id for event in events) + sent_again(stand)
    assert "replayed to there already" in stand.ask(*asked, code=1)
    assert "replayed 1" in stand.ask(*asked, "--type=visit")
    assert "replayed 3" in stand.ask(*asked, "--again")
    assert "replayed 6" in stand.ask(*asked, f"--from={events[0].receivedtime}", "--to=0s", "--rate=8")


@pytest.mark.parametrize("appended", [True, False])
def test_a_window_goes_on_where_it_was_stopped(stand: Stand, appended: bool) -> None:
    events = arrived(stand, 6)
    asked = window(stand, events)
    stand.ask(*asked[:-2], "--dry-run")
    assert not (stand.directory / "replays").exists()
    stand.ask(*asked)
    (journal,) = (stand.directory / "replays").glob("window-*.json")
    state = orjson.loads(journal.read_bytes())
    journal.write_bytes(orjson.dumps({**state, "finished": False, "place": {"0": 2}, "sent": 2}))
    known = sent_again(stand)
    stop(stand, journal.stem, [(f"{events[2].id}:fp", again(stand, events[2]))], appended=appended)
    told = stand.ask(*asked)
    assert ("goes on: 2 went before" in told, f"replayed {2 if appended else 3}" in told) == (True, True)
    assert sent_again(stand) - known == Counter(event.id for event in events[2:5])


def test_what_is_kept_apart_is_listed(stand: Stand) -> None:
    waiting = stand.event("m1")
    stand.bring(waiting)
    (parked,) = map(orjson.loads, stand.ask("parked", "list", "--json").splitlines())
    assert (parked["id"], parked["destination"], parked["reason"]) == (waiting.id, "fp", "waits_for_contact")
    assert waiting.id in stand.ask("parked", "list", "--reason=waits_for_contact")
    assert "no parked event is like that" in stand.ask("parked", "list", "--reason=behind_parked")
    assert "there is no destination other" in stand.ask("parked", "list", "--destination=other", code=1)
    cut = stand.event("v1")._replace(quarantinereasons="event_too_large")
    record = Record(TOPICS.quarantine.name, cut.id.encode(), cut.to_bytes(), stand.now())
    stand.do(lambda: stand.world.append_records(record))
    for path in (f"oversize/{cut.id}", f"files/{waiting.id}/0"):
        (stand.directory / path).parent.mkdir(parents=True, exist_ok=True)
        (stand.directory / path).write_bytes(b"12345")
    rows = [orjson.loads(line) for line in stand.ask("quarantine", "list", "--json").splitlines()]
    assert [(row["id"], row.get("kept"), row.get("bytes")) for row in rows] == [
        (cut.id, None, None),
        (waiting.id, f"files/{waiting.id}/0", 5),
        (cut.id, f"oversize/{cut.id}", 5),
    ]
    assert f"oversize/{cut.id}" in stand.ask("quarantine", "list")
    assert orjson.loads(stand.ask("quarantine", "show", cut.id))["beside"][0]["bytes"] == 5
    assert "without what was cut out" in stand.ask("quarantine", "replay", cut.id)
    assert cut.id not in stand.ask("quarantine", "list").splitlines()[1]


def test_several_of_the_quarantine_are_asked_for_too(stand: Stand) -> None:
    held = [stand.event(f"v{number}")._replace(quarantinereasons="over_rate") for number in range(3)]
    for event in held:
        record = Record(TOPICS.quarantine.name, event.id.encode(), event.to_bytes(), stand.now())
        stand.do(partial(stand.world.append_records, record))
    assert "nobody is there to agree" in stand.ask("quarantine", "replay", "--all", code=1)
    assert "replayed 3" in stand.ask("quarantine", "replay", "--all", "--reason=over_rate", "--yes", "--rate=100")
    assert {Event.from_record(record).id for record in stand.logged()} == {event.id for event in held}
    assert "nothing is quarantined" in stand.ask("quarantine", "list")


@pytest.mark.anyio
async def test_it_is_slower_than_what_comes_in(stand: Stand) -> None:
    """Two thousand in the second that is measured: one thousand may be sent again in each."""
    scanner = await stand.world.log.open_scanner()
    await stand.world.append(stand.event("v"))

    class Busy(type(stand.clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            await stand.world.append(*(stand.event("v") for _ in range(2000)))
            self.advance(seconds)

    assert await rate_below(scanner, TOPICS.events.name, Busy()) == 1000
