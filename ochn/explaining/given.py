"""A curl line, or a request as it stands on the wire, to what the collector would have received."""

import shlex
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

from base.errors import UserError

FORM = "application/x-www-form-urlencoded"
_DATA = ("-d", "--data", "--data-raw", "--data-binary", "--data-ascii")
_FIELDS = ("--data-urlencode", "-F", "--form", "--form-string")  # a multipart body is read for the same fields
_HEADERS = {"-A": "user-agent", "-b": "cookie", "-e": "referer"}
_LONG = {"--user-agent": "-A", "--cookie": "-b", "--referer": "-e"}
_KNOWN = ("-X", "--request", "-H", "--header", "--url", "--json", *_FIELDS, *_HEADERS, *_LONG)
_IGNORED = ("-o", "--output", "-m", "--max-time", "--connect-timeout", "-w", "--write-out", "--retry", "-u", "--user")
_WITH_VALUE = frozenset((*_DATA, *_KNOWN, *_IGNORED))
_WITHOUT = frozenset("sSivkLfgN46#")  # letters of flags that change nothing here
_WITHOUT_LONG = (
    "--silent",
    "--show-error",
    "--include",
    "--verbose",
    "--insecure",
    "--location",
    "--fail",
    "--compressed",
)


@dataclass(slots=True)
class GivenRequest:
    method: str = ""
    path: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)  # names in lower case
    body: bytes = b""


def parse_request(text: str) -> GivenRequest:
    """UserError when it is neither."""
    text = text.strip()
    return parse_curl(text) if text.startswith("curl") else parse_http(text)


def parse_curl(line: str) -> GivenRequest:
    try:
        words = shlex.split(line.replace("\\\n", " "))
    except ValueError as error:
        raise UserError(f"the curl line can't be read: {error}", "check its quotes") from error
    request, data = GivenRequest(), list[str]()
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            _locate(request, word)
            continue
        option, attached = _split_option(word)
        if option in _WITH_VALUE:
            _apply(request, data, option, attached or next(rest, ""))
        elif word not in _WITHOUT_LONG and not _WITHOUT.issuperset(word[1:]):
            raise UserError(f"curl's {option} is not known here", "leave it out, or give the request as on the wire")
    request.headers.setdefault("user-agent", "curl/8")
    return _finished(request, "&".join(data).encode())


def _apply(request: GivenRequest, data: list[str], option: str, value: str) -> None:
    if option in ("-X", "--request"):
        request.method = value
    elif option in ("-H", "--header"):
        name, _, text = value.partition(":")
        request.headers[name.strip().lower()] = text.strip()
    elif option == "--url":
        _locate(request, value)
    elif value.startswith("@") and option in _DATA and option != "--data-raw":
        raise UserError(f"no file is read: {option} {value}", "put what stands in it in the line")
    elif option in _FIELDS:
        name, equals, text = value.partition("=")
        data.append(f"{name}={quote_plus(text)}" if equals else quote_plus(name))
    elif option == "--json":
        data.append(value)
        request.headers.setdefault("content-type", "application/json")
    elif option in _DATA:
        data.append(value)
    elif header := _HEADERS.get(_LONG.get(option, option)):
        request.headers[header] = value


def _split_option(word: str) -> tuple[str, str]:
    """`-XPUT` and `--request=PUT` as curl and people write them."""
    if word.startswith("--"):
        option, _, value = word.partition("=")
        return option, value
    return (word[:2], word[2:]) if word[:2] in _WITH_VALUE else (word, "")


def parse_http(text: str) -> GivenRequest:
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    first, *lines = head.split("\n")
    words = first.split()
    if len(words) < 2 or not words[1].startswith(("/", "http")):
        raise UserError(
            "neither a curl line nor a request: it should begin with `curl …` or `POST /jsapi/send HTTP/1.1`",
            "give it as one argument, or on standard input",
        )
    request = GivenRequest(method=words[0].upper())
    _locate(request, words[1])
    for line in lines:
        name, _, value = line.partition(":")
        request.headers[name.strip().lower()] = value.strip()
    return _finished(request, body.encode())


def _locate(request: GivenRequest, url: str) -> None:
    parts = urlsplit(url if "://" in url or url.startswith("/") else f"http://{url}")
    request.path, request.query = parts.path or "/", parts.query


def _finished(request: GivenRequest, body: bytes) -> GivenRequest:
    if not request.path:
        raise UserError("no URL in it", "ochn explain \"curl -d 'appkey=demo' http://localhost:8080/jsapi/init\"")
    request.method = (request.method or ("POST" if body else "GET")).upper()
    request.body = body
    if body:
        request.headers.setdefault("content-type", FORM)
    return request
