"""Who a call says it comes from: contacts normalised, so that one person is one id (contracts.md, section 1)."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from collector.judging.identity import Identity, IdKind

LONGEST_ID = 128
_LONGEST_EMAIL = 320
_LEAST_DIGITS = 5
_LONGEST_TOKEN = 4096  # of a push token or a customer id


@dataclass(frozen=True, slots=True)
class Contact:
    """Normalised, and empty where nothing usable was told."""

    customer_id: str = ""
    email: str = ""
    phone: str = ""

    def ids(self, identity: Identity, tenant: str) -> Iterator[tuple[str, str]]:
        """The uid that each of them makes, by its name."""
        for kind in ("customer_id", "email", "phone"):
            value = getattr(self, kind)
            if value:
                yield kind, identity.hashed(IdKind.CUSTOMER, kind, tenant, value)

    def person(self, identity: Identity, tenant: str) -> str | None:
        """The uid: by customer id, else e-mail, else phone."""
        return next((uid for _, uid in self.ids(identity, tenant)), None)


def contact_of(data: Mapping[str, Any]) -> Contact:
    """Of an init or a send."""
    return Contact(_id(data.get("customerId")), normal_email(data.get("email")), normal_phone(data.get("phone")))


def contact_of_lead(lead: Mapping[str, Any]) -> Contact:
    """By the names of the vendor's `/api/lead`."""
    return Contact(
        _id(lead.get("userExternalId")), normal_email(lead.get("userEmail")), normal_phone(lead.get("userPhone"))
    )


def normal_email(value: Any) -> str:
    """Empty for what is no e-mail: a page's `undefined` must not make one person of all its visitors."""
    if not isinstance(value, str):
        return ""
    text = unicodedata.normalize("NFC", value.strip()).lower()
    name, at, host = text.rpartition("@")
    if not (name and at and host) or len(text) > _LONGEST_EMAIL or not text.isprintable() or " " in text:
        return ""
    return text


def normal_phone(value: Any) -> str:
    """Digits, `+` in front when it was there or as `00`; empty for fewer than five."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()[:LONGEST_ID]
    digits = "".join(character for character in text if character in "0123456789")
    if len(digits) < _LEAST_DIGITS:
        return ""
    if text.startswith("+"):
        return f"+{digits}"
    return f"+{digits[2:]}" if digits.startswith("00") else digits


def mobile_id(identity: Identity, tenant: str, contact: Contact, data: Mapping[str, Any]) -> str | None:
    """The id that a device gets back though it has kept none: by push token, else by e-mail or phone on such a device,
    else by iOS' identifierForVendor. Never by Android's deviceUuid: all phones of one build share it."""
    if found := push_id(identity, tenant, data):
        return found
    info = data.get("technicalInfo")
    device = info if isinstance(info, Mapping) else {}
    vendor_id = _vendor_id(device)
    person = contact.email or contact.phone
    if person:
        traits = [str(device.get(name, ""))[:LONGEST_ID] for name in ("deviceType", "screenSize")]
        return identity.hashed(IdKind.MOBILE, "person", tenant, person, _system(device), vendor_id, *traits)
    return identity.hashed(IdKind.MOBILE, "vendor", tenant, vendor_id) if vendor_id else None


def push_id(identity: Identity, tenant: str, data: Mapping[str, Any]) -> str | None:
    token = _id(data.get("pushNotificationToken"))
    return identity.hashed(IdKind.MOBILE, "push", tenant, token) if token else None


def _vendor_id(device: Mapping[str, Any]) -> str:
    return _id(device.get("deviceUuid")) if _system(device) == "ios" else ""


def _system(device: Mapping[str, Any]) -> str:
    """The first word: an update of the system must not make a new device."""
    words = str(device.get("deviceOs", ""))[:LONGEST_ID].lower().split()
    return {"ipados": "ios", "iphone": "ios"}.get(words[0], words[0]) if words else ""


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()[:_LONGEST_TOKEN]
