"""`ochn spool status`: beside a process that spools, and with nobody running."""

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eventlog.appending import append_durably
from eventlog.errors import LogUnavailable
from eventlog.memory import MemoryLog
from tests.support.product import ochn
from tests.support.spooled import EVENTS, OURS, a_spool, an_event, spooling, until_direct

pytestmark = pytest.mark.anyio


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "ochn.toml"
    path.write_text('profile = "dev"\n[log]\nkind = "kafka"\ntopic_prefix = "t"\n')
    return path


async def asked(config: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    data_dir = config.with_name("data")
    arguments = ("spool", "status", f"--config={config}", f"--data-dir={data_dir}", *flags)
    return await asyncio.to_thread(ochn, *arguments)


async def told(config: Path) -> Any:
    return json.loads((await asked(config, "--json")).stdout)


async def test_it_tells_what_waits_for_whom_and_why(config: Path) -> None:
    here = config.with_name("data") / "spool"
    here.mkdir(parents=True)
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka at b1:9092 can't be used")
    async with spooling(primary, a_spool(here), here) as writer:
        await append_durably(writer, [an_event(b"key", number) for number in range(3)])
        await append_durably(writer, [an_event(b"id-3", 3, topic=OURS.quarantine.name)])
        report = await told(config)
        assert {name: topic["waiting"] for name, topic in report["topics"].items()} == {
            EVENTS: 3,
            OURS.quarantine.name: 1,
        }
        assert (report["waiting"], report["too_large"]) == (4, 0)
        assert report["bytes"] > 4 * len(an_event(b"key", 0).value or b"")
        assert report["oldest"] == "1970-01-01T00:00:00.000Z"
        (process,) = report["processes"]
        assert (process["pid"], process["breaker"], process["reason"]) == (os.getpid(), "open", "away")
        drawn = (await asked(config)).stdout
        assert f"{EVENTS}  " in drawn
        assert "away: Kafka at b1:9092 can't be used" in drawn
        primary.outage = None
        await until_direct(writer)
        (process,) = (await told(config))["processes"]
        assert (process["breaker"], process["drained"], process["drain_rate"]) == ("closed", 4, 0)
    report = await told(config)
    assert (report["waiting"], report["oldest"], report["topics"], report["processes"]) == (0, None, {}, [])


async def test_with_nobody_running_the_files_tell(config: Path) -> None:
    here = config.with_name("data") / "spool"
    here.mkdir(parents=True)
    primary = MemoryLog()
    primary.outage = LogUnavailable("Kafka is away")
    async with spooling(primary, a_spool(here), here) as writer:
        await append_durably(writer, [an_event(b"key", 0)])
    (here / "state" / "1999999999.json").write_text('{"pid": 1999999999}')  # one that was killed
    assert (await told(config))["waiting"] == 1
    drawn = (await asked(config)).stdout
    assert "no process that runs here writes to Kafka" in drawn


async def test_the_embedded_log_has_no_spool(config: Path) -> None:
    config.with_name("data").mkdir()
    config.write_text('profile = "dev"\n')
    done = await asked(config)
    assert done.returncode == 1
    assert "there is no spool" in done.stderr
