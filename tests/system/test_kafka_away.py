"""Kafka can't be reached: everything starts, says so, keeps what comes, and hands it on once Kafka is there."""

import json
from pathlib import Path

import pytest

from tests.support.kafka import KafkaServer, a_place
from tests.support.product import Product, get_json
from tests.system.outside import command, eventually, form

pytestmark = [pytest.mark.system, pytest.mark.kafka, pytest.mark.timeout(240)]

EVENTS = 20


def test_it_starts_without_kafka_and_delivers_when_kafka_comes(tmp_path: Path) -> None:
    place = a_place(1)
    flags, environ = ["--log=kafka", f"--kafka=127.0.0.1:{place.port}"], {"OCHN_LOG__TOPIC_PREFIX": "away"}
    with Product(tmp_path / "data", flags, environ) as product:
        assert health(product) == "degraded"
        answers = [
            form(product.port, "/jsapi/init", {"appkey": "demo", "email": f"away{n}@example.com"})
            for n in range(EVENTS)
        ]
        assert {answer.status for answer in answers} == {200}
        assert {answer.headers["x-event-status"] for answer in answers} == {"accepted"}
        assert_status_says_why(product)
        with KafkaServer(tmp_path / "kafka", place) as server:
            sent = {answer.headers["x-event-id"] for answer in answers}
            assert eventually(lambda: sent <= arrived(product))
            assert eventually(lambda: health(product) == "ready")
            assert len(product.received("footprints")) == EVENTS
            assert product.process.stop() == 0
            server.kill()
        assert "Traceback" not in "\n".join(product.process.lines)


def health(product: Product) -> str:
    """Degraded is ready too: what comes is durable."""
    return str(get_json(f"{product.url}/health/ready")["status"])


def arrived(product: Product) -> set[str]:
    return {call["headers"]["x-event-id"] for call in product.received("footprints") if call["status"] == 200}


def assert_status_says_why(product: Product) -> None:
    """Though the lag can't be known."""
    said = "can't be used"
    assert eventually(lambda: said in command("status", f"--data-dir={product.data_dir}", code=1)[0])
    out, err = command("status", "--json", f"--data-dir={product.data_dir}", code=1)
    states = [json.loads(line) for line in out.splitlines()]
    assert {(row["destination"], row["state"], row["lag"]) for row in states} == {
        ("footprints", "troubled", None),
        ("netcore", "troubled", None),
    }
    assert "the log can't be read: Kafka at" in err
