"""Ten thousand spoilt requests of the recorded corpus (tests/support/fuzz.py); `make fuzz` sends a million."""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import pytest

from base.reasons import Refusal
from collector.arrival import Arrival, Reply, Respond
from collector.judging.decide import Decision
from eventlog.log import Position, Record, Settled
from tests.collector.pipe import Piped
from tests.support.fuzz import Failure, fuzz, main
from tests.support.mutations import corpus, mutant


@pytest.mark.parametrize("start", range(0, 10_000, 2_500))
def test_spoilt_requests(start: int) -> None:
    asyncio.run(fuzz(seed=7, start=start, count=2_500))


def test_a_number_is_always_the_same_request() -> None:
    samples = corpus()
    assert [mutant(7, number, samples) for number in range(50)] == [mutant(7, number, samples) for number in range(50)]
    assert mutant(7, 1, samples) != mutant(8, 1, samples)


def raises(way: Piped) -> None:
    """Bytes that are no text, read as if they were."""
    take = way.house.intake.take

    def trusting(arrival: Arrival, respond: Respond) -> None:
        arrival.body.decode()
        take(arrival, respond)

    way.house.intake.take = trusting  # type: ignore[method-assign]


def forgets(way: Piped) -> None:
    """Every fifth event is said to be stored."""
    writer, count = way.house.intake._writer, itertools.count()
    append = writer.append

    def forgetful(records: Sequence[Record], settled: Settled) -> None:
        if next(count) % 5:
            append(records, settled)
        else:
            asyncio.get_running_loop().call_soon(settled, records[0], Position(records[0].topic, 0, 0))

    writer.append = forgetful  # type: ignore[method-assign]


def mixes_bodies_up(way: Piped) -> None:
    """Every fifth event is of what came before it, on another connection."""
    decide, came = way.house.intake._decider.decide, list[Arrival]()

    def confused(arrival: Arrival) -> Decision:
        came.append(arrival)
        return decide(arrival if len(came) % 5 else came[-2])

    way.house.intake._decider.decide = confused  # type: ignore[method-assign]


def says_less_on_one_way(way: Piped) -> None:
    if way.fast_lane:
        refuse = way.door.refuse

        def silent(reason: Refusal) -> Reply:
            return Reply(refuse(reason).status, b"{}", close=True)

        way.door.refuse = silent  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("sabotage", "what"),
    [
        (raises, "answered"),
        (forgets, "stored|neighbour"),
        (mixes_bodies_up, "stored what was not sent"),
        (says_less_on_one_way, "the two ways"),
    ],
)
def test_without_its_protection_it_is_found(sabotage: Callable[[Piped], None], what: str) -> None:
    """The negative controls: the same requests, a collector with one fault."""
    with pytest.raises(Failure, match=what) as found:
        asyncio.run(fuzz(7, 0, 500, sabotage))
    assert "again: python -m tests.support.fuzz --seed 7 --start" in str(found.value)


def test_the_command_tells_its_progress_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "7", "--count", "20", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.startswith("seed 7: 20 requests, 1 at a time\n20 of 20, ")
