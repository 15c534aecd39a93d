"""EngageLab brought to its end by the sandboxed vendor, for its two test files."""

from typing import Any

import orjson

from eventlog.event import Event
from forwarder.destinations.engagelab import EngageLab, EngageLabSettings
from forwarder.errors import TransportError
from forwarder.sandbox.engagelab import EngageLab as Vendor
from forwarder.transport import Reply, Request
from tests.support.destinations import Answer, Course, MemoryFacts, bring, sandboxed
from tests.support.events import NOW, make_event, send

VENDOR = sandboxed(Vendor(), "/engagelab")
REGISTER = ("POST", "/engagelab/v1/user/register")
CONTACT = ("POST", "/engagelab/v1/user/contact")
REPORT = ("POST", "/engagelab/v1/event/report")
SALE = send("sale", {"receipts": [{"name": "C&A", "value": "52"}, {"name": "Zara", "value": 1.5}]})
ANN = {"email": " Ann@X.example", "phone": "0700 1"}
LEAD = make_event("web.register", {"lead": {"userEmail": "ann@x.example", "tags": ["t"], "agreeTandc": "true"}})


def engagelab(**settings: Any) -> EngageLab:
    base = {
        "base_url": "http://127.0.0.1:8090/engagelab",
        "api_key": "sandbox-engagelab",
        "api_secret": "sandbox-engagelab-secret",
    }
    return EngageLab("e", EngageLabSettings.model_validate({"kind": "engagelab", **base, **settings}))


def course(facts: MemoryFacts, *events: Event, answer: Answer = VENDOR, now: float = NOW, **settings: Any) -> Course:
    return bring(engagelab(**settings), events, answer, facts, now)


def saying(code: int, path: str, times: int = 1000, **more: Any) -> Answer:
    """The sandbox, but for `times` calls to `path`."""
    left = [times]

    def answer(request: Request) -> Reply | TransportError:
        if request.url.endswith(path) and left[0] > 0:
            left[0] -= 1
            return Reply(200, {}, orjson.dumps({"code": code, "message": "no", **more}))
        return VENDOR(request)

    return answer
