"""Faults on demand: what a vendor does to a call instead of answering it well."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from base.clock import Clock
from forwarder.sandbox.vendor import Answer, Vendor

_STATUSES: Final = {str(status): status for status in (400, 401, 403, 404, 405, 408, 413, 429, 500, 502, 503)}
# The vendor never gets to see these calls.
_UNANSWERED: Final = {
    "refuse": "closes the connection without an answer",
    "reset": "resets the connection (RST)",
    "hang": "never answers; with `delay`, resets after so many seconds",
}
# The vendor takes these calls; its answer is late, or no proof.
_TAKEN: Final = {
    "slow": "answers after `delay` seconds (5)",
    "drip": "answers a byte each `delay` seconds (1)",
    "partial": "takes the first half of a list, throws the rest away, and answers as to a success",
}
_LISTS: Final = ("data", "identity_values")  # where a body is no list itself, these of it are
_REFUSED: Final = {
    "garbage": "answers 200 with a page that is no JSON, as a proxy in between does",
    "huge": "answers 200 with the vendor's failure body behind 64 MiB of spaces",
    "success_false": "answers 200 with the vendor's failure body",
    "status": "answers `status` with the vendor's failure body",
    **{name: f"answers {name}" for name in _STATUSES},
}
KINDS: Final[Mapping[str, str]] = {**_REFUSED, **_UNANSWERED, **_TAKEN}


class UnknownFault(ValueError):
    """Its text says what a fault must look like."""


class Fault(BaseModel):
    """One order of `POST /_sandbox/faults`; without `times` and `for_seconds` it holds until it is deleted."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    destination: str
    fault: str
    times: int | None = Field(default=None, ge=1)
    for_seconds: float | None = Field(default=None, gt=0)
    path: str = ""  # only calls whose path ends so
    status: int | None = Field(default=None, ge=200, le=599)
    retry_after: str | None = None  # as the header is written: seconds, or a date
    delay: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _known(self) -> "Fault":
        if self.fault not in KINDS:
            raise ValueError(f"no such fault: {self.fault}; there are {', '.join(KINDS)}")
        if self.fault == "status" and self.status is None:
            raise ValueError("the fault `status` needs a status")
        return self

    def leaves(self, body: Any) -> tuple[Any, int]:
        """What the vendor gets to see of a call's body, and how much of it is thrown away."""
        if self.fault != "partial":
            return body, 0
        if isinstance(body, list):
            seen = body[: (len(body) + 1) // 2]
            return seen, len(body) - len(seen)
        lists = [name for name in _LISTS if isinstance(body, Mapping) and isinstance(body.get(name), list)]
        if not lists:
            return body, 0
        seen, thrown = self.leaves(body[lists[0]])
        return {**body, lists[0]: seen}, thrown

    def alters(self, taken: Answer, vendor: Vendor) -> Answer:
        """What is answered where the vendor alone would have answered `taken`."""
        if self.fault in _UNANSWERED:
            return Answer(0)
        if self.fault in _TAKEN:
            return taken
        status = self.status or _STATUSES.get(self.fault, 200)
        if self.fault == "garbage":
            return Answer(status, b"<html><body>It works! \xff", {"content-type": "text/html"})
        retry_after = self.retry_after or ("1" if status == 429 else None)
        headers = {} if retry_after is None else {"retry-after": retry_after}
        return Answer(status, vendor.failure(f"fault on demand: {self.fault}"), headers)


class Faults:
    """Those in force, in the order they were ordered; the first that fits a call is used up by it."""

    def __init__(self, clock: Clock, destinations: tuple[str, ...]) -> None:
        self._clock = clock
        self._destinations = destinations
        self._active: list[_Active] = []

    def add(self, order: Any) -> Fault:
        try:
            fault = Fault.model_validate(order)
        except ValidationError as error:
            raise UnknownFault("; ".join(_said(detail) for detail in error.errors())) from error
        if fault.destination not in self._destinations:
            raise UnknownFault(f"no such destination: {fault.destination}; there are {', '.join(self._destinations)}")
        self._active.append(_Active(fault, self._clock.monotonic()))
        return fault

    def clear(self) -> None:
        self._active.clear()

    def take(self, destination: str, path: str) -> Fault | None:
        if not self._active:
            return None
        now = self._clock.monotonic()
        self._active = [active for active in self._active if not active.over(now)]
        for active in self._active:
            if active.fault.destination == destination and path.endswith(active.fault.path):
                active.used += 1
                return active.fault
        return None

    def listed(self) -> list[dict[str, Any]]:
        now = self._clock.monotonic()
        return [active.listed() for active in self._active if not active.over(now)]


class _Active:
    def __init__(self, fault: Fault, since: float) -> None:
        self.fault = fault
        self.used = 0
        self._ends = None if fault.for_seconds is None else since + fault.for_seconds

    def over(self, now: float) -> bool:
        spent = self.fault.times is not None and self.used >= self.fault.times
        return spent or (self._ends is not None and now >= self._ends)

    def listed(self) -> dict[str, Any]:
        return {**self.fault.model_dump(exclude_defaults=True), "used": self.used}


def _said(detail: Any) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    message = str(detail["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message
