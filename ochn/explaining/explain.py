"""`ochn explain`: what a request would become. Offline: nothing is sent, nothing is kept."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from base.clock import SystemClock
from base.ids import SystemIds
from base.logs import quiet_logger
from collector.arrival import Arrival
from collector.errors import Refused
from collector.judging.bots import Bots
from collector.judging.decide import Decider, Decision
from collector.judging.identity import build_identity
from collector.judging.keys import KeyRing
from collector.judging.oversize import Fitted
from collector.judging.rates import Rates
from collector.replies import refusal_reply
from eventlog.event import Event
from forwarder.destinations.base import Destination
from forwarder.destinations.build import build_destinations
from ochn.config import Settings
from ochn.explaining.given import GivenRequest, parse_request
from ochn.explaining.rehearse import Step, rehearse
from ochn.output import pretty
from ochn.served import settings_or_dev


def explain(
    request: Annotated[
        str, typer.Argument(help="A curl line, or a raw request; `-` reads it from standard input.")
    ] = "-",
    config: Annotated[
        Path | None,
        typer.Option("--config", help="The configuration. Default: what served ./data, else that of `ochn dev`."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Decoded fields, identity, verdict, and the exact calls that each destination would get for a request."""
    settings = settings_or_dev(config, None)
    text = sys.stdin.read() if request == "-" else request
    explained = explain_request(settings, parse_request(text))
    if as_json:
        pretty(explained)
    else:
        _draw(explained)
    if "refused" in explained:
        raise typer.Exit(1)


def explain_request(settings: Settings, given: GivenRequest) -> dict[str, Any]:
    """{request, refused: {status, reason, message}}, or {request, key, fields, events: [{verdict, …, destinations}]}."""
    clock, ids = SystemClock(), SystemIds()
    now = clock.now()
    arrival = Arrival(
        given.method, given.path, given.headers, given.body, "127.0.0.1", now, ids.event_id(now), given.query
    )
    keys, identity = KeyRing(settings.keys), build_identity(settings.identity, ids, quiet_logger())
    limits = settings.collector.limits
    rates = Rates(settings.collector.rates, limits.batch_events, SystemClock().monotonic, dev=True)
    bots = Bots(settings.bots)
    decider = Decider(limits, identity, ids, lambda: keys, rates=rates, bots=lambda: bots)
    shown = {"method": given.method, "path": given.path, "bytes": len(given.body)}
    try:
        decision = decider.decide(arrival)
    except Refused as refused:
        reply = refusal_reply(refused.refusal, refused.message)
        told = orjson.loads(reply.body)
        return {
            "request": shown,
            "refused": {"status": reply.status, "reason": told["reason"], "message": told["message"]},
        }
    return {"request": shown, **_decided(decision, build_destinations(settings), now)}


def _decided(decision: Decision, destinations: list[Destination], now: float) -> dict[str, Any]:
    return {
        "key": decision.key.name,
        "fields": dict(decision.fields),
        "events": [_event(fitted, destinations, now) for fitted in decision.judged],
    }


def _event(fitted: Fitted, destinations: list[Destination], now: float) -> dict[str, Any]:
    event, reasons = fitted.verdict.event, fitted.verdict.reasons
    return {
        "verdict": "quarantined" if reasons else "accepted",
        "reasons": list(reasons),
        "remarks": [remark.sentence() for remark in fitted.verdict.remarks],
        "visitor": event.subject,
        "person": event.person,
        "bot": event.botrule,
        "event": event.to_dict(),
        "destinations": {} if reasons else dict(_rehearsed(event, destinations, now)),
    }


def _rehearsed(event: Event, destinations: list[Destination], now: float) -> Iterator[tuple[str, list[Step]]]:
    for destination in destinations:
        yield destination.name, rehearse(destination, event, now)


def _draw(explained: dict[str, Any]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    request = explained["request"]
    console.print(f"{request['method']} {request['path']}, a body of {request['bytes']} bytes", style="bold")
    if "refused" in explained:
        refused = explained["refused"]
        console.print(f"[red]refused[/] with {refused['status']} {refused['reason']}: {refused['message']}")
        return
    console.print(f"key      {explained['key']}", markup=False)
    console.print("fields", style="bold")
    console.print_json(data=explained["fields"])
    for event in explained["events"]:
        _draw_event(console, event)


def _draw_event(console: Console, event: dict[str, Any]) -> None:
    colour = "green" if event["verdict"] == "accepted" else "magenta"
    console.print(f"verdict  [{colour}]{event['verdict']}[/] {', '.join(event['reasons'])}".rstrip())
    console.print(f"visitor  {event['visitor']}", markup=False)
    console.print(f"person   {event['person'] or 'not told'}", markup=False)
    if event["bot"]:
        console.print(f"bot      by the rule {event['bot']}", markup=False)
    for remark in event["remarks"]:
        console.print(f"remark   {remark}", markup=False)
    console.print("event", style="bold")
    console.print_json(data=event["event"])
    for name, steps in event["destinations"].items():
        console.print(name, style="bold")
        for step in steps:
            console.print(f"  {step['says']}", markup=False)
            if "request" in step:
                _draw_call(console, step["request"])


def _draw_call(console: Console, call: dict[str, Any]) -> None:
    """As it stands on the wire; JSON spread out."""
    body = (
        call["body"]
        if isinstance(call["body"], str)
        else orjson.dumps(call["body"], option=orjson.OPT_INDENT_2).decode()
    )
    headers = [f"{name}: {value}" for name, value in call["headers"].items()]
    for line in [f"{call['method']} {call['url']}", *headers, "", *body.split("\n")]:
        console.print(f"    {line}".rstrip(), markup=False)
