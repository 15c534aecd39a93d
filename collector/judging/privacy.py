"""What of a person's data is kept, as the app key's `privacy` says: after identity and checks, before the log.

Looked for by name, wherever in an event it stands, and not by value (docs/privacy.md). Pure.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote_plus

from collector.judging.fields import OBJECTS
from collector.judging.identity import Identity
from collector.judging.person import contact_of, contact_of_lead, push_id
from eventlog.event import IMPERSONAL, Event

# Names without case, dashes and underscores: `userEmail` is `user_email`.
PERSONAL: Final = frozenset(
    {
        *("email", "useremail", "mail", "phone", "userphone", "phonenumber", "mobilephone"),
        *("customerid", "userexternalid", "pushnotificationtoken", "pushtoken"),
        *("userfirstname", "userlastname", "firstname", "lastname", "fullname", "username", "birthdate", "birthday"),
        *("userbirthday", "gender", "usersex", "useraddress", "usercity", "userdistrict", "usercounty", "usercountry"),
        *("userfamilydetalis", "userchildren", "haskids", "noofkids", "isadult", "imageurl", "facebookurl"),
        *("userjob", "userjobdescription", "userincome", "userindustry", "usercompanyname", "usercompanyaddress"),
        *("usercomments", "customdetails"),
        *("macaddress", "deviceuuid", "deviceid", "androidadvertisingid", "iosadvertisingid"),
    }
)
ADDRESSES: Final = frozenset({"ipaddress", "ip", "clientip"})
# Of a lead everything is the person's but these: what they agreed to, and what it is about.
OF_NOBODY: Final = frozenset(
    {
        *("tags", "marketingChannels", "agreeTandc", "agreePrivacy", "agreedTargetedMessages", "createdAt", "timezone"),
        *("locationId", "offerId", "offerCategoryId", "offlineCampaignId", "consultantId", "channelId", "nps"),
    }
)
_URLS: Final = frozenset({"url", "referrer"})
_TABLES: Final = OBJECTS | {"aditionalData"}
_NETWORKS: Final = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class Privacy:
    """Of a key that keeps less than everything."""

    address: Literal["keep", "truncate", "drop"]
    personal: Literal["keep", "hash", "drop"]

    def applied(self, event: Event, identity: Identity) -> Event:
        """Without the bytes of a body that could not be read: nobody can say what is in them."""
        return event._replace(
            data=self._kept(event.data),
            data_base64=None,
            clientaddress=self._address(event.clientaddress),
            privacy=";".join(self._said(event, identity)),
        )

    def _said(self, event: Event, identity: Identity) -> list[str]:
        said = [] if self.address == "keep" else [f"address={self.address}"]
        if self.personal != "keep":
            said.append(f"{IMPERSONAL}{self.personal}")
        if self.personal == "hash":
            said += [f"{name}={value}" for name, value in hashes(event.data, identity, event.tenant).items()]
        return said

    def _address(self, address: str | None) -> str | None:
        if self.address == "keep" or address is None:
            return address
        return _network(address) if self.address == "truncate" else None

    def _kept(self, data: Mapping[str, Any]) -> dict[str, Any]:
        personal = self.personal != "keep"
        names = (PERSONAL if personal else frozenset()) | (frozenset() if self.address == "keep" else ADDRESSES)
        gone = _Gone(names, urls=personal)
        kept: dict[str, Any] = gone.from_value(dict(data))
        if not personal:
            return kept
        if "lead" in kept:
            kept["lead"] = _of_nobody(kept["lead"])
        return {name: value for name, value in kept.items() if name not in _TABLES or isinstance(value, dict)}


class _Gone(NamedTuple):
    """What goes: fields with these names at any depth; of `urls` the parameters with these names."""

    names: frozenset[str]
    urls: bool

    def from_value(self, value: Any) -> Any:
        if isinstance(value, dict):
            if self._meant(value.get("attributeName")):
                return {}
            kept = {name: item for name, item in value.items() if not self._meant(name)}
            return {name: self._from_field(name, item) for name, item in kept.items()}
        return [self.from_value(item) for item in value] if isinstance(value, list) else value

    def _from_field(self, name: str, value: Any) -> Any:
        if self.urls and name in _URLS and isinstance(value, str):
            return self._from_url(value)
        return self.from_value(value)

    def _from_url(self, url: str) -> str:
        """A fragment may hold a query of its own (`#/thanks?email=…`)."""
        return "#".join(self._from_query(part) for part in url.split("#"))

    def _from_query(self, text: str) -> str:
        place, mark, query = text.partition("?")
        kept = [pair for pair in query.split("&") if not self._meant(unquote_plus(pair.partition("=")[0]))]
        return f"{place}{mark if any(kept) else ''}{'&'.join(kept)}"

    def _meant(self, name: Any) -> bool:
        return isinstance(name, str) and plain(name) in self.names


def plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def hashes(data: Mapping[str, Any], identity: Identity, tenant: str) -> dict[str, str]:
    """Of each contact that was told, in the event or its lead: the id that we would know it by."""
    lead = data.get("lead")
    found = dict(contact_of_lead(lead).ids(identity, tenant)) if isinstance(lead, dict) else {}
    found |= contact_of(data).ids(identity, tenant)
    if push := push_id(identity, tenant, data):
        found["push"] = push
    return found


def _of_nobody(lead: Any) -> dict[str, Any]:
    """Empty for what is no lead's fields: what can't be looked through isn't kept."""
    return {name: lead[name] for name in lead if name in OF_NOBODY} if isinstance(lead, dict) else {}


def _network(address: str) -> str | None:
    """As `192.0.2.0/24`: nobody takes it for an address. None for what is none."""
    try:
        whole = ipaddress.ip_address(address)
    except ValueError:
        return None
    whole = getattr(whole, "ipv4_mapped", None) or whole
    return str(ipaddress.ip_network((whole.packed, _NETWORKS[whole.version]), strict=False))
