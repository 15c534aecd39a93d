"""What the benchmark sends, how it counts, and when it calls a figure good."""

import asyncio
import re
from pathlib import Path

import pytest
import uvloop

from loadtests import peak, soak
from loadtests.calls import SEND_BYTES, Call, app_key, batch, beacons, init, sdk_visit, visit
from loadtests.lines import COLUMNS, Target, cells, falls_off, line, markdown, unmeasured
from loadtests.machine import seats
from loadtests.options import file
from loadtests.paced import Pacer, part, whole
from loadtests.slices import Sample, bare_us, ratio, ratios, stretches
from loadtests.stand import check
from tests.collector.inside import inside
from tests.support.house import ROOT


@pytest.mark.anyio
@pytest.mark.parametrize(
    "call", [visit(), visit(100_000), sdk_visit(), beacons(), init(), batch()], ids=lambda call: call.name
)
async def test_what_is_sent_is_whole_and_good(call: Call, tmp_path: Path) -> None:
    head, _, body = call.filled(7).partition(b"\r\n\r\n")
    method, path, _ = head.partition(b"\r\n")[0].decode().split()
    headers = dict(line.split(": ") for line in head.decode().split("\r\n")[1:])
    assert int(headers["Content-Length"]) == call.body_bytes == len(body)
    async with inside(tmp_path) as house:
        body = body.replace(app_key(0).encode(), b"demo")
        answer = await house.send(path, body, method, content_type=headers["Content-Type"])
        assert (answer.status, len(house.events()), house.quarantined()) == (200, call.events, [])


def test_the_visit_of_the_figures_has_their_size() -> None:
    assert visit().body_bytes == SEND_BYTES == 380
    assert all(visit(size).body_bytes == size for size in (200, 379, 1_000, 8_192, 8_300, 65_536))
    assert visit().filled(7, keys=5).count(b"bench0002") == 1


@pytest.mark.parametrize(
    ("target", "value", "beside", "verdict"),
    [
        (Target(ratio=0.25), 25.0, 100.0, "ok"),
        (Target(ratio=0.25), 24.9, 100.0, "missed"),
        (Target(ratio=0.25), 25.0, None, "missed"),
        (Target(ratio=0.25, least=30), 25.0, 100.0, "missed"),
        (Target(most=15), 15.1, 3.0, "missed"),
        (Target(most=15), 15.0, None, "ok"),
        (Target(), 1.0, None, "stated"),
    ],
)
def test_a_figure_is_judged(target: Target, value: float, beside: float | None, verdict: str) -> None:
    assert line("part", "name", "events/s", value, beside, target=target).verdict == verdict


def test_what_could_not_be_measured_says_so() -> None:
    shown = markdown(COLUMNS, [cells(unmeasured("workers", "2 workers", "needs four cores"))])
    assert "| 2 workers |  |  |  |  |  | not measurable here | needs four cores |" in shown


@pytest.mark.parametrize(
    ("heights", "falls"), [([1, 10, 9, 8], False), ([1, 10, 7], True), ([10, 8, 7], True), ([], False)]
)
def test_a_curve_that_falls_off_is_found(heights: list[float], falls: bool) -> None:
    assert falls_off(heights) is falls


def test_each_has_a_core_while_there_are_cores() -> None:
    assert seats([4, 5, 6, 7]).both == (4, 7)
    assert (seats([0, 1, 2]).broker, seats([0, 1, 2]).second) == ((2,), ())
    assert (seats([0, 1]).driver, seats([0, 1]).broker) == ((1,), ())
    assert seats([0]).server == ()


def test_a_log_that_lacks_one_event_is_found() -> None:
    check(kept=103, answered=100, connections=2)
    check(kept=5_000, answered=100, connections=2, events=50)
    for kept in (99, 105):
        with pytest.raises(SystemExit, match=f"100 events were answered 2xx and the log holds {kept}"):
            check(kept, answered=100, connections=2)


