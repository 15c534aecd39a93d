"""What is asked of each figure, and the verdict on it: pure, so that a test can hold it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["ok", "missed", "stated", "not measurable here"]


@dataclass(frozen=True)
class Line:
    """One figure. `beside` is what it is compared with (the bare limit, or another line), in the same unit and from the
    same run; `ratio` is to that. `note` is for people."""

    part: str
    name: str
    unit: str
    value: float | None
    target: str = ""
    beside: float | None = None
    ratio: float | None = None
    verdict: Verdict = "stated"
    note: str = ""


@dataclass(frozen=True)
class Target:
    """`ratio`: at least so much of what is beside it. `most`: the value is at most that; `least`: at least."""

    ratio: float | None = None
    most: float | None = None
    least: float | None = None
    beside: str = "bare"

    def __str__(self) -> str:
        bounds = [
            "" if self.ratio is None else f"≥ {self.ratio:g} x {self.beside}",
            "" if self.least is None else f"≥ {self.least:,g}",
            "" if self.most is None else f"≤ {self.most:,g}",
        ]
        return ", ".join(filter(None, bounds))

    def judge(self, value: float, ratio: float | None) -> Verdict:
        told = [
            None if self.ratio is None else ratio is not None and ratio >= self.ratio,
            None if self.least is None else value >= self.least,
            None if self.most is None else value <= self.most,
        ]
        held = [one for one in told if one is not None]
        return "stated" if not held else "ok" if all(held) else "missed"


STATED = Target()


def line(
    part: str,
    name: str,
    unit: str,
    value: float,
    beside: float | None = None,
    *,
    target: Target = STATED,
    note: str = "",
) -> Line:
    ratio = value / beside if beside else None
    rounded = None if ratio is None else round(ratio, 3)
    return Line(part, name, unit, value, str(target), beside, rounded, target.judge(value, ratio), note)


def unmeasured(part: str, name: str, why: str) -> Line:
    return Line(part, name, "", None, verdict="not measurable here", note=why)


def falls_off(values: Sequence[float], allowed: float = 0.25) -> bool:
    """Whether a curve that should hold its height loses more than `allowed` of what it had reached."""
    best = 0.0
    for value in values:
        if value < best * (1 - allowed):
            return True
        best = max(best, value)
    return False


COLUMNS = ("", "unit", "value", "beside", "ratio", "target", "verdict", "note")


def cells(one: Line) -> tuple[str, ...]:
    ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
    return (one.name, one.unit, _number(one.value), _number(one.beside), ratio, one.target, one.verdict, one.note)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    every = [columns, tuple("---" for _ in columns), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in every)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.1f}"
