"""`[destinations.<name>.events.<kind>]`: what a destination gets of an event, in names of the settings' choice."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import Field

from base.settings import Section
from forwarder.destinations.kinds import ActivityKind
from forwarder.destinations.params import FIELDS, FIELDS_OF_ALL

Constant = (
    bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | Annotated[str, Field(min_length=1)]
)


class EventMapping(Section):
    fields: dict[str, str] | None = None
    """Their name for each of our fields that goes along (`amount = "total_amount"`); left out: as the page says."""
    constants: dict[str, Constant] = Field(default_factory=dict)
    """Values that always go along, by their name."""

    def applied(self, told: Mapping[str, Any], default: Mapping[str, str]) -> dict[str, Any]:
        """`told` in their names; what it has no value for is left out."""
        chosen = default if self.fields is None else self.fields
        return {**{theirs: told[ours] for theirs, ours in chosen.items() if ours in told}, **self.constants}


def faults_in_fields(kind: ActivityKind, fields: Iterable[tuple[str, str]]) -> list[str]:
    """`fields`: their name and ours."""
    known = {**FIELDS[kind], **FIELDS_OF_ALL}
    told = [
        f'events.{kind}.fields: {theirs} = "{ours}" is no field of {kind}; there are {", ".join(known)}'
        for theirs, ours in fields
        if ours not in known
    ]
    return told + [f"events.{kind}: a field has no name" for theirs, _ in fields if not theirs.strip()]
