"""What must exist in a vendor's panel before its API takes what we send: `ochn panel-checklist`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.mapping import EventMapping
from forwarder.destinations.params import FIELDS, FIELDS_OF_ALL, FieldType

_WORDS: Final[Mapping[FieldType, str]] = {
    "text": "text",
    "number": "number",
    "time": "date and time",
    "texts": "list of texts",
    "items": "list of objects",
}


@dataclass(frozen=True, slots=True)
class PanelItem:
    """`what` it is in the vendor's words, under `name`; `fields`: each one's type by its name; `event`: our kind."""

    what: str
    name: str
    event: str
    fields: Mapping[str, str]


def mapped_fields(kind: ActivityKind, mapping: EventMapping, default: Mapping[str, str]) -> dict[str, str]:
    known = {**FIELDS[kind], **FIELDS_OF_ALL}
    chosen = default if mapping.fields is None else mapping.fields
    fields = {theirs: _WORDS[known[ours]] for theirs, ours in chosen.items()}
    return {**fields, **{name: _constant(value) for name, value in mapping.constants.items()}}


def _constant(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    return "text" if isinstance(value, str) else "number"
