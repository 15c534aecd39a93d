"""Every call that was answered is in the file, whatever happens to the process afterwards."""

import asyncio
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from base.errors import StartError
from forwarder.sandbox.calls import Calls
from tests.support.sandbox import SandboxProcess

CALL = {"destination": "footprints", "path": "/x", "status": 200, "events": 1, "dropped": 0, "body": "ä"}


def opened(directory: Path) -> Calls:
    calls = Calls(directory, ("footprints", "netcore"))
    calls.open()
    return calls


async def keep(calls: Calls, count: int) -> None:
    await asyncio.gather(*(calls.keep({**CALL, "body": number}) for number in range(count)))


@pytest.mark.anyio
async def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for round_ in range(3):
        calls = opened(tmp_path)
        assert calls.counts()["footprints"]["calls"] == round_ * 20
        await keep(calls, 20)
        await calls.keep({**CALL, "destination": "netcore", "dropped": 2})
        await calls.close()
    calls = opened(tmp_path)
    found = httpx.Response(200, content=calls.received("footprints", after=50, limit=5)).json()
    assert [call["n"] for call in found] == [51, 52, 53, 54, 55]
    assert [call["body"] for call in found] == [10, 11, 12, 13, 14]
    assert calls.counts()["netcore"] == {
        "calls": 3,
        "events": 3,
        "dropped": 6,
        "by_path": {"/x": 3},
        "by_status": {"200": 3},
    }
    await calls.close()


@settings(max_examples=25, deadline=None)
@given(cut=st.integers(min_value=1, max_value=90))
def test_a_torn_tail_costs_the_torn_call_alone(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("torn")

    async def write_and_tear() -> None:
        calls = opened(directory)
        await keep(calls, 5)
        await calls.close()
        path = directory / "sandbox" / "calls.jsonl"
        whole = path.read_bytes()
        path.write_bytes(whole[:-cut])
        calls = opened(directory)
        assert calls.counts()["footprints"]["calls"] == 4
        await calls.keep({**CALL, "body": "after"})
        await calls.close()
        assert path.read_bytes().startswith(whole[: whole[:-cut].rindex(b"\n") + 1])
        assert path.read_bytes().count(b"\n") == 5

    asyncio.run(write_and_tear())


def test_a_foreign_file_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "sandbox" / "calls.jsonl"
    path.parent.mkdir()
    path.write_text("hello\n")
    with pytest.raises(StartError, match="Line 1"):
        opened(tmp_path)
    assert path.read_text() == "hello\n"


@pytest.mark.anyio
async def test_what_can_not_be_written_is_told_and_the_next_can_be(tmp_path: Path) -> None:
    calls = opened(tmp_path)
    await calls.keep(CALL)
    with pytest.raises(TypeError):
        await calls.keep({**CALL, "body": object()})
    await calls.keep(CALL)
    assert calls.counts()["footprints"]["calls"] == 2
    await calls.close()


@pytest.mark.system
def test_kill_9_loses_nothing_that_was_answered(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as sandbox:
        answered: list[str] = []

        def client(number: int) -> None:
            with httpx.Client() as http:
                for count in range(10_000):
                    name = f"{number}-{count}"
                    try:
                        reply = http.post(f"{sandbox.url}/footprints/jsapi/init", data={"appkey": "demo", "eid": name})
                    except httpx.TransportError:
                        return
                    assert reply.status_code == 200
                    answered.append(name)

        clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
        for one in clients:
            one.start()
        while len(answered) < 200:
            assert any(one.is_alive() for one in clients)
        sandbox.kill()
        for one in clients:
            one.join()
        sandbox.start()
        received = sandbox.received("footprints")
        assert [call["n"] for call in received] == list(range(1, len(received) + 1))
        assert set(answered) <= {call["body"]["eid"] for call in received}


def test_it_ends_well_and_while_calls_hang(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path) as sandbox:
        sandbox.fault(destination="footprints", fault="hang")
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{sandbox.url}/footprints/jsapi/init", timeout=0.3)
        assert sandbox.end() == 0


def test_two_on_one_directory_are_refused(tmp_path: Path) -> None:
    with SandboxProcess(tmp_path), pytest.raises(AssertionError, match="ended instead"):
        SandboxProcess(tmp_path).start()


def test_the_page_asks_nobody_outside(sandbox: SandboxProcess) -> None:
    page = httpx.get(sandbox.url)
    assert page.headers["content-type"].startswith("text/html")
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_paging(sandbox: SandboxProcess) -> None:
    for _ in range(3):
        httpx.post(f"{sandbox.url}/netcore/v1/activity/upload")
    url = f"{sandbox.url}/_sandbox/received?destination=netcore"
    total = len(httpx.get(url).json())
    assert [call["n"] for call in httpx.get(f"{url}&after={total - 2}&limit=1").json()] == [total - 1]
    assert httpx.get(f"{url}&after={total}").json() == []
    assert httpx.get(f"{url}&after=x").status_code == 400
    refused = httpx.get(f"{sandbox.url}/_sandbox/received?destination=nobody")
    assert (refused.status_code, "netcore" in refused.json()["message"]) == (400, True)


def test_a_path_of_no_vendor_is_answered_with_where_they_are(sandbox: SandboxProcess) -> None:
    refused = httpx.post(f"{sandbox.url}/jsapi/send")
    assert refused.status_code == 404
    assert refused.json()["message"].startswith(
        "nothing at /jsapi/send: each vendor's API stands below /footprints, /n"
    )
