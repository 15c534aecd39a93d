"""RAY: the interactions API (contracts.md, sections 2 and 3; docs/destinations/ray.md)."""

from forwarder.destinations.ray.destination import Ray
from forwarder.destinations.ray.settings import RaySettings

__all__ = ["Ray", "RaySettings"]
