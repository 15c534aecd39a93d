"""What tells a person in bytes that are no event: in a request that was kept, in a body that was too large."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import orjson

from ochn.erasure.person import Person

_SHORTEST: Final = 6  # characters: a shorter customer id would be found everywhere
_ID: Final = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Traces:
    """In lower case."""

    words: tuple[bytes, ...]
    ids: frozenset[bytes]  # of events

    @classmethod
    def of(cls, person: Person, ids: Iterable[str]) -> "Traces":
        contacts = [value.lstrip("+") for kind, value in person.contacts]
        words = [*contacts, *person.whole]
        spellings = {
            spelling.lower()
            for word in words
            if len(word) >= _SHORTEST
            for spelling in (word.encode(), quote(word, safe="").encode(), orjson.dumps(word)[1:-1])
        }
        return cls(tuple(spellings), frozenset(each.encode() for each in ids))

    def in_(self, content: bytes) -> bool:
        small = content.lower()
        return any(word in small for word in self.words) or any(found in self.ids for found in _ID.findall(small))
