"""When the breaker opens, tries and closes: by time alone, so without waiting for any."""

from base.reasons import Spooling
from eventlog.breaker import FIRST_REST, FIRST_STEADY, FORGET_SECONDS, MOST_REST, MOST_STEADY, Breaker

SLOW, FAST = 0.3, 0.01


def opened(breaker: Breaker, now: float) -> Breaker:
    assert breaker.open(Spooling.SLOW, "why", now)
    return breaker


def seconds_to_close(breaker: Breaker, now: float) -> float:
    """How long it stays half-open while all goes well, looked at every tenth."""
    assert breaker.try_out(now)
    begun = now
    while not breaker.may_close(now):
        now += 0.1
        breaker.came_back(FAST, now)
    breaker.close(now)
    return now - begun


def test_it_opens_once_and_keeps_the_first_reason() -> None:
    breaker = opened(Breaker(0.25), 1.0)
    assert not breaker.open(Spooling.AWAY, "another", 1.1)
    assert (breaker.state, breaker.reason, breaker.detail) == ("open", Spooling.SLOW, "why")
    assert not breaker.may_close(1000.0), "open is not tried"


def test_it_closes_after_a_steady_while_and_forgets_why() -> None:
    breaker = opened(Breaker(0.25), 0.0)
    assert FIRST_STEADY - 0.2 < seconds_to_close(breaker, 0.0) < FIRST_STEADY + 0.2
    assert (breaker.state, breaker.reason, breaker.detail) == ("closed", None, "")


def test_a_slow_group_begins_the_steady_while_anew() -> None:
    breaker = opened(Breaker(0.25), 0.0)
    breaker.try_out(0.0)
    breaker.came_back(SLOW, 10.0)
    assert not breaker.may_close(10.1)
    breaker.came_back(FAST, 10.2)
    assert breaker.may_close(10.0 + FIRST_STEADY)


def test_who_opens_again_soon_stays_longer_up_to_a_bound_and_is_forgiven() -> None:
    breaker, now, lasted = Breaker(0.25), 0.0, []
    for _ in range(6):
        lasted.append(seconds_to_close(opened(breaker, now), now))
        now += lasted[-1] + 1.0
    assert [round(each / FIRST_STEADY) for each in lasted] == [1, 2, 4, 8, 8, 8]
    assert max(lasted) < MOST_STEADY + 0.2
    assert seconds_to_close(opened(breaker, now + FORGET_SECONDS), now + FORGET_SECONDS) < FIRST_STEADY + 0.2


def test_a_trial_that_fails_is_repeated_after_a_growing_rest() -> None:
    breaker, now, rests = opened(Breaker(0.25), 0.0), 0.0, []
    assert breaker.try_out(now), "the first needs no rest"
    for _ in range(6):
        opened(breaker, now)
        begun = now
        while not breaker.try_out(now):
            now += 0.0625
        rests.append(round(now - begun, 2))
    assert rests == sorted(rests)
    assert FIRST_REST - 0.1 < rests[0] < rests[-1] < MOST_REST + 0.1
    breaker.came_back(FAST, now)
    opened(breaker, now)
    assert breaker.try_out(now + FIRST_REST), "one that came through forgives the rest"
