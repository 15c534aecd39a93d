import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import brotli
import pytest
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from collector.arrival import Reply
from collector.door.asgi import build_app
from collector.door.asgi_door import write_reply
from collector.door.body import Incoming
from collector.door.health import Health
from collector.door.shim import EXTRAS, Script, find_script, find_scripts, hashed_path, integrity, preferred_encoding
from collector.settings import CollectorSettings
from eventlog.log import LogState
from tests.collector.wire import Answer, ask, request, served

pytestmark = pytest.mark.anyio

SOURCE = b"function ochn(){}\n" * 100
PATH = "/jsapi/omnichannel.js"


async def door(_scope: Scope, receive: Receive, send: Send) -> None:
    await write_reply(Reply(404, b"{}"), send, Incoming(receive))


@asynccontextmanager
async def collector(
    state: LogState | None = None, *, draining: bool = False, script: bool = True, demo_dir: Path | None = None
) -> AsyncIterator[int]:
    health = Health(lambda: state or LogState("ok"), lambda: draining)
    scripts = {PATH: Script(SOURCE, "public, max-age=600")} if script else {}
    async with served(build_app(door, health, scripts, demo_dir)) as port:
        yield port


async def fetch(port: int, accept_encoding: str, method: str = "GET", etag: str = "", path: str = PATH) -> Answer:
    headers = {"accept_encoding": accept_encoding, **({"if_none_match": etag} if etag else {})}
    return await ask(port, request(method, path, **headers))


async def test_the_script_in_each_encoding() -> None:
    async with collector() as port:
        plain, zipped, brotlied = [await fetch(port, accept) for accept in ("", "gzip, deflate", "gzip, deflate, br")]
    assert plain.body == gzip.decompress(zipped.body) == brotli.decompress(brotlied.body) == SOURCE
    encodings = [answer.headers.get("content-encoding") for answer in (plain, zipped, brotlied)]
    assert encodings == [None, "gzip", "br"]
    assert len({answer.headers["etag"] for answer in (plain, zipped, brotlied)}) == 3
    for answer in (plain, zipped, brotlied):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=600"
        assert answer.headers["vary"] == "Accept-Encoding"
        assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_browser_that_has_the_script_is_told_so() -> None:
    async with collector() as port:
        etag = (await fetch(port, "br")).headers["etag"]
        same = await fetch(port, "br", etag=etag)
        among = await fetch(port, "br", etag=f'"old", W/{etag}')
        other = await fetch(port, "gzip", etag=etag)
    assert (same.status, same.body, same.headers["etag"]) == (304, b"", etag)
    assert (among.status, other.status) == (304, 200)
    assert same.headers["cache-control"] == "public, max-age=600"


async def test_head_and_other_methods_at_the_script() -> None:
    async with collector() as port:
        head = await fetch(port, "gzip", "HEAD")
        posted = await fetch(port, "gzip", "POST")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) == len(gzip.compress(SOURCE, 9, mtime=0))
    assert (posted.status, set(posted.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})
    assert posted.json()["status"] == "error"


async def test_without_a_script_the_path_is_the_doors() -> None:
    async with collector(script=False) as port:
        assert (await fetch(port, "")).status == 404


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("", "identity"),
        ("br", "br"),
        ("gzip;q=1.0, br;q=0.5", "gzip"),
        ("gzip;q=0.5, br;q=0.5", "br"),
        ("br;q=0, gzip;q=0", "identity"),
        ("br;q=0, *", "gzip"),
        ("*", "br"),
        ("identity, gzip;q=0.5", "identity"),
        ("GZIP", "gzip"),
        ("br;q=nonsense, gzip", "gzip"),
        ("deflate", "identity"),
    ],
)
def test_what_the_browser_likes_best(accept: str, encoding: str) -> None:
    assert preferred_encoding(accept, ("br", "gzip")) == encoding


def test_the_minified_script_goes_first(tmp_path: Path) -> None:
    assert find_script(tmp_path) is None
    (tmp_path / "omnichannel.js").write_bytes(b"readable")
    assert find_script(tmp_path) == b"readable"
    (tmp_path / "omnichannel.min.js").write_bytes(b"small")
    assert find_script(tmp_path) == b"small"


