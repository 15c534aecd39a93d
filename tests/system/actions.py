"""Each action with its data, and what becomes of it upstream, written by hand from contracts.md, section 3."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.corpus import Reply
from tests.support.product import Product
from tests.system.outside import form

EMAIL = "eve@example.com"


@dataclass(frozen=True)
class Action:
    """`form` as it is posted; `upstream` is Footprints' `aditionalData`; `name` and `params` are Netcore's."""

    form: Mapping[str, str]
    upstream: Mapping[str, Any]
    name: str
    params: Mapping[str, Any]


ACTIONS = {
    "visit": Action(
        {
            "aditionalData[brands][]": "",
            "aditionalData[tenants][0]": "Zara",
            "aditionalData[tenants][1]": "H&M",
            "aditionalData[interests][]": "shoes",
            "page[url]": "https://shop.example/shoes?size=44",
            "utm[source]": "newsletter",
        },
        {"tenants": ["Zara", "H&M"], "interests": ["shoes"]},
        "Visit",
        {
            "tenants": ["Zara", "H&M"],
            "interests": ["shoes"],
            "page_url": "https://shop.example/shoes?size=44",
            "utm_source": "newsletter",
        },
    ),
    "sale": Action(
        {
            "aditionalData[receipts][0][name]": "C&A",
            "aditionalData[receipts][0][value]": "52.5",
            "aditionalData[receipts][1][name]": "Zara",
            "aditionalData[receipts][1][value]": "10",
        },
        {"receipts": [{"name": "C&A", "value": "52.5"}, {"name": "Zara", "value": "10"}]},
        "Purchase",
        {
            "total_amount": 62.5,
            "currency": "EUR",
            "total_item_qty": 2,
            "items": [{"tenant": "C&A", "price": 52.5}, {"tenant": "Zara", "price": 10}],
        },
    ),
    "contact": Action(
        {"aditionalData[appointmentDate]": "2026-12-01 10:30:00", "aditionalData[senderType]": "person"},
        {"appointmentDate": "2026-12-01 10:30:00", "senderType": "person"},
        "Contact Request",
        {"appointment_date": "2026-12-01 10:30:00", "sender_type": "person"},
    ),
    "feedback": Action({"aditionalData[rating]": "9"}, {"rating": "9"}, "Feedback", {"rating": 9}),
    "engagement": Action(
        {"aditionalData[description]": "Opened the înălțime map"},
        {"description": "Opened the înălțime map"},
        "Engagement",
        {"description": "Opened the înălțime map"},
    ),
    "profiling": Action(
        {"additionalData[percentCompleted]": "40"},
        {"percentCompleted": "40"},
        "Profile Update",
        {"percent_completed": 40},
    ),
}


def named_visitor(product: Product) -> str:
    """Her uid."""
    answer = form(product.port, "/jsapi/init", {"appkey": "demo", "email": EMAIL}).json()
    assert isinstance(answer, dict)
    return str(answer["uid"])


def send_action(product: Product, uid: str, kind: str) -> Reply:
    who = {"appkey": "demo", "uid": uid, "uType": "c", "requestType": "action", "actionType": kind}
    return form(product.port, "/jsapi/send", {**who, **ACTIONS[kind].form})


# A lead with a file, which Footprints has no field for.
LEAD = {
    "appkey": "demo",
    "lead[userEmail]": "lea@example.com",
    "lead[userFirstName]": "Léa",
    "lead[tags][0]": "vip",
    "lead[agreePrivacy]": "on",
    "lead[marketingChannels][0][channel]": "email",
    "lead[marketingChannels][0][type]": "owner",
    "lead[marketingChannels][0][agreed]": "true",
    "lead[cv][name]": "cv.pdf",
    "lead[cv][type]": "application/pdf",
    "lead[cv][data]": "JVBERi0xLjQK" * 10_000,
}
LEAD_UPSTREAM = {
    "userEmail": "lea@example.com",
    "userFirstName": "Léa",
    "tags": ["vip"],
    "agreePrivacy": "true",
    "marketingChannels": [{"channel": "email", "type": "owner", "agreed": "true"}],
}
LEAD_PARAMS = {"tags": ["vip"], "consents": ["privacy", "email:owner"]}
