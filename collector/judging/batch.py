"""One entry of a batch to one event: as JSON, or as the form that its call would have posted by itself."""

from collections.abc import Mapping
from typing import Any, Final

from base.reasons import Quarantine
from collector.calls import Call, call_in_batch
from collector.decode import BodyLimits, Decoded, decode
from collector.decode.json_body import faults_of
from collector.judging.judge import Sent
from collector.judging.remarks import Remark

_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_SENDS: Final = {"web": Call("web", "send"), "mobile": Call("mobile", "send")}
_UNKNOWN_CALL: Final = (Remark(Quarantine.UNKNOWN_REQUEST_TYPE, "call"),)


def entry_of(batch: Call, event_id: str, entry: Any, decoded: Decoded, limits: Mapping[str, BodyLimits]) -> Sent:
    """An entry that names no call we know is kept, as a send that is quarantined for it."""
    send = _SENDS[batch.surface]
    if not isinstance(entry, dict):
        return Sent(send, event_id, {}, entry, (Remark(Quarantine.BAD_SHAPE, "events"),))
    call = call_in_batch(batch.surface, entry.get("call"))
    read = _read(entry, call, decoded, limits)
    sent_at = decoded.fields.get("sentAt")
    fields = read.fields.copy() if sent_at is None else {"sentAt": sent_at, **read.fields}
    if "call" in fields and call is not None:
        del fields["call"]
    faults = tuple(map(Remark, read.faults)) if read.faults else ()
    return Sent(call or send, event_id, fields, read.body or entry, faults, () if call else _UNKNOWN_CALL)


def _read(entry: dict[str, Any], call: Call | None, decoded: Decoded, limits: Mapping[str, BodyLimits]) -> Decoded:
    if "form" in entry and isinstance(entry["form"], str):
        return decode(_FORM, entry["form"].encode(errors="replace"), limits["lead" if _is_lead(call) else "call"])
    return Decoded(entry, b"", faults_of(entry) if decoded.faults else ())


def _is_lead(call: Call | None) -> bool:
    return call is not None and call.kind == "register"
