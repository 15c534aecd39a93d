"""Who is meant, and what is theirs: by what was told together, and never more than that."""

from collections.abc import Sequence
from typing import Any

import pytest

from base.errors import UserError
from base.ids import SeededIds
from collector.judging.identity import Identity, IdKind
from collector.judging.person import Contact, normal_email
from eventlog.event import Event
from ochn.erasure.person import Person, meant_by
from tests.support.events import make_event

IDENTITY = Identity(b"s" * 32, (), b"p" * 32, SeededIds())
ANN, BOB, HOME = "ann@shop.example", "bob@shop.example", "+40722000111"
PHONE, TILL = (IDENTITY.fresh(IdKind.MOBILE) for _ in range(2))
LAPTOP = IDENTITY.fresh(IdKind.VISITOR)


def uid(**contact: str) -> str:
    email = normal_email(contact.pop("email", ""))
    found = Contact(**contact, email=email).person(IDENTITY, "default")
    assert found is not None
    return found


def web(earlier: str = "", **contact: str) -> Event:
    data = {"customerId" if kind == "customer_id" else kind: value for kind, value in contact.items()}
    who = uid(**contact)
    return make_event("web.init", {**data, **({"pid": earlier} if earlier else {})}, subject=who, person=who)


def mobile(device: str, **contact: str) -> Event:
    return web(**contact)._replace(type="ochn.mobile.init", subject=device)


def lead(device: str, **contact: str) -> Event:
    names = {"email": "userEmail", "phone": "userPhone", "customer_id": "userExternalId"}
    told = {names[kind]: value for kind, value in contact.items()}
    return make_event("register", {"lead": told}, subject=device, person=uid(**contact))._replace(
        type="ochn.register.register"
    )


def visit(subject: str, **data: Any) -> Event:
    return make_event("web.visit", data, subject=subject)


def theirs(text: str, events: Sequence[Event], facts: Sequence[tuple[str, dict[str, Any]]] = ()) -> list[Event]:
    return found(text, events, facts)[1]


def found(
    text: str, events: Sequence[Event], facts: Sequence[tuple[str, dict[str, Any]]] = ()
) -> tuple[Person, list[Event]]:
    person = Person(IDENTITY, meant_by(text, IDENTITY, ["default"]))
    while True:
        marks = person.marks()
        told = [event for event in events if any(mark in event.to_bytes() for mark in marks) and person.take(event)]
        for owner, doc in facts:
            person.take_facts(owner, doc, {"shop": "default"})
        if not person.settle():
            return person, told


def test_a_device_that_told_them_is_theirs_with_what_it_sent_before() -> None:
    hers = [
        visit(LAPTOP),
        web(LAPTOP, email=ANN),
        visit(uid(email=ANN)),
        mobile(PHONE, email=ANN.upper()),
        visit(PHONE),
    ]
    others = [web(email=BOB), visit(uid(email=BOB)), visit("stranger")]
    assert theirs(ANN, [*hers, *others]) == theirs(f" email:{ANN} ", [*others, *hers]) == hers
    assert theirs(uid(email=ANN), [*hers, *others]) == theirs(LAPTOP, [*hers, *others]) == hers
    assert theirs(BOB, [*hers, *others]) == others[:2]


def test_what_one_customer_told_together_is_one_persons() -> None:
    both = [web(customer_id="44556677", email=ANN), mobile(PHONE, customer_id="44556677", phone=HOME)]
    events = [*both, web(email=ANN), visit(uid(email=ANN)), mobile(TILL, phone=HOME), visit(PHONE), visit(TILL)]
    for text in ("44556677", "customer:44556677", ANN, HOME, "phone:0040 722 000 111", uid(email=ANN), PHONE, TILL):
        assert theirs(text, events) == events, text
    assert found(ANN, events)[0].contacts == {("customer_id", "44556677"), ("email", ANN), ("phone", HOME)}


def test_a_phone_of_two_people_makes_nobody_one_with_the_other() -> None:
    ann, bob = web(customer_id="1", email=ANN, phone=HOME), web(customer_id="2", email=BOB, phone=HOME)
    home = visit(uid(phone=HOME))
    assert theirs(ANN, [ann, home, bob]) == [ann]
    assert theirs(BOB, [ann, home, bob]) == [bob]
    with pytest.raises(UserError, match="2 people told that") as told:
        theirs(HOME, [ann, home, bob])
    assert uid(customer_id="1") in str(told.value)


def test_of_a_device_that_others_use_only_what_names_the_person_is_theirs() -> None:
    ann, bob = mobile(TILL, email=ANN), mobile(TILL, email=BOB)
    events = [ann, visit(TILL), bob, visit(TILL, email=ANN), visit(uid(email=ANN))]
    person, hers = found(ANN, events)
    assert (hers, person.shared) == ([ann, events[3], events[4]], {TILL})
    assert theirs(TILL, events) == events[:4]


def test_a_lead_makes_its_device_nobodys() -> None:
    events = [lead(TILL, email=ANN), lead(TILL, email=BOB), visit(TILL)]
    facts = [(TILL, {f"shop/{TILL}/contact": {"email": ANN}})]
    person, hers = found(ANN, events, facts)
    assert (hers, person.whole, person.known) == (events[:1], {uid(email=ANN)}, {TILL})


def test_what_a_vendor_knows_ties_a_device_though_its_init_has_expired() -> None:
    facts = [(PHONE, {f"shop/{PHONE}/upstream": {"id": "x", "contact": {"email": ANN, "push": "t"}}})]
    assert theirs(ANN, [visit(PHONE), visit(TILL)], facts) == [visit(PHONE)] or found(ANN, [], facts)[0].whole >= {
        PHONE
    }
    assert found(BOB, [], facts)[0].whole == {uid(email=BOB)}


def test_hashes_that_a_key_keeps_are_known_too() -> None:
    hashed = make_event("mobile.init", {}, subject=PHONE, person=uid(customer_id="1"))
    hashed = hashed._replace(privacy=f"personal=hash;customer_id={uid(customer_id='1')};email={uid(email=ANN)}")
    assert theirs(ANN, [hashed, visit(PHONE)])[:1] == [hashed]


@pytest.mark.parametrize("text", ["", " ", "email:nobody", "phone:12", "email:"])
def test_what_names_nobody_is_said(text: str) -> None:
    with pytest.raises(UserError, match="no e-mail, phone"):
        meant_by(text, IDENTITY, ["default"])


def test_digits_may_be_a_phone_or_a_customer_and_are_both_looked_for() -> None:
    assert meant_by("0722000111", IDENTITY, ["default"]).keys() == {"phone", "customer_id", "visitor"}
    person, _ = found("0722000111", [web(phone="0722000111"), web(customer_id="0722000111")])
    assert person.seen == {"phone", "customer_id"}
