"""Netcore CE: the "Add Activity API" (contracts.md, sections 2 and 3; docs/destinations/netcore.md)."""

from forwarder.destinations.netcore.destination import Netcore
from forwarder.destinations.netcore.settings import NetcoreSettings

__all__ = ["Netcore", "NetcoreSettings"]
