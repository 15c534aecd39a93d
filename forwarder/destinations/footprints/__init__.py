"""Footprints: `/jsapi`, `/mobileapi`, and leads (contracts.md, section 2; docs/destinations/footprints.md)."""

from forwarder.destinations.footprints.destination import Footprints
from forwarder.destinations.footprints.settings import FootprintsSettings

__all__ = ["Footprints", "FootprintsSettings"]
