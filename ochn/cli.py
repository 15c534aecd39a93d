"""The command `ochn`: each sub-command by its name, with where it is made, and the end of all that goes wrong."""

import os
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from base.errors import OchnError, UserError
from ochn.loading import Command, Group, build_app

_KEYS: Final = {
    "list": Command("ochn.keys:list_keys", "ochn keys list --config ochn.toml"),
    "snippet": Command("ochn.keys:snippet", "ochn keys snippet demo --url https://track.example"),
}
_QUARANTINE: Final = {
    "list": Command("ochn.replaying.quarantine:quarantine_list", "ochn quarantine list --json --data-dir ./data"),
    "show": Command("ochn.replaying.quarantine:quarantine_show", "ochn quarantine show 0190…"),
    "replay": Command("ochn.replaying.quarantine:quarantine_replay", "ochn quarantine replay 0190…"),
}
_DEAD: Final = {
    "list": Command("ochn.replaying.dead_letters:dead_list", "ochn dead-letters list --json --data-dir ./data"),
    "show": Command("ochn.replaying.dead_letters:dead_show", "ochn dead-letters show 0190…"),
    "replay": Command(
        "ochn.replaying.dead_letters:dead_replay", "ochn dead-letters replay --all --destination netcore --since 3h"
    ),
}
_BOTS: Final = {
    "list": Command("ochn.bots:bots_list", "ochn bots list --last 7d"),
    "try": Command("ochn.bots:bots_try", "ochn bots try --user-agent-contains acme-probe --last 24h"),
}
_PARKED: Final = {"list": Command("ochn.parked:parked_list", "ochn parked list --destination footprints")}
_SPOOL: Final = {"status": Command("ochn.spool:spool_status", "ochn spool status --json --data-dir ./data")}
COMMANDS: Final[Mapping[str, Command | Group]] = {
    "dev": Command("ochn.serving.start:dev", "ochn dev --port 8081 --sandbox-port 8091 --data-dir /tmp/try"),
    "collector": Command("ochn.serving.start:collector", "ochn collector --config ochn.toml --workers 4"),
    "forwarder": Command("ochn.serving.start:forwarder", "ochn forwarder --config ochn.toml"),
    "sandbox": Command("ochn.serving.start:sandbox", "ochn sandbox --port 8090"),
    "check-config": Command("ochn.check:check_config", "ochn check-config --config ochn.toml"),
    "status": Command("ochn.status:status", "ochn status --data-dir ./data"),
    "destinations": Command("ochn.destinations:destinations", "ochn destinations --data-dir ./data"),
    "replay": Command("ochn.replaying.replay:replay", "ochn replay --from 3h --to 1h --destination netcore --dry-run"),
    "erase": Command("ochn.erasure.erase:erase", "ochn erase --person - --dry-run < who.txt"),
    "trace": Command("ochn.tracing.trace:trace", "ochn trace 0190f3a1-5b2c-7… --data-dir ./data"),
    "panel-checklist": Command("ochn.panel_checklist:panel_checklist", "ochn panel-checklist netcore"),
    "explain": Command(
        "ochn.explaining.explain:explain",
        "ochn explain \"curl -d 'appkey=demo&uid=p1&…' http://localhost:8080/jsapi/send\"",
    ),
    "version": Command("ochn.version:version", "ochn version"),
    "keys": Group("The app keys of the configuration.", "ochn keys snippet demo", _KEYS),
    "quarantine": Group(
        "Events that came in bad: answered 200, kept, not relayed.", "ochn quarantine list", _QUARANTINE
    ),
    "dead-letters": Group("Events that a destination refused for good.", "ochn dead-letters list", _DEAD),
    "parked": Group("Events that wait apart, so that others go on.", "ochn parked list", _PARKED),
    "bots": Group("Which events are a program's and not a person's, by rules.", "ochn bots list", _BOTS),
    "spool": Group("What waits for Kafka on this machine's disk.", "ochn spool status", _SPOOL),
}

app = build_app(
    "ochn",
    "Collect web and mobile tracking events, keep them, relay them. An event answered 2xx is durable, is delivered"
    " to every destination that wants it, or is shown to you with the reason why not.",
    "ochn dev",
    COMMANDS,
)


def main(arguments: Sequence[str] | None = None, exit_with: Callable[[int], None] = sys.exit) -> None:
    """A person sees a sentence and an exit code, never a traceback."""
    try:
        app(arguments)
    except UserError as error:
        sys.stderr.write(f"ochn: {error}\n")
        exit_with(error.exit_code)
    except (OchnError, OSError, sqlite3.Error) as error:
        with suppress(OSError, ValueError):
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # what it still holds can't be written either
        sys.stderr.write(f"ochn: {_told(error)}\n  see to its rights, its disk, and whether ochn wrote it\n")
        exit_with(1)


def _told(error: Exception) -> str:
    if not isinstance(error, OSError):
        return str(error)
    return ": ".join(str(part) for part in (error.filename, error.strerror) if part) or str(error)
