"""Bytes to fields: pure, bounded, and everything that can be read is read."""

from collector.decode.body import decode
from collector.decode.decoded import Decoded
from collector.decode.limits import BodyLimits, body_limits

__all__ = ["BodyLimits", "Decoded", "body_limits", "decode"]
