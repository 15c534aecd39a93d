"""What every replay does: shows what it would send, asks, and sends, with a bar on a terminal."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from rich.console import Console

from base.clock import SystemClock
from base.lock import lock_data_dir
from eventlog.topics import Topics
from ochn.config import Settings
from ochn.log_access import open_log, open_spool, run
from ochn.replaying.preview import Preview, agreed, progress, warn_of_dates
from ochn.replaying.resending import LEAST_RATE, Journal, Resender, Step, rate_below

# (events of a step, what the last run has appended already) -> steps
Steps = Callable[[int, frozenset[str]], AsyncIterator[Step]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The flags that every replay has."""

    yes: bool
    dry_run: bool
    rate: float | None


def send_again(settings: Settings, journal: Journal, preview: Preview, steps: Steps, asked: Asked) -> bool:
    """False: nothing was sent. StartError while another replay runs."""
    with lock_data_dir(settings.data_dir, "replay"):
        rate = asked.rate or (run(_rate(settings), settings) if preview.total > 1 else LEAST_RATE)
        if asked.dry_run:
            preview.draw(settings, rate)
            return False
        if preview.total > 1 and not agreed(preview, settings, rate, yes=asked.yes):
            return False
        if preview.total == 1:
            warn_of_dates(preview.kinds, settings, Console(stderr=True, highlight=False))
        try:
            sent = run(_send(settings, journal, preview.total, steps, rate), settings, None)
        except KeyboardInterrupt:
            told = "stopped: asked for again in the same words, it goes on where it stood"
            Console(stderr=True, highlight=False).print(told)
            raise
    Console(highlight=False).print(f"replayed {sent}: ochn status shows when they are through")
    return True


async def _rate(settings: Settings) -> float:
    scanner = await open_log(settings).open_scanner()
    return await rate_below(scanner, Topics(settings.log.topic_prefix).events.name, SystemClock())


async def _send(settings: Settings, journal: Journal, total: int, steps: Steps, rate: float) -> int:
    topics, sent = Topics(settings.log.topic_prefix), 0
    log, spool = open_log(settings), open_spool(settings)
    resender = Resender(log=log, spool=spool, topics=topics, journal=journal, clock=SystemClock(), rate=rate)
    with progress() as bar:
        task = bar.add_task("", total=total)

        def told(count: int) -> None:
            nonlocal sent
            sent += count
            bar.advance(task, count)

        await resender.run(steps(resender.at_once, await resender.already()), told)
    return sent
