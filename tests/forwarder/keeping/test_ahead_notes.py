"""What one host has settled beyond the committed offset another knows by the note, and it takes nothing else for settled."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from base.reasons import Dead
from eventlog.log import NOTE_CHARACTERS
from forwarder.destinations.base import Outcome, dead, delivered
from tests.forwarder.keeping.test_ahead import OUTCOMES, opened, work


@settings(deadline=None, max_examples=200)
@given(
    st.dictionaries(st.integers(0, 300), st.sampled_from(OUTCOMES), max_size=60),
    st.integers(0, 20),
    st.integers(0, 3),
    st.booleans(),
)
def test_a_note_tells_another_host_what_is_delivered_or_dead(
    settled: dict[int, Outcome], more: int, skipped: int, ours: bool
) -> None:
    """`skipped`: so many of the first can't be read there. In a log that is not `ours` others stand at these places."""
    with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
        ahead = opened(Path(here, "x.ahead"), {0: 10})
        for offset, outcome in settled.items():
            ahead.add([work(0, 10 + offset)], outcome, 202)
        committed = 10 + more
        note = ahead.note(0, committed)
        other = opened(Path(there, "x.ahead"), {0: committed})
        other.hear(0, committed, note)
        known = {10 + offset: outcome for offset, outcome in settled.items() if 10 + offset >= committed}
        live = {offset for offset, outcome in known.items() if outcome.kind == "delivered"}
        readable = min(live, default=0) >= committed + skipped
        expected = dict.fromkeys(live if readable else (), delivered())
        expected |= {offset: outcome for offset, outcome in known.items() if outcome.kind == "dead"}
        for offset in range(committed + skipped, 330):
            told = other.told(work(0, offset, offset if ours else 999))
            right = ours and offset in expected
            assert told == ((f"event-{offset:05}", expected[offset], 202) if right else None)
        if ours and not skipped:
            assert other.note(0, committed) == note  # it hands on what it has heard
        ahead.close()
        other.close()


def test_what_is_dead_is_told_until_it_is_committed_or_wanted_again(tmp_path: Path) -> None:
    """Also by a process that has it from the file; and not of what an older call has delivered since."""
    ahead = opened(tmp_path / "x.ahead", {0: 0})
    ahead.add([work(0, 3), work(0, 5)], dead(Dead.REFUSED), 404)
    ahead.write()
    note = ahead.note(0, 0)
    assert (note.count("refused"), ahead.note(0, 4).count("refused"), ahead.note(0, 6)) == (2, 1, "")
    ahead.close()
    newer = opened(tmp_path / "x.ahead", {0: 0})
    assert newer.note(0, 0) == note
    newer.add([work(0, 3)], delivered(), 200)
    assert newer.note(0, 0).count("refused") == 1
    newer.committed(0, 4)
    assert newer.note(0, 4) == ahead.note(0, 4)
    newer.committed(0, 6)
    assert not newer._partitions[0].letters
    newer.add([work(0, 7)], dead(Dead.REFUSED), 404)
    newer.committed(0, 0)
    assert newer.note(0, 0) == ""
    newer.close()


def test_a_note_is_never_longer_than_may_be_committed(tmp_path: Path) -> None:
    ahead = opened(tmp_path / "x.ahead", {0: 0})
    for offset in range(1, 100_000, 2):
        ahead.add([work(0, offset, 7)], dead(Dead.NOT_FOUND) if offset % 5 == 0 else delivered(), 200)
    for offset in (0, 1, 40_000, 99_990):
        assert len(ahead.note(0, offset)) <= NOTE_CHARACTERS
    ahead.committed(0, 100_000)
    ahead.add([work(0, 100_007, 7)], delivered(), 200)
    assert ahead.note(0, 100_000)
    ahead.close()


@settings(deadline=None)
@given(st.text(max_size=30) | st.sampled_from(["1:2:3:AA==", "1::-5:AQ==", "x:1:1:AQ==", ":::", "1:1:1:/w=="]))
def test_a_note_of_somebody_else_says_nothing(note: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        ahead = opened(Path(directory, "x.ahead"), {0: 0})
        ahead.hear(0, 0, note)
        assert all(ahead.told(work(0, offset)) is None for offset in range(40))
        ahead.close()
