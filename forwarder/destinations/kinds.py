"""What an event tells, in the words that mappings use."""

from collections.abc import Mapping
from typing import Final, Literal, get_args

from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.values import table

ActivityKind = Literal[
    "visit", "sale", "contact", "feedback", "engagement", "profiling", "register", "init", "ad", "sensors", "geo"
]
_KINDS: Final[Mapping[str, ActivityKind]] = {
    **{name: name for name in get_args(ActivityKind)},
    "reach": "ad",
    "impression": "ad",
}
# Why nobody gets these unless a mapping asks for them.
UNASKED: Final[Mapping[ActivityKind, Filter]] = {
    "init": Filter.NOT_AN_ACTIVITY,
    "ad": Filter.AD_EVENT,
    "sensors": Filter.HIGH_VOLUME,
    "geo": Filter.LOCATION_PRIVACY,
}


def activity_kind(event: Event) -> ActivityKind | None:
    """The SDK ships an ad that was seen as a visit with adId and campaignId. None: nothing that is mapped."""
    kind = _KINDS.get(event.kind)
    if kind != "visit":
        return kind
    more = table(event.data.get("additionalData"))
    return "ad" if "adId" in more and "campaignId" in more else kind
