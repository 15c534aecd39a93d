"""What is kept from being relayed, on either log: bad events coming in, refused calls going out; listed, shown, replayed."""

import json
import uuid
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
from typer.testing import CliRunner

from ochn.cli import app
from tests.support.kafka import Kafka
from tests.support.product import Product, get_json
from tests.system.outside import command, eventually, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("embedded", marks=pytest.mark.xdist_group("system-kept-embedded")),
        pytest.param("kafka", marks=pytest.mark.xdist_group("system-kept-kafka")),
    ],
)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    kafka: Kafka | None = request.getfixturevalue("kafka") if request.param == "kafka" else None
    flags = [] if kafka is None else ["--log=kafka", f"--kafka={kafka.bootstrap}"]
    environ = {"OCHN_LOG__TOPIC_PREFIX": f"kept-{uuid.uuid4().hex}"}
    with Product(tmp_path_factory.mktemp("kept") / "data", flags, environ) as product:
        yield product
        assert "Traceback" not in "\n".join(product.process.lines)


def ask(product: Product, *arguments: str, code: int = 0) -> str:
    """What the command says of this data, with nothing but the directory told. In this process when it is to go well:
    a dozen starts take as many seconds."""
    asked = [*arguments, f"--data-dir={product.data_dir}"]
    if code:
        return command(*asked, code=code)[1]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def rows(product: Product, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ask(product, *arguments, "--json").splitlines()]


def outcomes(product: Product, event: str, code: int | None) -> list[dict[str, str]]:
    """Of each record that holds the event, at each destination that it is for. `code` None: any."""
    done = CliRunner().invoke(app, ["trace", event, "--json", f"--data-dir={product.data_dir}"])
    assert code in (None, done.exit_code), (done.output, done.exception)
    copies = json.loads(done.stdout)["copies"]
    return [{row["destination"]: row["outcome"] for row in copy["destinations"]} for copy in copies]


def send(product: Product, uid: str, action: str = "visit", **additional: str) -> tuple[str, str]:
    """The event's id, and its status."""
    fields = {"appkey": "demo", "uid": uid, "uType": "p", "requestType": "action", "actionType": action}
    data = {f"aditionalData[{name}]": value for name, value in additional.items()}
    answer = form(product.port, "/jsapi/send", {**fields, **data})
    assert answer.status == 200
    return answer.headers["x-event-id"], answer.headers["x-event-status"]


def arrived(product: Product, event: str) -> list[dict[str, Any]]:
    """Its calls that Footprints took, and its activities at Netcore."""
    footprints = [call for call in product.received("footprints") if call["headers"].get("x-event-id") == event]
    activities = [
        activity for call in product.received("netcore") if call["status"] == 200 for activity in call["body"]
    ]
    mine = [activity for activity in activities if activity["activity_params"]["event_id"] == event]
    return [call for call in footprints if call["status"] == 200] + mine


def test_bad_content_is_answered_200_and_kept_with_its_reason(product: Product) -> None:
    """And relayed nowhere, until somebody replays it: then it goes everywhere and leaves the quarantine."""
    kept = {
        "rating_out_of_range": send(product, "p-rating", "feedback", rating="11"),
        "unknown_action_type": send(product, "p-action", "dance"),
        "percent_out_of_range": send(product, "p-percent", "profiling", percentCompleted="101"),
    }
    geo = form(product.port, "/mobileapi/geo", {"appkey": "demo", "mid": "p-geo", "lat": "200", "lon": "26.1"})
    kept["bad_location"] = geo.headers["x-event-id"], geo.headers["x-event-status"]
    assert {reason: status for reason, (_, status) in kept.items()} == {
        reason: f"quarantined; reason={reason}" for reason in kept
    }
    listed = {row["id"]: row["quarantinereasons"] for row in rows(product, "quarantine", "list")}
    assert listed == {event: reason for reason, (event, _) in kept.items()}
    assert len(rows(product, "quarantine", "list", "--reason=bad_location")) == 1
    assert all(event in ask(product, "quarantine", "list") for event in listed)
    rating = kept["rating_out_of_range"][0]
    shown = json.loads(ask(product, "quarantine", "show", rating))
    assert shown["data"]["additionalData"] == {"rating": "11"}
    assert not any(arrived(product, event) for event in listed)
    assert "replayed 1" in ask(product, "quarantine", "replay", rating)
    assert eventually(lambda: len(arrived(product, rating)) == 2)
    assert rating not in {row["id"] for row in rows(product, "quarantine", "list")}
    assert "no quarantined event has an id that begins with" in ask(product, "quarantine", "show", rating, code=1)


