"""Who is a program: by what it says of itself, and by rules of one's own. People's browsers and apps are in no list."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import SettingsError
from base.settings import validate
from collector.judging.bots import Bots
from collector.settings import CollectorRoot
from tests.collector.inside import inside
from tests.support.corpus import sdk_session

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
PEOPLE = [
    CHROME,
    f"{IPHONE} Version/18.1 Mobile/15E148 Safari/604.1",
    f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/480.0.0.32.109;FBBV/1;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBLC/en_US]",
    f"{IPHONE} Mobile/15E148 Instagram 350.0.0.12 (iPhone14,5; iOS 18_1; en_US; en; scale=3.00; 1170x2532; 1)",
    f"{IPHONE} GSA/340.3 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 9; CUBOT_P30 Build/PPR1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 11; CUBOT NOTE 20) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)",
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/108.0 Safari/537.36 WebAppManager",
    "SonyEricssonK750i/R1AA Browser/SEMC-Browser/4.2 Profile/MIDP-2.0 Configuration/CLDC-1.1 Java/1.1",
    "okhttp/4.12.0",
    "Dalvik/2.1.0 (Linux; U; Android 14; Pixel 8 Build/UQ1A.240105.004)",
    "Shop/3 CFNetwork/1568.200.51 Darwin/24.1.0",
    "Dart/3.5 (dart:io)",
]
PROGRAMS = {
    "crawler": [
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X) Chrome/141.0.0.0 Mobile Safari/537.36 (compatible; Google-InspectionTool/1.0;)",
        "facebookexternalhit/1.1",
        "Twitterbot/1.0",
        "TelegramBot (like TwitterBot)",
        "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
        "AdsBot-Google-Mobile-Apps",
    ],
    "monitor": [
        "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
        "Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)",
        "kube-probe/1.31",
        f"{CHROME} Chrome-Lighthouse",
    ],
    "headless": [CHROME.replace("Chrome/", "HeadlessChrome/"), "Mozilla/5.0 (linux) AppleWebKit/537.36 jsdom/25.0.1"],
    "library": ["curl/8.5.0", "python-requests/2.32", "Go-http-client/1.1", "Java/17.0.9", "node", "axios/1.7.7"],
    "no_agent": [""],
}
BUILT_IN = Bots(CollectorRoot(profile="dev").bots)


def bots(**tables: Any) -> Bots:
    return Bots(validate(CollectorRoot, {"profile": "dev", "bots": tables}, "test").bots)


def tag(
    agent: str, *, of: Bots = BUILT_IN, surface: str = "web", key: str = "shop", client: str = "192.0.2.7"
) -> str | None:
    return of.rule(surface, key, client, {"user-agent": agent})


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_person_is_no_bot(agent: str) -> None:
    assert [tag(agent, surface=surface) for surface in ("web", "mobile")] == [None, None]


@pytest.mark.parametrize(("name", "agent"), [(name, agent) for name, agents in PROGRAMS.items() for agent in agents])
def test_a_program_is_known_by_what_it_says(name: str, agent: str) -> None:
    assert tag(agent) == tag(agent.upper()) == tag(agent) == name
    assert tag(agent, surface="mobile") == (name if name in ("crawler", "monitor", "headless") else None)
    assert tag(agent, of=bots(off=[name])) != name


@pytest.mark.parametrize(
    ("headers", "rule"),
    [
        ({"sec-purpose": "prefetch"}, "prefetch"),
        ({"sec-purpose": "prefetch;prerender"}, "prefetch"),
        ({"purpose": "prefetch"}, "prefetch"),
        ({"x-purpose": "preview"}, "prefetch"),
        ({"x-moz": "prefetch"}, "prefetch"),
        ({"purpose": "checkout"}, None),
    ],
)
def test_what_is_fetched_ahead_says_so(headers: dict[str, str], rule: str | None) -> None:
    assert BUILT_IN.rule("web", "shop", "", {"user-agent": CHROME, **headers}) == rule
    assert BUILT_IN.rule("mobile", "shop", "", {"user-agent": CHROME, **headers}) is None


def test_a_rule_of_ones_own_comes_first_and_wants_all_that_it_names() -> None:
    probe = {"user_agents": ["^acme", "/probe$"], "unless": ["browser"], "networks": ["192.0.2.0/24", "2001:db8::/32"]}
    own = bots(
        rules={"probe": {**probe, "keys": ["shop"], "surfaces": ["web"]}, "everybody": {"networks": ["203.0.113.9"]}}
    )
    assert [tag(agent, of=own) for agent in ("Acme 1", "x/Probe", "acme curl/8", "an acme", "acme browser")] == [
        *("probe", "probe", "probe"),
        *(None, None),
    ]
    assert tag("acme", of=own, client="2001:db8::1") == "probe"
    for other in ({"key": "app"}, {"surface": "mobile"}, {"client": "198.51.100.1"}, {"client": "no address"}):
        assert tag("acme", of=own, **other) is None
    assert tag(CHROME, of=own, client="203.0.113.9") == "everybody"


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        ({"rules": {"mine": {}}}, "without either it tags everything"),
        ({"rules": {"mine": {"user_agents": ["^a"]}}}, "3 printable characters or more"),
        ({"rules": {"mine": {"user_agents": [""]}}}, "3 printable characters or more"),
        ({"rules": {"mine": {"networks": ["office"]}}}, "'office' is none"),
        ({"rules": {"crawler": {"user_agents": ["acme"]}}}, "crawler is built in"),
        ({"rules": {"My Rule": {"user_agents": ["acme"]}}}, "bots.rules.My Rule"),
        ({"off": ["crawlers"]}, "bots.off"),
    ],
)
def test_a_rule_that_can_not_be_meant_is_named(tables: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError) as raised:
        bots(**tables)
    assert fault in str(raised.value)


@given(st.text(max_size=2000))
def test_whatever_is_said_gets_one_of_the_names_or_none(agent: str) -> None:
    found = {BUILT_IN.rule("web", "shop", agent, {"user-agent": agent}) for _ in range(2)}
    assert len(found) == 1
    assert found <= {None, *(rule.name for rule in BUILT_IN.rules)}


@pytest.mark.anyio
async def test_the_event_bears_the_name_and_the_answer_says_nothing(tmp_path: Path) -> None:
    visit = "appkey=demo&uid=p1&uType=p&requestType=action&actionType=visit"
    async with inside(tmp_path) as collector:
        answers = [await collector.send("/jsapi/send", visit, user_agent=agent) for agent in ("Twitterbot/1.0", CHROME)]
        assert [event.botrule for event in collector.events()] == ["crawler", None]
        assert [(answer.status, answer.body, len(answer.headers)) for answer in answers] == [
            (answers[0].status, answers[0].body, len(answers[0].headers))
        ] * 2
        assert collector.count("ochn_bots_total", rule="crawler") == 1


def test_the_vendors_phone_sdk_is_no_bot() -> None:
    session = sdk_session()
    assert {tag(sample.headers.get("User-Agent", ""), surface="mobile") for sample in session} == {None}
