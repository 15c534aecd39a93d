"""`python -m forwarder.sandbox`: reads the file that OCHN_CONFIG names, and the environment over it."""

import os
import sys

import uvloop

from base.errors import UserError
from base.logs import build_logger
from base.ready import tell_ready
from base.settings import load
from forwarder.sandbox.service import run_sandbox
from forwarder.settings import SandboxRoot


def main() -> int:
    try:
        settings = load(SandboxRoot, os.environ)
        logger = build_logger(settings.logging, "sandbox")

        def ready() -> None:
            logger.info("sandbox.ready", url=f"http://{settings.sandbox.host}:{settings.sandbox.port}")
            tell_ready(os.environ)

        uvloop.run(run_sandbox(settings, ready))
    except UserError as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
