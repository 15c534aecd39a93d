"""A request and its answer, whatever way they came: the fast lane, or ASGI."""

from collections.abc import Callable, Mapping

from base.values import Value

HeaderList = tuple[tuple[str, str], ...]


class Arrival(Value, frozen=True):
    """Header names in lower case, the last of a repeated name wins. `client` is the peer's address as the door saw it."""

    method: str
    path: str  # as sent, without the query
    headers: Mapping[str, str]
    body: bytes
    client: str
    received: float  # wall clock at the first byte, seconds since the epoch
    event_id: str  # UUIDv7 made at the first byte
    query: str = ""
    scheme: str = "http"  # as the visitor saw it: a trusted proxy may say https


class Reply(Value, frozen=True):
    status: int
    body: bytes = b""
    headers: HeaderList = ()
    content_type: str = "application/json"
    close: bool = False  # the connection ends with this answer: the rest of the body is not read


Respond = Callable[[Reply], None]
