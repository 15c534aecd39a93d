"""How it grows: rate and waiting by connections, by size of body, by number of app keys; and the picture of it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadtests.calls import Call, visit
from loadtests.drive import Figures
from loadtests.lines import Line, Verdict, falls_off
from loadtests.picture import Stamp, canvas, save
from loadtests.servers import Server
from loadtests.stand import Stand

CONNECTIONS: tuple[int, ...] = (1, 16, 64, 256, 1024)
SIZES: tuple[int, ...] = (200, 380, 1_000, 10_000, 100_000)  # bytes
KEYS: tuple[int, ...] = (1, 10, 100, 1_000)
PLAIN = 64  # connections, where they are not what grows
MB = 1e6


@dataclass(frozen=True)
class Point:
    """At `x` connections, bytes or keys; `bare` is the same from the bare server."""

    x: int
    ours: Figures
    bare: Figures


@dataclass(frozen=True)
class Curve:
    """`megabytes`: its height is what goes through, MB/s, as larger bodies are fewer."""

    name: str
    points: tuple[Point, ...]
    megabytes: bool = False

    def heights(self) -> list[float]:
        return [point.ours.events_per_second * (point.x / MB if self.megabytes else 1) for point in self.points]

    def line(self) -> Line:
        """No line falls off: none loses a quarter of what it had reached."""
        unit, heights = "MB/s" if self.megabytes else "events/s", self.heights()
        told = ", ".join(f"{point.x:,}: {height:,.0f}" for point, height in zip(self.points, heights, strict=True))
        verdict: Verdict = "missed" if falls_off(heights) else "ok"
        name, target = f"by {self.name}, least of the curve", "no step loses a quarter"
        return Line("growth", name, unit, min(heights), target, verdict=verdict, note=told)


def curves(stand: Stand) -> Iterator[Curve]:
    few = slice(1, None, 2) if stand.options.short else slice(None)
    with stand.collector().running(stand.seats.server) as server:
        yield Curve("connections", tuple(_point(stand, server, n, visit(), n) for n in CONNECTIONS[few]))
        sizes = tuple(_point(stand, server, size, visit(size), PLAIN) for size in SIZES[few])
        yield Curve("bytes of a body", sizes, megabytes=True)
    points = []
    for keys in KEYS[few]:
        with stand.collector(keys=keys).running(stand.seats.server) as server:
            points.append(_point(stand, server, keys, visit(), PLAIN, keys=keys))
    yield Curve("app keys", tuple(points))


def _point(stand: Stand, server: Server, x: int, call: Call, connections: int, *, keys: int = 1) -> Point:
    return Point(x, stand.on(server, call, connections, keys), stand.of_bare(call, connections))


def draw(grown: list[Curve], stamp: Stamp, path: Path) -> None:
    """Rates, what an event costs (which neighbours on the cores bend least), and what wrk waited for."""
    figure, axes = canvas(3, len(grown), width=15, height=10.5)
    for column, curve in enumerate(grown):
        rates, costs, waits = axes[:, column]
        xs = [point.x for point in curve.points]
        for mark, pick in (("ochn", "ours"), ("bare reply", "bare")):
            seen: list[Figures] = [getattr(point, pick) for point in curve.points]
            rates.plot(xs, [one.events_per_second for one in seen], marker="o", label=mark)
            costs.plot(xs, [one.cpu_us_per_event for one in seen], marker="o", label=mark)
            waits.plot(xs, [one.p99_ms for one in seen], marker="o", label=mark)
        rates.set(title=f"by {curve.name}", xscale="log", ylabel="events/s")
        rates.set_ylim(bottom=0)
        costs.set(xscale="log", yscale="log", ylabel="CPU µs an event")
        waits.set(xscale="log", yscale="log", xlabel=curve.name, ylabel="p99 in wrk's closed loop, ms")
        for each in (rates, costs, waits):
            each.set_xticks(xs, [f"{x:,}" for x in xs])
            each.xaxis.minorticks_off()
        rates.legend()
    save(figure, "One worker on one core, as it grows", stamp, path)
