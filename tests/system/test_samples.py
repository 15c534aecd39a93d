"""The vendor's samples byte for byte, a session of its official SDK, and each kind of action, through the whole product
on either log: the answers, and the calls that stand in the sandbox for them (contracts.md, sections 1 and 3)."""

import asyncio
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from jsonschema import Draft202012Validator, FormatChecker

from base.clock import from_rfc3339
from ochn.log_access import open_log
from ochn.served import settings_of
from tests.support.corpus import ANSWERS, Reply, Sample, sdk_session, send, vendor_samples
from tests.support.house import ROOT
from tests.support.kafka import Kafka
from tests.support.product import Product
from tests.system.actions import ACTIONS, EMAIL, LEAD, LEAD_PARAMS, LEAD_UPSTREAM, named_visitor, send_action
from tests.system.expected import SAME_INIT, SAMPLE_ACTIVITIES, SAMPLES, SESSION, SESSION_ACTIVITIES, Call
from tests.system.outside import eventually, form

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

ID = "[0-9a-f]{64}"
UUID7 = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
DISTINCT = {name: call for name, call in SAMPLES.items() if name not in SAME_INIT}
# With the actions go their visitor's init and a lead; a lead wants a token.
FOOTPRINTS_CALLS = len(DISTINCT) + len(SESSION) + len(ACTIONS) + 3
NETCORE_ACTIVITIES = len(SAMPLE_ACTIVITIES) + len(SESSION_ACTIVITIES) + len(ACTIONS) + 1
ACCEPTED = len(SAMPLES) + len(sdk_session()) + len(ACTIONS) + 2


@dataclass
class Run:
    """All was sent, and arrived. `answers` by the sample's name, or the action's kind."""

    product: Product
    kafka: Kafka | None
    topic: str
    answers: dict[str, Reply] = field(default_factory=dict)
    uid: str = ""
    calls: list[dict[str, Any]] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)

    def event(self, name: str) -> str:
        return self.answers[name].headers["x-event-id"]

    def call(self, name: str) -> dict[str, Any]:
        (call,) = [call for call in self.calls if call["headers"].get("x-event-id") == self.event(name)]
        return call

    def activity(self, name: str) -> dict[str, Any]:
        event = self.event(name)
        (activity,) = [one for one in self.activities if one["activity_params"].get("event_id") == event]
        return activity

    def upstream(self, path: str, **fields: str) -> dict[str, Any]:
        """What Footprints answers to somebody: the same person gets the same id there again."""
        answer = form(self.product.sandbox_port, f"/footprints{path}", {"appkey": "asks", **fields}).json()
        assert isinstance(answer, dict)
        return answer


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("embedded", marks=pytest.mark.xdist_group("system-samples-embedded")),
        pytest.param("kafka", marks=pytest.mark.xdist_group("system-samples-kafka")),
    ],
)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    kafka: Kafka | None = request.getfixturevalue("kafka") if request.param == "kafka" else None
    flags = [] if kafka is None else ["--log=kafka", f"--kafka={kafka.bootstrap}"]
    prefix = f"samples-{uuid.uuid4().hex}"
    with Product(tmp_path_factory.mktemp("samples"), flags, {"OCHN_LOG__TOPIC_PREFIX": prefix}) as product:
        run = Run(product, kafka, f"{prefix}.events")
        send_all(run)
        eventually(lambda: arrived(run))
        yield run
        assert product.process.stop() == 0
        assert "Traceback" not in "\n".join(product.process.lines)


def send_all(run: Run) -> None:
    for sample in vendor_samples():
        run.answers[sample.name] = send(sample, "127.0.0.1", run.product.port)
    mid = ""
    for sample in sdk_session():
        reply = send(sample.with_mid(mid), "127.0.0.1", run.product.port)
        mid = body(reply).get("mobileId", mid)
        run.answers[sample.name] = reply
    run.uid = named_visitor(run.product)
    run.answers |= {kind: send_action(run.product, run.uid, kind) for kind in ACTIONS}
    run.answers["register"] = form(run.product.port, "/jsapi/register", LEAD)


