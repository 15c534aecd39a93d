"""`ochn bots`: the rules that tag programs' events, what each has tagged, and what a rule would."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer
from rich.console import Console

from base.clock import SystemClock, rfc3339
from base.errors import UserError
from base.settings import validate
from collector.bot_rules import BUILT_IN, BotRuleSettings
from collector.judging.bots import Rule, rule_of
from eventlog.topics import Topics
from ochn.bot_trial import Trial, Window, tallies
from ochn.config import Settings
from ochn.log_access import open_log, run
from ochn.options import Config, DataDir, Json
from ochn.output import json_lines, pretty, table
from ochn.served import settings_of
from ochn.times import moment

_GIVEN: Final = "this-rule"  # what stands on the command line has no name yet
_COLUMNS: Final = ("rule", "from", "events", "visitors", "keys", "not sent to")

Last = Annotated[str, typer.Option(help="So long ago, or since when: 24h, 7d, 2026-11-21T00:00:00Z.")]


def bots_list(config: Config = None, data_dir: DataDir = None, as_json: Json = False, last: Last = "24h") -> None:
    """Every rule, in the order in which they are asked: how many events of the last day it tagged, and who doesn't get
    them. One that no setting names any more comes last."""
    settings = settings_of(config, data_dir)
    found = run(tallies(_window(settings, last)), settings, None)
    active, lists = settings.bots.active(), _lists(settings)
    names = dict.fromkeys((*active, *BUILT_IN, *found))
    rows = [
        {
            "rule": name,
            "from": _from(name, settings),
            **(found[name].told() if name in found else {"events": 0, "visitors": 0, "keys": {}}),
            "not_sent_to": [destination for destination, listed in lists.items() if name in listed],
        }
        for name in names
    ]
    if as_json:
        json_lines(rows)
        return
    drawn = ([_cell(row[column.replace(" ", "_")]) for column in _COLUMNS] for row in rows)
    table(_COLUMNS, drawn, empty="no rules")


def bots_try(
    rule: Annotated[str | None, typer.Option(help="A rule of the configuration, by its name.")] = None,
    user_agent_contains: Annotated[
        list[str] | None, typer.Option(help="A text of the User-Agent, as in `user_agents`; any of several.")
    ] = None,
    unless: Annotated[list[str] | None, typer.Option(help="A text that may not stand there.")] = None,
    network: Annotated[list[str] | None, typer.Option(help="An address or network; any of several.")] = None,
    key: Annotated[list[str] | None, typer.Option(help="Only under this app key, by its name.")] = None,
    config: Config = None,
    data_dir: DataDir = None,
    last: Last = "24h",
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """What a rule would have tagged of the last day's events, and which destinations would not have got them. Nothing is
    changed. --config may be a file that is not in use yet."""
    settings = settings_of(config, data_dir)
    given = {"user_agents": user_agent_contains, "unless": unless, "networks": network, "keys": key}
    made = _made(settings, rule, {name: values for name, values in given.items() if values})
    order = {name: place for place, name in enumerate(settings.bots.active())}
    if rule is None:
        order = {_GIVEN: -1, **order}  # as rules of one's own are
    trial = Trial(made, order, _lists(settings))
    window = _window(settings, last)
    run(trial.run(window), settings, None)
    told = {"since": rfc3339(window.since), **trial.told()}
    if as_json:
        pretty(told)
    else:
        _draw(told)


def _made(settings: Settings, name: str | None, given: Mapping[str, list[str]]) -> Rule:
    if (name is None) == (not given):
        raise UserError("which rule?", "--rule NAME of the configuration, or --user-agent-contains, --network")
    if name is None:
        return rule_of(_GIVEN, validate(BotRuleSettings, given, "the command line"))
    known: Mapping[str, BotRuleSettings | None] = {**settings.bots.rules, **BUILT_IN}
    if name not in known:
        raise UserError(f"there is no rule {name}", f"there are: {', '.join(known)}")
    chosen = known[name]
    if chosen is None:
        raise UserError(
            f"{name} looks at headers, which are not kept: it can't be tried on what has come",
            "ochn bots list counts what it has tagged",
        )
    return rule_of(name, chosen)


def _window(settings: Settings, last: str) -> Window:
    now = SystemClock().now()
    return Window(open_log(settings), Topics(settings.log.topic_prefix).events.name, moment(last, now), now)


def _lists(settings: Settings) -> dict[str, frozenset[str]]:
    return {name: frozenset(chosen.filter_bots) for name, chosen in settings.destinations.items() if chosen.enabled}


def _from(name: str, settings: Settings) -> str:
    if name in settings.bots.off:
        return "built in, off"
    return "built in" if name in BUILT_IN else "yours" if name in settings.bots.rules else "no more"


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "-"
    return ", ".join(value) or "-" if isinstance(value, list) else str(value)


def _draw(told: Mapping[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    share = 100 * told["events"] / max(told["read"], 1)
    console.print(f"read      {told['read']} events that came since {told['since']}", markup=False)
    console.print(f"tags      {told['events']} ({share:.2g} %), of {told['visitors']} visitors", markup=False)
    console.print(f"keys      {_cell(told['keys'])}", markup=False)
    console.print(f"bear now  {_cell(told['tagged_by'])}", markup=False)
    if told["without_address"]:
        said = f"{told['without_address']} more have an address that was not kept (privacy): nobody can say of them"
        console.print(said, style="yellow", markup=False)
    rows = (
        (row["destination"], "yes" if row["lists_it"] else "no", str(row["now"]), str(row["then"]))
        for row in told["destinations"]
    )
    columns = ("destination", "lists it", "does not get now", "does not get once it lists it")
    table(columns, rows, empty="no [destinations.<name>] is enabled", console=console)
    if told["user_agents"]:
        agents = ((str(row["events"]), row["user_agent"] or "(none)") for row in told["user_agents"])
        table(("events", "User-Agent"), agents, empty="", console=console)
        samples = ((row["id"], row["type"].removeprefix("ochn."), row["appkeyname"]) for row in told["samples"])
        table(("for example", "type", "key"), samples, empty="", console=console)
