"""A soak over time: what was answered, how long people waited, what broke when, how far behind each destination was."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadtests.paced import part
from loadtests.picture import Stamp, canvas, save
from loadtests.soak_load import Sent
from loadtests.soak_schedule import DESTINATIONS, Fault
from loadtests.soak_stand import Sample

ROWS = ("kafka", "collector", "forwarder", "sandbox", "all", "ochn", *DESTINATIONS)
COLOURS = {"degraded": "#f6c344", "down": "#d9534f", "away": "#999999"}


def draw(sent: Sequence[Sent], samples: Sequence[Sample], faults: Sequence[Fault], stamp: Stamp, path: Path) -> None:
    ratios = {"height_ratios": (2, 2, 2.4, 2)}
    figure, axes = canvas(4, 1, width=15, height=13, sharex=True, gridspec_kw=ratios)
    rates, waits, broken, lags = axes[:, 0]
    _rates(rates, sent)
    _waits(waits, sent)
    _broken(broken, faults, samples)
    _lags(lags, samples)
    lags.set_xlabel("minutes")
    save(figure, "A soak: all five destinations, a fault every few seconds", stamp, path)


def _by_second(sent: Sequence[Sent]) -> dict[int, list[Sent]]:
    seconds: dict[int, list[Sent]] = {n: [] for n in range(int(max((one.at for one in sent), default=0)) + 1)}
    for one in sent:
        seconds[int(one.at)].append(one)
    return seconds


def _rates(axis: Any, sent: Sequence[Sent]) -> None:
    seconds = _by_second(sent)
    minutes = [second / 60 for second in seconds]
    axis.plot(minutes, [sum(bool(one.id) for one in all_) for all_ in seconds.values()], label="answered 200")
    axis.plot(minutes, [sum(one.status == 0 for one in all_) for all_ in seconds.values()], label="no answer")
    axis.plot(minutes, [sum(one.status >= 400 for one in all_) for all_ in seconds.values()], label="refused (503)")
    axis.set_ylabel("events/s")
    axis.set_ylim(bottom=0)
    _legend(axis, 3)


def _waits(axis: Any, sent: Sequence[Sent]) -> None:
    """From when each was due, as an answer's second has it."""
    seconds = {n: sorted(one.at - one.due for one in all_ if one.id) for n, all_ in _by_second(sent).items()}
    for share, name in ((0.5, "p50"), (0.99, "p99")):
        told = [(n / 60, 1000 * part(waits, share)) for n, waits in seconds.items() if waits]
        axis.plot([x for x, _ in told], [y for _, y in told], label=name)
    axis.set(yscale="log", ylabel="ms from due to answered")
    _legend(axis, 2)


def _broken(axis: Any, faults: Sequence[Fault], samples: Sequence[Sample]) -> None:
    """A bar for each fault, behind them what /health/ready said."""
    for before, after in itertools.pairwise(samples):
        if before.ready in COLOURS:
            axis.axvspan(before.at / 60, after.at / 60, color=COLOURS[before.ready], alpha=0.35, linewidth=0)
    for fault in faults:
        row = ROWS.index(fault.victim.partition("-")[0])
        axis.barh(row, max(fault.seconds, 1) / 60, left=fault.at / 60, height=0.7, color="#4c72b0")
        axis.text(fault.at / 60, row, f" {fault.kind}", va="center", fontsize=6.5)
    axis.set_yticks(range(len(ROWS)), ["supervisor" if row == "ochn" else row for row in ROWS])
    axis.set_ylim(len(ROWS) - 0.4, -0.6)
    axis.set_ylabel("what was broken\n(yellow: ready, degraded)")


def _lags(axis: Any, samples: Sequence[Sample]) -> None:
    for name in DESTINATIONS:
        told = [(one.at / 60, one.lag[name]) for one in samples if name in one.lag]
        axis.plot([x for x, _ in told], [y for _, y in told], label=name)
    axis.plot([one.at / 60 for one in samples], [one.spooled for one in samples], "k:", label="in the spool")
    axis.set(ylabel="events behind")
    axis.set_yscale("symlog", linthresh=10)
    _legend(axis, 6)


def _legend(axis: Any, columns: int) -> None:
    """Above the lines, not over them."""
    axis.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, frameon=False, fontsize=9)
