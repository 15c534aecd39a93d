"""Nothing of an erased person is sent again: replays leave it out, and say how much that is."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from rich.console import Console

from eventlog.erased import Erased, take_in
from eventlog.event import Event
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.log_access import open_log, run

T = TypeVar("T")


def erased_by_now(settings: Settings) -> Erased:
    async def read() -> Erased:
        erased, topic = Erased(), Topics(settings.log.topic_prefix).erased.name
        await take_in(erased, await open_log(settings).open_scanner(), topic)
        return erased

    return run(read(), settings)


def without_erased(settings: Settings, found: Mapping[str, T], event_of: Callable[[T], Event]) -> dict[str, T]:
    erased = erased_by_now(settings)
    left = {key: one for key, one in found.items() if not erased.denies(event_of(one))}
    tell_left_out(len(found) - len(left))
    return left


def tell_left_out(count: int) -> None:
    if count:
        said = f"erased {count}: of people who were erased since, left out"
        Console(stderr=True, highlight=False).print(said, markup=False)
