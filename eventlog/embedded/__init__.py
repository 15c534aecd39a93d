"""The log in files of this machine (docs/decisions/0002-embedded-log.md)."""

from eventlog.embedded.log import EmbeddedLog

__all__ = ["EmbeddedLog"]
