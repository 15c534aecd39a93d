"""How long and how much: what the fault tests take in full (`make faults`), and shortened, in every run."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Counts, and times in seconds; `deadline`: for what was answered 2xx to arrive once the fault is over; `patience`:
    for what faults.md wants within two or three seconds, on cores that others use too."""

    events: int
    kills: int
    between_kills: float
    kafka_away: float
    leaderless: float
    deadline: float
    patience: float
    renewals: int
    fault_held: float
    probe_seconds: float
    token_seconds: int
    churns: int
    between_churns: float


FULL = Scale(
    events=20_000,
    kills=30,
    between_kills=2.0,
    kafka_away=60.0,
    leaderless=20.0,
    deadline=300.0,
    patience=3.0,
    renewals=10,
    fault_held=600.0,
    probe_seconds=10.0,
    token_seconds=60,
    churns=12,
    between_churns=10.0,
)
SHORT = Scale(
    events=2_000,
    kills=3,
    between_kills=2.0,
    kafka_away=8.0,
    leaderless=5.0,
    deadline=90.0,
    patience=30.0,
    renewals=2,
    fault_held=5.0,
    probe_seconds=1.5,
    token_seconds=2,
    churns=0,
    between_churns=2.0,
)
