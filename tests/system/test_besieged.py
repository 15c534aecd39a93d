"""Faults 13 to 16 of faults.md: slow, idle, too large and malformed; each with the wall taken down as its control.

The oracle: good traffic beside it is answered 200 and arrives, and nothing is stored that should not be.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system.besieged import FULL, SHORT, Field, Siege, besieged, idle, malformed, slow, too_large
from tests.system.outside import command, eventually, request

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system-besieged"), pytest.mark.timeout(300)]

Fault = Callable[[Field], list[str]]
FAULTS: dict[str, tuple[Fault, str]] = {
    "slow": (slow, "wait_for_ever"),
    "idle": (idle, "room_for_each"),
    "too large": (too_large, "take_any_size"),
    "malformed": (malformed, "trust_all_text"),
}
RATES = {"WEB_PER_SECOND": "0.1", "WEB_BURST": "3"}
BEHIND_A_PROXY = {
    "OCHN_COLLECTOR__TRUSTED_PROXIES": '["127.0.0.1"]',
    "OCHN_KEYS__SHOP__VALUES": '["shop"]',
    "OCHN_KEYS__SHOP__ORIGINS": '["https://shop.example"]',
    **{f"OCHN_COLLECTOR__RATES__{name}": value for name, value in RATES.items()},
}


@pytest.fixture(scope="module")
def siege(request: pytest.FixtureRequest) -> Siege:
    return FULL if request.config.getoption("soak") else SHORT


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory, siege: Siege) -> Iterator[Field]:
    with besieged(tmp_path_factory.mktemp("besieged"), siege, BEHIND_A_PROXY) as field:
        yield field
        assert "Traceback" not in "\n".join(field.product.process.lines)


@pytest.mark.parametrize("fault", FAULTS)
def test_good_traffic_goes_on(field: Field, fault: str) -> None:
    assert FAULTS[fault][0](field) == []


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_wall_it_does_not(tmp_path: Path, fault: str) -> None:
    """The negative control: the same siege, smaller where size does not matter, and the same oracle is red."""
    check, wall = FAULTS[fault]
    taken_down = [sys.executable, "-m", "tests.support.sabotaged", wall]
    small = Siege(
        events=60, slow=30, header=1, body=1, idle=SHORT.idle, megabytes=SHORT.megabytes, malformed=30, patience=2
    )
    with besieged(tmp_path, small, {}, taken_down) as field:
        complaints = check(field)
    print("\n".join(complaints))
    assert complaints


def test_what_was_held_back_for_origin_or_rate_is_taken_back(field: Field) -> None:
    """And only what was held back for nothing else."""
    product = field.product
    visit = b"appkey=shop&uType=p&requestType=action&actionType=%b&uid=p-%b"
    told: dict[str, list[str]] = {}
    for number in range(5):
        for name, origin, action in (
            ("rate", "https://shop.example", b"visit"),
            ("origin", "https://copy.example", b"visit"),
        ):
            address = "198.51.100.7" if name == "rate" else f"198.51.100.{100 + number}"
            body = visit % (action, name.encode())
            answer = request(product.port, "POST", "/jsapi/send", body, origin=origin, x_forwarded_for=address)
            told.setdefault(answer.headers["x-event-status"], []).append(answer.headers["x-event-id"])
    both = visit % (b"dance", b"both")
    answer = request(
        product.port, "POST", "/jsapi/send", both, origin="https://copy.example", x_forwarded_for="198.51.100.9"
    )
    assert answer.headers["x-event-status"] == "quarantined; reason=wrong_origin,unknown_action_type"
    assert {status: len(ids) for status, ids in told.items()} == {
        "accepted": 3,
        "quarantined; reason=over_rate": 2,
        "quarantined; reason=wrong_origin": 5,
    }
    for reason in ("over_rate", "wrong_origin"):
        told_back, _ = command(
            "quarantine", "replay", "--all", "--yes", "--reason", reason, f"--data-dir={product.data_dir}"
        )
        assert f"replayed {len(told[f'quarantined; reason={reason}'])}" in told_back
    wanted = {event_id for ids in told.values() for event_id in ids}
    assert eventually(lambda: wanted <= {call["headers"].get("x-event-id") for call in product.received("footprints")})
    assert answer.headers["x-event-id"] not in {
        call["headers"].get("x-event-id") for call in product.received("footprints")
    }


ANSWERS = [
    *(
        ("GET", path)
        for path in ("/demo/", "/jsapi/omnichannel.js", "/health/live", "/health/ready", "/nowhere", "/demo/x")
    ),
    *(
        ("POST", path)
        for path in ("/jsapi/init", "/health/live", "/jsapi/omnichannel.js", "/mobileapi/content-delivery")
    ),
    *(("GET", "/jsapi/send"), ("DELETE", "/health/ready"), ("OPTIONS", "/jsapi/send")),
]


@pytest.mark.parametrize(("method", "path"), ANSWERS)
def test_every_answer_is_what_it_says_and_tells_no_more(field: Field, method: str, path: str) -> None:
    answer = request(field.product.port, method, path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not answer.headers.keys() & {"server", "x-powered-by", "via"}
    assert answer.status == 204 or "content-type" in answer.headers
    if answer.status >= 400:
        told = answer.json()
        assert isinstance(told, dict)
        assert told.keys() == {"status", "success", "message", "reason"}
        assert answer.headers["cache-control"] == "no-store"
