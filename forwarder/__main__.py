"""`python -m forwarder`: a forwarder with its admin address; settings from OCHN_CONFIG and the environment."""

import asyncio
import os
import sys

import uvloop

from base.errors import UserError
from base.lock import lock_data_dir
from base.process import stand
from base.ready import tell_ready
from base.settings import load
from forwarder.service import run_forwarder
from forwarder.settings import ForwarderRoot


def main() -> int:
    """The exit code: 0 after a drained end."""
    try:
        settings = load(ForwarderRoot, os.environ)
        with (
            lock_data_dir(settings.data_dir, "forwarder"),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(run_forwarder(settings, admin=True, ready=_say_ready))
    except UserError as error:
        sys.stderr.write(f"forwarder: {error}\n")
        return error.exit_code
    return 0


def _say_ready() -> None:
    stand()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    tell_ready(os.environ)


if __name__ == "__main__":
    sys.exit(main())
