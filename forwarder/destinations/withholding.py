"""Events that a destination is not to get, whatever its kind: its settings `withhold` and `filter_bots` say which.

`withhold`: of who says no. A yes given to this very site outweighs what a browser says to every site, as it does for
the script of its pages (docs/omnichannel.md, "Consent"). A lead is the visitor's own message, and goes in every case.

`filter_bots`: what the collector tagged as a program's (`botrule`, docs/bots.md), by the rule that did.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final, Literal

from base.reasons import Filter
from eventlog.event import Event
from forwarder.destinations.base import Destination, Outcome, filtered
from forwarder.destinations.screening import Screening

No = Literal["gpc", "dnt", "declined", "no_analytics", "no_marketing"]

_BROWSERS: Final[tuple[No, ...]] = ("gpc", "dnt")
_PURPOSES: Final[Mapping[str, No]] = {"analytics": "no_analytics", "marketing": "no_marketing"}
_OF_ALL: Final = {"accepted": "yes", "declined": "no"}


class Withholding(Screening):
    """A destination that gets nothing of who said one of `obeyed`, nor of what one of the rules `bots` tagged: neither
    the event nor what it teaches."""

    def __init__(self, inner: Destination, obeyed: Sequence[No], bots: frozenset[str]) -> None:
        super().__init__(inner)
        self._obeyed = obeyed
        self._bots = bots
        self._against = lru_cache(maxsize=1024)(self._find)  # all visitors together say few things

    def settled(self, events: Sequence[Event]) -> Mapping[str, Outcome]:
        return {
            event.id: rule
            for event in events
            if (event.consent or event.botrule) and (rule := self._against(event.consent, event.botrule, event.type))
        }

    def _find(self, consent: str | None, botrule: str | None, event_type: str) -> Outcome | None:
        if consent and not event_type.endswith(".register"):
            said = noes(consent)
            if told := [no for no in self._obeyed if no in said]:
                return filtered(Filter.WITHHELD, ", ".join(told))
        return Outcome("filtered", f"{Filter.BOT}:{botrule}") if botrule in self._bots else None


def noes(consent: str) -> frozenset[No]:
    """What an event's `consent` says no to; nothing where the site's cookie says yes to all that it names."""
    said = _pairs(consent, ";", "=")
    cookie = said.get("cookie", "")
    answers = dict.fromkeys(_PURPOSES, _OF_ALL[cookie]) if cookie in _OF_ALL else _pairs(cookie, ",", ":")
    if answers and set(answers.values()) == {"yes"}:
        return frozenset()
    found = {no for no in _BROWSERS if said.get(no) == "1"}
    found |= {no for purpose, no in _PURPOSES.items() if answers.get(purpose) == "no"}
    return frozenset(found | ({"declined"} if answers and set(answers.values()) == {"no"} else set()))


def _pairs(text: str, between: str, within: str) -> dict[str, str]:
    parts = (pair.partition(within) for pair in text.split(between) if pair)
    return {name: value for name, _, value in parts}
