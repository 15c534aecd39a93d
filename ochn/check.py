"""`ochn check-config`: every fault at once, or what would run, with secrets masked."""

import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from base.errors import SettingsError
from base.settings import is_loopback
from collector.bot_rules import BUILT_IN
from ochn.config import Settings, flat, load_settings, masked, plain
from ochn.output import json_lines, table

EXAMPLE = "replace-"  # how every value begins that ochn.example.toml asks to replace


def check_config(
    config: Annotated[
        Path | None, typer.Option("--config", help="The configuration file. Default: $OCHN_CONFIG, else ./ochn.toml.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For machines: one JSON object.")] = False,
) -> None:
    """Check the configuration without starting anything; exit code 2 when it has faults."""
    try:
        settings, environ = load_settings(config, {})
        _certificates(settings)
    except SettingsError as error:
        if as_json:
            json_lines([{"ok": False, "faults": list(error.faults)}])
            raise typer.Exit(error.exit_code) from error
        raise
    warnings = remarks(settings)
    if as_json:
        json_lines([{"ok": True, "warnings": warnings, "settings": masked(settings)}])
        return
    source = environ.get("OCHN_CONFIG", "the environment and the defaults")
    rows = ((name, _shown(value)) for name, value in flat(masked(settings)))
    table(("setting", "value"), rows, empty="no settings")
    console = Console(highlight=False, soft_wrap=True)
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(f"{source}: no faults", style="green", markup=False)


def _certificates(settings: Settings) -> None:
    """SettingsError when those that Kafka is to be met with can't be used."""
    if settings.log.kind == "kafka":
        from eventlog.kafka.connection import Connection  # noqa: PLC0415 - slow to import

        Connection(settings.log.kafka)


def remarks(settings: Settings) -> list[str]:
    """What is allowed, and rarely meant."""
    values = flat(plain(settings, lambda secret: secret))
    told = [f"{name} is still the example's" for name, value in values if str(value).startswith(EXAMPLE)]
    if not settings.keys:
        told.append("no [keys.<name>]: every call will be answered 403")
    if not settings.enabled_destinations():
        told.append("no [destinations.<name>] is enabled: events are kept, and relayed nowhere")
    for name, destination in settings.destinations.items():
        named = getattr(destination, "upstream_appkeys", {})
        told += [
            f"destinations.{name}.upstream_appkeys.{key}: there is no [keys.{key}]"
            for key in named.keys() - settings.keys.keys()
        ]
        told += [
            f"destinations.{name}.filter_bots: there is no rule {rule}"
            for rule in destination.filter_bots
            if rule not in BUILT_IN and rule not in settings.bots.rules
        ]
    for name, rule in settings.bots.rules.items():
        told += [f"bots.rules.{name}.keys: there is no [keys.{key}]" for key in rule.keys if key not in settings.keys]
    if settings.profile == "dev" and not is_loopback(settings.collector.host):
        told.append('profile = "dev" on an open address: anyone can make ids that look like ours')
    if not is_loopback(settings.admin.host):
        told.append(f"admin.host = {settings.admin.host}: its token goes over that network in the clear")
    if any(ipaddress.ip_network(each, strict=False).prefixlen == 0 for each in settings.collector.trusted_proxies):
        told.append("collector.trusted_proxies trusts everybody: anyone can say that he has any address")
    told += _too_short(settings)
    if settings.log.kind == "embedded" and not settings.log.embedded.sync:
        told.append("log.embedded.sync = false: an answered event can be lost when the power goes")
    return told


def _too_short(settings: Settings) -> Iterator[str]:
    """What is kept shorter than the events that speak of it."""
    hours, days = settings.log.retention_hours, settings.collector.files_days
    if days and days * 24 < hours:
        yield f"collector.files_days = {days:g}: an event of the log may name a file that is gone"
    receipts = settings.log.retention.receipts_hours
    if receipts is not None and receipts < hours:
        yield f"log.retention.receipts_hours = {receipts:g}: of older events ochn trace knows no outcome"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value in (None, "", {}) else str(value)
