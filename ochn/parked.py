"""`ochn parked list`: events that wait apart, each with why and since when."""

import orjson

from base.clock import SystemClock, rfc3339
from base.reasons import Parked
from eventlog.log import StoredRecord
from eventlog.topics import Topics
from forwarder.keeping.parking import ParkedEvent
from ochn.config import Settings
from ochn.kept import Kept
from ochn.log_access import run
from ochn.options import Config, DataDir, Destination, Json, Reason, one_of
from ochn.output import age, json_lines, table
from ochn.served import settings_of


def parked_list(
    config: Config = None,
    data_dir: DataDir = None,
    as_json: Json = False,
    destination: Destination = None,
    reason: Reason = None,
) -> None:
    """What waits for a contact, or keeps failing, or stands behind such an event, or is late; oldest first. It goes on by
    itself."""
    settings, now = settings_of(config, data_dir), SystemClock().now()
    one_of("reason", reason, Parked)
    found = run(_kept(settings).all(), settings).values()
    one_of("destination", destination, {*settings.destinations, *(one.destination for one in found)})
    waiting = [one for one in found if destination in (None, one.destination) and reason in (None, one.reason)]
    if as_json:
        json_lines({"id": one.event.id, **orjson.loads(one.to_bytes())} for one in waiting)
        return
    rows = (
        (one.event.id, age(rfc3339(one.since), now), one.destination, one.reason, one.event.subject) for one in waiting
    )
    empty = "no parked event is like that" if found else "nothing is parked"
    table(("event", "waits", "destination", "why", "visitor"), rows, empty)


def _kept(settings: Settings) -> Kept[ParkedEvent]:
    topic = Topics(settings.log.topic_prefix).parked.name
    return Kept(settings, topic, _decoded, "parked event", "ochn parked list")


def _decoded(record: StoredRecord) -> ParkedEvent:
    return ParkedEvent.from_bytes(record.value or b"")
