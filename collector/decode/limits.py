"""What a body may hold, by the class of its route."""

from dataclasses import dataclass

from base.forms import FormLimits
from collector.routes import BodyClass
from collector.settings import LimitSettings

_BATCH_FACTOR = 8  # as a batch's body limit is to a call's
_LARGE_FACTOR = 4


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """`depth`, `containers` (objects and arrays) and `members` (names) are JSON's; `gunzipped` in bytes."""

    form: FormLimits
    depth: int
    containers: int
    members: int
    gunzipped: int
    ratio: int


def body_limits(limits: LimitSettings, body: BodyClass) -> BodyLimits:
    form = FormLimits(
        pairs=limits.form_pairs,
        key_bytes=limits.form_key_bytes,
        value_bytes=limits.form_value_bytes,
        levels=limits.form_levels,
        index=limits.form_index,
    )
    containers, members, gunzipped = limits.json_containers, limits.json_members, limits.gunzipped_bytes
    depth = limits.json_depth
    if body == "lead":
        form = FormLimits(form.pairs, form.key_bytes, limits.lead_body_bytes, form.levels, form.index)
        gunzipped *= _LARGE_FACTOR
    elif body == "batch":  # `events[0]` and `{"events": [` stand around each event
        index = max(form.index, limits.batch_events - 1)
        form = FormLimits(form.pairs * _BATCH_FACTOR, form.key_bytes, form.value_bytes, form.levels + 2, index)
        containers, members = containers * _BATCH_FACTOR, members * _BATCH_FACTOR
        gunzipped *= _LARGE_FACTOR
        depth += 2
    return BodyLimits(form, depth, containers, members, gunzipped, limits.gunzip_ratio)
