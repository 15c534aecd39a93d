"""The recorded requests over real TCP to a real worker with the embedded log: each is answered as contracts.md says."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.collector.worker import Worker, running
from tests.support.corpus import ANSWERS, Sample, sdk_session, send, vendor_samples

pytestmark = pytest.mark.xdist_group("collector-samples")


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with running(tmp_path_factory.mktemp("samples"), OCHN_COLLECTOR__COOKIE_SECONDS=60) as worker:
        yield worker


def without_ids(body: Any) -> dict[str, Any]:
    assert isinstance(body, dict)
    return {name: "<id>" if re.fullmatch("[0-9a-f]{64}", str(value)) else value for name, value in body.items()}


@pytest.mark.parametrize("sample", vendor_samples(), ids=lambda sample: sample.name)
def test_a_vendors_sample(worker: Worker, sample: Sample) -> None:
    reply = send(sample, "127.0.0.1", worker.port)
    assert reply.status == 200, reply.body
    assert without_ids(reply.json()) == ANSWERS[sample.call]
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-event-status"] == "accepted"
    assert re.fullmatch("[0-9a-f-]{36}", reply.headers["x-event-id"])
    assert reply.headers["access-control-allow-origin"] == "*"


def test_a_session_of_the_official_sdk(worker: Worker) -> None:
    mids: list[str] = []
    statuses = []
    for sample in sdk_session():
        reply = send(sample.with_mid(mids[-1] if mids else ""), "127.0.0.1", worker.port)
        body = reply.json()
        assert isinstance(body, dict)
        assert (reply.status, body["success"]) == (200, True), (sample.name, reply.body)
        statuses.append(reply.headers["x-event-status"])
        if "mobileId" in body:
            mids.append(body["mobileId"])
    assert set(statuses) == {"accepted"}
    assert len(set(mids)) >= 2
    assert all(re.fullmatch("[0-9a-f]{64}", mid) for mid in mids)
