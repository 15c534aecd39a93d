"""Leads: an access token, then `/api/lead` with the vendor's own fields (the page's "Add Lead").

Files stay in the event: the page has no field for them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from base.forms import encode_form
from base.reasons import Dead, Filter
from eventlog.event import Event
from forwarder.destinations.base import (
    Call,
    Fact,
    Facts,
    Outcome,
    Verdict,
    dead,
    delivered,
    filtered,
    visitor_key,
)
from forwarder.destinations.footprints.settings import FootprintsSettings
from forwarder.destinations.replies import answered, json_object, said, unreadable
from forwarder.destinations.tokens import FORM, TOKEN, basic, known_token, token_refused
from forwarder.destinations.values import clean, happened, table, text, utc
from forwarder.errors import TransportError
from forwarder.transport import Reply, Request

_DATE: Final = "%Y-%m-%d %H:%M:%S"
_BOOLEANS: Final = frozenset({"hasKids", "agreeTandc", "agreePrivacy", "agreedTargetedMessages", "isAdult", "agreed"})
_TRUE, _FALSE = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})
_LONGEST_WORD: Final = 8192  # a text without a space that is longer is a file in base64


class Leads:
    def __init__(self, settings: FootprintsSettings) -> None:
        self._settings = settings

    def step(self, event: Event, facts: Facts, now: float) -> Call | Outcome:
        if self._settings.key is None:
            return filtered(Filter.NO_LEAD_CREDENTIALS)
        if event.impersonal:
            return filtered(Filter.NO_CONTACT)
        kept = facts.get(f"{visitor_key(event)}/lead")
        if kept is not None and kept["event"] == event.id and not event.replayed:
            return delivered()  # its answer came, and the process was killed before it could say so
        token = known_token(facts, now)
        if not token:
            return token_call(self._settings, now)
        url = f"{self._settings.base_url}/api/lead?access_token={quote(token, safe='')}"
        headers = {"Content-Type": FORM, "X-Event-Id": event.id}
        form = lead_fields(event, now)
        return Call("lead", Request("POST", url, headers, encode_form(form)), (event,))


def token_call(settings: FootprintsSettings, now: float) -> Call:
    """Settings with a key have a secret too."""
    key, secret = (part.get_secret_value() if part else "" for part in (settings.key, settings.secret))
    headers = {"Content-Type": FORM, "Authorization": basic(key, secret)}
    body = encode_form({"grant_type": settings.grant_type, **_grant(settings)})
    request = Request("POST", f"{settings.base_url}/api/token", headers, body)
    return Call("token", request, shared=TOKEN, memo={"now": now})


def _grant(settings: FootprintsSettings) -> dict[str, str]:
    if settings.grant_type == "password" and settings.password is not None:
        return {"username": settings.username, "password": settings.password.get_secret_value()}
    if settings.grant_type == "pin" and settings.pin is not None:
        return {"pin": settings.pin.get_secret_value()}
    return {}


def lead_verdict(call: Call, reply: Reply | TransportError) -> Verdict:
    found = answered(reply)
    if isinstance(found, Verdict):
        return token_refused(found)
    (event,) = call.events
    answer = json_object(found)
    if found.status >= 400 or (answer is not None and is_failure(answer)):
        return Verdict({event.id: dead(Dead.REFUSED, said(found))})
    lead = text((answer or {}).get("_id"))
    if not lead:
        return unreadable(found)
    return Verdict({event.id: delivered()}, (Fact(f"{visitor_key(event)}/lead", {"id": lead, "event": event.id}),))


def is_failure(answer: Mapping[str, Any]) -> bool:
    """In a 200 (contracts.md, section 2)."""
    return text(answer.get("status")).lower() == "error" or answer.get("success") in (False, "false")


def lead_fields(event: Event, now: float) -> dict[str, Any]:
    lead = table(event.data.get("lead"))
    fields = {name: _field(name, value) for name, value in lead.items() if not _is_file(value)}
    if isinstance(fields.get("tags"), str):
        fields["tags"] = [fields["tags"]]
    return {**(clean(fields) or {}), **_created(lead, happened(event, now))}


def _created(lead: Mapping[str, Any], moment: float) -> dict[str, str]:
    """The lead's own date when it says in which zone it is meant, else the event's."""
    date, name = text(lead.get("createdAt")), text(lead.get("timezone"))
    zone = _zone(name)
    if zone is None:
        return {"createdAt": utc(moment).strftime(_DATE), "timezone": "UTC"}
    return {"createdAt": date if _is_date(date) else utc(moment).astimezone(zone).strftime(_DATE), "timezone": name}


def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def _is_date(date: str) -> bool:
    try:
        datetime.strptime(date, _DATE)  # noqa: DTZ007 - the zone is a field of its own
    except ValueError:
        return False
    return True


def _field(name: str, value: Any) -> Any:
    """Booleans are the texts "true" and "false", also where a page's checkbox says `on`."""
    if isinstance(value, Mapping):
        return {key: _field(str(key), item) for key, item in value.items() if not _is_file(item)}
    if isinstance(value, list):
        return [_field(name, item) for item in value if not _is_file(item)]
    if name in _BOOLEANS:
        said_so = str(value).strip().lower()
        return "true" if said_so in _TRUE else "false" if said_so in _FALSE else value
    return value


def _is_file(value: Any) -> bool:
    """As pages send them, whole or cut out by the collector (`file` is then where it is kept); or base64 alone."""
    if isinstance(value, Mapping):
        return bool(value.keys() & {"data", "file"}) and bool(value.keys() & {"name", "type"})
    if not isinstance(value, str):
        return False
    return value.startswith("data:") or (len(value) > _LONGEST_WORD and " " not in value)
