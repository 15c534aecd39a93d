"""`ochn dev | collector | forwarder | sandbox`: flags to settings, settings to a running tree."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rich.console import Console

from base.clock import SystemClock
from base.lock import lock_data_dir
from base.serving import listen, url_of
from ochn.config import Settings, load_settings
from ochn.serving.dev import DEMO_KEY, write_dev_config
from ochn.serving.live import Live
from ochn.serving.tree import Serving, Tree, run_tree


class LogKind(StrEnum):
    EMBEDDED = "embedded"
    KAFKA = "kafka"


@dataclass(frozen=True, slots=True)
class Flags:
    config: Path | None = None
    host: str | None = None
    port: int | None = None
    admin_port: int | None = None
    data_dir: Path | None = None
    log: LogKind | None = None
    kafka: str | None = None
    workers: int | None = None
    no_fast_lane: bool = False

    def overrides(self, section: str) -> dict[str, str]:
        """As environment variables, so that children read what the command was told. `section` owns host and port."""
        told = {
            f"OCHN_{section}__HOST": self.host,
            f"OCHN_{section}__PORT": self.port,
            "OCHN_ADMIN__PORT": self.admin_port,
            "OCHN_DATA_DIR": None if self.data_dir is None else self.data_dir.resolve(),
            "OCHN_LOG__KIND": self.log or ("kafka" if self.kafka else None),
            "OCHN_LOG__KAFKA__BOOTSTRAP": self.kafka,
            "OCHN_COLLECTOR__WORKERS": self.workers,
            "OCHN_COLLECTOR__FAST_LANE": "false" if self.no_fast_lane else None,
        }
        return {name: str(value) for name, value in told.items() if value is not None}


def collector(flags: Flags) -> int:
    settings, environ = load_settings(flags.config, flags.overrides("COLLECTOR"))

    def ready(serving: Serving) -> None:
        _say_ready([f"collector  {serving.collector}", f"admin      {serving.admin}/metrics"])

    return run_tree(Tree(settings, environ, ("collector",), ready=ready))


def forwarder(flags: Flags) -> int:
    settings, environ = load_settings(flags.config, flags.overrides("FORWARDER"))

    def ready(serving: Serving) -> None:
        names = ", ".join(settings.enabled_destinations()) or "no destination: nothing is relayed"
        _say_ready([f"forwarder  to {names}", f"admin      {serving.admin}/metrics"])

    return run_tree(Tree(settings, environ, ("forwarder",), ready=ready))


def sandbox(flags: Flags) -> int:
    settings, environ = load_settings(flags.config, {"OCHN_PROFILE": "dev", **flags.overrides("SANDBOX")})

    def ready(_serving: Serving) -> None:
        _say_ready([f"sandbox    {url_of(settings.sandbox.host, settings.sandbox.port)}"])

    return run_tree(Tree(settings, environ, ("sandbox",), ready=ready))


def dev(flags: Flags, sandbox_port: int) -> int:
    data_dir = (flags.data_dir or Path("data")).resolve()
    with lock_data_dir(data_dir, "dev"):  # before the configuration is written: a running one reads it too
        return run_tree(_dev_tree(flags, data_dir, sandbox_port or _free_port()))


def _dev_tree(flags: Flags, data_dir: Path, sandbox_port: int) -> Tree:
    config = flags.config or write_dev_config(data_dir, sandbox_port)
    told = {**flags.overrides("COLLECTOR"), "OCHN_SANDBOX__PORT": str(sandbox_port), "OCHN_DATA_DIR": str(data_dir)}
    settings, environ = load_settings(config, told)
    console = Console(highlight=False)
    live = Live(frozenset(settings.enabled_destinations()), console, SystemClock())
    return Tree(settings, environ, ("collector", "forwarder", "sandbox"), live.line, live.tick, _dev_ready(settings))


def _dev_ready(settings: Settings) -> Callable[[Serving], None]:
    def ready(serving: Serving) -> None:
        base = serving.collector
        lines = [
            f"collector  {base}",
            f"shop       {base}/demo/",
            f"sandbox    {url_of(settings.sandbox.host, settings.sandbox.port)}   what the vendors received",
            f"admin      {serving.admin}/metrics",
            f"log        {settings.log.kind}, data in {settings.data_dir}",
            f"try        curl -d 'appkey={DEMO_KEY}&email=ann@example.com' {base}/jsapi/init",
        ]
        _say_ready(lines)

    return ready


def _say_ready(lines: list[str]) -> None:
    """One line that begins with `ready`; what comes after it is for people."""
    sys.stdout.write(f"ready  {lines[0]}\n" + "".join(f"       {line}\n" for line in lines[1:]))
    sys.stdout.flush()


def _free_port() -> int:
    with listen("127.0.0.1", 0, "sandbox.port") as probe:
        port: int = probe.getsockname()[1]
    return port
