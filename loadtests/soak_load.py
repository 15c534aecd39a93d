"""The people of a soak, at a rate that does not wait for answers: each event with an id of its own, and what became of
its request written before and after it.
"""

import asyncio
import itertools
import json
import random
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.oracle import payload

APP_KEY = "demo"
PATIENCE = 30.0  # seconds for an answer
INIT_TRIES = 300
# Of a hundred events: whose they are and what they tell. `known` has an e-mail, `anonymous` none, `nameless` is a phone
# that told nothing that Footprints would take.
MIX = {
    ("known", "visit"): 40,
    ("known", "sale"): 10,
    ("known", "feedback"): 5,
    ("device", "visit"): 15,
    ("device", "sensors"): 15,
    ("device", "geo"): 3,
    ("anonymous", "visit"): 10,
    ("nameless", "visit"): 2,
}
PEOPLE = {"known": 60, "device": 60, "anonymous": 30, "nameless": 6}


@dataclass(frozen=True)
class Sent:
    """One request. `at` and `due`: seconds after the load began; `id` is ours, of an event that was answered 200 and
    accepted; status 0: no answer."""

    client: str
    who: str
    what: str
    due: float
    at: float
    status: int = 0
    id: str = ""


@dataclass
class Crowd:
    """Sends `rate` events a second for `seconds`, and writes each request to `file` before and after it."""

    url: str
    file: Path
    rate: float
    seconds: float
    sent: list[Sent] = field(default_factory=list)
    began: float = 0.0  # by time.monotonic
    _ids: dict[str, list[str]] = field(default_factory=dict)

    def run(self) -> None:
        asyncio.run(self._run())

    def now(self) -> float:
        return time.monotonic() - self.began if self.began else 0.0

    async def _run(self) -> None:
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
            for who, count in PEOPLE.items():
                self._ids[who] = list(await asyncio.gather(*(self._introduced(session, who, n) for n in range(count))))
            draw, running = random.Random(1), set[asyncio.Task[None]]()
            self.began = time.monotonic()
            with self.file.open("w") as file:
                for n in itertools.takewhile(lambda n: n < self.rate * self.seconds, itertools.count()):
                    await asyncio.sleep(max(0.0, n / self.rate - self.now()))
                    who, what = draw.choices(list(MIX), list(MIX.values()))[0]
                    event = Sent(f"soak-{n:07d}", who, what, n / self.rate, self.now())
                    task = asyncio.create_task(self._send(session, event, draw.choice(self._ids[who]), file))
                    running.add(task)
                    task.add_done_callback(running.discard)
                await asyncio.gather(*running)

    async def _introduced(self, session: aiohttp.ClientSession, who: str, n: int) -> str:
        """The id that an init of theirs answers."""
        mobile = who in ("device", "nameless")
        fields = {"appkey": APP_KEY, "eid": f"soak-{who}-{n}"}
        if who in ("known", "device"):
            fields["userEmail" if mobile else "email"] = f"{who}{n}@example.com"
        if who == "nameless":
            fields["technicalInfo[deviceOs]"] = "Android"
        url = f"{self.url}/{'mobileapi' if mobile else 'jsapi'}/init"
        for _ in range(INIT_TRIES):
            try:
                async with session.post(url, data=fields) as answer:
                    if answer.status == 200:
                        told = await answer.json()
                        return str(told.get("uid") or told.get("pid") or told["mobileId"])
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.1)
        raise AssertionError("no init was ever answered")

    async def _send(self, session: aiohttp.ClientSession, event: Sent, visitor: str, file: Any) -> None:
        _write(file, event)
        method, path, how = request(event, visitor)
        status, event_id = 0, ""
        try:
            async with session.request(method, f"{self.url}{path}", **how) as answer:
                status = answer.status
                if status == 200 and answer.headers["X-Event-Status"] == "accepted":
                    event_id = answer.headers["X-Event-Id"]
        except (aiohttp.ClientError, TimeoutError):
            pass  # not acknowledged: it may have been kept or not
        done = Sent(event.client, event.who, event.what, event.due, self.now(), status, event_id)
        _write(file, done)
        self.sent.append(done)


def _write(file: Any, event: Sent) -> None:
    file.write(json.dumps(asdict(event)) + "\n")
    file.flush()


def request(event: Sent, visitor: str) -> tuple[str, str, Mapping[str, Any]]:
    """Method, path, and how aiohttp is told the rest."""
    client, mobile = event.client, event.who in ("device", "nameless")
    whose = {"appkey": APP_KEY, "eid": client, **({"mid": visitor} if mobile else {"uid": visitor, "uType": "p"})}
    if event.what == "sensors":
        beacons = {f"sensors[{n}][{name}]": str(n + 60) for n in range(3) for name in ("uuid", "rssi")}
        return "PUT", "/mobileapi/sensors", {"data": {**whose, **beacons}}
    if event.what == "geo":
        return "PUT", "/mobileapi/geo", {"data": {**whose, "lat": "44.43", "lon": "26.08", "accuracy": "3"}}
    whose |= {"requestType": "action", "actionType": event.what}
    if event.who == "device":
        told = {"brands": [client], "tenants": [payload(client)]}
        data = [{"attributeName": name, "attributeValue": value} for name, value in told.items()]
        return "POST", "/mobileapi/send", {"json": {**whose, "additionalData": data}, "headers": {"appKey": APP_KEY}}
    fields = {
        "visit": {"[brands][0]": client, "[tenants][0]": payload(client)},
        "sale": {"[receipts][0][name]": "Zara", "[receipts][0][value]": "52.5"},
        "feedback": {"[rating]": "9"},
    }[event.what]
    path = "/mobileapi/send" if mobile else "/jsapi/send"
    return "POST", path, {"data": {**whose, **{f"aditionalData{name}": value for name, value in fields.items()}}}


def read(file: Path) -> dict[str, Sent]:
    """The last word on each request, by the client's id; status 0 where there was no answer."""
    words = (Sent(**json.loads(line)) for line in file.read_text().splitlines())
    return {word.client: word for word in words}
