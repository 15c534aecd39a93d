"""A curl line or a raw request, as people paste them into `ochn explain`."""

import json
import shlex
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.errors import UserError
from ochn.explaining.given import FORM, parse_request

TEXT = st.text(string.printable.replace("\x0b", "").replace("\x0c", ""), min_size=1, max_size=60)


def test_a_curl_line_as_the_vendor_prints_it() -> None:
    request = parse_request(
        "curl --request PUT \\\n  --url 'http://h/mobileapi/geo?x=1' \\\n"
        "  --header 'Content-Type: text/plain' --data 'appkey=k&lat=1'"
    )
    assert (request.method, request.path, request.query) == ("PUT", "/mobileapi/geo", "x=1")
    assert request.headers == {"content-type": "text/plain", "user-agent": "curl/8"}
    assert request.body == b"appkey=k&lat=1"


def test_short_flags_several_data_and_the_form_type_that_curl_adds() -> None:
    request = parse_request("curl -s -XPUT -d a=1 -d b=2 --data-urlencode 'c=x y' localhost:8080/jsapi/send")
    assert (request.method, request.path) == ("PUT", "/jsapi/send")
    assert request.body == b"a=1&b=2&c=x+y"
    assert request.headers["content-type"] == FORM


def test_a_multipart_body_holds_the_same_fields() -> None:
    request = parse_request("curl -F appkey=k --form 'uid=a b' -sS http://h/jsapi/send")
    assert (request.method, request.path, request.body) == ("POST", "/jsapi/send", b"appkey=k&uid=a+b")


def test_flags_that_are_headers_and_such_that_change_nothing() -> None:
    request = parse_request("curl http://h/jsapi/init -d a=1 -A App/1 -b cookie_consent=declined -e http://s/ -u me:pw")
    told = {"user-agent": "App/1", "cookie": "cookie_consent=declined", "referer": "http://s/", "content-type": FORM}
    assert (request.path, request.headers) == ("/jsapi/init", told)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("curl -T body.json http://h/jsapi/send", "curl's -T is not known here"),
        ("curl --get -d a=1 http://h/jsapi/send", "curl's --get is not known here"),
        ("curl -d @body.json http://h/jsapi/send", "no file is read: -d @body.json"),
    ],
)
def test_what_would_be_misread_is_told(line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_request(line)


def test_json_flag() -> None:
    request = parse_request("""curl --json '{"a": 1}' http://h/jsapi/send""")
    assert json.loads(request.body) == {"a": 1}
    assert request.headers["content-type"] == "application/json"
    assert request.method == "POST"


def test_a_request_as_on_the_wire() -> None:
    request = parse_request("POST /jsapi/send?a=b HTTP/1.1\r\nAppKey: demo\r\n\r\nuid=1")
    assert (request.method, request.path, request.query, request.body) == ("POST", "/jsapi/send", "a=b", b"uid=1")
    assert request.headers == {"appkey": "demo", "content-type": FORM}


@pytest.mark.parametrize("text", ["", "hello", "curl", "curl -d 'a", "POST nowhere", "curl -d"])
def test_neither(text: str) -> None:
    with pytest.raises(UserError):
        parse_request(text)


@given(TEXT)
def test_any_body_survives_the_quoting(body: str) -> None:
    line = f"curl --data-raw {shlex.quote(body)} http://h/jsapi/send"
    assert parse_request(line).body == body.replace("\\\n", " ").encode() or "\\\n" in body


@given(TEXT)
def test_garbage_is_a_request_or_a_plain_sentence(text: str) -> None:
    try:
        parse_request(text)
    except UserError as error:
        assert error.message
