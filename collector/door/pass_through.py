"""Ad-serving calls go on to the vendor and its answer comes back, where the settings ask for that.

The address and the paths are ours to say (routes.py), never the caller's; no redirect is followed, no cookie goes along,
and time, size and number are bounded. A mid of ours becomes the vendor's, as the forwarder's changelog of facts knows it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

import aiohttp
from yarl import URL

from base.clock import Clock
from base.logs import Logger
from base.reasons import Refusal
from collector.arrival import Arrival, HeaderList, Reply
from collector.calls import Call
from collector.cors import origin_headers
from collector.decode import BodyLimits, body_limits
from collector.door.ad_call import AdCall, parsed
from collector.errors import Refused
from collector.judging.keys import AppKey, Keys
from collector.judging.rates import Rates
from collector.routes import is_ad_serving
from collector.settings import CollectorRoot, PassThroughSettings, Upstream
from eventlog.facts import upstream_id
from eventlog.log import EventLog
from eventlog.table import TopicTable
from eventlog.topics import Topics

METHODS: Final = frozenset({"GET", "POST", "PUT"})
_GOES_ALONG: Final = ("content-type", "user-agent")
# The vendor's pages and pictures are not ours: a browser runs nothing of them in our name.
_SANDBOXED: Final = ("content-security-policy", "sandbox")
_JSON, _BYTES = "application/json", "application/octet-stream"
_CALL: Final = Call("mobile", "send")  # as far as rates go
Refuse = Callable[[Refusal], Reply]


class PassThrough:
    """`table` is the changelog of facts. Made on the running loop; its maker closes the `session`."""

    def __init__(
        self,
        settings: PassThroughSettings,
        upstream: Upstream,
        table: TopicTable,
        session: aiohttp.ClientSession,
        *,
        keys: Callable[[], Keys],
        first_keys: Mapping[str, str],
        rates: Rates,
        limits: BodyLimits,
        refuse: Refuse,
    ) -> None:
        self._rates, self._limits = rates, limits
        self._settings, self._upstream, self._table, self._session = settings, upstream, table, session
        self._keys, self._appkeys, self._refuse = keys, {**first_keys, **upstream.upstream_appkeys}, refuse
        self._under_way = 0

    def takes(self, method: str, path: str) -> bool:
        return method in METHODS and is_ad_serving(path)

    async def answer(self, arrival: Arrival) -> Reply:
        if self._under_way >= self._settings.concurrency:
            return self._refuse(Refusal.OVERLOADED)
        self._under_way += 1
        try:
            call = parsed(arrival, self._limits)
            key = self._keys().find(call.key(arrival.headers))
            if key is None or "mobile" not in key.surfaces:
                return self._refuse(self._rates.stranger(arrival.client))
            if self._rates.over(_CALL, key, arrival.client, {"mid": call.mid()}):  # nothing of it could be held back
                return self._refuse(Refusal.RATE)
            return await self._pass(arrival, call, key)
        except Refused as refused:
            return self._refuse(refused.refusal)
        finally:
            self._under_way -= 1

    async def _pass(self, arrival: Arrival, call: AdCall, key: AppKey) -> Reply:
        try:
            async with asyncio.timeout(self._settings.timeout):
                return await self._send(arrival, call, key)
        except TimeoutError:
            return self._refuse(Refusal.UPSTREAM_LATE)
        except (aiohttp.ClientError, OSError, ValueError):
            return self._refuse(Refusal.UPSTREAM_FAILED)

    async def _send(self, arrival: Arrival, call: AdCall, key: AppKey) -> Reply:
        appkey = self._appkeys.get(key.name, call.key(arrival.headers))
        query, body = call.sent(appkey, lambda mid: self._theirs(key, mid))
        url = f"{self._upstream.base_url}{arrival.path.removesuffix('/')}"
        sending = self._session.request(
            arrival.method,
            URL(f"{url}?{query}" if query else url, encoded=True),
            headers=self._headers(arrival, appkey),
            data=body or None,
            allow_redirects=False,
        )
        async with sending as reply:
            if 300 <= reply.status < 400:
                return self._refuse(Refusal.UPSTREAM_FAILED)
            answer = bytearray()
            async for piece in reply.content.iter_any():
                answer += piece
                if len(answer) > self._settings.reply_bytes:
                    reply.close()
                    return self._refuse(Refusal.UPSTREAM_FAILED)
            media = reply.headers.get("content-type", _JSON)
            media = media if media.isascii() and media.isprintable() else _BYTES
            headers: HeaderList = (_SANDBOXED, *origin_headers(arrival.headers.get("origin"), key))
            return Reply(reply.status, bytes(answer), headers, content_type=media)

    def _theirs(self, key: AppKey, mid: str) -> str:
        """A mid that the vendor gave out itself, or that it has not met yet, goes as it is."""
        doc = self._table.get(mid.encode())
        return (doc and upstream_id(doc, key.name, mid)) or mid

    def _headers(self, arrival: Arrival, appkey: str) -> dict[str, str]:
        headers = {name: arrival.headers[name] for name in _GOES_ALONG if name in arrival.headers}
        if "appkey" in arrival.headers:
            headers["appKey"] = appkey
        if self._upstream.forward_address:
            headers["X-Forwarded-For"] = arrival.client
        return headers


@asynccontextmanager
async def open_pass_through(
    settings: CollectorRoot, log: EventLog, *, keys: Callable[[], Keys], refuse: Refuse, clock: Clock, logger: Logger
) -> AsyncIterator[PassThrough | None]:
    """None: the settings don't ask for it."""
    chosen = settings.collector.pass_through
    if chosen is None:
        yield None
        return
    topic = Topics(settings.log.topic_prefix).facts(chosen.destination).name
    table = TopicTable(settings.data_dir / "collector" / f"{topic}.db", topic, await log.open_scanner())
    following = asyncio.create_task(table.follow(clock, logger))
    connections = aiohttp.TCPConnector(limit=chosen.concurrency)
    session = aiohttp.ClientSession(connector=connections, trust_env=False, cookie_jar=aiohttp.DummyCookieJar())
    first_keys = {name: key.values[0] for name, key in settings.keys.items()}
    try:
        upstream = settings.upstream(chosen.destination)
        yield PassThrough(
            chosen,
            upstream,
            table,
            session,
            keys=keys,
            first_keys=first_keys,
            rates=Rates(settings.collector.rates, 1, clock.monotonic, dev=settings.profile == "dev"),
            limits=body_limits(settings.collector.limits, "call"),
            refuse=refuse,
        )
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await session.close()
        table.close()
