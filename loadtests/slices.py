"""A forwarder seen in slices; between two of them it stands still, and a bare client makes calls on its core. Pure.

What neighbours on the machine bend, they bend within seconds: measured once each, a minute apart, the same code had 0.32
to 0.70 of a bare call. So each slice's CPU is told in bare calls of that very moment.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

SLICE_SECONDS: Final = 0.25
STRETCH_SECONDS: Final = 5.0
PARTS: Final = 10  # of a run, whose ratios show how much the machine swings

Slice = tuple["Sample", "Sample"]


@dataclass(frozen=True)
class Sample:
    """The end of a slice. `at`: seconds so far that it was let run; `stood`: of these, those that it was ready to and
    others had its core; `cpu` and `sink_cpu`: seconds so far; `bare_us`: CPU µs of a bare call just then."""

    at: float
    events: int
    cpu: float
    stood: float
    sink_cpu: float
    memory_mb: float
    bare_us: float


def ratio(samples: Sequence[Sample]) -> float:
    """Events for the CPU of one bare call. By the sum and not by the middle slice, as slices differ: one holds the
    upstream inits of a thousand new visitors, the next hardly any."""
    return _ratio(list(pairwise(samples)))


def ratios(samples: Sequence[Sample]) -> list[float]:
    """Of each part of the run, as many slices in each."""
    slices = list(pairwise(samples))
    bounds = [len(slices) * part // PARTS for part in range(PARTS + 1)]
    return [_ratio(slices[first:end]) for first, end in pairwise(bounds) if first < end]


def bare_us(samples: Sequence[Sample]) -> float:
    """What a bare call cost, the run's CPU time in the calls that it is told in."""
    return (samples[-1].cpu - samples[0].cpu) / sum(map(_calls, pairwise(samples))) * 1e6


def _ratio(slices: Sequence[Slice]) -> float:
    return (slices[-1][1].events - slices[0][0].events) / sum(map(_calls, slices))


def _calls(one: Slice) -> float:
    """The bare calls that its CPU time would have paid for, at the price right before it and right after."""
    before, after = one
    return (after.cpu - before.cpu) / statistics.mean((before.bare_us, after.bare_us)) * 1e6


def stretches(samples: Sequence[Sample]) -> list[float]:
    """Events for each second that it had its core, or had no use for it, of each five seconds; a run that is shorter is
    one stretch."""
    step = min(int(STRETCH_SECONDS / SLICE_SECONDS), len(samples) - 1)
    return [
        (after.events - before.events) / max(SLICE_SECONDS, after.at - before.at - (after.stood - before.stood))
        for before, after in zip(samples, samples[step:], strict=False)
    ]
