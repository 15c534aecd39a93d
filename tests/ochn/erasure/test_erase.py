"""`ochn erase` over a log and a directory: what it shows, what it takes, what it leaves, and what it says."""

from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from base.ids import SystemIds
from base.lock import lock_data_dir
from base.logs import quiet_logger
from collector.judging.identity import Identity, IdKind, build_identity
from collector.settings import IdentitySettings
from eventlog.event import Event
from eventlog.log import Record
from forwarder.keeping.dead_letters import DeadLetter
from ochn.cli import app
from ochn.erasure.erase import AGAIN
from tests.forwarder.stand import TOPICS
from tests.ochn.erasure.test_person import ANN, BOB
from tests.ochn.stand import Stand
from tests.ochn.tracing.test_trace import refuse

KEYS = '[keys.shop]\nvalues = ["k"]\ntenant = "t"\n'


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    stand = Stand(tmp_path)
    config = tmp_path / "ochn.toml"
    config.write_text(config.read_text() + KEYS)
    return stand


def told(stand: Stand, *arguments: str, code: int = 0) -> dict[str, Any]:
    said = stand.ask("erase", *arguments, "--json", code=code)
    found: dict[str, Any] = orjson.loads(said[said.index("{") :])
    return found


def counts(receipt: dict[str, Any]) -> dict[str, tuple[int, int | None]]:
    return {row["where"]: (row["found"], row["erased"]) for row in receipt["rows"]}


def keep(stand: Stand, topic: str, key: str, value: bytes) -> None:
    stand.do(lambda: stand.world.append_records(Record(topic, key.encode(), value, stand.now())))


def letter(event: Event, body: str) -> DeadLetter:
    request = {
        "method": "POST",
        "url": "https://up.example/",
        "headers": {},
        "body": body,
    }
    return DeadLetter(
        id=event.id,
        destination="fp",
        reason="refused",
        at=event.receivedtime,
        event=event.to_dict(),
        request=request,
    )


def stored(stand: Stand) -> tuple[Event, Event]:
    """A quarantined event and a dead letter of each, of calls that carried both; files of both, and of who knows whom."""
    ann, bob = (stand.event(f"v-{who}", "feedback", email=who) for who in (ANN, BOB))
    for event in (ann, bob):
        keep(stand, TOPICS.quarantine.name, event.id, event.to_bytes())
        dead = letter(event, f'[{{"id":"{ann.id}"}},{{"id":"{bob.id}"}}]')
        keep(
            stand,
            TOPICS.dead_letters.name,
            dead.key.decode(),
            dead.to_record("", 0).value or b"",
        )
        (stand.directory / "files" / event.id).mkdir(parents=True)
        (stand.directory / "files" / event.id / "0").write_text("cv")
    (stand.directory / "oversize").mkdir()
    for name, body in {
        "lost-of-ann": f"e=1&email={ANN.replace('@', '%40').upper()}",
        "lost": "nobody",
    }.items():
        (stand.directory / "oversize" / name).write_text(body)
    return ann, bob


def test_what_would_go_is_shown_and_nothing_is_changed(stand: Stand) -> None:
    stored(stand)
    before = {path: path.read_bytes() for path in stand.directory.rglob("*.seg")}
    shown = told(stand, "--person", ANN, "--dry-run")
    assert counts(shown) == {
        "ochn.quarantine": (1, None),
        "ochn.parked": (0, None),
        "ochn.dead-letters": (1, None),
        "ochn.facts.fp": (0, None),
        "dead letters": (1, None),
        "files/, oversize/": (2, None),
        "ochn.events": (0, None),
        "at fp": (0, None),
    }
    assert (shown["dry_run"], shown["done"], ANN in orjson.dumps(shown).decode()) == (
        True,
        True,
        False,
    )
    assert before == {path: path.read_bytes() for path in stand.directory.rglob("*.seg")}
    assert "would" not in stand.ask("erase", "--person", ANN, "--dry-run")
    assert "nobody is there to agree" in stand.ask("erase", "--person", ANN, code=1)


def test_it_goes_with_what_others_calls_told_of_them(stand: Stand, tmp_path: Path) -> None:
    ann, bob = stored(stand)
    receipt = told(stand, "--person", ANN, "--yes", f"--out={tmp_path / 'receipt.json'}")
    assert counts(receipt)["files/, oversize/"] == (2, 2)
    assert orjson.loads((tmp_path / "receipt.json").read_bytes()) == receipt
    (left,) = map(orjson.loads, stand.ask("dead-letters", "list", "--json").splitlines())
    assert (left["id"], left["request"], left["event"]["data"]) == (
        bob.id,
        None,
        {"email": BOB},
    )
    assert [one for one in (ANN.encode(), ann.id.encode()) if one in b"".join(segments(stand))] == [ann.id.encode()]
    assert sorted(path.name for path in stand.directory.glob("*/*") if path.parent.name in ("files", "oversize")) == [
        *sorted([bob.id]),
        "lost",
    ]
    assert bob.id in stand.ask("quarantine", "list")
    again = told(stand, "--person", ANN, "--dry-run")
    assert {found for found, _ in counts(again).values()} == {0}


def segments(stand: Stand) -> list[bytes]:
    return [path.read_bytes() for path in stand.directory.rglob("*.seg")]


