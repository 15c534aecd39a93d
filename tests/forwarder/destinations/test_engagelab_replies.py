"""What EngageLab's replies cost, and whom."""

import pytest

from base.reasons import Dead, Trouble
from forwarder.destinations.base import visitor_key
from forwarder.errors import TimedOut, TransportError
from forwarder.transport import Reply, Request
from tests.support.destinations import MemoryFacts, body_of
from tests.support.engagelab import ANN, CONTACT, LEAD, REGISTER, REPORT, SALE, VENDOR, course, saying
from tests.support.events import NOW, make_event, send

KEY = visitor_key(SALE)


@pytest.mark.parametrize("code", [40007, 55108])
def test_an_euid_that_is_none_is_asked_for_again_once(facts: MemoryFacts, code: int) -> None:
    course(facts, make_event("web.init", ANN))
    found = course(facts, SALE, answer=saying(code, "report", times=1))
    assert found.sent() == [REPORT, REGISTER, REPORT]
    assert found.outcomes[SALE.id].kind == "delivered"
    again = send("sale")
    found = course(facts, again, answer=saying(code, "report"), now=NOW + 61)
    assert found.sent() == [REPORT, REGISTER, REPORT]
    assert (found.outcomes[again.id].kind, found.outcomes[again.id].reason) == ("dead", Dead.REFUSED)


def test_a_new_euid_is_told_the_contacts_too(facts: MemoryFacts) -> None:
    course(facts, make_event("web.init", ANN))
    known = {**facts.known[f"{KEY}/euid"], "euid": 5}
    facts.known[f"{KEY}/euid"] = known
    facts.known[f"{KEY}/told"] = {**facts.known[f"{KEY}/told"], "euid": 5}
    found = course(facts, SALE)
    assert found.sent() == [REPORT, REGISTER, CONTACT, REPORT]
    facts.known[f"{KEY}/euid"] = known
    found = course(facts, send("visit"))
    assert found.sent() == [CONTACT, REGISTER, REPORT]


@pytest.mark.parametrize("code", [55004, 55101, 55102, 55103, 55105, 55106, 55107])
def test_a_refused_report_is_halved(facts: MemoryFacts, code: int) -> None:
    stopped = course(facts, SALE, send("visit"), answer=saying(code, "report")).stopped
    assert stopped is not None
    assert stopped.split
    outcome = course(facts, SALE, answer=saying(code, "report")).outcomes[SALE.id]
    assert (outcome.kind, outcome.reason, str(code) in outcome.detail) == ("dead", Dead.REFUSED, True)


def test_a_refused_register_is_repeated_one_by_one(facts: MemoryFacts) -> None:
    good, bad = make_event("web.init", subject="good"), make_event("web.init", subject="bad")
    behind = send("visit", subject="bad")

    def answer(request: Request) -> Reply | TransportError:
        values = body_of(request).get("identity_values", [])
        return Reply(200, {}, b'{"code":55107}') if "bad" in values else VENDOR(request)

    found = course(facts, good, bad, behind, answer=answer)
    assert [body["identity_values"] for body in found.bodies()] == [["good", "bad"], ["good"], ["bad"]]
    told = {event_id: (outcome.kind, outcome.reason) for event_id, outcome in found.outcomes.items()}
    assert told == {
        good.id: ("delivered", ""),
        bad.id: ("dead", Dead.REFUSED),
        behind.id: ("dead", Dead.UPSTREAM_INIT_REFUSED),
    }
    mended = send("visit", subject="bad")
    assert course(facts, mended).outcomes[mended.id].reason == Dead.UPSTREAM_INIT_REFUSED
    assert course(facts, mended, now=NOW + 61).outcomes[mended.id].kind == "delivered"


@pytest.mark.parametrize(("times", "then"), [(1, "delivered"), (9, "dead")])
def test_who_got_no_euid_in_a_partial_success_is_asked_for_alone(facts: MemoryFacts, times: int, then: str) -> None:
    partial = saying(0, "register", times=times, data=[{"identity_value": "a", "euid": 7}, {"identity_value": "b"}])
    one, other = make_event("web.init", subject="a"), make_event("web.init", subject="b")
    found = course(facts, one, other, answer=partial)
    assert [body["identity_values"] for body in found.bodies()] == [["a", "b"], ["a"], ["b"]]
    assert [found.outcomes[event.id].kind for event in (one, other)] == ["delivered", then]


def test_refused_contacts_cost_the_event_that_told_them(facts: MemoryFacts) -> None:
    init, later = make_event("web.init", ANN), send("visit")
    refusing = saying(55004, "contact")
    found = course(facts, init, later, answer=refusing)
    assert (found.outcomes[init.id].reason, found.outcomes[later.id].kind) == (Dead.REFUSED, "delivered")
    found = course(facts, LEAD, answer=refusing)
    assert found.outcomes[LEAD.id].reason == Dead.REFUSED
    found = course(facts, LEAD, now=NOW + 61)
    assert (found.sent(), found.outcomes[LEAD.id].kind) == ([CONTACT, REPORT], "delivered")


@pytest.mark.parametrize("path", ["register", "contact", "report"])
@pytest.mark.parametrize(
    ("status", "body", "trouble"),
    [
        *[(200, b'{"code":%d}' % code, Trouble.CREDENTIALS) for code in (40050, 50031, 50034, 50074)],
        (401, b"", Trouble.CREDENTIALS),
        (200, b'{"code":-1}', Trouble.SERVER_ERROR),
        (502, b"", Trouble.SERVER_ERROR),
        (429, b"", Trouble.THROTTLED),
        (200, b'{"code":99999}', Trouble.UNREADABLE_REPLY),
        (200, b'{"code":"0"}', Trouble.UNREADABLE_REPLY),
        (200, b"<html>", Trouble.UNREADABLE_REPLY),
        (201, b'{"code":0}', Trouble.UNREADABLE_REPLY),
        (302, b"", Trouble.UNREADABLE_REPLY),
    ],
)
def test_troubles(facts: MemoryFacts, path: str, status: int, body: bytes, trouble: Trouble) -> None:
    def answer(request: Request) -> Reply | TransportError:
        return Reply(status, {}, body) if request.url.endswith(path) else VENDOR(request)

    found = course(facts, make_event("web.init", ANN), SALE, answer=answer)
    assert found.stopped is not None
    assert found.stopped.trouble is trouble
    assert course(facts, SALE, answer=lambda _: TimedOut("x")).stopped is not None


@pytest.mark.parametrize("status", [400, 404, 413])
def test_a_refusal_by_status(facts: MemoryFacts, status: int) -> None:
    course(facts, make_event("web.init"))
    outcome = course(facts, SALE, answer=lambda _: Reply(status)).outcomes[SALE.id]
    assert outcome.reason == (Dead.TOO_LARGE if status == 413 else Dead.REFUSED)


def test_wrong_credentials_are_told_as_such(facts: MemoryFacts) -> None:
    stopped = course(facts, SALE, api_secret="guess").stopped
    assert stopped is not None
    assert stopped.trouble is Trouble.CREDENTIALS