def arrived(run: Run) -> bool:
    run.calls = [call for call in run.product.received("footprints") if call["body"].get("appkey") != "asks"]
    run.activities = [activity for call in run.product.received("netcore") for activity in call["body"]]
    return len(run.calls) >= FOOTPRINTS_CALLS and len(run.activities) >= NETCORE_ACTIVITIES


def body(reply: Reply) -> dict[str, Any]:
    """Without the warnings that `ochn dev` adds for a page's author."""
    answer = reply.json()
    assert isinstance(answer, dict)
    return {name: value for name, value in answer.items() if name != "warnings"}


def assert_accepted(reply: Reply) -> None:
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"] == "application/json"
    assert re.fullmatch(UUID7, reply.headers["x-event-id"])
    assert reply.headers["x-event-status"] == "accepted"


@pytest.mark.parametrize("sample", vendor_samples(), ids=lambda sample: sample.name)
def test_a_sample_is_answered_as_its_page_says(run: Run, sample: Sample) -> None:
    assert_accepted(run.answers[sample.name])
    ids = {name: value for name, value in body(run.answers[sample.name]).items() if re.fullmatch(ID, str(value))}
    assert {**body(run.answers[sample.name]), **dict.fromkeys(ids, "<id>")} == ANSWERS[sample.call]


def test_everybody_arrives_once(run: Run) -> None:
    """Ids differ, nothing is doubled, nothing is made up."""
    assert len({run.event(name) for name in run.answers}) == len(run.answers)
    assert len(run.calls) == FOOTPRINTS_CALLS
    assert len(run.activities) == NETCORE_ACTIVITIES
    assert {call["status"] for call in run.calls} == {200}


@pytest.mark.parametrize("name", DISTINCT)
def test_a_sample_at_footprints(run: Run, name: str) -> None:
    assert_call(run.call(name), SAMPLES[name])


@pytest.mark.parametrize("name", SAME_INIT)
def test_an_init_that_tells_nothing_new_stands_there_once(run: Run, name: str) -> None:
    same = [call for call in run.calls if (call["path"], call["body"]) == (SAMPLES[name].path, SAMPLES[name].body)]
    assert len(same) == 1
    first = f"{SAMPLES[name].path.split('/')[1].removesuffix('api').replace('js', 'web')}-init-curl"
    assert body(run.answers[name]) == body(run.answers[first])


def assert_call(call: Mapping[str, Any], expected: Call, **known: str) -> None:
    assert (call["method"], call["path"]) == (expected.method, expected.path)
    assert call["headers"]["content-type"] == "application/x-www-form-urlencoded"
    assert call["query"] == {}
    assert call["body"] == {**expected.body, **{name: known[name] for name in known if name in expected.body}}


@pytest.mark.parametrize("name", SAMPLE_ACTIVITIES)
def test_a_sample_at_netcore(run: Run, name: str) -> None:
    assert_activity(run, name, SAMPLE_ACTIVITIES[name])


def assert_activity(run: Run, name: str, expected: Mapping[str, Any]) -> None:
    activity = dict(run.activity(name))
    moment = activity.pop("timestamp")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", moment)  # a zone, whole seconds
    assert abs(datetime.fromisoformat(moment).timestamp() - time.time()) < 600
    params = {**expected["activity_params"], "event_id": run.event(name)}
    assert activity == {**expected, "activity_params": params}


def test_no_empty_array_and_no_null_at_netcore(run: Run) -> None:
    said = json.dumps(run.activities)
    assert "[]" not in said
    assert "null" not in said
    assert '""' not in said
    assert {call["dropped"] for call in run.product.received("netcore")} == {0}


@pytest.mark.parametrize("sample", sdk_session(), ids=lambda sample: sample.name)
def test_the_sdk_is_accepted_whole(run: Run, sample: Sample) -> None:
    assert_accepted(run.answers[sample.name])
    answer = body(run.answers[sample.name])
    assert answer["success"] is True
    assert answer.keys() == ANSWERS[sample.call].keys()


def test_a_phone_gets_its_id_back(run: Run) -> None:
    mids = {name: body(run.answers[name])["mobileId"] for name in run.answers if "mobileId" in body(run.answers[name])}
    assert all(re.fullmatch(ID, mid) for mid in mids.values())
    assert mids["01-init"] == mids["10-next-start"] == mids["11-returning-mid"]
    assert mids["13-another-device"] != mids["01-init"]


