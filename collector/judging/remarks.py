"""What we have to say about an event, in one table: codes of base.reasons, and a sentence for the page's author."""

from collections.abc import Iterable
from typing import Final

from base.reasons import Quarantine, Warned
from base.values import Value


class Remark(Value, frozen=True):
    """A Quarantine code holds the event back, a Warned one does not. `field` as the caller spelled it, if it is one."""

    code: Quarantine | Warned
    field: str = ""

    def sentence(self) -> str:
        where = f"{self.field[:80]}: " if self.field else ""
        return f"{self.code}: {where}{_OF_FIELD.get((self.code, self.field), ADVICE[self.code])}"


def reasons_of(remarks: Iterable[Remark]) -> tuple[Quarantine, ...]:
    """Each once, in their order."""
    reasons: list[Quarantine] = []
    for remark in remarks:
        if type(code := remark.code) is Quarantine and code not in reasons:
            reasons.append(code)
    return tuple(reasons)


ADVICE: Final[dict[Quarantine | Warned, str]] = {
    Quarantine.UNKNOWN_REQUEST_TYPE: "expected action, reach or impression",
    Quarantine.UNKNOWN_ACTION_TYPE: "expected visit, sale, contact, feedback, engagement or profiling",
    Quarantine.MISSING_VISITOR: "send the id that init has answered",
    Quarantine.BAD_VISITOR: "expected 1 to 128 printable characters",
    Quarantine.BAD_USER_TYPE: "expected p or c",
    Quarantine.RATING_OUT_OF_RANGE: "expected a number from 1 to 10",
    Quarantine.PERCENT_OUT_OF_RANGE: "expected a number from 0 to 100, without a percent sign",
    Quarantine.BAD_APPOINTMENT_DATE: "expected YYYY-MM-DD HH:ii:ss",
    Quarantine.BAD_SENDER_TYPE: "expected person or organization",
    Quarantine.BAD_RECEIPTS: "expected a list of {name, value}, each value a number",
    Quarantine.BAD_LOCATION: "expected lat from -90 to 90 and lon from -180 to 180",
    Quarantine.MISSING_SENSORS: "expected a list of sensors",
    Quarantine.TOO_MANY_SENSORS: "send fewer sensors in a call",
    Quarantine.EMPTY_LEAD: "the lead has no fields",
    Quarantine.BAD_SHAPE: "has another shape here: an object, a list or a single value was expected",
    Quarantine.BAD_TEXT: "the body holds text that is not in its charset",
    Quarantine.BAD_NUMBER: "the body holds a number that is none, or does not fit 64 bits",
    Quarantine.TOO_DEEP: "the body is nested too deep",
    Quarantine.TOO_MANY_FIELDS: "the body has too many fields, or an index too large",
    Quarantine.FIELD_TOO_LARGE: "a name or value of the body is too large",
    Quarantine.EVENT_TOO_LARGE: "the event is too large for the log: its body is kept beside it",
    Quarantine.WRONG_ORIGIN: "is not among the origins of this app key in the settings",
    Quarantine.OVER_RATE: "more calls than the rate allows",
    Quarantine.WRONG_SURFACE: "this app key is not for this door: its surfaces in the settings say so",
    Warned.DATA_OF_OTHER_ACTION: "belongs to another actionType; it is kept",
    Warned.UNKNOWN_FIELD: "is no field that we know; it is kept",
    Warned.MISSPELT_FIELD: "is only kept, and not taken for it",
    Warned.FOREIGN_ID: "was not issued here; it is kept",
    Warned.REROUTED: "this body belongs to another path; it is taken for what it is",
    Warned.DOUBLE_ENCODED_EMAIL: "was percent-encoded twice; it is decoded",
    Warned.BAD_EMAIL: "is no e-mail address; nobody is identified by it",
    Warned.BAD_CLIENT_TIME: "expected milliseconds since the epoch or RFC 3339, not far from now; the time of receipt stands",
}
_OF_FIELD: Final[dict[tuple[Quarantine | Warned, str], str]] = {  # where a field's advice is another than the code's
    (Quarantine.UNKNOWN_REQUEST_TYPE, "call"): "expected init, send, register, sensors or geo, as its door takes it",
}
