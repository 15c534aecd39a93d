"""What breaks when, in a soak: pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice

DESTINATIONS = ("footprints", "netcore", "ray", "expertsender", "engagelab")
REFUSALS = 3  # calls that a vendor refuses with 400: no fault heals those, so they make dead letters, or are halved
EVERY, LONGEST = 20.0, 15.0  # seconds from one fault to the next, and that one lasts
# Each vendor's faults come in another order, so that no two vendors have the same at once.
VENDOR_FAULTS = ("500", "429", "hang", "reset", "garbage", "400")
OURS = (
    ("kafka", "freeze"),
    ("collector-0", "kill"),
    ("forwarder", "kill"),
    ("kafka", "kill"),
    ("ochn", "renew"),
    ("collector-1", "kill"),
    ("kafka", "restart"),
    ("sandbox", "kill"),
    ("forwarder", "kill"),
    ("all", "kill"),
)


@dataclass(frozen=True)
class Fault:
    """Begins `at` seconds after the load, and lasts for `seconds`; a kill is over at once."""

    at: float
    seconds: float
    victim: str
    kind: str

    def __str__(self) -> str:
        return f"{self.victim}: {self.kind}"


def schedule(seconds: float) -> list[Fault]:
    """Over a load of so many seconds: a twentieth of quiet before the first fault, a sixth after the last."""
    first, span = seconds / 20, seconds * (1 - 1 / 20 - 1 / 6)
    count = max(4, round(span / EVERY))
    step = span / count
    lasting = min(LONGEST, step * 0.75)
    chosen = enumerate(islice(cycle(_all()), count))
    return [Fault(first + n * step, lasting, victim, kind) for n, (victim, kind) in chosen]


def _all() -> list[tuple[str, str]]:
    """One of ours, then two of the vendors', and so on."""
    vendors, ours = _of_vendors(), cycle(OURS)
    mixed = []
    for pair in zip(vendors, vendors, strict=True):
        mixed += [next(ours), *pair]
    return mixed


def _of_vendors() -> Iterator[tuple[str, str]]:
    for turn in range(len(VENDOR_FAULTS)):
        for place, name in enumerate(DESTINATIONS):
            yield name, VENDOR_FAULTS[(turn + place) % len(VENDOR_FAULTS)]
