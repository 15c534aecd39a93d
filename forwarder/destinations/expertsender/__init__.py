"""ExpertSender CDP: custom events of scenarios (contracts.md, sections 2 and 3; docs/destinations/expertsender.md)."""

from forwarder.destinations.expertsender.destination import ExpertSender
from forwarder.destinations.expertsender.settings import ExpertSenderSettings

__all__ = ["ExpertSender", "ExpertSenderSettings"]
