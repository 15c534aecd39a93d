"""Debian's Firefox, driven over WebDriver BiDi, which it speaks by itself: no driver stands between."""

import asyncio
import itertools
import json
import re
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp

from tests.support.tools import require

T = TypeVar("T")
PATIENCE = 60.0  # seconds for a start, an answer, a page


class Firefox:
    """`heard`: errors and warnings that pages wrote or threw. Its loop runs in a thread of its own."""

    def __init__(self, profile: Path) -> None:
        self._profile = profile
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        self._await(self._start())
        self.call("session.new", capabilities={})
        self.call("session.subscribe", events=["log.entryAdded"])
        return self

    def __exit__(self, *_: object) -> None:
        self._await(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Its result; AssertionError when Firefox refuses."""
        answer = self._await(self._ask(method, params))
        assert "error" not in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    def open(self, url: str) -> "Tab":
        tab = Tab(self, self.call("browsingContext.create", type="tab")["context"])
        tab.goto(url)
        return tab

    def _await(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, PATIENCE), self._loop).result()

    async def _start(self) -> None:
        flags = ("--headless", "--no-remote", "--remote-debugging-port=0", "--profile", str(self._profile))
        pipe, nothing = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            require("firefox-esr"), *flags, stdout=nothing, stderr=pipe
        )
        assert self._process.stderr is not None
        while not (found := re.search(rb"BiDi listening on (ws://\S+)", await self._process.stderr.readline())):
            assert self._process.returncode is None, "Firefox has ended"
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(f"{found[1].decode()}/session")
        self._reading = asyncio.create_task(self._read())
        self._draining = asyncio.create_task(self._process.stderr.read())

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if told.get("method") == "log.entryAdded" and told["params"]["level"] in ("error", "warn"):
                self.heard.append(told["params"]["text"])
            elif answer := self._answers.pop(told.get("id", 0), None):
                answer.set_result(told)

    async def _ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._answers[number] = self._loop.create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        told: dict[str, Any] = await answer
        return told

    async def _stop(self) -> None:
        self._process.terminate()
        await self._process.wait()
        await self._session.close()
        await asyncio.gather(self._reading, self._draining)


class Tab:
    def __init__(self, firefox: Firefox, context: str) -> None:
        self._firefox = firefox
        self._context = context

    def goto(self, url: str) -> None:
        self._firefox.call("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def reload(self) -> None:
        self._firefox.call("browsingContext.reload", context=self._context, wait="complete")

    def back(self) -> None:
        self._firefox.call("browsingContext.traverseHistory", context=self._context, delta=-1)

    def close(self) -> None:
        self._firefox.call("browsingContext.close", context=self._context)

    def evaluate(self, expression: str) -> Any:
        """What it comes to, awaited, as JSON tells it."""
        asked = f"(async () => JSON.stringify((await ({expression})) ?? null))()"
        target = {"context": self._context}
        told = self._firefox.call("script.evaluate", expression=asked, target=target, awaitPromise=True)
        assert told["type"] == "success", told
        return json.loads(told["result"]["value"])
