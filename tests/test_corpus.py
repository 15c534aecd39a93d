"""The recorded requests are all there, are what the page says, and go over the wire as their clients send them."""

import http.server
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.extract_corpus import KEY, TITLES, stringify, tracking_part, write
from tests.support.corpus import CORPUS, Sample, sdk_session, send, vendor_samples


def test_each_call_is_there_in_each_language() -> None:
    samples = vendor_samples()
    assert len(samples) == 24
    assert Counter(sample.call for sample in samples) == dict.fromkeys(TITLES, 4)
    assert Counter(sample.language for sample in samples) == {"ruby": 6, "php": 6, "curl": 6, "node": 6}


def test_the_script_makes_the_same_files_again(tmp_path: Path) -> None:
    assert write(CORPUS / "reference-tracking.txt", tmp_path) == 24
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert made == {path.name: path.read_bytes() for path in CORPUS.iterdir() if path.is_file()}


def test_only_the_tracking_part_of_the_page_is_kept() -> None:
    part = (CORPUS / "reference-tracking.txt").read_text()
    assert tracking_part(f"Leads\n\n{part}JavaScript library\n\nInitialize\n") == part


def test_a_page_of_another_shape_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text((CORPUS / "reference-tracking.txt").read_text().replace("CURLOPT_POSTFIELDS", "CURLOPT_BODY"))
    with pytest.raises(SystemExit, match="another shape"):
        write(page, tmp_path)


@pytest.mark.parametrize("sample", vendor_samples(), ids=lambda sample: sample.name)
def test_a_sample_is_what_its_page_says(sample: Sample) -> None:
    assert sample.body.startswith(f"appkey={KEY}&")
    assert "{{" not in sample.body
    assert sample.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert sample.chunked == (sample.language == "node")
    api, call = sample.call.replace("web", "jsapi").replace("mobile", "mobileapi").split("-")
    assert sample.path == f"/{api}/{call}"
    ruby_sensors_posts = sample.name == "mobile-sensors-ruby"  # and holds a send's body: a wrong door of the page
    puts = call in {"sensors", "geo"} and not ruby_sensors_posts
    assert sample.method == ("PUT" if puts else "POST")


def test_node_escapes_an_escaped_address_again() -> None:
    bodies = {sample.name: sample.body for sample in vendor_samples()}
    assert bodies["web-init-node"] == f"appkey={KEY}&email=test.email%2540test.com"
    assert bodies["web-init-curl"] == f"appkey={KEY}&email=test.email%40test.com"
    assert "sensors%5Buuid%5D%5B0%5D=4457-7784-5577-6655" in bodies["mobile-sensors-node"]


def test_stringify_is_nodes() -> None:
    """The expected text was printed by Node 20."""
    assert stringify({"a[b][0]": "H&M", "x": "a b!'()*~-._é€😀+/?"}) == (
        "a%5Bb%5D%5B0%5D=H%26M&x=a%20b!'()*~-._%C3%A9%E2%82%AC%F0%9F%98%80%2B%2F%3F"
    )


def test_the_sdks_session_has_its_shapes() -> None:
    session = sdk_session()
    assert [sample.call for sample in session[:2]] == ["mobile-init", "mobile-send"]
    assert {sample.headers["appKey"] for sample in session} == {KEY}
    assert all(json.loads(sample.body)["appkey"] == KEY for sample in session)
    assert {sample.call: sample.method for sample in session} == {
        "mobile-init": "POST",
        "mobile-send": "POST",
        "mobile-sensors": "PUT",
        "mobile-geo": "PUT",
    }
    assert session[1].with_mid("a" * 64).body.count("a" * 64) == 1


@pytest.mark.parametrize("name", ["web-send-curl", "web-send-node"])
def test_a_sample_goes_over_the_wire_as_its_client_sends_it(name: str, mirror: int) -> None:
    sample = next(one for one in vendor_samples() if one.name == name)
    reply = send(sample, "127.0.0.1", mirror)
    assert reply.status == 200
    assert reply.headers["x-framing"] == ("chunked" if sample.chunked else str(len(sample.body)))
    assert reply.json() == [sample.method, sample.path, sample.headers["Content-Type"], sample.body]


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers what it was sent."""

    def do_POST(self) -> None:
        framing = self.headers.get("Content-Length") or self.headers["Transfer-Encoding"]
        body = self.rfile.read(int(framing)) if framing.isdigit() else self._chunks()
        answer = json.dumps([self.command, self.path, self.headers["Content-Type"], body.decode()]).encode()
        self.send_response(200)
        self.send_header("X-Framing", framing)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""


@pytest.fixture
def mirror() -> Iterator[int]:
    with http.server.HTTPServer(("127.0.0.1", 0), Mirror) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
