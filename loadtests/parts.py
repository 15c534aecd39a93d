"""The parts of the benchmark that find peaks: each yields its lines, every one beside the bare limit of the same run."""

from collections.abc import Iterator

from loadtests.calls import Call, batch, beacons, init, sdk_visit, visit
from loadtests.drive import Figures
from loadtests.lines import STATED, Line, Target, line, unmeasured
from loadtests.servers import Collector, bare_uvicorn
from loadtests.stand import NO_CORES, Stand

RATE, CPU = "events/s", "CPU µs an event"
# Connections: ratio to the bare limit, events a second, CPU µs an event (issue 4's figures).
KAFKA_TARGETS = {64: (0.25, 25_000, 40), 256: (0.33, 33_000, 33)}


def kafka(stand: Stand) -> Iterator[Line]:
    if stand.kafka is None:
        yield unmeasured("kafka", "Kafka, acks=all", NO_CORES)
        return
    for connections, (ratio, rate, cpu) in KAFKA_TARGETS.items():
        name, call = f"Kafka acks=all, 1 worker, {connections} connections", visit()
        limit, ours = stand.beside_bare(stand.collector(), call, connections)
        yield rated("kafka", name, ours, limit, Target(ratio=ratio))
        yield line("kafka", "… absolute", RATE, ours.events_per_second, target=Target(least=rate))
        yield line("kafka", "…", CPU, ours.cpu_us_per_event, limit.cpu_us_per_event, target=Target(most=cpu))


def workers(stand: Stand) -> Iterator[Line]:
    if stand.kafka is None or not stand.seats.second:
        yield unmeasured("workers", "2 workers on 2 cores", "needs a core each for 2 workers, wrk and Kafka")
        return
    one = stand.of(stand.collector(), visit(), 256)
    two = stand.of(stand.collector("Kafka, 2 workers", workers=2), visit(), 256)
    yield rated("workers", "2 workers on 2 cores, 256 connections", two, one, Target(ratio=1.6, beside="one worker"))


def embedded(stand: Stand) -> Iterator[Line]:
    for connections in KAFKA_TARGETS:
        name = f"embedded log, 1 worker, {connections} connections"
        limit, ours = stand.beside_bare(Collector("embedded"), visit(), connections)
        yield rated("embedded", name, ours, limit)
        if stand.kafka is not None:
            beside = stand.of(stand.collector(), visit(), connections)
            yield rated("embedded", "… beside Kafka", ours, beside, Target(ratio=0.8, beside="Kafka"))


def asgi(stand: Stand) -> Iterator[Line]:
    lane = stand.of(stand.collector(), visit(), 64)
    limit, ours = stand.beside_bare(stand.collector("no fast lane", flags=("--no-fast-lane",)), visit(), 64)
    yield rated("asgi", "--no-fast-lane, 64 connections", ours, limit)
    yield rated("asgi", "… beside the lane", ours, lane, Target(beside="the lane"))
    with bare_uvicorn(stand.seats.server) as server:
        plain = stand.uncounted(server, visit(), 64)
    yield rated("asgi", "bare ASGI over stock uvicorn, 64 connections", plain, limit)


def bodies(stand: Stand) -> Iterator[Line]:
    targets: dict[Call, Target] = {
        sdk_visit(): STATED,
        beacons(): STATED,
        init(): STATED,
        batch(50): Target(least=100_000),
    }
    for call, target in targets.items():
        limit, ours = stand.beside_bare(stand.collector(), call, 64)
        yield rated("bodies", f"{call.name} ({call.body_bytes:,} B), 64 connections", ours, limit, target)


def rated(part: str, name: str, ours: Figures, beside: Figures, target: Target = STATED) -> Line:
    lost = f", {ours.refused:,} refused, {ours.broken:,} broken" if ours.refused or ours.broken else ""
    lost += f", {ours.spooled:,} by way of the spool" if ours.spooled else ""
    by_cpu = beside.cpu_us_per_event / max(ours.cpu_us_per_event, 0.1)  # what neighbours on the cores change least
    note = f"{ours.cpu_us_per_event} CPU µs an event: {by_cpu:.2f} by CPU; wrk's p99 {ours.p99_ms:.1f} ms{lost}"
    return line(part, name, RATE, ours.events_per_second, beside.events_per_second, target=target, note=note)