def keep_both(stand: Stand, event: Event) -> None:
    """In the quarantine, and as a dead letter."""
    keep(stand, TOPICS.quarantine.name, event.id, event.to_bytes())
    keep(stand, TOPICS.dead_letters.name, f"{event.id}:fp", letter(event, "").to_record("", 0).value or b"")


def test_replays_leave_them_out(stand: Stand) -> None:
    ann, bob = (stand.event(who) for who in ("v-ann", "v-bob"))
    stand.bring(ann, bob)
    for event in (ann, bob):
        keep_both(stand, event)
    stand.forget()
    stand.ask("erase", "--person", "visitor:v-ann", "--yes")
    for event in (ann, bob):  # as if they had come back from a backup
        keep_both(stand, event)
    for command in (
        ("replay", "--from=2h", "--destination=fp"),
        ("quarantine", "replay", "--all"),
        ("dead-letters", "replay", "--all"),
    ):
        assert "erased 1: of people who were erased since, left out" in stand.ask(*command, "--yes", "--rate=1000")
    replayed = [Event.from_record(record) for record in stand.logged()]
    assert [event.id for event in replayed if event.replayed] == [bob.id] * 3


def test_what_became_of_it_is_traced_as_erased(stand: Stand) -> None:
    who = identity().hashed(IdKind.CUSTOMER, "email", "t", ANN)
    parked, dead = (stand.event(subject)._replace(person=who) for subject in ("m-ann", "v-ann"))
    stand.upstream.fault = refuse
    stand.bring(parked, dead)
    stand.forget()
    assert [stand.outcomes(event.id, code=code) for event, code in ((parked, 4), (dead, 5))] == [
        [["parked"]],
        [["dead"]],
    ]
    stand.ask("erase", "--person", ANN, "--yes")
    for event in (parked, dead):
        ((row,),) = [copy["destinations"] for copy in stand.trace(event.id)["copies"]]
        assert (row["outcome"], row["reason"], "taken_back" in row) == ("filtered", "erased", False)


def identity() -> Identity:
    return build_identity(IdentitySettings(), SystemIds(), quiet_logger())


def test_who_is_several_is_asked_which(stand: Stand) -> None:
    people = [identity().hashed(IdKind.CUSTOMER, "customer_id", "t", number) for number in ("1", "2")]
    for number, who in zip(("1", "2"), people, strict=True):
        event = stand.event(who, "init", customerId=number, email=ANN)._replace(person=who)
        stand.do(partial(stand.world.append, event))
    said = stand.ask("erase", "--person", ANN, "--dry-run", code=1)
    assert "2 people told that" in said
    assert all(who in said for who in people)
    assert counts(told(stand, "--person", people[0], "--dry-run"))["ochn.events"] == (
        1,
        None,
    )
    assert counts(told(stand, "--person", "customer:2", "--dry-run"))["ochn.events"] == (1, None)


def test_nothing_found_and_a_receipt_that_can_not_be_written_are_told(stand: Stand, tmp_path: Path) -> None:
    stand.bring(stand.event("v1", email=ANN))
    misspelt = ("erase", "--person=nobody@shop.example", "--dry-run")
    assert "Nothing of this person was found" in stand.ask(*misspelt)
    assert "Nothing of this person" not in stand.ask("erase", f"--person={ANN}", "--dry-run")
    for place in (tmp_path / "gone" / "receipt.json", tmp_path):
        said = stand.ask("erase", f"--person={ANN}", "--yes", f"--out={place}", code=1)
        assert "the receipt can't be written to" in said
        assert "writing the list of the erased" not in said


def test_standard_input_keeps_a_name_out_of_sight(stand: Stand) -> None:
    stored(stand)
    here = [
        f"--config={stand.directory / 'ochn.toml'}",
        f"--data-dir={stand.directory}",
    ]
    done = CliRunner().invoke(app, ["erase", "--person", "-", "--dry-run", "--json", *here], input=f"{ANN}\n")
    assert counts(orjson.loads(done.stdout))["ochn.quarantine"] == (1, None)
    done = CliRunner().invoke(app, ["erase", "--person", "-", *here], input=f"{ANN}\ny\n")
    assert "nobody is there to agree" in str(done.exception)
    assert "no e-mail, phone" in stand.ask("erase", "--person", "  ", code=1)


def test_a_vendor_that_can_not_be_asked_is_said_and_the_command_fails(
    stand: Stand,
) -> None:
    stand.do(lambda: stand.world.append(stand.event("v", "init", customerId="44556677")))
    config = stand.directory / "ochn.toml"
    config.write_text(
        config.read_text().replace('127.0.0.1:9/"', '127.0.0.1:9/"\nerase = true\nkey = "k"\nsecret = "s"')
    )
    receipt = told(stand, "--person", "customer:44556677", "--yes", code=AGAIN)
    (row,) = [row for row in receipt["rows"] if row["where"] == "at fp"]
    assert (row["done"], receipt["done"]) == (False, False)
    assert "say the same again" in row["stays"]


def test_one_at_a_time_and_beside_no_replay(stand: Stand) -> None:
    for role in ("erase", "replay"):
        with lock_data_dir(stand.directory, role):
            assert f"in use by another {role}" in stand.ask("erase", "--person", ANN, "--yes", code=1)
