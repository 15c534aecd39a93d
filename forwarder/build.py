"""Puts one destination's parts together. Everything from outside comes as an argument."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from base.clock import Clock
from base.ids import IdSource
from base.logs import Logger
from base.metrics import ForwarderMetrics
from eventlog.erased import Erased
from eventlog.log import LogScanner, LogWriter
from eventlog.topics import Topics
from forwarder.delivery.batching import build_queue, unit_events
from forwarder.delivery.breaker import Breaker
from forwarder.delivery.calls import Calls
from forwarder.delivery.duplicates import Duplicates
from forwarder.delivery.engine import Engine
from forwarder.delivery.forgetting import Forgetter, Forgetting
from forwarder.delivery.pace import Pace
from forwarder.delivery.relay import Bounds, Relay
from forwarder.delivery.rounds import Rounds
from forwarder.delivery.settlement import Settlement
from forwarder.delivery.status import Status
from forwarder.destinations.base import Destination
from forwarder.destinations.settings import DestinationSettings
from forwarder.keeping.ahead import Ahead
from forwarder.keeping.dead_letters import DeadLetters
from forwarder.keeping.durable import Durable
from forwarder.keeping.facts import FactStore
from forwarder.keeping.ledger import Ledger
from forwarder.keeping.parking import Parking
from forwarder.keeping.receipt_index import ReceiptIndex
from forwarder.keeping.store import Store
from forwarder.lag import Lag
from forwarder.renewal import Renewal
from forwarder.retry import RetryPolicy
from forwarder.secrets import Cutter, secret_values
from forwarder.settings import ForwarderSettings
from forwarder.transport import Transport
from forwarder.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all destinations share."""

    settings: ForwarderSettings
    data_dir: Path
    topics: Topics
    writer: LogWriter
    scanner: LogScanner
    clock: Clock
    ids: IdSource
    metrics: ForwarderMetrics
    log: Logger
    erased: Erased = field(default_factory=Erased)
    events_logged: bool = False
    cpu: Callable[[], float] = time.process_time  # seconds of a core that this process has used


