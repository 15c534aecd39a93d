"""The vendors' APIs as they really behave, quirks and faults included. `docs/sandbox.md` says how to use it."""

from forwarder.sandbox.app import build_sandbox
from forwarder.sandbox.calls import Calls
from forwarder.sandbox.service import run_sandbox

__all__ = ["Calls", "build_sandbox", "run_sandbox"]