@pytest.mark.parametrize("name", SESSION)
def test_the_sdk_at_footprints(run: Run, name: str) -> None:
    known = run.upstream("/mobileapi/init", pushNotificationToken="fcm-dQw4w9WgXcQ:APA91bH-sdk-session")
    assert_call(run.call(name), SESSION[name], mid=known["mobileId"])


@pytest.mark.parametrize("name", SESSION_ACTIVITIES)
def test_the_sdk_at_netcore(run: Run, name: str) -> None:
    assert_activity(run, name, SESSION_ACTIVITIES[name])


@pytest.mark.parametrize("kind", ACTIONS)
def test_an_action(run: Run, kind: str) -> None:
    """Of a named visitor: with Footprints' own id there, and the panel's primary key at Netcore."""
    action, answer = ACTIONS[kind], run.answers[kind]
    assert_accepted(answer)
    assert body(answer) == {}
    who = {"appkey": "demo", "uid": run.upstream("/jsapi/init", email=EMAIL)["uid"], "uType": "c"}
    what = {"requestType": "action", "actionType": kind, "aditionalData": action.upstream}
    assert_call(run.call(kind), Call("POST", "/jsapi/send", {**who, **what}))
    site = {"activity_name": action.name, "asset_id": "web-asset", "activity_source": "web", "identity": EMAIL}
    assert_activity(run, kind, {**site, "activity_params": action.params})


def test_a_lead_with_a_file(run: Run) -> None:
    """A token, then the lead with its moment and zone; the file costs it nothing."""
    assert_accepted(run.answers["register"])
    assert body(run.answers["register"]).keys() == {"status", "message"}
    (token,) = [call for call in run.calls if call["path"] == "/api/token"]
    assert (token["method"], token["body"]) == ("POST", {"grant_type": "client_credentials"})
    lead = run.call("register")
    assert (lead["method"], lead["path"], lead["status"]) == ("POST", "/api/lead", 200)
    assert lead["query"].keys() == {"access_token"}
    created = lead["body"].pop("createdAt")
    assert abs(datetime.fromisoformat(f"{created}+00:00").timestamp() - time.time()) < 600
    assert lead["body"] == {**LEAD_UPSTREAM, "timezone": "UTC"}
    site = {"activity_name": "Lead Submitted", "asset_id": "web-asset", "activity_source": "web"}
    assert_activity(run, "register", {**site, "identity": "lea@example.com", "activity_params": LEAD_PARAMS})


def test_the_log_holds_each_event_once_as_the_schema_says(run: Run) -> None:
    events = asyncio.run(embedded_events(run)) if run.kafka is None else console_events(run.kafka, run.topic)
    assert [error.message for event in events for error in event_schema().iter_errors(event)] == []
    assert len(events) == ACCEPTED
    assert {event["id"] for event in events} > {run.event(name) for name in run.answers}


def event_schema() -> Draft202012Validator:
    checker = FormatChecker()

    @checker.checks("date-time", raises=ValueError)  # jsonschema alone takes any text for a moment
    def is_moment(text: object) -> bool:
        return from_rfc3339(str(text)) > 0

    return Draft202012Validator(json.loads((ROOT / "docs/event.schema.json").read_text()), format_checker=checker)


def console_events(kafka: Kafka, topic: str) -> list[Any]:
    """By Kafka's own console consumer, which reads as many as it is told: the broker says how many there are."""
    assert asyncio.run(record_count(kafka, topic)) == ACCEPTED
    return [json.loads(line) for line in kafka.console_consumer(topic, count=ACCEPTED).splitlines()]


async def record_count(kafka: Kafka, topic: str) -> int:
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.bootstrap) as consumer:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
        return sum((await consumer.end_offsets(partitions)).values())


async def embedded_events(run: Run) -> list[Any]:
    scanner = await open_log(settings_of(None, run.product.data_dir)).open_scanner()
    return [json.loads(record.value or b"") async for record in scanner.scan(run.topic)]
