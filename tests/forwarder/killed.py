"""A forwarder in a process of its own, to be killed: `python -m tests.forwarder.killed DIRECTORY URL [eager]`.

`eager` commits what was taken, before it is sent: the negative control.
"""

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.logs import quiet_logger
from base.metrics import log_metrics
from eventlog.embedded import EmbeddedLog
from eventlog.settings import EmbeddedSettings
from forwarder.build import Delivery, Surroundings, Target, build_delivery
from forwarder.delivery.status import Status
from forwarder.keeping.ledger import Ledger
from forwarder.settings import ForwarderSettings
from forwarder.transport import Reply, Request, Transport
from forwarder.transport.lean import LeanTransport
from tests.forwarder.small import Chain
from tests.forwarder.stand import TOPICS
from tests.forwarder.world import World


@dataclass
class Led:
    """The stand's destinations name no real host; this leads their calls to the test's server."""

    url: str
    inner: Transport

    async def send(self, request: Request, deadline: float) -> Reply:
        return await self.inner.send(request._replace(url=self.url), deadline)

    async def close(self) -> None:
        await self.inner.close()


class EagerLedger(Ledger):
    async def committable(self) -> dict[int, int]:
        return {number: held.offsets._end for number, held in self._partitions.items()}


def build_eagerly(target: Target, status: Status, around: Surroundings) -> Delivery:
    delivery = build_delivery(target, status, around)
    delivery.relay.ledger.__class__ = EagerLedger
    return delivery


def embedded(directory: Path) -> EmbeddedLog:
    return EmbeddedLog(
        EmbeddedSettings(),
        directory,
        TOPICS.all(("chain",)),
        clock=SystemClock(),
        metrics=log_metrics(CollectorRegistry()),
        logger=quiet_logger(),
        lease_seconds=1.0,
    )


async def main(directory: Path, url: str, *, eager: bool) -> None:
    world = World(
        directory,
        Chain(),
        Led(url, LeanTransport(16)),
        embedded(directory),
        SystemClock(),
        ForwarderSettings(first_retry=0.05, longest_retry=1.0),
        build=build_eagerly if eager else build_delivery,
    )
    async with world.running():
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], eager="eager" in sys.argv))
