"""A door over a stand-in for the intake, on a real socket, by each of the ways in."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Literal, Protocol

from prometheus_client import CollectorRegistry

from base.clock import SystemClock
from base.ids import SystemIds
from base.metrics import collector_metrics
from base.serving import HttpProtocol
from collector.door.asgi_door import AsgiDoor
from collector.door.door import Door
from collector.judging.keys import KeyRing
from collector.protocol import build_protocol
from collector.settings import CollectorSettings, KeySettings, LimitSettings
from tests.collector.standin import StandIn
from tests.collector.wire import served

Way = Literal["fast lane", "no fast lane", "another server"]
WAYS: Final[tuple[Way, ...]] = ("fast lane", "no fast lane", "another server")
OURS: Final[tuple[Way, ...]] = ("fast lane", "no fast lane")
SETTINGS: Final = CollectorSettings(limits=LimitSettings(body_bytes=1000, lead_body_bytes=3000, body_seconds=0.5))


class OpenDoor(Protocol):
    """`registry`: what it counts into; `keys`: by name."""

    def __call__(
        self,
        intake: StandIn | None = None,
        *,
        settings: CollectorSettings = SETTINGS,
        registry: CollectorRegistry | None = None,
        keys: Mapping[str, KeySettings] | None = None,
    ) -> AbstractAsyncContextManager[int]: ...


@asynccontextmanager
async def open_door(way: Way, intake: StandIn | None = None, **given: Any) -> AsyncIterator[int]:
    door = make_door(intake or StandIn(), **given)
    async with served(AsgiDoor(door), protocol_of(way, door)) as port:
        yield port


def make_door(
    intake: StandIn,
    *,
    settings: CollectorSettings = SETTINGS,
    registry: CollectorRegistry | None = None,
    keys: Mapping[str, KeySettings] | None = None,
) -> Door:
    ring = KeyRing(keys or {"any": KeySettings(values=("k",))})
    return Door(
        intake,
        keys=lambda: ring,
        settings=settings,
        clock=SystemClock(),
        ids=SystemIds(),
        metrics=collector_metrics(registry or CollectorRegistry()),
    )


def protocol_of(way: Way, door: Door) -> HttpProtocol | None:
    return None if way == "another server" else build_protocol(door, fast_lane=way == "fast lane")
