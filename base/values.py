"""Named values: what is made anew for each request and event, and never changed.

A msgspec Struct is made in C, in a fourth of a named tuple's time (docs/decisions/0005-fast-lane.md). The collector of
cycles does not look at one: nothing that is part of a cycle for long may be kept in one.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Self

from msgspec import Struct
from msgspec.structs import replace

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})  # one for all who have nothing to say


class Value(Struct, frozen=True, gc=False):
    """Each class says `frozen=True` again, for the type checker."""

    def _replace(self, **changes: Any) -> Self:
        """As a named tuple has it: a copy with other fields."""
        return replace(self, **changes)
