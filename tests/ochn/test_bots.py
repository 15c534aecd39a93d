"""What a rule has tagged and what it would: counted over the log, without anybody's address, e-mail or id."""

import json
from pathlib import Path
from typing import Any

import pytest

from base.settings import validate
from ochn.bot_trial import shown
from ochn.check import remarks
from ochn.config import Settings
from tests.ochn.stand import CONFIG, Stand

RULES = """
filter_bots = ["crawler", "office"]
[bots]
off = ["headless"]
[bots.rules.office]
user_agents = ["acme"]
[bots.rules.near]
networks = ["192.0.2.0/24"]
keys = ["demo"]
"""
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


@pytest.fixture
def stand(tmp_path: Path) -> Stand:
    """Two of a crawler, one of them an acme's; a person; and one whose rule is none any more."""
    stand = Stand(tmp_path)
    (tmp_path / "ochn.toml").write_text(CONFIG + RULES)
    told: list[dict[str, Any]] = [
        {"useragent": "Twitterbot/1.0", "botrule": "crawler", "clientaddress": "192.0.2.0/24"},
        {"useragent": "Acme crawler ann@example.com", "botrule": "crawler", "clientaddress": "192.0.2.7"},
        {"useragent": FIREFOX, "clientaddress": "198.51.100.1"},
        {"useragent": FIREFOX, "botrule": "gone"},
    ]
    events = (stand.event(f"v{place}")._replace(**each) for place, each in enumerate(told))
    stand.do(lambda: stand.world.append(*events))
    return stand


def tried(stand: Stand, *arguments: str) -> Any:
    return json.loads(stand.ask("bots", "try", "--json", *arguments))


def test_every_rule_is_listed_with_what_it_tagged(stand: Stand) -> None:
    rows = [json.loads(line) for line in stand.ask("bots", "list", "--json").splitlines()]
    told = {row["rule"]: (row["from"], row["events"], row["visitors"], row["not_sent_to"]) for row in rows}
    assert list(told)[:2] == ["office", "near"]
    assert told["crawler"] == ("built in", 2, 2, ["fp"])
    assert told["headless"] == ("built in, off", 0, 0, [])
    assert told["gone"] == ("no more", 1, 1, [])
    assert "crawler   built in       2" in stand.ask("bots", "list")
    assert all(
        row["events"] == 0 for row in map(json.loads, stand.ask("bots", "list", "--json", "--last=1s").splitlines())
    )


@pytest.mark.parametrize(
    ("arguments", "events", "now", "then"),
    [
        (["--rule=crawler"], 2, 2, 2),
        (["--rule=office"], 1, 1, 1),
        (["--user-agent-contains=TWITTER", "--user-agent-contains=acme"], 2, 2, 2),
        (["--user-agent-contains=firefox"], 2, 0, 2),
        (["--user-agent-contains=firefox", "--network=198.51.100.0/24"], 1, 0, 1),
        (["--user-agent-contains=firefox", "--unless=gecko"], 0, 0, 0),
        (["--user-agent-contains=firefox", "--key=other"], 0, 0, 0),
    ],
)
def test_a_trial_counts_and_tells_who_would_not_get_them(
    stand: Stand, arguments: list[str], events: int, now: int, then: int
) -> None:
    found = tried(stand, *arguments)
    assert (found["read"], found["events"], found["visitors"]) == (4, events, events)
    assert found["destinations"] == [
        {"destination": "fp", "lists_it": "rule" in arguments[0], "now": now, "then": then}
    ]


def test_nobody_is_named(stand: Stand) -> None:
    found = tried(stand, "--user-agent-contains=crawler", "--user-agent-contains=firefox")
    assert [row["user_agent"] for row in found["user_agents"]] == [FIREFOX, "Acme crawler ***"]
    told = json.dumps(found) + stand.ask("bots", "try", "--user-agent-contains=crawler")
    assert not [word for word in ("ann", "192.0.2", "198.51", "v1") if word in told.replace("ochn.web.visit", "")]
    assert shown(f"evil\x1b[31m\n{'x' * 500}")[:12] == "evil?[31m xx"
    assert len(shown("x" * 500)) == 140


def test_what_can_not_be_looked_at_is_said(stand: Stand) -> None:
    found = tried(stand, "--network=192.0.2.0/24")
    assert (found["events"], found["without_address"]) == (1, 2)
    assert "2 more have an address that was not kept" in stand.ask("bots", "try", "--network=192.0.2.0/24")
    for arguments, fault in (
        (["--rule=prefetch"], "looks at headers, which are not kept"),
        (["--rule=nosuch"], "there is no rule nosuch"),
        ([], "which rule?"),
        (["--rule=crawler", "--network=10.0.0.0/8"], "which rule?"),
    ):
        assert fault in stand.ask("bots", "try", *arguments, code=1)


def test_a_rule_or_key_that_is_none_is_told() -> None:
    raw = {
        "profile": "dev",
        "keys": {"shop": {"values": ["k"]}},
        "bots": {"rules": {"office": {"user_agents": ["acme"], "keys": ["shpo"]}}},
        "destinations": {"f": {"kind": "footprints", "base_url": "x.example", "filter_bots": ["office", "crawlers"]}},
    }
    assert remarks(validate(Settings, raw, "test")) == [
        "destinations.f.filter_bots: there is no rule crawlers",
        "bots.rules.office.keys: there is no [keys.shpo]",
    ]
