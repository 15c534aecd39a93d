"""The refusals of docs/wire.md over TCP on the running product: only what can't be an event is refused."""

import gzip
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.product import Product
from tests.system.outside import FORM, eventually, form, request

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system-refusals")]

ROUTES = [
    *("/jsapi/init", "/jsapi/send", "/jsapi/register", "/jsapi/prepopulate", "/jsapi/batch"),
    *("/mobileapi/init", "/mobileapi/send", "/mobileapi/sensors", "/mobileapi/geo", "/mobileapi/batch"),
]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("refusals") / "data") as product:
        yield product
        assert "Traceback" not in "\n".join(product.process.lines)


def assert_refused(answer: Any, status: int, reason: str) -> None:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    told = answer.json()
    assert (told["status"], told["success"], told["reason"]) == ("error", False, reason)
    assert " " in told["message"], "a sentence, not a code"
    assert "x-event-id" not in answer.headers


@pytest.mark.parametrize("path", ROUTES)
def test_a_key_that_is_missing_or_unknown_is_one_answer(product: Product, path: str) -> None:
    missing, unknown = form(product.port, path, {"uid": "1"}), form(product.port, path, {"appkey": "nobody's"})
    assert_refused(missing, 403, "unknown_key")
    assert (unknown.status, unknown.body) == (missing.status, missing.body)


@pytest.mark.parametrize("path", [*ROUTES, *(f"{path}/" for path in ROUTES)])
def test_another_method_is_told_which_ones(product: Product, path: str) -> None:
    for method in ("GET", "DELETE", "PATCH"):
        answer = request(product.port, method, path)
        assert_refused(answer, 405, "wrong_method")
        assert {"POST", "PUT"} <= set(answer.headers["allow"].split(", "))


@pytest.mark.parametrize(
    "path", ["/jsapi", "/jsapi/nothing", "/mobileapi/init/more", "/JSAPI/init", "/_sandbox/counts"]
)
def test_an_unknown_path(product: Product, path: str) -> None:
    assert_refused(form(product.port, path, {"appkey": "demo"}), 404, "not_found")


def test_ad_serving_is_not_ours(product: Product) -> None:
    answer = request(product.port, "POST", "/mobileapi/content-delivery", b"appkey=demo", content_type=FORM)
    assert_refused(answer, 404, "not_passed_through")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"appkey": "demo"'),
        ("application/json", b"[1, 2]"),
        ("multipart/form-data; boundary=x", b"--y\r\n"),
    ],
)
def test_a_body_that_is_not_what_it_says(product: Product, content_type: str, body: bytes) -> None:
    assert_refused(
        request(product.port, "POST", "/jsapi/init", body, content_type=content_type), 400, "unreadable_body"
    )


def test_half_a_gzip(product: Product) -> None:
    body = gzip.compress(b"appkey=demo" * 100)[:-10]
    answer = request(product.port, "POST", "/jsapi/init", body, content_type=FORM, content_encoding="gzip")
    assert_refused(answer, 400, "unreadable_body")


def test_media_that_nobody_sends(product: Product) -> None:
    for content_type in ("application/xml", "image/png"):
        answer = request(product.port, "POST", "/jsapi/init", b"appkey=demo", content_type=content_type)
        assert_refused(answer, 415, "unsupported_media")
    encoded = request(product.port, "POST", "/jsapi/init", b"appkey=demo", content_type=FORM, content_encoding="br")
    assert_refused(encoded, 415, "unsupported_media")


def test_too_large(product: Product) -> None:
    """Told so by its length alone, or once too much has come; a bomb by what it would unpack to."""
    head = b"POST /jsapi/send HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    for framing, body in (
        (b"Content-Length: 10000000", b""),
        (b"Transfer-Encoding: chunked", b"90000\r\n" + b"a" * 0x90000),
    ):
        with socket.create_connection(("127.0.0.1", product.port), 30) as connection:
            connection.sendall(head + framing + b"\r\n\r\n" + body)
            said = connection.recv(65536)
        assert said.startswith(b"HTTP/1.1 413 ")
        assert b"connection: close" in said.lower()
        assert b'"reason":"too_large"' in said
    bomb = gzip.compress(b"appkey=demo&a=" + b"a" * 5_000_000)
    answer = request(product.port, "POST", "/jsapi/send", bomb, content_type=FORM, content_encoding="gzip")
    assert_refused(answer, 413, "too_large")


def test_nothing_refused_went_anywhere(product: Product) -> None:
    """And what is well-formed is taken right after it."""
    taken = form(product.port, "/jsapi/init", {"appkey": "demo", "email": "after@example.com"})
    calls = eventually(lambda: product.received("footprints"))
    assert [call["headers"]["x-event-id"] for call in calls] == [taken.headers["x-event-id"]]