async def test_each_path_of_the_script(tmp_path: Path) -> None:
    assert find_scripts(tmp_path, 600) == {}
    (tmp_path / "earlier").mkdir()
    files = {"omnichannel.js": b"readable", "omnichannel.min.js": SOURCE, "omnichannel.min.js.map": b"{}"}
    extras = {"omnichannel-extras.min.js": b"more", "earlier/omnichannel-extras.1.js": b"old more"}
    for name, content in {**files, **extras, "earlier/0.1.js": b"old"}.items():
        (tmp_path / name).write_bytes(content)
    scripts = find_scripts(tmp_path, 600, ["/assets/shop.js"])
    async with served(build_app(door, Health(lambda: LogState("ok"), lambda: False), scripts, None)) as port:
        answers = {path: await fetch(port, "br", path=path) for path in scripts}
        gone = await fetch(port, "", path=hashed_path(b"another"))
    of_extras = {hashed_path(text, EXTRAS): text for text in (b"more", b"old more")}
    forever = {hashed_path(SOURCE): SOURCE, hashed_path(b"old"): b"old", **of_extras}
    assert {path: brotli.decompress(answer.body) for path, answer in answers.items()} == {
        **dict.fromkeys(["/jsapi/omnichannel.js", "/jsapi/omnichannelLead.js", "/assets/shop.js"], SOURCE),
        "/jsapi/omnichannel.src.js": b"readable",
        "/jsapi/omnichannel.min.js.map": b"{}",
        "/jsapi/omnichannel-extras.js": b"more",
        **forever,
    }
    caching = {path: answer.headers["cache-control"] for path, answer in answers.items()}
    assert {path for path, life in caching.items() if life == "public, max-age=31536000, immutable"} == set(forever)
    assert {life for path, life in caching.items() if path not in forever} == {"public, max-age=600"}
    assert answers["/jsapi/omnichannel.min.js.map"].headers["content-type"] == "application/json"
    assert answers["/jsapi/omnichannel.js"].headers["sourcemap"] == "/jsapi/omnichannel.min.js.map"
    assert gone.status == 404


def test_integrity_as_a_browser_reckons_it() -> None:
    # printf "alert('Hello, world.');" | openssl dgst -sha384 -binary | openssl base64 -A
    assert integrity(b"alert('Hello, world.');") == (
        "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
    )


@pytest.mark.parametrize(
    "alias", ["/health/x.js", "/jsapi/send", "/mobileapi", "/demo/a.js", "/", "a.js", "//h/a.js", "/{a}"]
)
def test_an_alias_that_is_no_path_or_taken_is_refused(alias: str) -> None:
    assert CollectorSettings(script_aliases=("/assets/shop.js", "/a.b/c")).script_aliases
    with pytest.raises(ValidationError, match="expected a path such as"):
        CollectorSettings(script_aliases=(alias,))


async def test_the_demo(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    demo.mkdir()
    (demo / "index.html").write_text("<h1>shop</h1>")
    (demo / "shop.css").write_text("h1 {}")
    (tmp_path / "secret").write_text("not yours")
    async with collector(demo_dir=demo) as port:
        index, css, root, bare = [
            await ask(port, request("GET", path)) for path in ("/demo/", "/demo/shop.css", "/", "/demo")
        ]
        climbing = [
            await ask(port, request("GET", path))
            for path in ("/demo/../secret", "/demo/%2e%2e/secret", "/demo/..%2fsecret", "/demo/%00", "/demo/none")
        ]
    assert (index.body, index.headers["content-type"]) == (b"<h1>shop</h1>", "text/html; charset=utf-8")
    assert css.headers["content-type"] == "text/css; charset=utf-8"
    assert [(answer.status, answer.headers["location"]) for answer in (root, bare)] == [(307, "/demo/")] * 2
    assert [answer.status for answer in climbing] == [404] * 5


async def test_no_demo_unless_it_is_asked_for() -> None:
    async with collector() as port:
        assert [(await ask(port, request("GET", path))).status for path in ("/", "/demo/")] == [404, 404]


@pytest.mark.parametrize(
    ("state", "draining", "status", "word"),
    [
        (LogState("ok"), False, 200, "ready"),
        (LogState("degraded", "Kafka is away", spooled=7), False, 200, "degraded"),
        (LogState("down", "the disk is full"), False, 503, "down"),
        (LogState("ok"), True, 503, "draining"),
    ],
)
async def test_ready_says_whether_events_can_be_kept(state: LogState, draining: bool, status: int, word: str) -> None:
    async with collector(state, draining=draining) as port:
        ready = await ask(port, request("GET", "/health/ready"))
        live = await ask(port, request("HEAD", "/health/live"))
    assert (ready.status, ready.json()["status"], live.status) == (status, word, 200)
    assert ready.json().keys() == {"status"}, "what is behind it is nobody's from outside"


def test_the_admin_address_says_why() -> None:
    state = LogState("down", "the disk is full", spooled=7)
    status, told = Health(lambda: state, lambda: False).detail()
    log = {"status": "down", "detail": "the disk is full", "in_flight": 0, "spooled": 7}
    assert (status, told) == (503, {"status": "down", "log": log})
