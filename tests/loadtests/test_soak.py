"""A soak's reckoning finds what is missing, and a soak from end to end finds nothing, until something is taken away."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadtests.soak_load import MIX, Sent, request
from loadtests.soak_schedule import DESTINATIONS, OURS, schedule
from loadtests.soak_verdict import WANTED, Account, Entry, reckon
from tests.support.house import ROOT
from tests.support.oracle import payload

Told = Mapping[str, tuple[str, str]]

ONE = Sent("soak-1", "known", "feedback", 0.0, 0.1, 200, "e1")
GOOD: Told = {
    "footprints": ("delivered", ""),
    "netcore": ("dead", "bad_request"),
    "ray": ("filtered", "unmapped"),
    "expertsender": ("filtered", "unmapped"),
    "engagelab": ("parked", "keeps_failing"),
}


def a_call(brand: str = "soak-1", **changed: Any) -> dict[str, Any]:
    body = {"aditionalData": {"brands": [brand], "tenants": [payload("soak-1")]}}
    call = {"path": "/jsapi/send", "status": 200, "events": 1, "fault": None, "headers": {"x-event-id": "e1"}}
    return {**call, "body": body, **changed}


def footprints(
    outcomes: Told = GOOD, calls: tuple[dict[str, Any], ...] = (a_call(),), sent: Sent = ONE, copies: Told | None = None
) -> Account:
    entries = [Entry("e1", "soak-1", each) for each in (outcomes, copies) if each is not None]
    told: dict[str, Any] = {name: [] for name in DESTINATIONS} | {"footprints": calls}
    return reckon({sent.client: sent}, entries, told)[0]


def test_what_adds_up_is_clean() -> None:
    accounts = reckon({"soak-1": ONE}, [Entry("e1", "soak-1", GOOD)], {name: [] for name in DESTINATIONS})
    assert [account.faults for account in accounts[1:]] == [{}, {}, {}, {}]
    assert [sum(account.outcomes.values()) for account in accounts] == [1] * 5
    assert footprints().faults == {}


@pytest.mark.parametrize(
    ("account", "fault"),
    [
        (footprints({**GOOD, "footprints": ("", "")}), "missing"),
        (footprints(calls=()), "not at the vendor"),
        (footprints(calls=(a_call(fault="garbage", events=0),)), "not at the vendor"),
        (footprints(calls=(a_call(path="/jsapi/init"),)), "not at the vendor"),
        (footprints({**GOOD, "footprints": ("filtered", "unmapped")}), "wrongly filtered"),
        (footprints(calls=(a_call(), a_call("soak-2"))), "spoiled"),
        (footprints(calls=(a_call(), a_call(headers={"x-event-id": "e9"}))), "invented"),
    ],
    ids=lambda told: told if isinstance(told, str) else "",
)
def test_what_does_not_add_up_is_named(account: Account, fault: str) -> None:
    assert list(account.faults) == [fault]


def test_an_unanswered_event_may_have_come_to_anything() -> None:
    assert footprints(sent=replace(ONE, status=0, id="")).faults == {}


def test_a_copy_in_the_log_counts_once_and_a_second_call_is_a_duplicate() -> None:
    account = footprints(copies=dict.fromkeys(DESTINATIONS, ("filtered", "duplicate")), calls=(a_call(), a_call()))
    assert (account.faults, account.duplicates, account.outcomes["delivered"]) == ({}, 1, 1)


def test_twenty_minutes_break_everything_and_end_in_quiet() -> None:
    faults = schedule(1200)
    assert {(fault.victim, fault.kind) for fault in faults} >= set(OURS)
    assert {fault.victim for fault in faults} >= set(DESTINATIONS)
    assert all(after.at - before.at >= before.seconds for before, after in itertools.pairwise(faults))
    assert faults[-1].at + faults[-1].seconds < 1200 * 0.85


def test_everything_that_is_sent_is_wanted_somewhere() -> None:
    assert WANTED.keys() == MIX.keys()
    assert all(request(Sent("soak-1", who, what, 0.0, 0.0), "v") for who, what in MIX)


@pytest.mark.system
@pytest.mark.kafka
def test_a_short_soak_is_clean_until_a_delivered_event_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "soak"
    asked = ["--minutes", "0.15", "--rate", "40", "--quiet", "120", "--folder", str(folder)]
    done = soak(*asked)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (folder / "soak.png").stat().st_size > 10_000
    assert {fault["victim"] for fault in json.loads((folder / "verdict.json").read_text())["faults"]} >= {"kafka"}

    received = folder / "data/sandbox/calls.jsonl"
    calls = received.read_text().splitlines(keepends=True)
    taken = next(call for call in calls if '"expertsender"' in call and '"events":1' in call)
    received.write_text("".join(call for call in calls if call != taken))
    judged = soak("--reckon", str(folder))
    assert judged.returncode == 1
    assert "expertsender: 1 not at the vendor" in judged.stdout
    assert json.loads(taken)["headers"]["x-event-id"] in judged.stdout


def soak(*asked: str) -> "subprocess.CompletedProcess[str]":
    """With pauses that are short, as the faults are."""
    command, brisk = [sys.executable, "-m", "loadtests.soak", *asked], {"LONGEST_RETRY": "2", "PROBE_SECONDS": "2"}
    environ = {**os.environ, **{f"OCHN_FORWARDER__{name}": value for name, value in brisk.items()}}
    return subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=280, check=False)
