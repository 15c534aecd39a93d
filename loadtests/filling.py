"""A log full of visits, to be behind of."""

import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from base.clock import SystemClock, rfc3339
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.appending import append_durably
from eventlog.build import build_log
from eventlog.event import RECORD_HEADERS, Event
from eventlog.log import LogWriter, Record
from eventlog.settings import KafkaSettings, LogSettings
from eventlog.topics import Topics

AT_ONCE = 1000  # visitors whose visits alternate
VISITS = 10  # of each
GROUP = 2000  # records
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"


@dataclass(frozen=True)
class LogOptions:
    """`prefix` is the topics': a broker may be shared."""

    kind: str
    kafka: str
    data: Path
    events: int
    prefix: str = field(default_factory=lambda: f"bench-{uuid.uuid4().hex[:8]}")

    def environ(self) -> dict[str, str]:
        return {
            "OCHN_DATA_DIR": str(self.data),
            "OCHN_LOG__KIND": self.kind,
            "OCHN_LOG__TOPIC_PREFIX": self.prefix,
            "OCHN_LOG__KAFKA__BOOTSTRAP": self.kafka,
        }


@dataclass(frozen=True, slots=True)
class Visit:
    """Numbers ascend in a log; `at`: seconds since the epoch, when it happened and was received."""

    number: int
    visitor: int
    at: float


async def fill(options: LogOptions) -> None:
    """Visits of `options.events // VISITS` visitors, a thousand of them at a time."""
    now = time.time()
    await fill_with(options, (Visit(number, visitor_of(number), now) for number in range(options.events)))


async def fill_with(options: LogOptions, visits: Iterable[Visit]) -> None:
    writer, topic, left = await open_writer(options), Topics(options.prefix).events.name, iter(visits)
    while group := [_record(topic, visit) for visit in islice(left, GROUP)]:
        await append_durably(writer, group)
    await writer.close(10)


def visitor_of(number: int) -> int:
    """Each has `VISITS` of the visits, a thousand visitors at a time."""
    return number // (AT_ONCE * VISITS) * AT_ONCE + number % AT_ONCE


async def open_writer(options: LogOptions) -> LogWriter:
    kafka = KafkaSettings.model_validate({"bootstrap": options.kafka})
    settings = LogSettings(kind="kafka" if options.kind == "kafka" else "embedded", kafka=kafka)
    settings = settings.model_copy(update={"topic_prefix": options.prefix})
    topics, metrics = Topics(options.prefix).all(()), log_metrics(CollectorRegistry())
    return await build_log(settings, options.data, topics, SystemClock(), metrics, quiet_logger()).open_writer()


def a_sale(topic: str, now: float) -> Record:
    """Of somebody new, who tells an e-mail: every destination takes it."""
    number = uuid.uuid4().int
    subject = f"70{number % 16**62:062x}"
    data = {
        "appkey": "bench",
        "email": f"{number}@people.example",
        "requestType": "action",
        "actionType": "sale",
        "additionalData": {"receipts": [{"name": "mall", "value": 12.5}]},
    }
    return sent_event("sale", str(uuid.UUID(int=number)), subject, data, now).to_record(topic, now)


def _record(topic: str, visit: Visit) -> Record:
    value = an_event(visit.number, visit.visitor, visit.at)
    return Record(topic, b"70%062x" % visit.visitor, value, visit.at, RECORD_HEADERS)


def an_event(number: int, visitor: int, now: float) -> bytes:
    """A page's visit as the collector makes it: about 900 bytes. Ids ascend with `number`."""
    page = {"url": f"https://shop.example/sale/{number}", "title": "Autumn sale", "referrer": "https://search.example/"}
    data = {
        "appkey": "bench",
        "pid": f"70{visitor:062x}",
        "uType": "p",
        "requestType": "action",
        "actionType": "visit",
        "additionalData": {"brands": ["Acme", "Umbrella"], "tenants": ["mall"], "interests": ["shoes", "coats"]},
        "page": page,
        "utm": {"source": "news", "medium": "mail", "campaign": "autumn"},
    }
    event = sent_event("visit", f"01900000-0000-7000-8000-{number:012x}", f"70{visitor:062x}", data, now)
    return event._replace(consent="cookie=accepted", clientaddress="203.0.113.7", useragent=AGENT).to_bytes()


def sent_event(kind: str, event_id: str, subject: str, data: dict[str, Any], now: float) -> Event:
    """As the collector makes it of a page's send, at `now` (seconds since the epoch)."""
    moment = rfc3339(now)
    return Event(
        id=event_id,
        type=f"ochn.web.{kind}",
        subject=subject,
        time=moment,
        receivedtime=moment,
        tenant="bench",
        appkeyname="bench",
        door="/jsapi/send",
        data=data,
    )
