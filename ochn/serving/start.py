"""The commands that start servers: their flags, and their help."""

from pathlib import Path
from typing import Annotated

import typer

from ochn.serving import serve
from ochn.serving.serve import Flags

Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file. Default: $OCHN_CONFIG, else ./ochn.toml.")
]
Host = Annotated[str | None, typer.Option(help="Address to listen on.")]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
AdminPort = Annotated[
    int | None,
    typer.Option(min=0, max=65535, help="Port of metrics and health. Default: the port + 1000; a forwarder's 9081."),
]
DataDir = Annotated[Path | None, typer.Option(help="Folder of the embedded log, the spool and all local state.")]
Log = Annotated[serve.LogKind | None, typer.Option(help="Where events are kept between in and out. Default: embedded.")]
Kafka = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Kafka's brokers, joined by commas. Implies --log kafka.")
]
Workers = Annotated[int | None, typer.Option(min=1, max=64, help="Processes that share the port. Default: 1.")]
NoFastLane = Annotated[
    bool, typer.Option("--no-fast-lane", help="Tracking calls go through ASGI as well, behind the same limits.")
]


def dev(
    host: Host = "127.0.0.1",
    port: Port = 8080,
    sandbox_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the vendors' sandbox; 0 takes a free one.")
    ] = 8090,
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


def forwarder(
    config: Config = None,
    data_dir: DataDir = None,
    log: Log = None,
    kafka: Kafka = None,
    admin_port: AdminPort = None,
) -> None:
    """Relay events from the log to every destination."""
    raise typer.Exit(serve.forwarder(Flags(config, None, None, admin_port, data_dir, log, kafka, None)))


def sandbox(config: Config = None, host: Host = None, port: Port = None, data_dir: DataDir = None) -> None:
    """The vendors' APIs as they behave, on this machine: keeps every call, makes faults on demand."""
    raise typer.Exit(serve.sandbox(Flags(config, host, port, None, data_dir, None, None, None)))
