"""EngageLab MA: register, contact, event report (contracts.md, sections 2 and 3; docs/destinations/engagelab.md)."""

from forwarder.destinations.engagelab.destination import EngageLab
from forwarder.destinations.engagelab.settings import EngageLabSettings

__all__ = ["EngageLab", "EngageLabSettings"]
