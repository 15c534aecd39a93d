"""Rows 17 to 20 of faults.md: each does to the product what its row says, and returns what is wrong then; nothing: []."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any, Final

import orjson

from tests.support.oracle import payload
from tests.system.destination_stand import EVERY, TIMEOUT, Stand, at, closest
from tests.system.outside import eventually, form, request

ASKED: Final = 2.0  # seconds, as Retry-After
DATE_AHEAD: Final = 5.0
SLACK: Final = 5.0  # seconds that a busy machine may be late
Faults = Mapping[str, Mapping[str, Any]]
# Who is not named is well, and must not notice.
ROUNDS: Final[tuple[Faults, ...]] = (
    {
        "footprints": {"fault": "500"},
        "ray": {"fault": "429", "retry_after": f"{ASKED:.0f}", "path": "/interaction"},
        "expertsender": {"fault": "refuse"},
        "engagelab": {"fault": "hang"},
    },
    {"netcore": {"fault": "drip"}, "ray": {"fault": "429", "path": "/interaction"}},
)


def destinations_that_are_down(stand: Stand) -> list[str]:
    """17: all is delivered, in time, with nothing dead; probes are few; Retry-After is obeyed; who is well is not late."""
    wrong: list[str] = []
    with stand.load():
        for faults in ROUNDS:
            stand.wait_until_well()
            wrong += _round(stand, faults)
            stand.product.fault()
    stand.wait_until_well()
    wrong += stand.missing()
    return wrong + [f"{name}: {dead} dead" for name in EVERY if (dead := stand.status(name)["dead"])]


def _round(stand: Stand, faults: Faults) -> list[str]:
    marks = {name: stand.mark(name) for name in faults}
    date = time.time() + DATE_AHEAD
    told = format_datetime(datetime.now(UTC) + timedelta(seconds=DATE_AHEAD), usegmt=True)
    for name, fault in faults.items():
        dated = {"retry_after": told} if fault["fault"] == "429" and "retry_after" not in fault else {}
        stand.product.fault(destination=name, **fault, **dated)
    time.sleep(stand.scale.fault_held)
    asked = [name for name, fault in faults.items() if fault.get("retry_after")]
    eventually(lambda: all(_waits(_met(stand, name, marks[name], "429")) for name in asked), stand.deadline)
    late = stand.keeps_up([name for name in EVERY if name not in faults])
    wrong = [f"well, and late: {one}" for one in late]
    for name, fault in faults.items():
        met = _met(stand, name, marks[name], fault["fault"])
        if fault.get("retry_after"):
            wrong += _not_as_asked(name, met)
        elif fault["fault"] == "429":
            wrong += [f"{name} was called before the date" for call in met[1:] if at(met[0]) + 1 < at(call) < date - 1]
        else:
            wrong += _too_often(name, met, stand.scale.probe_seconds)
    return wrong


def _met(stand: Stand, name: str, mark: int, fault: str) -> list[dict[str, Any]]:
    return [call for call in stand.calls(name, mark) if call["fault"] == fault]


def _waits(met: list[dict[str, Any]]) -> list[float]:
    """Seconds between calls. Who was under way when the first 429 came was not told yet."""
    times = [at(call) for call in met]
    return [after - before for before, after in pairwise(times) if after > times[0] + 0.5]


def _too_often(name: str, met: list[dict[str, Any]], spacing: float) -> list[str]:
    """Those that were under way when it began are no probes, nor those that made it known; the first probe may come
    sooner. How many there were, not how far apart: the sandbox dates them, and on a busy machine it does so late."""
    if not met:
        return [f"{name} met no fault: the row tests nothing"]
    probes = [call for call in met if at(call) > at(met[0]) + 2 * TIMEOUT + 0.5]
    seconds = time.time() - at(met[0])
    return [f"{name}: {len(probes)} probes in {seconds:.1f} s"] if len(probes) > 2 + seconds / spacing else []


def _not_as_asked(name: str, met: list[dict[str, Any]]) -> list[str]:
    waits = _waits(met)
    wrong = [f"{name}: called after {wait:.1f} s" for wait in waits if not 0.9 * ASKED <= wait <= 1.1 * ASKED + SLACK]
    return wrong if waits else [f"{name}: nobody came back after {ASKED:.0f} s"]


def answers_that_are_none(stand: Stand) -> list[str]:
    """18: only what was refused is dead; what nobody can read is no success."""
    stand.wait_until_well()
    dead_before = {name: stand.status(name)["dead"] for name in EVERY}
    refusals = 2
    orders: Faults = {
        "footprints": {"fault": "success_false", "path": "/jsapi/send", "times": refusals},
        "netcore": {"fault": "garbage", "times": 3},
        "ray": {"fault": "success_false", "path": "/interaction", "times": 3},
        "expertsender": {"fault": "reset", "times": 3},
        "engagelab": {"fault": "garbage", "path": "/report", "times": 3},
    }
    with stand.load():
        for name, order in orders.items():
            stand.product.fault(destination=name, **order)
        time.sleep(3.0)
    wrong = stand.missing([name for name in EVERY if name != "footprints"])
    lost = _lost_at_footprints(stand)
    if len(lost) != refusals:
        wrong.append(f"footprints refused {refusals}, and {len(lost)} are not there")
    stand.oracle.acknowledged -= lost  # they are told of: as dead
    wanted = {**dict.fromkeys(EVERY, 0), "footprints": refusals}

    def not_as_wanted() -> list[str]:
        dead = {name: stand.status(name)["dead"] - dead_before[name] for name in EVERY}
        return [f"{name}: {dead[name]} dead" for name in EVERY if dead[name] != wanted[name]]

    eventually(lambda: not not_as_wanted(), stand.deadline)  # a status is told once a second
    return wrong + not_as_wanted()


def _lost_at_footprints(stand: Stand) -> set[str]:
    until = time.monotonic() + stand.deadline
    while True:  # what waits is missing too, until it is there or refused
        refused = [call for call in stand.calls("footprints") if call["fault"] == "success_false"]
        told = {call["body"]["aditionalData"]["brands"][0] for call in refused}
        if stand.missing(["footprints"], deadline=0.0) == [f"footprints: {len(told)} lost, 0 invented, 0 spoiled"]:
            return told
        if time.monotonic() > until:
            return told
        time.sleep(0.5)


def tokens_that_expire(stand: Stand) -> list[str]:
    """19: a token call for each expiry, however many calls are under way; nothing dead; it goes on at once."""
    stand.wait_until_well()
    mark = stand.mark("ray")
    with stand.load():
        time.sleep(3.5 * stand.scale.token_seconds)
        late = stand.keeps_up(["ray"])
    calls = [call for call in stand.calls("ray", mark) if call["path"] == "/oauth/token"]
    wrong = [f"behind an expiry: {one}" for one in late]
    if len(calls) < 3:
        wrong.append(f"{len(calls)} token calls: the row tests nothing")
    if (near := closest(calls)) < 0.4 * stand.scale.token_seconds:
        wrong.append(f"two token calls within {near:.2f} s, of {len(calls)}")
    return wrong + stand.missing(["ray"]) + ([f"{dead} dead"] if (dead := stand.status("ray")["dead"]) else [])


def poison_in_a_batch(stand: Stand) -> list[str]:
    """20: one of 500 spoils the batch; it alone is dead, for few calls more. Netcore knows no asset of the app's."""
    stand.wait_until_well()
    dead_before, mark = stand.status("netcore")["dead"], stand.mark("netcore")
    quiet, people = 4, [who(stand, "buyer")]
    stand.product.fault(destination="netcore", fault="429", retry_after=str(quiet))
    send(stand, people, 1, "first")
    while not any(call["fault"] for call in stand.calls("netcore", mark)):
        time.sleep(0.05)
    stand.product.fault()
    _send_poison(stand)
    send(stand, people, 499, "rest")
    wrong = stand.missing(["netcore"])
    mark_dead = time.monotonic() + stand.deadline
    while stand.status("netcore")["dead"] == dead_before and time.monotonic() < mark_dead:
        time.sleep(0.2)
    calls = [call for call in stand.calls("netcore", mark) if not call["fault"]]
    largest = max(len(call["body"]) for call in calls)
    if largest < 400:
        wrong.append(f"the largest batch had {largest}: the row tests nothing")
    if len(calls) > 2 + 19:
        wrong.append(f"{len(calls)} calls")
    dead = stand.status("netcore")["dead"] - dead_before
    return wrong + ([f"{dead} dead"] if dead != 1 else [])


