"""The oracle of every fault (faults.md): what was issued, what was answered 2xx, what arrived.

Each event carries a unique id and a payload derived from it. acknowledged ⊆ delivered (lost = 0), delivered ⊆ issued,
payloads equal. The file is written before and after each request, so that it survives whoever drives the load.
"""

import asyncio
import hashlib
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.product import Product

VISITORS = 50
TRIES = 150  # of a request that found nobody listening, and so was never sent


def payload(event_id: str) -> str:
    return hashlib.sha256(event_id.encode()).hexdigest()[:16]


@dataclass
class Oracle:
    path: Path
    issued: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)

    def write(self, mark: str, event_id: str) -> None:
        (self.issued if mark == "issued" else self.acknowledged).add(event_id)
        with self.path.open("a") as file:
            file.write(f"{mark} {event_id}\n")


@dataclass(frozen=True)
class Verdict:
    """One destination's: `lost` were answered 2xx and never arrived; `invented` arrived and were never sent."""

    destination: str
    lost: frozenset[str]
    invented: frozenset[str]
    spoiled: frozenset[str]
    duplicates: int

    @property
    def clean(self) -> bool:
        return not (self.lost or self.invented or self.spoiled)


class Load:
    """`count` events of VISITORS visitors, `rate` a second; a broken request is simply not acknowledged. `met`: the
    statuses of the answers, and how many attempts were `refused` (nobody listens) or `broken`."""

    def __init__(self, url: str, oracle: Oracle, count: int, rate: float, seed: int = 1) -> None:
        self._url = url
        self._oracle = oracle
        self._count = count
        self._rate = rate
        self._seed = seed
        self.sent = 0
        self.met: Counter[str] = Counter()

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            visitors = await self._visitors(session)
            started, running = time.monotonic(), set[asyncio.Task[None]]()
            for n in range(self._count):
                await asyncio.sleep(max(0.0, started + n / self._rate - time.monotonic()))
                task = asyncio.create_task(self._send(session, f"{self._seed}-{n:06d}", visitors[n % VISITORS]))
                running.add(task)
                task.add_done_callback(running.discard)
            await asyncio.gather(*running)

    async def _visitors(self, session: aiohttp.ClientSession) -> list[str]:
        return [await self._init(session, n) for n in range(VISITORS)]

    async def _init(self, session: aiohttp.ClientSession, n: int) -> str:
        fields = {"appkey": "demo", "email": f"visitor{self._seed}-{n}@example.com"}
        for _ in range(100):
            try:
                async with session.post(f"{self._url}/jsapi/init", data=fields) as answer:
                    if answer.status == 200:
                        return str((await answer.json())["uid"])
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.2)
        raise AssertionError("no init was ever answered")

    async def _send(self, session: aiohttp.ClientSession, event_id: str, visitor: str) -> None:
        self._oracle.write("issued", event_id)
        self.sent += 1
        fields = {
            "appkey": "demo",
            "uid": visitor,
            "uType": "c",
            "requestType": "action",
            "actionType": "visit",
            "aditionalData[brands][0]": event_id,
            "aditionalData[tenants][0]": payload(event_id),
        }
        for _ in range(TRIES):
            try:
                async with session.post(f"{self._url}/jsapi/send", data=fields) as answer:
                    self.met[str(answer.status)] += 1
                    if answer.status == 200 and answer.headers["X-Event-Status"] == "accepted":
                        self._oracle.write("acknowledged", event_id)
            except aiohttp.ClientConnectorError:
                self.met["refused"] += 1
                await asyncio.sleep(0.2 + random.random() * 0.1)
            except (aiohttp.ClientError, TimeoutError):
                self.met["broken"] += 1
                return
            else:
                return


Arrived = Iterator[tuple[str, str]]
Calls = Iterable[Mapping[str, Any]]


def footprints_arrived(calls: Calls) -> Arrived:
    for call in calls:
        if call["path"].endswith("/send") and call["events"]:
            yield from _of_visit(call["body"].get("aditionalData"))


def netcore_arrived(calls: Calls) -> Arrived:
    for call in calls:
        for activity in call["body"] if call["events"] else ():
            yield from _of_visit(activity["activity_params"])


def ray_arrived(calls: Calls) -> Arrived:
    for call in calls:
        for interaction in call["body"] if call["events"] else ():
            yield from _of_visit(interaction["customProps"])


def expertsender_arrived(calls: Calls) -> Arrived:
    for call in calls:
        if call["status"] == 201:
            yield from _of_visit({field["name"]: [field["value"]] for field in call["body"]["dataFields"]})


def engagelab_arrived(calls: Calls) -> Arrived:
    for call in calls:
        for event in call["body"]["data"] if call["events"] else ():
            yield from _of_visit(event["properties"])


def _of_visit(told: Mapping[str, Any] | None) -> Arrived:
    """A visit's id and payload; other events carry neither."""
    if told and "brands" in told and "tenants" in told:
        yield told["brands"][0], told["tenants"][0]


# RAY and ExpertSender relay what is mapped: there a visit must be, and its fields `brands` and `tenants` by those names.
ARRIVED: dict[str, Callable[[Calls], Arrived]] = {
    "footprints": footprints_arrived,
    "netcore": netcore_arrived,
    "ray": ray_arrived,
    "expertsender": expertsender_arrived,
    "engagelab": engagelab_arrived,
}
OF_DEV = ("footprints", "netcore")  # what `ochn dev` delivers to


def reconcile(product: Product, oracle: Oracle, deadline: float, destinations: Sequence[str] = OF_DEV) -> list[Verdict]:
    """Waits, at most `deadline` seconds, until nothing acknowledged is missing anywhere."""
    until = time.monotonic() + deadline
    while True:
        verdicts = [_verdict(product, oracle, destination) for destination in destinations]
        if not any(verdict.lost for verdict in verdicts) or time.monotonic() > until:
            return verdicts
        time.sleep(1.0)


def _verdict(product: Product, oracle: Oracle, destination: str) -> Verdict:
    counted: Counter[str] = Counter()
    spoiled = set()
    for event_id, told in ARRIVED[destination](product.received(destination)):
        counted[event_id] += 1
        if told != payload(event_id):
            spoiled.add(event_id)
    return Verdict(
        destination,
        lost=frozenset(oracle.acknowledged - counted.keys()),
        invented=frozenset(counted.keys() - oracle.issued),
        spoiled=frozenset(spoiled),
        duplicates=counted.total() - len(counted),
    )