def test_a_refused_call_is_a_dead_letter_with_request_and_reply(product: Product) -> None:
    """Replayed to the destination that refused it, and to no other."""
    product.fault(destination="netcore", fault="400", times=1)
    event, status = send(product, "p-dead")
    assert status == "accepted"
    (letter,) = eventually(lambda: rows(product, "dead-letters", "list"))
    assert (letter["id"], letter["destination"], letter["reason"]) == (event, "netcore", "refused")
    shown = json.loads(ask(product, "dead-letters", "show", event))
    assert shown["request"]["url"].endswith("/netcore/v1/activity/upload")
    assert json.loads(shown["request"]["body"])[0]["activity_params"]["event_id"] == event
    assert (shown["reply"]["status"], shown["attempts"]) == (400, 1)
    assert shown["event"]["id"] == event
    assert "sandbox-netcore" not in json.dumps(shown)
    assert "***" in json.dumps(shown["request"]["headers"])
    assert event in ask(product, "dead-letters", "list")
    assert rows(product, "dead-letters", "list", "--destination=footprints") == []
    assert len(arrived(product, event)) == 1
    refused = [{"footprints": "delivered", "netcore": "dead"}]
    assert eventually(lambda: outcomes(product, event, code=None) == refused)  # a moment later: when it is committed
    assert outcomes(product, event, code=5) == refused
    assert "replayed 1" in ask(product, "dead-letters", "replay", event, "--destination=netcore")
    assert eventually(lambda: len(arrived(product, event)) == 2)
    through = [*refused, {"netcore": "delivered"}]
    assert eventually(lambda: outcomes(product, event, code=None) == through)
    assert rows(product, "dead-letters", "list") == []
    assert "there are no dead letters" in ask(product, "dead-letters", "list")


def test_a_dead_lead_shows_no_token(product: Product) -> None:
    product.fault(destination="footprints", fault="400", times=1, path="/api/lead")
    lead = {"appkey": "demo", "lead[userEmail]": "dead@example.com"}
    event = form(product.port, "/jsapi/register", lead).headers["x-event-id"]
    (letter,) = eventually(lambda: rows(product, "dead-letters", "list", "--destination=footprints"))
    assert letter["id"] == event
    assert letter["request"]["url"].endswith("/api/lead?access_token=***")
    assert parse_qs(letter["request"]["body"])["userEmail"] == ["dead@example.com"]
    (refused,) = [call for call in product.received("footprints") if call["path"] == "/api/lead"]
    assert refused["query"]["access_token"] not in json.dumps(letter)
    ask(product, "dead-letters", "replay", event)
    assert eventually(lambda: len(arrived(product, event)) == 2)


def test_status_tells_each_destination(product: Product) -> None:
    event, _ = send(product, "p-status")
    assert eventually(lambda: len(arrived(product, event)) == 2)
    assert eventually(lambda: all(row["last_success"] and row["lag"] == 0 for row in rows(product, "status")))
    states = {row["destination"]: row["state"] for row in rows(product, "status")}
    assert states == {"footprints": "running", "netcore": "running"}
    product.fault(destination="netcore", fault="401")
    send(product, "p-paused")
    troubled = eventually(lambda: [row for row in rows(product, "status") if row["state"] == "paused"])
    assert [(row["destination"], row["reason"]) for row in troubled] == [("netcore", "credentials")]
    shown = get_json(f"http://127.0.0.1:{product.admin_port}/destinations")
    assert (shown["netcore"]["state"], shown["footprints"]["state"]) == ("paused", "running")
    assert "mend its secret in the settings" in ask(product, "destinations")
    table = ask(product, "status")
    assert "credentials" in table
    assert "s ago" in table
    product.fault()
