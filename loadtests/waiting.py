"""The parts of the benchmark that go at a given rate: how long people wait, and what a worker's memory comes to."""

import time
from collections.abc import Iterator

from loadtests.calls import visit
from loadtests.lines import Line, Target, line, unmeasured
from loadtests.machine import pin, resident_mb
from loadtests.paced import Pace, Waits, told
from loadtests.servers import Server
from loadtests.stand import NO_CORES, SPOOL_DEADLINE, Stand
from tests.support.kafka import KafkaServer

CONNECTIONS = 64
DOWN_RATE = 5_000.0  # events a second while Kafka is away


def waits(stand: Stand) -> Iterator[Line]:
    peak = stand.of(stand.collector(), visit(), CONNECTIONS)
    rate, seconds = peak.events_per_second / 2, stand.options.seconds
    limit = Pace(visit(), CONNECTIONS, rate, seconds).on(stand.bare, stand.seats.driver)
    with stand.collector().running(stand.seats.server) as server:
        Pace(visit(), CONNECTIONS, rate / 2, stand.options.warming).on(server, stand.seats.driver)
        stand.tell(f"{server.name}, {rate:,.0f}/s, paced")
        ours = Pace(visit(), CONNECTIONS, rate, seconds).on(server, stand.seats.driver)
    name = f"p99 at half of the peak rate ({rate:,.0f}/s), {peak.server}"
    yield line("waits", name, "ms", ours.p99_ms, limit.p99_ms, target=Target(most=15), note=_spread(ours))


def _spread(seen: Waits) -> str:
    lost = f", {seen.refused:,} refused, {seen.late:,} never answered" if seen.refused or seen.late else ""
    return f"p50 {seen.p50_ms:.1f}, p99.9 {seen.p999_ms:.1f}, longest {seen.max_ms:.1f} ms{lost}"


def memory(stand: Stand) -> Iterator[Line]:
    peak = stand.of(stand.collector(), visit(), 256)
    target = Target(most=150)
    yield line(
        "memory",
        f"memory of a worker at its peak ({peak.server}, 256 connections)",
        "MB",
        peak.resident_mb,
        target=target,
    )
    if stand.kafka is None:
        yield unmeasured("memory", "memory with Kafka down", NO_CORES)
        return
    with stand.collector().running(stand.seats.server) as server:
        Pace(visit(), CONNECTIONS, DOWN_RATE, stand.options.warming).on(server, stand.seats.driver)
        yield _with_kafka_down(stand, stand.kafka, server)


def _with_kafka_down(stand: Stand, kafka: KafkaServer, server: Server) -> Line:
    """Kafka is killed, load goes on; once Kafka is back the log must come to hold what was answered 2xx."""
    down, before, kept = stand.options.down, resident_mb(server.pid), server.events()
    stand.tell(f"{server.name}, {DOWN_RATE:,.0f}/s, Kafka down for {down} s")
    kafka.kill()
    most = before
    with Pace(visit(), CONNECTIONS, DOWN_RATE, down).started(server, stand.seats.driver) as driver:
        while driver.poll() is None:
            time.sleep(0.2)
            most = max(most, resident_mb(server.pid))
        seen = told(driver)
    kafka.start()
    pin(kafka.pid, stand.seats.broker)
    began, asked = time.monotonic(), kept + seen.answered
    if (held := server.events_once(asked, SPOOL_DEADLINE)) < asked:
        raise SystemExit(f"{asked:,} events were answered 2xx and Kafka holds {held:,}: these figures are worthless")
    drained = time.monotonic() - began
    note = (
        f"from {before:.0f} MB; {seen.answered:,} answered, {_spread(seen)}; in Kafka {drained:.0f} s after its return"
    )
    name = f"more memory after {down} s with Kafka down, {DOWN_RATE:,.0f}/s"
    return line("memory", name, "MB", round(most - before, 1), target=Target(most=50), note=note)
