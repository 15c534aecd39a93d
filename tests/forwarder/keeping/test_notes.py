"""The text beside a committed offset: what it tells comes back, what it has no room for is the farthest, and no text makes
anybody take an event for settled that is not."""

from collections.abc import Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from base.reasons import Dead, Parked
from eventlog.log import NOTE_CHARACTERS
from forwarder.destinations.base import Outcome, dead, delivered, parked
from forwarder.keeping.notes import Heard, bits_of, decode, encode
from forwarder.keeping.receipts import Told
from forwarder.work import Work
from tests.forwarder.small import make_event

START = 1000
OF_BEFORE = (
    "2190876384:202:1:BQ=="  # as a forwarder wrote it that told of delivered ones only: those one and three beyond
)
ANSWERS = st.none() | st.integers(100, 599)
DEAD = st.tuples(st.sampled_from(Dead).map(dead), ANSWERS)
ANY = st.tuples(st.sampled_from([delivered(), delivered(late=True), parked(Parked.KEEPS_FAILING)]), ANSWERS) | DEAD


def work(offset: int, event: int | None = None) -> Work:
    return Work(make_event(offset if event is None else event, "v"), 0, offset, 1, 0.0)


def told(settled: Mapping[int, tuple[Outcome, int | None]]) -> dict[int, Told]:
    """By offset; `settled` by how far beyond START."""
    return {START + beyond: (work(START + beyond).event.id, *ending) for beyond, ending in settled.items()}


def note_of(settled: Mapping[int, tuple[Outcome, int | None]]) -> str:
    bits = bits_of([beyond for beyond, (outcome, _) in settled.items() if outcome.kind == "delivered"])
    return encode(START, told(settled), bits, [START + beyond for beyond in sorted(settled)])


def heard(note: str, *, end: int) -> dict[int, tuple[Outcome, int | None]]:
    """By how far beyond START."""
    found = decode(START, note)
    said = {beyond: found.tells_of(work(START + beyond)) for beyond in range(end)} if found else {}
    return {beyond: ending for beyond, ending in said.items() if ending is not None}


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(st.integers(0, 300), ANY, max_size=60))
def test_what_is_delivered_or_dead_comes_back(settled: dict[int, tuple[Outcome, int | None]]) -> None:
    """Of what is delivered, with the answer of the first, and nothing of its having been late."""
    of_first = [answer for _, (outcome, answer) in sorted(settled.items()) if outcome.kind == "delivered"][:1]
    expected = {
        beyond: (delivered(), of_first[0]) if outcome.kind == "delivered" else (outcome, answer)
        for beyond, (outcome, answer) in settled.items()
        if outcome.kind != "parked"
    }
    note = note_of(settled)
    assert heard(note, end=310) == expected
    assert bool(note) is bool(expected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40_000), st.integers(0, 400), DEAD, st.data())
def test_where_there_is_no_room_for_all_the_nearest_are_told_of(
    live: int, refused: int, ending: tuple[Outcome, int | None], data: st.DataObject
) -> None:
    """`live` stand before, among or after those that were `refused`."""
    before = data.draw(st.integers(0, live))
    well: tuple[Outcome, int | None] = (delivered(), 200)
    settled = dict.fromkeys(range(live + refused), well) | dict.fromkeys(range(before, before + refused), ending)
    note = note_of(settled)
    assert note.isascii()
    assert len(note) <= NOTE_CHARACTERS
    found = decode(START, note)
    letters = sorted(found.letters) if found else []
    assert letters == list(range(START + before, START + before + len(letters)))
    room = NOTE_CHARACTERS - len(note)
    assert len(letters) == refused or room <= len(f",{live + refused}.{Dead.UPSTREAM_INIT_REFUSED}.200.{2**32}")


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.integers(0, 60), DEAD, max_size=20), st.data())
def test_no_spoilt_note_tells_of_what_is_not_dead(
    settled: dict[int, tuple[Outcome, int | None]], data: st.DataObject
) -> None:
    note = note_of(settled)
    cut, end = sorted(data.draw(st.tuples(st.integers(0, len(note)), st.integers(0, len(note)))))
    spoilt = note[:cut] + data.draw(st.text(max_size=5) | st.text("0123456789.,:", max_size=5)) + note[end:]
    assert heard(spoilt, end=70).keys() <= settled.keys()
    elsewhere = decode(START, note)  # in another log
    assert elsewhere is None or not any(elsewhere.tells_of(work(START + beyond, 999)) for beyond in range(70))


HOSTILE = (
    "::::",
    "0::0::",
    "0::0::1.refused..",
    "0::0::x.refused.404.1,-1.gone.404.1",
    "0::0::...,,.",
    "1:2:3:A:1.2.3.4",
)


@settings(deadline=None)
@given(st.text() | st.text("0123456789.,:=A", max_size=40) | st.sampled_from(HOSTILE))
def test_a_hostile_text_says_nothing(note: str) -> None:
    assert heard(note, end=40) == {}


def test_a_note_of_before_is_read_and_without_dead_ones_none_is_written_otherwise() -> None:
    settled: dict[int, tuple[Outcome, int | None]] = {1: (delivered(), 202), 3: (delivered(), 202)}
    assert note_of(settled) == OF_BEFORE
    assert heard(OF_BEFORE, end=10) == settled


def test_who_knows_of_delivered_ones_only_reads_no_note_with_dead_ones() -> None:
    """It unpacks four parts: with five it takes nothing for settled."""
    assert len(OF_BEFORE.split(":")) == 4
    assert len(note_of({0: (dead(Dead.REFUSED), 404)}).split(":")) == 5
    assert len(note_of({0: (dead(Dead.REFUSED), 404), 1: (delivered(), 200)}).split(":")) == 5


def test_what_a_newer_one_adds_is_passed_over() -> None:
    """A part behind these, or a reason that is not known here: that one is tried again."""
    settled: dict[int, tuple[Outcome, int | None]] = {0: (dead(Dead.TOO_LARGE), None), 1: (delivered(), 200)}
    settled |= {2: (dead(Dead.REFUSED), 404)}
    note = note_of(settled)
    assert heard(f"{note}:more", end=5) == settled
    assert heard(note.replace("too_large", "of_tomorrow"), end=5) == {1: settled[1], 2: settled[2]}


def test_a_dead_one_counts_though_what_stands_before_it_is_gone() -> None:
    """The bits of what is delivered wait for the first of them; a dead one is known by its own id."""
    found = decode(START, note_of({0: (delivered(), 200), 1: (delivered(), 200), 2: (dead(Dead.REFUSED), 404)}))
    assert isinstance(found, Heard)
    assert found.tells_of(work(START + 1)) is None
    assert found.tells_of(work(START + 2)) == (dead(Dead.REFUSED), 404)


def test_of_a_dead_one_that_was_delivered_since_it_says_that() -> None:
    """As when a call that was left behind with a lost partition brings its answer."""
    note = encode(START, told({0: (delivered(), 200)}), 1, [START])
    assert heard(note, end=2) == {0: (delivered(), 200)}