@dataclass(frozen=True, slots=True)
class Target:
    """A destination, what the settings say of every destination, and its way out."""

    destination: Destination
    options: DestinationSettings
    open_transport: Callable[[], Transport]
    renewal: Renewal = field(default_factory=Renewal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One destination's running parts. Store and transport are closed by who built this."""

    relay: Relay
    watch: Watch
    forgetter: Forgetter
    store: Store
    transport: Transport


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What outlives a crash, and what is known until the next."""

    store: Store
    facts: FactStore
    parking: Parking
    letters: DeadLetters
    ledger: Ledger
    breaker: Breaker
    status: Status


def build_delivery(target: Target, status: Status, around: Surroundings) -> Delivery:
    around = replace(around, log=around.log.bind(destination=target.destination.name))
    target = replace(target, destination=Forgetting(target.destination, around.erased))
    kept = _keep(target, status, around)
    transport = target.open_transport()
    engine = _engine(target, transport, kept, around)
    return Delivery(
        relay=_relay(target.destination, kept, engine, around),
        watch=_watch(kept, engine, around),
        forgetter=_forgetter(kept, engine, around),
        store=kept.store,
        transport=transport,
    )


def _policy(settings: ForwarderSettings) -> RetryPolicy:
    return RetryPolicy(settings.first_retry, settings.longest_retry)


def _keep(target: Target, status: Status, around: Surroundings) -> _Kept:
    name, clock, topics, settings = target.destination.name, around.clock, around.topics, around.settings
    durable = Durable(around.writer, _policy(settings), clock, around.ids, around.log)
    store = Store(around.data_dir / "forwarder" / f"{name}.db", clock, around.log)
    facts = FactStore(topics.facts(name).name, store, durable, around.scanner, clock, erased=around.erased)
    parking = Parking(
        destination=name,
        topic=topics.parked.name,
        store=store,
        durable=durable,
        scanner=around.scanner,
        clock=clock,
        slow=settings.park_after,
        longest=settings.parked_hours * 3600,
        most_late=settings.late_parked,
    )
    letters = DeadLetters(
        destination=name,
        topic=topics.dead_letters.name,
        durable=durable,
        cutter=Cutter(secret_values(target.options), lambda: (*facts.secret_values(), *target.renewal.secrets)),
        clock=clock,
        log=around.log,
    )
    window = target.options.concurrency * unit_events(target.destination.batch)
    ahead = Ahead(around.data_dir / "forwarder" / f"{name}.ahead", around.log)
    ledger = Ledger(name, ReceiptIndex(topics.receipts.name, store), ahead, durable=durable, clock=clock, window=window)
    breaker = Breaker(_policy(settings), settings.same_refusals, settings.probe_seconds)
    return _Kept(
        store=store, facts=facts, parking=parking, letters=letters, ledger=ledger, breaker=breaker, status=status
    )


def _engine(target: Target, transport: Transport, kept: _Kept, around: Surroundings) -> Engine:
    """A call in its wrappers, from the outside in: dead letter and park (Settlement) <- retry (Rounds, Engine) <- breaker
    (Breaker) <- timeout (Calls) <- send (Transport). What the breaker holds back counts as no try; what is parked or dead
    is so only after the retries, and durable before its offset is."""
    settlement = Settlement(
        ledger=kept.ledger,
        dead_letters=kept.letters,
        parking=kept.parking,
        erased=around.erased,
        status=kept.status,
        metrics=around.metrics,
        log=around.log,
        events_logged=around.events_logged,
    )
    rounds = Rounds(
        destination=target.destination,
        calls=_calls(target, transport, kept, around),
        facts=kept.facts,
        settlement=settlement,
        breaker=kept.breaker,
        park_after=around.settings.park_after,
        clock=around.clock,
        ids=around.ids,
        log=around.log,
    )
    return Engine(
        queue=build_queue(target.destination.batch),
        rounds=rounds,
        breaker=kept.breaker,
        facts=kept.facts,
        parking=kept.parking,
        settlement=settlement,
        ledger=kept.ledger,
        concurrency=target.options.concurrency,
        clock=around.clock,
        cpu=around.cpu,
    )


def _calls(target: Target, transport: Transport, kept: _Kept, around: Surroundings) -> Calls:
    return Calls(
        destination=target.destination,
        transport=transport,
        facts=kept.facts,
        erased=around.erased,
        timeout=target.options.timeout,
        side_by_side=asyncio.Semaphore(target.options.concurrency),
        pace=Pace(target.options.calls_per_second, around.clock),
        clock=around.clock,
        metrics=around.metrics,
        log=around.log,
    )


def _relay(destination: Destination, kept: _Kept, engine: Engine, around: Surroundings) -> Relay:
    settings = around.settings
    unsettled = max(settings.unsettled, 2 * destination.batch.events)
    return Relay(
        destination=destination.name,
        engine=engine,
        ledger=kept.ledger,
        facts=kept.facts,
        parking=kept.parking,
        dead_letters=kept.letters,
        duplicates=Duplicates(
            topic=around.topics.events.name, scanner=around.scanner, window=settings.duplicate_window
        ),
        bounds=Bounds(settings.batch_records, unsettled, settings.unsettled_bytes),
        clock=around.clock,
        metrics=around.metrics,
        log=around.log,
    )


def _watch(kept: _Kept, engine: Engine, around: Surroundings) -> Watch:
    topics = around.topics
    lag = Lag(
        topic=topics.events.name,
        group=topics.group(kept.status.destination),
        scanner=around.scanner,
        ends=kept.ledger.ends,
        clock=around.clock,
    )
    return Watch(
        status=kept.status,
        breaker=kept.breaker,
        engine=engine,
        ledger=kept.ledger,
        parking=kept.parking,
        facts=kept.facts,
        lag=lag,
        metrics=around.metrics,
        clock=around.clock,
        log=around.log,
    )


def _forgetter(kept: _Kept, engine: Engine, around: Surroundings) -> Forgetter:
    return Forgetter(
        topic=around.topics.erased.name,
        erased=around.erased,
        store=kept.store,
        facts=kept.facts,
        parking=kept.parking,
        settlement=engine.settlement,
        engine=engine,
        facts_days=around.settings.facts_days,
        clock=around.clock,
        log=around.log,
    )
