"""`python -m collector`: one collector process with its admin address; settings from OCHN_CONFIG and the environment."""

import asyncio
import os
import sys

import uvloop

from base.errors import UserError
from base.lock import lock_data_dir
from base.process import take_all_descriptors
from base.ready import tell_ready
from base.serving import listen
from base.settings import load
from collector.service import run_worker
from collector.settings import CollectorRoot


def main() -> int:
    """The exit code: 0 after a drained end."""
    take_all_descriptors()
    try:
        settings = load(CollectorRoot, os.environ)
        with (
            lock_data_dir(settings.data_dir, "collector"),
            listen(settings.collector.host, settings.collector.port, "collector.port") as listening,
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            host, port = listening.getsockname()[:2]
            runner.run(run_worker(settings, listening, admin=True, ready=lambda: _say_ready(host, port)))
    except UserError as error:
        sys.stderr.write(f"collector: {error}\n")
        return error.exit_code
    return 0


def _say_ready(host: str, port: int) -> None:
    sys.stdout.write(f"ready http://{host}:{port}\n")
    sys.stdout.flush()
    tell_ready(os.environ)


if __name__ == "__main__":
    sys.exit(main())
