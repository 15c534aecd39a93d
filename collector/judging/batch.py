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
    if isinstance(entry.get("form"), str):
        read = decode(_FORM, entry["form"].encode(errors="replace"), limits["lead" if _is_lead(call) else "call"])
    else:
        read = Decoded(entry, b"", faults_of(entry) if decoded.faults else ())
    sent_at = decoded.fields.get("sentAt")
    fields = dict(read.fields) if sent_at is None else {"sentAt": sent_at, **read.fields}
    if call is not None:
        fields.pop("call", None)
    faults = tuple(map(Remark, read.faults))
    return Sent(call or send, event_id, fields, read.body or entry, faults, () if call else _UNKNOWN_CALL)


def _is_lead(call: Call | None) -> bool:
    return call is not None and call.kind == "register"
