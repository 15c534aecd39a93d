"""Who somebody is (register), how to reach them (contact), what they did (report): in that order for each visitor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from eventlog.event import Event
from forwarder.destinations.base import BatchPolicy, Call, Facts, Plan, Verdict
from forwarder.destinations.engagelab.draft import Draft
from forwarder.destinations.engagelab.replies import contact_verdict, judged, register_verdict, report_verdict
from forwarder.destinations.engagelab.requests import MAX_BYTES, Requests
from forwarder.destinations.engagelab.settings import EngageLabSettings
from forwarder.errors import TransportError
from forwarder.transport import Reply

_VERDICTS: Final[Mapping[str, Callable[[Call, Reply], Verdict]]] = {
    "register": register_verdict,
    "contact": contact_verdict,
    "report": report_verdict,
}


class EngageLab:
    kind = "engagelab"

    def __init__(self, name: str, settings: EngageLabSettings) -> None:
        self.name = name
        late_after = settings.max_age_hours * 3600
        self.batch = BatchPolicy(events=settings.batch_events, bytes=MAX_BYTES, age=1.0, late_after=late_after)
        self._settings = settings
        self._requests = Requests(settings)

    def plan(self, events: Sequence[Event], facts: Facts, now: float) -> Plan:
        draft = Draft(settings=self._settings, requests=self._requests, facts=facts, now=now)
        for event in events:
            draft.take(event)
        return draft.plan()

    def classify(self, call: Call, reply: Reply | TransportError) -> Verdict:
        found = judged(reply)
        return found if isinstance(found, Verdict) else _VERDICTS[call.purpose](call, found)
