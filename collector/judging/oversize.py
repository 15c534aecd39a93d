"""Events larger than the log takes: files are cut out and kept beside the event, and the rest is judged again.

Pure: what is to be kept is handed out as bytes, collector/keeping.py writes them (faults.md, "Limits": a lead is never
lost for its file).
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from base.reasons import Quarantine
from base.values import Value
from collector.judging.judge import Sent, Verdict
from collector.judging.remarks import Remark
from eventlog.event import MAX_BYTES

_SHOWN_VALUE: Final = 1024
_SHOWN: Final = 64 * 1024


class Kept(Value, frozen=True):
    """`path` within the data directory."""

    path: str
    content: bytes


class Fitted(Value, frozen=True):
    """`encoded` is the event as the log gets it, at most MAX_BYTES; `kept` must be durable before it."""

    verdict: Verdict
    encoded: bytes
    kept: tuple[Kept, ...] = ()


def fit(verdict: Verdict, sent: Sent | None) -> Fitted:
    """`sent` None: its body must not be kept (collector/judging/privacy.py), so what is kept of an event too large is the event."""
    encoded = verdict.event.to_bytes()
    if len(encoded) <= MAX_BYTES:
        return Fitted(verdict, encoded)
    kept: list[Kept] = []
    event = verdict.event
    slim = verdict._replace(event=event._replace(data=_cut(event.data, event.id, kept)))
    encoded = slim.event.to_bytes()
    if kept and len(encoded) <= MAX_BYTES:
        return Fitted(slim, encoded, tuple(kept))
    return truncate(verdict, verdict.event.to_bytes() if sent is None else sent.raw())


def truncate(verdict: Verdict, raw: bytes) -> Fitted:
    """Quarantined with what is small of its data; the whole body stands in the oversize store under the event's id."""
    reasons = (*verdict.reasons, Quarantine.EVENT_TOO_LARGE)
    small = dict(_small(verdict.event.data))
    event = verdict.event._replace(data=small, data_base64=None, quarantinereasons=",".join(reasons))
    remarks = (*verdict.remarks, Remark(Quarantine.EVENT_TOO_LARGE))
    cut = Verdict(event, remarks, reasons, verdict.answer)
    return Fitted(cut, event.to_bytes(), (Kept(f"oversize/{event.id}", raw),))


def _cut(value: Any, event_id: str, kept: list[Kept]) -> Any:
    """A file, {name, type, data}, keeps its name and gets `file` for `data`: there the text of `data` stands as it
    came, `bytes` long."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), str) and ("name" in value or "type" in value):
            content = value["data"].encode()
            kept.append(Kept(f"files/{event_id}/{len(kept)}", content))
            rest = {name: item for name, item in value.items() if name != "data"}
            return {**rest, "bytes": len(content), "file": f"{event_id}/{len(kept) - 1}"}
        return {name: _cut(item, event_id, kept) for name, item in value.items()}
    return [_cut(item, event_id, kept) for item in value] if isinstance(value, list) else value


def _small(data: Any) -> Iterator[tuple[str, Any]]:
    left = _SHOWN
    for name, value in data.items():
        size = len(orjson.dumps({name: value}))
        if size <= _SHOWN_VALUE and size <= left:
            left -= size
            yield name, value