def slices(*told: tuple[int, float, float]) -> list[Sample]:
    """Of a second each: events so far, CPU seconds so far, CPU µs of a bare call just then."""
    return [Sample(float(n), events, cpu, 0.0, 0.0, 50.0, bare) for n, (events, cpu, bare) in enumerate(told)]


def test_a_forwarders_cpu_is_told_in_bare_calls_of_the_same_moment() -> None:
    calm = slices((0, 0.0, 100.0), (1000, 0.2, 100.0), (2000, 0.4, 100.0))
    assert [ratio(calm), bare_us(calm)] == pytest.approx([0.5, 100.0])
    beset = slices(*((1000 * n, 0.2 * n + 0.4 * max(0, n - 5), 300.0 if n > 5 else 100.0) for n in range(11)))
    swings = [round(one, 2) for one in ratios(beset)]
    assert swings == [0.5, 0.5, 0.5, 0.5, 0.5, 0.33, 0.5, 0.5, 0.5, 0.5]  # but where it came between two prices
    assert ratio(beset) == pytest.approx(10 / 21)


def test_a_slice_that_holds_the_dear_events_counts_with_them() -> None:
    seen = slices((0, 0.0, 100.0), (1000, 0.5, 100.0), *((1000 * n, 0.5 + 0.2 * (n - 1), 100.0) for n in range(2, 11)))
    assert ratio(seen) == pytest.approx(10_000 * 100e-6 / 2.3)


def test_the_slowest_stretch_of_a_lag_is_found() -> None:
    steady = slices(*((n * 10, 0.0, 1.0) for n in range(25)))
    stuck = slices(*((min(n, 12) * 10, 0.0, 1.0) for n in range(40)))
    assert set(stretches(steady)) == {10.0}
    assert min(stretches(stuck)) == 0.0


def test_an_answer_is_whole_when_its_body_is() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    assert [whole(answer[:size]) for size in (10, len(answer) - 1, len(answer))] == [False, False, True]


def test_percentiles() -> None:
    hundred = [float(n) for n in range(1, 101)]
    assert (part(hundred, 0.5), part(hundred, 0.99), part(hundred, 1.0), part([], 0.5)) == (50.0, 99.0, 100.0, 0.0)


def test_waits_are_counted_from_when_a_call_was_due() -> None:
    """A server that stands still for 300 ms: those who were due meanwhile waited, though nothing was sent for them."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for n in range(100):
            if not await reader.read(65_536):
                break
            await asyncio.sleep(0.3 if n == 10 else 0)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    async def run() -> list[float]:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            pacer = Pacer(visit().text, rate=200, seconds=0.5)
            seen = await pacer.run(server.sockets[0].getsockname()[1], connections=1)
            assert (seen.answered, seen.refused, seen.late) == (100, 0, 0)
        return pacer.waits

    assert sum(wait > 0.1 for wait in uvloop.run(run())) >= 30


def test_what_the_page_says_to_run_can_be_run() -> None:
    told = re.findall(r"python -m loadtests\.(peak|soak)([^`·]*)", (ROOT / "docs/performance.md").read_text())
    asked = {"peak": peak.arguments, "soak": soak.arguments}
    assert {name for name, _ in told} == asked.keys()
    assert all(asked[name](rest.split()) for name, rest in told)


def test_where_figures_go_is_looked_at_before_the_run(tmp_path: Path) -> None:
    new = tmp_path / "build" / "bench.json"
    assert peak.arguments(["--json", str(new)]).json == new
    assert new.parent.is_dir()
    assert not new.exists()
    new.write_text("kept")
    assert file(str(new)).read_text() == "kept"


@pytest.mark.parametrize("option", ["--json", "--markdown", "--pictures"])
def test_a_place_that_takes_none_is_told_of_at_once(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(SystemExit):
        peak.arguments([option, str(tmp_path / "taken" / "x")])
    assert f"argument {option}: {tmp_path}/taken" in capsys.readouterr().err
