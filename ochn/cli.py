"""The command `ochn`. Each sub-command's work is in its own module; here are the flags and the help."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from base.errors import UserError
from ochn import serve
from ochn.check import check_config
from ochn.dead_letters import dead_list, dead_replay, dead_show
from ochn.destinations import destinations
from ochn.explain import explain
from ochn.keys import list_keys, snippet
from ochn.panel_checklist import panel_checklist
from ochn.parked import parked_list
from ochn.quarantine import quarantine_list, quarantine_replay, quarantine_show
from ochn.replay import replay
from ochn.serve import Flags
from ochn.spool import spool_status
from ochn.status import status
from ochn.trace import trace

app = typer.Typer(
    name="ochn",
    help="Collect web and mobile tracking events, keep them, relay them. An event answered 2xx is durable, is delivered"
    " to every destination that wants it, or is shown to you with the reason why not.",
    epilog="Example: ochn dev",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
keys_app = typer.Typer(
    help="The app keys of the configuration.", epilog="Example: ochn keys snippet demo", no_args_is_help=True
)
quarantine_app = typer.Typer(
    help="Events that came in bad: answered 200, kept, not relayed.",
    epilog="Example: ochn quarantine list",
    no_args_is_help=True,
)
dead_app = typer.Typer(
    help="Events that a destination refused for good.",
    epilog="Example: ochn dead-letters list",
    no_args_is_help=True,
)
spool_app = typer.Typer(
    help="What waits for Kafka on this machine's disk.", epilog="Example: ochn spool status", no_args_is_help=True
)
app.add_typer(keys_app, name="keys")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(dead_app, name="dead-letters")
parked_app = typer.Typer(
    help="Events that wait apart, so that others go on.", epilog="Example: ochn parked list", no_args_is_help=True
)
app.add_typer(parked_app, name="parked")
app.add_typer(spool_app, name="spool")

Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file. Default: $OCHN_CONFIG, else ./ochn.toml.")
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")]
AdminPort = Annotated[int | None, typer.Option(help="Port of metrics and health. Default: the port + 1000.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded log, the spool and all local state.")]
Log = Annotated[serve.LogKind | None, typer.Option(help="Where events are kept between in and out. Default: embedded.")]
Kafka = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka's brokers, joined by commas. Implies --log kafka.")
]
Workers = Annotated[int | None, typer.Option(help="Processes that share the port. Default: 1.")]
NoFastLane = Annotated[
    bool, typer.Option("--no-fast-lane", help="Tracking calls go through ASGI as well, behind the same limits.")
]


@app.command(epilog="Example: ochn dev --port 8081 --sandbox-port 8091 --data-dir /tmp/try")
def dev(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    sandbox_port: Annotated[int, typer.Option(help="Port of the vendors' sandbox; 0 takes a free one.")] = 8090,
    data_dir: DataDir = Path("data"),
    log: Log = None,
    kafka: Kafka = None,
    workers: Workers = None,
    admin_port: AdminPort = None,
    config: Annotated[
        Path | None, typer.Option("--config", help="Your configuration in place of the built-in.")
    ] = None,
    no_fast_lane: NoFastLane = False,
) -> None:
    """The whole product on this machine: collector, forwarder, sandbox of the vendors, demo shop."""
    flags = Flags(config, host, port, admin_port, data_dir, log, kafka, workers, no_fast_lane)
    raise typer.Exit(serve.dev(flags, sandbox_port))


@app.command(epilog="Example: ochn collector --config ochn.toml --workers 4")
def collector(
    config: Config = None,
    host: Host = None,
    port: Port = None,
    data_dir: DataDir = None,
    log: Log = None,
    kafka: Kafka = None,
    workers: Workers = None,
    admin_port: AdminPort = None,
    no_fast_lane: NoFastLane = False,
) -> None:
    """Receive events and make them durable."""
    flags = Flags(config, host, port, admin_port, data_dir, log, kafka, workers, no_fast_lane)
    raise typer.Exit(serve.collector(flags))


@app.command(epilog="Example: ochn forwarder --config ochn.toml")
def forwarder(
    config: Config = None,
    data_dir: DataDir = None,
    log: Log = None,
    kafka: Kafka = None,
    admin_port: AdminPort = None,
) -> None:
    """Relay events from the log to every destination."""
    raise typer.Exit(serve.forwarder(Flags(config, None, None, admin_port, data_dir, log, kafka, None)))


@app.command(epilog="Example: ochn sandbox --port 8090")
def sandbox(config: Config = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """The vendors' APIs as they behave, on this machine: keeps every call, makes faults on demand."""
    raise typer.Exit(serve.sandbox(Flags(config, host, port, None, data_dir, None, None, None)))


app.command(name="check-config", epilog="Example: ochn check-config --config ochn.toml")(check_config)
app.command(epilog="Example: ochn status --data-dir ./data")(status)
app.command(epilog="Example: ochn destinations --data-dir ./data")(destinations)
app.command(epilog="Example: ochn replay --from 3h --to 1h --destination netcore --dry-run")(replay)
app.command(epilog="Example: ochn trace 0190f3a1-5b2c-7… --data-dir ./data")(trace)
app.command(name="panel-checklist", epilog="Example: ochn panel-checklist netcore")(panel_checklist)
app.command(epilog="Example: ochn explain \"curl -d 'appkey=demo&uid=p1&…' http://localhost:8080/jsapi/send\"")(explain)
keys_app.command("list", epilog="Example: ochn keys list --config ochn.toml")(list_keys)
keys_app.command("snippet", epilog="Example: ochn keys snippet demo --url https://track.example")(snippet)
spool_app.command("status", epilog="Example: ochn spool status --json --data-dir ./data")(spool_status)
quarantine_app.command("list", epilog="Example: ochn quarantine list --json --data-dir ./data")(quarantine_list)
quarantine_app.command("show", epilog="Example: ochn quarantine show 0190…")(quarantine_show)
quarantine_app.command("replay", epilog="Example: ochn quarantine replay 0190…")(quarantine_replay)
dead_app.command("list", epilog="Example: ochn dead-letters list --json --data-dir ./data")(dead_list)
dead_app.command("show", epilog="Example: ochn dead-letters show 0190…")(dead_show)
dead_app.command("replay", epilog="Example: ochn dead-letters replay --all --destination netcore --since 3h")(
    dead_replay
)
parked_app.command("list", epilog="Example: ochn parked list --destination footprints")(parked_list)


@app.command(epilog="Example: ochn version")
def version() -> None:
    """The version of this program."""
    from importlib.metadata import version as installed  # noqa: PLC0415 - slow to import, and only needed here

    typer.echo(installed("ochn"))


def main(arguments: Sequence[str] | None = None, exit_with: Callable[[int], None] = sys.exit) -> None:
    """A person sees a sentence and an exit code, never a traceback."""
    try:
        app(arguments)
    except UserError as error:
        sys.stderr.write(f"ochn: {error}\n")
        exit_with(error.exit_code)
    except BrokenPipeError:
        exit_with(141)