def who(stand: Stand, name: str) -> str:
    """A visitor, as the collector knows them."""
    told = form(stand.product.port, "/jsapi/init", {"appkey": "demo", "email": f"{name}@example.com"})
    return str(orjson.loads(told.body)["uid"])


def send(stand: Stand, people: Sequence[str], count: int, name: str) -> set[str]:
    """Visits of theirs in one batch; the oracle's ids."""
    visit = {"call": "send", "uType": "c", "requestType": "action", "actionType": "visit"}
    ids = [f"{stand.rounds}-{name}-{number:03}" for number in range(count)]
    events = [
        {**visit, "uid": people[number % len(people)], "aditionalData": {"brands": [one], "tenants": [payload(one)]}}
        for number, one in enumerate(ids)
    ]
    for one in ids:
        stand.oracle.write("issued", one)
    body = orjson.dumps({"appkey": "demo", "events": events})
    answer = request(stand.product.port, "POST", "/jsapi/batch", body, content_type="application/json")
    results = orjson.loads(answer.body)["results"]
    assert {result["status"] for result in results} == {"accepted"}, results[:3]
    for one in ids:
        stand.oracle.write("acknowledged", one)
    return set(ids)


def _send_poison(stand: Stand) -> None:
    told = form(stand.product.port, "/mobileapi/init", {"appkey": "demo", "userEmail": "poison@example.com"})
    who = orjson.loads(told.body)["mobileId"]
    fields = {"appkey": "demo", "mid": who, "requestType": "action", "actionType": "visit"}
    assert form(stand.product.port, "/mobileapi/send", fields).status == 200
