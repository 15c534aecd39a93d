"""What comes twice, and what is changed while all runs, on the whole product with all five destinations."""

import re
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest
import trustme

from tests.support.oracle import ARRIVED, payload
from tests.support.product import Product
from tests.system.destination_stand import EVERY, Stand, a_stand
from tests.system.outside import eventually, form
from tests.system.scale import Scale

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), pytest.mark.xdist_group("system-while-it-runs")]

SOON = 20.0  # seconds, on cores that others use too; a pause is probed each 30


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Iterator[Stand]:
    with a_stand(tmp_path_factory.mktemp("running"), scale) as stand:
        yield stand


def visit(product: Product, name: str, *, appkey: str = "demo", eid: str = "") -> int:
    """The answer's status."""
    who = orjson.loads(form(product.port, "/jsapi/init", {"appkey": appkey, "email": f"{name}@example.com"}).body)
    if "uid" not in who:
        return 403
    fields = {"appkey": appkey, "uid": who["uid"], "uType": "c", "requestType": "action", "actionType": "visit"}
    data = {"aditionalData[brands][0]": name, "aditionalData[tenants][0]": payload(name)}
    return form(product.port, "/jsapi/send", {**fields, **data, **({"eid": eid} if eid else {})}).status


def arrived(product: Product, name: str) -> dict[str, int]:
    found = Counter[str]()
    for destination in EVERY:
        found[destination] = sum(one == name for one, _ in ARRIVED[destination](product.received(destination)))
    return dict(found)


def everywhere(product: Product, name: str) -> bool:
    return all(arrived(product, name).values())


def test_a_visit_that_its_page_sends_again_reaches_each_destination_once(stand: Stand) -> None:
    """As the script does when the answer was lost: also after the forwarder was killed in between."""
    product = stand.product
    for resend in ("at once", "later"):
        assert visit(product, "twice", eid="page-1-event-7") == 200
        assert eventually(lambda: everywhere(product, "twice"), stand.deadline)
        if resend == "at once":
            time.sleep(1.0)  # committed
            product.kill("forwarder")
    assert visit(product, "twice", eid="page-1-event-7") == 200
    assert visit(product, "after-it") == 200
    assert eventually(lambda: everywhere(product, "after-it"), stand.deadline)
    assert arrived(product, "twice") == dict.fromkeys(EVERY, 1)
    assert eventually(lambda: all(stand.status(name)["filtered"]["duplicate"] == 2 for name in EVERY), stand.deadline)


def test_without_an_id_it_would_be_there_twice(stand: Stand) -> None:
    """The negative control; and the vendor's SDK, whose retries carry none."""
    for _ in range(2):
        assert visit(stand.product, "no-id") == 200
    assert eventually(lambda: arrived(stand.product, "no-id") == dict.fromkeys(EVERY, 2), stand.deadline)


@contextmanager
def changed(stand: Stand, old: str, new: str) -> Iterator[None]:
    """Of the settings, while the context lasts."""
    path = Path(stand.product.data_dir).parent / "ochn.toml"
    before = path.read_text()
    assert re.search(old, before)
    path.write_text(re.sub(old, new, before, count=1))
    try:
        yield
    finally:
        path.write_text(before)


def visited_until(stand: Stand, name: str, told: Callable[[], bool]) -> bool:
    """Settings are looked at each few seconds: one visit after the other, until one was sent under the new ones."""
    return eventually(lambda: visit(stand.product, name) == 200 and told(), stand.deadline)


def test_a_pause_for_credentials_ends_by_itself_once_they_are_mended(stand: Stand) -> None:
    with changed(stand, r'"sandbox-netcore"', '"revoked-at-the-vendor"'):
        assert visited_until(stand, "pausing", lambda: stand.status("netcore")["state"] == "paused")
        assert visit(stand.product, "paused") == 200
        assert stand.status("netcore")["reason"] == "credentials"
    assert eventually(lambda: everywhere(stand.product, "paused"), SOON)  # a pause is probed each 30 s
    assert eventually(stand.well, SOON)
    assert stand.status("netcore")["dead"] == 0
    assert not any("revoked-at-the-vendor" in line for line in stand.product.process.lines)


def test_what_comes_under_a_key_that_was_added_is_delivered(stand: Stand) -> None:
    with changed(stand, r"\[keys\.demo\]", '[keys.added]\nvalues = ["added"]\n\n[keys.demo]'):
        assert eventually(lambda: visit(stand.product, "new-key", appkey="added") == 200, SOON)
        assert eventually(lambda: everywhere(stand.product, "new-key"), 2 * SOON)  # parked ones wait 300 s


def test_a_certificate_that_has_expired_costs_nothing(stand: Stand) -> None:
    """Row 18: nobody is told anything there, and what waits goes out once the vendor has another."""
    with expired_server() as (url, asked), changed(stand, r'base_url = "[^"]*/netcore"', f'base_url = "{url}"'):
        assert visited_until(
            stand, "before-tls", lambda: "certificate" in stand.status("netcore")["last_error"].lower()
        )
        assert visit(stand.product, "behind-tls") == 200
        assert arrived(stand.product, "behind-tls")["netcore"] == 0
    assert asked == []
    assert eventually(lambda: everywhere(stand.product, "behind-tls"), SOON)
    assert stand.status("netcore")["dead"] == 0


@contextmanager
def expired_server() -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the requests that it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)

    day = timedelta(days=1)
    context, ca = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), trustme.CA()
    now = datetime.now(UTC)
    ca.issue_cert("localhost", not_before=now - 2 * day, not_after=now - day).configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
