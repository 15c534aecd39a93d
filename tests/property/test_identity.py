"""Ours are always known, strangers never, and no text breaks the question."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from base.ids import SeededIds
from collector.judging.identity import Identity, IdKind, Tag

SECRET, OLDER, PERSON = b"s" * 32, b"o" * 32, b"p" * 32
KINDS = st.sampled_from(IdKind)
SEEDS = st.integers(0, 2**32)
FACTS = st.lists(st.text(), min_size=1, max_size=4)


def identity(
    seed: int = 0, secret: bytes = SECRET, previous: tuple[bytes, ...] = (), person: bytes = PERSON
) -> Identity:
    return Identity(secret, previous, person, SeededIds(seed))


@given(KINDS, SEEDS, FACTS)
def test_ours_are_known_by_every_worker(kind: IdKind, seed: int, facts: list[str]) -> None:
    for issued in (identity(seed).fresh(kind), identity(seed).hashed(kind, *facts)):
        assert len(issued) == 64
        assert identity().kind_of(issued) is kind


@given(st.text() | st.text("0123456789abcdef", min_size=64, max_size=64) | st.binary(min_size=32, max_size=32))
def test_strangers_are_never_known(stranger: str | bytes) -> None:
    text = stranger if isinstance(stranger, str) else stranger.hex()
    assert identity().kind_of(text) is None


@given(KINDS, SEEDS, FACTS, st.integers(0, 31), st.integers(1, 255))
def test_one_changed_byte_makes_a_stranger(kind: IdKind, seed: int, facts: list[str], place: int, change: int) -> None:
    for issued in (identity(seed).fresh(kind), identity(seed).hashed(kind, *facts)):
        raw = bytearray(bytes.fromhex(issued))
        raw[place] ^= change
        assert identity().kind_of(raw.hex()) is None


@given(KINDS, SEEDS, FACTS, st.binary(min_size=32, max_size=32))
def test_a_new_secret_changes_nobody(kind: IdKind, seed: int, facts: list[str], secret: bytes) -> None:
    rotated = identity(secret=secret, previous=(OLDER, SECRET))
    assert rotated.kind_of(identity(seed).fresh(kind)) is kind
    assert rotated.hashed(kind, *facts) == identity().hashed(kind, *facts)
    assert identity(secret=secret).kind_of(identity(seed).fresh(kind)) is (kind if secret == SECRET else None)


@given(FACTS, FACTS)
def test_other_facts_are_other_people(one: list[str], other: list[str]) -> None:
    ids = identity().hashed(IdKind.CUSTOMER, *one), identity().hashed(IdKind.CUSTOMER, *other)
    assert (ids[0] == ids[1]) == ("\0".join(one) == "\0".join(other))


@given(st.binary(), st.binary())
def test_a_seal_is_for_one_message(message: bytes, other: bytes) -> None:
    seal = identity().seal(message)
    assert identity(secret=OLDER, previous=(SECRET,)).is_sealed(message, seal)
    assert identity().is_sealed(other, seal) == (message == other)
    assert not identity(secret=OLDER).is_sealed(message, seal)


@given(st.binary(min_size=32, max_size=32), st.binary())
def test_a_tag_is_what_the_standard_library_says(key: bytes, body: bytes) -> None:
    tag_of = Tag(key)
    assert tag_of(body) == tag_of(body) == hmac.digest(key, body, "sha256")[:15]
