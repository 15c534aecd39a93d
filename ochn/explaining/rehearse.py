"""A destination's calls for one event, without making them: plan and classify over pretended answers."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from base.masking import mask, mask_text
from eventlog.event import Event
from forwarder.destinations import own
from forwarder.destinations.base import Call, Destination, Fact, Outcome
from forwarder.destinations.build import KINDS
from forwarder.transport import Reply, Request

Step = dict[str, Any]
ROUNDS: Final = 8
_UPSTREAM_ID: Final = "<the id that the vendor's init answers>"

# What each vendor answers when all is well (contracts.md, section 2), by the call's purpose; else by the kind.
_ANSWERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "footprints": {"status": "ok", "success": True, "pid": _UPSTREAM_ID},
    "footprints.mobile_init": {"status": "ok", "success": True, "mobileId": _UPSTREAM_ID},
    "footprints.token": {"access_token": "<token>", "token_type": "bearer", "expires_in": 31_535_999},
    "footprints.lead": {"_id": "<the lead's id>"},
    "netcore": {"status": "success"},
    "ray": {"message": "ok", "result": "success", "statusCode": 200},
    "ray.token": {"access_token": "<token>", "token_type": "bearer", "expires_in": 3600},
    "engagelab": {"code": 0, "message": "success"},
}
_STATUSES: Final[Mapping[str, int]] = {"expertsender": 201}  # all others answer 200
_EUID: Final = 10_362_473  # pretended: the one on the vendor's page


class _Facts:
    """Nothing is known of the visitor but what this very event teaches."""

    def __init__(self) -> None:
        self._known: dict[str, Mapping[str, Any]] = {}

    def get(self, key: str) -> Mapping[str, Any] | None:
        return self._known.get(key)

    def learn(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            if fact.value is None:
                self._known.pop(fact.key, None)
            else:
                self._known[fact.key] = fact.value


def rehearse(destination: Destination, event: Event, now: float) -> list[Step]:
    """Each step `says` what happens; a call shows its `request`, secrets masked."""
    facts, steps, waiting = _Facts(), list[Step](), [event]
    for _ in range(ROUNDS):
        if not waiting:
            break
        plan = destination.plan(waiting, facts, now)
        facts.learn(plan.facts)
        settled: dict[str, Outcome] = dict(plan.settled)
        steps += [{"says": _said(outcome)} for outcome in plan.settled.values()]
        for call in plan.calls:
            verdict = destination.classify(call, _answer(destination, call))
            facts.learn(verdict.facts)
            settled |= verdict.outcomes
            steps.append({"says": f"{call.purpose}:", "request": _shown(call.request)})
            steps += [{"says": _said(outcome)} for outcome in verdict.outcomes.values()]
        waiting = [event for event in waiting if event.id not in settled]
    return steps


def _said(outcome: Outcome) -> str:
    return " ".join(
        part for part in (outcome.kind, f"({outcome.reason})" if outcome.reason else "", outcome.detail) if part
    )


def _answer(destination: Destination, call: Call) -> Reply:
    if destination.kind not in KINDS:
        return own.find(destination.kind).accepted
    told = dict(_ANSWERS.get(f"{destination.kind}.{call.purpose}", _ANSWERS.get(destination.kind, {})))
    if (destination.kind, call.purpose) == ("engagelab", "register"):
        values = orjson.loads(call.request.body)["identity_values"]
        told["data"] = [{"identity_value": value, "euid": _EUID} for value in values]
    status = _STATUSES.get(destination.kind, 200)
    return Reply(status, {"content-type": "application/json"}, orjson.dumps(told))


def _shown(request: Request) -> dict[str, Any]:
    body: Any = request.body.decode("utf-8", "replace")
    if request.headers.get("Content-Type", request.headers.get("content-type", "")).startswith("application/json"):
        body = orjson.loads(request.body)
    return {
        "method": request.method,
        "url": mask_text(request.url),
        "headers": mask(dict(request.headers)),
        "body": mask(body),
    }
