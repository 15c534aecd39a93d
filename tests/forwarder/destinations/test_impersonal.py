"""What each destination gets of an event whose contacts were taken out before the log (docs/privacy.md): never a hash."""

from typing import Any

import orjson
import pytest

from base.ids import SeededIds
from base.logs import quiet_logger
from base.settings import validate
from collector.judging.identity import build_identity
from collector.judging.privacy import Privacy
from collector.settings import IdentitySettings
from forwarder.destinations.build import KINDS, build_destinations
from forwarder.settings import ForwarderRoot
from ochn.explaining.rehearse import rehearse
from tests.forwarder.destinations.test_build import ENGAGELAB, EXPERTSENDER, FOOTPRINTS, NETCORE, RAY
from tests.support.events import NOW, make_event

SETTINGS = {
    "footprints": {**FOOTPRINTS, "key": "k", "secret": "s", "forward_address": True},
    "netcore": {**NETCORE, "app_asset_id": "a"},
    "ray": RAY,
    "expertsender": EXPERTSENDER,
    "engagelab": ENGAGELAB,
}
SALE = {"requestType": "action", "actionType": "sale", "additionalData": {"receipts": [{"name": "C&A", "value": 5}]}}
LEAD = {"lead": {"userEmail": "ann@example.com", "userFirstName": "Ann", "tags": ["vip"]}}
TOLD = {"email": "ann@example.com", "phone": "+40700000000", "customerId": "c-7700", "pushNotificationToken": "push-77"}
DELIVERED, NOBODY = "delivered", "filtered (no_contact)"


@pytest.mark.parametrize(
    ("kind", "page", "phone", "lead"),
    [
        ("footprints", DELIVERED, NOBODY, NOBODY),
        ("netcore", DELIVERED, DELIVERED, DELIVERED),
        ("engagelab", DELIVERED, DELIVERED, DELIVERED),
        ("ray", NOBODY, NOBODY, "filtered (unmapped)"),
        ("expertsender", NOBODY, NOBODY, "filtered (unmapped)"),
    ],
)
@pytest.mark.parametrize("personal", ["hash", "drop"])
def test_what_each_gets(kind: str, page: str, phone: str, lead: str, personal: Any) -> None:
    raw = {"keys": {"shop": {"values": ["shop"]}}, "destinations": {kind: SETTINGS[kind]}}
    (destination,) = build_destinations(validate(ForwarderRoot, raw, "test"))
    identity = build_identity(IdentitySettings(), SeededIds(7), quiet_logger())
    for name, data, outcome in (("web.sale", SALE, page), ("mobile.sale", SALE, phone), ("web.register", LEAD, lead)):
        event = make_event(name, {**TOLD, **data}, clientaddress="203.0.113.7")
        kept = Privacy("truncate", personal).applied(event, identity)
        hashes = [part.partition("=")[2] for part in (kept.privacy or "").split(";")[2:]]
        assert (len(hashes) >= 4) == (personal == "hash")
        steps = rehearse(destination, kept, NOW)
        assert steps[-1]["says"] == outcome
        sent = orjson.dumps(steps)
        assert [each for each in (*hashes, *TOLD.values(), "Ann", "203.0.113") if each.encode() in sent] == []


def test_every_kind_is_asked() -> None:
    assert SETTINGS.keys() == KINDS.keys()
