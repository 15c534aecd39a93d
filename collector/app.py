"""`uvicorn collector.app:app`: the collector without our supervisor, settings from OCHN_CONFIG and the environment.

Start it with --timeout-graceful-shutdown, which uvicorn leaves unlimited.
"""

import os

from starlette.types import ASGIApp

from collector.unsupervised import build_unsupervised


def __getattr__(name: str) -> ASGIApp:
    """`app` is made when a server asks for it: importing this module reads no settings and touches no file."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return build_unsupervised(os.environ)
