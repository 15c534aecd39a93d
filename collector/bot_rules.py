"""The rules that are built in, and `[bots]`: which of them look, and which rules there are besides.

What a rule matches was chosen by what programs say of themselves. A browser's User-Agent holds no URL; phones of the make
Cubot hold `cubot`. Apps that call without a browser (okhttp, Dalvik, CFNetwork, Dart) are people, whichever door they
use, so they stand in no list.
"""

from collections.abc import Mapping
from typing import Final, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from base.settings import Name, Section, networks

_MOST: Final = 100  # rules, and texts of a rule: all are looked for in a User-Agent that is new
_LEAST: Final = 3  # characters of a text: fewer stand in everybody's
NOTHING: Final = "^$"  # the User-Agent of who sends none

Surface = Literal["web", "mobile"]
BuiltIn = Literal["prefetch", "monitor", "crawler", "headless", "library", "no_agent"]


class BotRuleSettings(Section):
    """A rule of yours, asked before those that are built in. All that it names must hold."""

    user_agents: tuple[str, ...] = Field(default=(), max_length=_MOST)
    """Texts of which one stands in the User-Agent, in whatever case. `^` is its beginning, `$` its end: `^acme-probe/`;
    `^$`: there is none."""
    unless: tuple[str, ...] = Field(default=(), max_length=_MOST)
    """Texts of which none stands in it."""
    networks: tuple[str, ...] = Field(default=(), max_length=_MOST)
    """Addresses or networks of which one is the client's."""
    keys: tuple[str, ...] = ()
    """App keys, by name, under which it looks; empty: all."""
    surfaces: tuple[Surface, ...] = ("web", "mobile")
    """Doors at which it looks."""

    @field_validator("user_agents", "unless")
    @classmethod
    def _texts(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            if text != NOTHING and (len(text.strip("^$")) < _LEAST or not text.isprintable()):
                raise ValueError(
                    f"expected texts of {_LEAST} printable characters or more, or {NOTHING!r}; {text!r} is none"
                )
        return texts

    @field_validator("networks")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return networks(values)

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.user_agents and not self.networks:
            raise ValueError("user_agents or networks: without either it tags everything")
        return self


class BotSettings(Section):
    """Rules that tag the events of programs with their name (`botrule`); nothing is dropped for it (docs/bots.md)."""

    off: tuple[BuiltIn, ...] = ()
    """Built-in rules that do not look."""
    rules: dict[Name, BotRuleSettings] = Field(default_factory=dict, max_length=_MOST)

    @field_validator("rules")
    @classmethod
    def _own_names(cls, rules: dict[str, BotRuleSettings]) -> dict[str, BotRuleSettings]:
        if taken := sorted(rules.keys() & set(get_args(BuiltIn))):
            raise ValueError(f"{taken[0]} is built in: name yours otherwise, and list {taken[0]} in bots.off")
        return rules

    def active(self) -> Mapping[str, BotRuleSettings | None]:
        """In the order in which they are asked; None: it looks at headers alone."""
        return {**self.rules, **{name: rule for name, rule in BUILT_IN.items() if name not in self.off}}


_WEB: Final[tuple[Surface, ...]] = ("web",)
BUILT_IN: Final[Mapping[str, BotRuleSettings | None]] = {
    "prefetch": None,
    "monitor": BotRuleSettings(
        user_agents=(
            *("pingdom", "uptimerobot", "statuscake", "site24x7", "uptime-kuma", "betteruptime", "better uptime"),
            *("datadogsynthetics", "datadog/synthetics", "cloudwatchsynthetics", "googlestackdrivermonitoring"),
            *("amazon-route53-health-check", "elb-healthchecker", "^googlehc/", "^kube-probe/", "^check_http/"),
            *("^blackbox exporter/", "newrelicpinger", "ruxitsynthetic", "catchpoint", "thousandeyes", "^zabbix"),
            *("chrome-lighthouse", "gtmetrix", " ptst/", "^k6/", "^apachebench/", "^apache-jmeter"),
        )
    ),
    "crawler": BotRuleSettings(
        user_agents=(
            *("bot/", "bot;", "bot)", "bot ", "bot-", "bot_", "bot,", "bot$", "spider", "crawl", "http://", "https://"),
            *("facebookexternalhit", "mediapartners-google", "google-inspectiontool", "googleother", "bingpreview"),
            *("ia_archiver", "skypeuripreview", "^whatsapp/"),
        ),
        unless=("cubot",),
    ),
    "headless": BotRuleSettings(
        user_agents=("headless", "phantomjs", " jsdom/", "playwright", "puppeteer", "selenium", "cypress/", "htmlunit"),
    ),
    "library": BotRuleSettings(
        user_agents=(
            *("^curl/", "^wget/", "^python-", "^python/", "^aiohttp/", "^go-http-client/", "^java/"),
            *("^apache-httpclient/", "^node$", "^node-fetch", "^axios/", "^undici", "^got (", "^guzzlehttp/", "^php/"),
            *("^libwww-perl/", "^ruby$", "^faraday ", "^rest-client/", "^httpie/", "^postmanruntime/", "^insomnia/"),
            *("^reqwest/", "windowspowershell/"),
        ),
        surfaces=_WEB,
    ),
    "no_agent": BotRuleSettings(user_agents=(NOTHING,), surfaces=_WEB),
}
