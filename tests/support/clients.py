"""Clients who keep their connections and ask again soon after each answer: who cuts a connection, or lets one wait in
vain, is seen by one of them."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import ClassVar, Self

import aiohttp

from tests.support.oracle import Load, Oracle
from tests.support.product import Product

PAUSE = 0.02  # seconds between an answer and the next request: what one machine can still deliver to a sandbox


class Clients(Load):
    """They ask while the context lasts. `slowest`: what the longest answer took, in seconds."""

    def __init__(self, url: str, oracle: Oracle, clients: int = 16, *, pause: float = PAUSE, seed: int = 1) -> None:
        super().__init__(url, oracle, count=0, rate=0.0, seed=seed)
        self._clients = clients
        self._pause = pause
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self.run)
        self.slowest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        while not self.met and self._thread.is_alive():
            time.sleep(0.02)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()

    async def _run(self) -> None:
        numbers = count()
        kept = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=kept, timeout=aiohttp.ClientTimeout(total=30)) as session:
            visitors = await self._visitors(session)
            await asyncio.gather(*(self._ask(session, visitors, numbers) for _ in range(self._clients)))

    async def _ask(self, session: aiohttp.ClientSession, visitors: list[str], numbers: "count[int]") -> None:
        while not self._ending.is_set():
            number, began = next(numbers), time.monotonic()
            await self._send(session, f"{self._seed}-{number:06d}", visitors[number % len(visitors)])
            self.slowest = max(self.slowest, time.monotonic() - began)
            await asyncio.sleep(self._pause)


class InRounds:
    """A product that clients ask, round after round; the oracle is one for all rounds, as the sandbox is."""

    clients: ClassVar[int] = 4
    pause: ClassVar[float]
    product: Product
    oracle: Oracle
    rounds: int

    @contextmanager
    def load(self) -> Iterator[Clients]:
        """They ask while the context lasts."""
        self.rounds += 1
        with Clients(self.product.url, self.oracle, self.clients, pause=self.pause, seed=self.rounds) as clients:
            yield clients
