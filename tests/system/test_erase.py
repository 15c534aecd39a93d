"""A person erased on the whole product, on either log: gone where the receipt says so, sent to nobody, the others untouched."""

import base64
import json
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ochn.cli import app
from ochn.erasure.erase import AGAIN
from tests.support.kafka import Kafka
from tests.support.product import OCHN, Product
from tests.system.outside import FORM, eventually, request

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]
ANN, BOB, EVE = "ann.leaves@shop.example", "bob.stays@shop.example", "eve.waits@shop.example"
CUSTOMER = {ANN: "ann-44556677", BOB: "bob-88990011", EVE: "eve-22334455"}
LIVES_ON = ("log/", "sandbox/")  # of the log: the events' topic alone
LOGS = [
    pytest.param("embedded", marks=pytest.mark.xdist_group("system-erase-embedded")),
    pytest.param("kafka", marks=pytest.mark.xdist_group("system-erase-kafka")),
]


@pytest.fixture(scope="module", params=LOGS)
def product(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    kafka: Kafka | None = request.getfixturevalue("kafka") if request.param == "kafka" else None
    flags = [] if kafka is None else ["--log=kafka", f"--kafka={kafka.bootstrap}"]
    environ = {"OCHN_LOG__TOPIC_PREFIX": f"erase-{uuid.uuid4().hex}"}
    with Product(tmp_path_factory.mktemp("erase") / "data", flags, environ) as product:
        settings = product.data_dir / "dev.toml"
        settings.write_text(settings.read_text().replace('kind = "footprints"', 'kind = "footprints"\nerase = true'))
        yield product
        assert "Traceback" not in "\n".join(product.process.lines)


def post(product: Product, path: str, body: str, media: str = FORM) -> tuple[str, dict[str, Any]]:
    """The event's id, and the answer."""
    answer = request(product.port, "POST", path, body.encode(), content_type=media)
    assert answer.status == 200, answer
    return answer.headers["x-event-id"], json.loads(answer.body)


def visit(product: Product, uid: str, who: str) -> str:
    sent = f"appkey=demo&uid={uid}&uType=c&requestType=action&actionType=visit&aditionalData[brands][0]={who}"
    return post(product, "/jsapi/send", sent)[0]


def fill(product: Product, who: str) -> str:
    """Something of theirs in every store. Their uid."""
    told = f"appkey=demo&customerId={CUSTOMER[who]}"
    _, init = post(product, "/jsapi/init", f"{told}&email={who}")
    uid: str = init["uid"]
    bad = f"appkey=demo&uid={uid}&uType=c&requestType=action&actionType=feedback&aditionalData[rating]=11&email={who}"
    post(product, "/jsapi/send", bad)
    post(product, "/mobileapi/init", f"{told}&technicalInfo[deviceOs]=iOS&technicalInfo[deviceUuid]={who}")
    file = {"name": "cv.pdf", "type": "application/pdf", "data": base64.b64encode(who.encode() * 50_000).decode()}
    lead = {"userEmail": who, "userExternalId": CUSTOMER[who], "customDetails": {"file": file}}
    post(product, "/jsapi/register", json.dumps({"appkey": "demo", "uid": uid, "lead": lead}), "application/json")
    product.fault(destination="footprints", fault="400", path="/jsapi/send", times=1)
    dead = visit(product, uid, who)
    assert eventually(lambda: dead in ask(product, "dead-letters", "list"))
    return uid


def ask(product: Product, *arguments: str, code: int | None = 0) -> str:
    """In this process: starting one for each takes seconds."""
    done = CliRunner().invoke(app, [*arguments, f"--data-dir={product.data_dir}"])
    assert code in (None, done.exit_code), (done.output, done.exception)
    return done.stdout + done.stderr


def rows(product: Product, *arguments: str) -> list[dict[str, Any]]:
    told = CliRunner().invoke(app, [*arguments, "--json", f"--data-dir={product.data_dir}"]).stdout
    return [json.loads(line) for line in told.splitlines()]


def kept_of(product: Product, who: str) -> set[str]:
    """Files that hold the bytes of an e-mail, but for those where it lives on, and by what the commands list."""
    events = f"{prefix(product)}.events"
    words = [who.encode(), base64.b64encode(who.encode() * 3)[:24]]
    found = set()
    for path in product.data_dir.rglob("*"):
        name = str(path.relative_to(product.data_dir))
        if path.is_file() and not name.startswith((f"log/{events}/", "sandbox/")):
            content = path.read_bytes()
            found |= {name} if any(word in content for word in words) else set()
    for listed in ("quarantine", "dead-letters", "parked"):
        found |= {listed} if who in json.dumps(rows(product, listed, "list")) else set()
    return found


def prefix(product: Product) -> str:
    told = json.loads((product.data_dir / "served.json").read_bytes())["told"]
    return str(told["OCHN_LOG__TOPIC_PREFIX"])


def sent_of(product: Product, who: str) -> int:
    """Calls of the vendors that hold it."""
    return sum(who in json.dumps(call) for name in ("footprints", "netcore") for call in product.received(name))


def outcomes(product: Product, event: str) -> dict[str, tuple[str, str]]:
    told = json.loads(ask(product, "trace", event, "--json", code=None))
    return {
        row["destination"]: (row["outcome"], row.get("reason", ""))
        for copy in told["copies"]
        for row in copy["destinations"]
    }


def begun(product: Product, who: str) -> subprocess.Popen[str]:
    """The command, told who it is where nobody else sees it; up to the moment when the list is written."""
    asked = [*OCHN, "erase", "--person", "-", "--yes", f"--data-dir={product.data_dir}"]
    told = product.data_dir.parent / "who.txt"
    told.write_text(f"{who}\n")
    with told.open() as stdin:
        erasing = subprocess.Popen(asked, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert erasing.stderr is not None
    assert "writing the list" in erasing.stderr.readline()
    return erasing


def test_one_is_gone_and_the_other_untouched(product: Product) -> None:
    uids = {who: fill(product, who) for who in (ANN, BOB)}
    assert eventually(lambda: all("netcore.db" in str(kept_of(product, who)) for who in (ANN, BOB)))
    assert all(len(kept_of(product, who)) >= 5 for who in (ANN, BOB))
    product.fault(destination="netcore", fault="500")  # what comes now waits there
    waiting = {who: visit(product, uids[who], who) for who in (ANN, BOB)}
    shown = json.loads(ask(product, "erase", "--person", ANN, "--dry-run", "--json"))
    assert kept_of(product, ANN)
    assert "nobody is there to agree" in str(
        CliRunner().invoke(app, ["erase", "--person", ANN, f"--data-dir={product.data_dir}"]).exception
    )

    killed = begun(product, ANN)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    again = begun(product, ANN)
    assert "in use by another erase" in command_error(product, "erase", "--person", BOB, "--yes")
    told, _ = again.communicate(timeout=60)
    assert again.returncode == 0, told
    before = sent_of(product, ANN)
    assert kept_of(product, ANN) == set()
    assert "deleted there, as it says" in told
    (deleted,) = [call for call in product.received("footprints") if call["method"] == "DELETE"]
    assert (deleted["body"], deleted["status"]) == ({"userExternalId": CUSTOMER[ANN]}, 200)
    assert {row["where"].split(".", 1)[-1] for row in shown["rows"] if row["found"]} >= {
        *("quarantine", "parked", "dead-letters", "events", "files/, oversize/", "facts.footprints", "facts.netcore"),
    }

    product.fault()
    assert eventually(lambda: outcomes(product, waiting[BOB])["netcore"] == ("delivered", ""))
    assert eventually(lambda: outcomes(product, waiting[ANN])["netcore"] == ("filtered", "erased"))
    replayed = ask(product, "replay", "--from=1h", "--destination=netcore", "--yes", "--rate=1000")
    assert "left out" in replayed
    assert eventually(lambda: sum(waiting[BOB] in json.dumps(call) for call in product.received("netcore")) >= 2)
    assert sent_of(product, ANN) == before
    assert len(kept_of(product, BOB)) >= 5

    _, back = post(product, "/jsapi/init", f"appkey=demo&email={ANN}")
    new = visit(product, back["uid"], ANN)
    assert eventually(lambda: set(outcomes(product, new).values()) == {("delivered", "")})


def command_error(product: Product, *arguments: str) -> str:
    return str(CliRunner().invoke(app, [*arguments, f"--data-dir={product.data_dir}"]).exception)


@pytest.mark.parametrize("product", LOGS[:1], indirect=True, scope="module")
def test_while_no_forwarder_runs_the_list_waits_for_it(product: Product) -> None:
    fill(product, EVE)
    assert eventually(lambda: "netcore.db" in str(kept_of(product, EVE)))
    assert product.process.stop() == 0
    assert "goes when its forwarder runs" in ask(product, "erase", "--person", EVE, "--yes", code=AGAIN)
    assert any(name.startswith("forwarder/") for name in kept_of(product, EVE))
    product.process.lines.clear()
    product.process.start()
    assert eventually(lambda: not kept_of(product, EVE))


@pytest.mark.xdist_group("system-erase-deaf")
def test_a_forwarder_that_does_not_listen_sends_it_all_the_same(tmp_path: Path) -> None:
    """The negative control."""
    command = [sys.executable, "-m", "tests.support.sabotaged", "deaf"]
    with Product(tmp_path / "data", command=command) as product:
        product.fault(destination="netcore", fault="500")
        waiting = visit(product, "p1", ANN)
        ask(product, "erase", "--person", "visitor:p1", "--yes")
        before = sent_of(product, ANN)
        product.fault()
        assert eventually(lambda: outcomes(product, waiting)["netcore"] == ("delivered", ""))
        assert sent_of(product, ANN) > before
