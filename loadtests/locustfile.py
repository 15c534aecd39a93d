"""Who comes at a retailer's peak: people who browse, phones with the vendor's SDK, phones that walk past beacons.

    locust -f loadtests/locustfile.py --host http://127.0.0.1:8080
    locust -f loadtests/locustfile.py --host http://127.0.0.1:8080 --headless --users 200 --spawn-rate 50 --run-time 2m

Only ever at an address of your own: a run against any other than loopback is refused.
"""

import random
import uuid
from urllib.parse import urlsplit

from locust import FastHttpUser, between, constant_pacing, events, task
from locust.contrib.fasthttp import FastResponse
from locust.env import Environment
from locust.exception import StopUser

from loadtests import sdk_queue

APP_KEY = "demo"
BRANDS = ["Zara", "Adidas", "H&M", "C&A", "Nike", "Mango"]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def only_loopback(environment: Environment, **_: object) -> None:
    host = urlsplit(environment.host or "").hostname
    if host not in LOOPBACK:
        environment.process_exit_code = 2
        raise SystemExit(f"locustfile: {environment.host} is not this machine; load goes to loopback only")


events.test_start.add_listener(only_loopback)  # type: ignore[no-untyped-call]


class WebVisitor(FastHttpUser):
    """omnichannel.js on a page: init once, then a visit a page, now and then something more."""

    weight = 6
    wait_time = between(0.5, 3)

    def on_start(self) -> None:
        """A first page: the script, which the browser then keeps, and init."""
        self.client.get("/jsapi/omnichannel.js", headers={"Accept-Encoding": "br, gzip"})
        fields = {"appkey": APP_KEY, "eid": str(uuid.uuid4()), "technicalInfo[screenSize]": "1280x800"}
        if random.random() < 0.2:
            fields["email"] = f"visitor{random.randrange(10**6)}@example.com"
        with self.client.post("/jsapi/init", data=fields, catch_response=True) as answer:
            told = answer.json() if answer.ok else {}
            self.visitor = told.get("uid") or told.get("pid")
            self.user_type = "c" if "uid" in told else "p"
            if self.visitor is None:
                answer.failure("init gave no id")
                raise StopUser

    def send(self, action: str, data: dict[str, object]) -> None:
        fields = {
            "appkey": APP_KEY,
            "uid": self.visitor,
            "uType": self.user_type,
            "requestType": "action",
            "actionType": action,
            "eid": str(uuid.uuid4()),
            "page[url]": f"https://shop.example/{random.randrange(500)}",
            **{f"aditionalData{name}": value for name, value in data.items()},
        }
        self.client.post("/jsapi/send", data=fields, name=f"/jsapi/send {action}")

    @task(20)
    def visit(self) -> None:
        self.send("visit", {"[brands][0]": random.choice(BRANDS), "[tenants][0]": random.choice(BRANDS)})

    @task(2)
    def buy(self) -> None:
        self.send(
            "sale", {"[receipts][0][name]": random.choice(BRANDS), "[receipts][0][value]": random.randrange(5, 300)}
        )

    @task(1)
    def rate(self) -> None:
        self.send("feedback", {"[rating]": random.randrange(1, 11)})


class SdkPhone(FastHttpUser):
    """The official SDK: JSON, the key in a header too, an init at every start that never tells the last id, and a queue
    that loses events (sdk_queue.py). What it loses is counted as failures of `sdk queue`."""

    weight = 3
    wait_time = constant_pacing(sdk_queue.EVERY)

    def on_start(self) -> None:
        device = {"screenSize": "1080x2400", "deviceType": "Smartphone", "deviceOs": "Android 14", "deviceUuid": "UP1A"}
        token = {"pushNotificationToken": uuid.uuid4().hex}
        answer = self._call("POST", "/mobileapi/init", {**token, "technicalInfo": device})
        self.mid = answer.json().get("mobileId") if answer.ok else None
        if self.mid is None:
            raise StopUser
        self.queue = sdk_queue.SdkQueue(self._post)

    @task
    def look_at_ads(self) -> None:
        """What was seen since the last time goes into the queue; what no longer fits into this drain waits."""
        for _ in range(random.randrange(3, 12)):
            self.queue.put(self._event())
        self._drain()

    @task
    def walk_past_beacons(self) -> None:
        """These go out at once, outside of the queue."""
        beacon = {"uuid": "f7826da6-4fa2-4e98-8024-bc5b71e0893e", "major": 1201, "proximity": "near", "rssi": -63}
        sensors = [{**beacon, "minor": minor} for minor in range(random.randrange(1, 4))]
        self._call("PUT", "/mobileapi/sensors", {"mid": self.mid, "sensors": sensors})
        self._call("PUT", "/mobileapi/geo", {"mid": self.mid, "lat": 44.432149, "lon": 26.088868})
        self._drain()

    def on_stop(self) -> None:
        self._drain()

    def _event(self) -> dict[str, object]:
        seen: object = {"campaignId": "camp_001", "adId": f"ad_{random.randrange(50):03d}", "screenOnTime": 12}
        if random.random() < 0.3:
            seen = [{"attributeName": "brands", "attributeValue": [random.choice(BRANDS)]}]
        return {"mid": self.mid, "requestType": "action", "actionType": "visit", "additionalData": seen}

    def _post(self, event: sdk_queue.Event) -> int:
        return int(self._call("POST", "/mobileapi/send", event).status_code or 0)

    def _call(self, method: str, path: str, body: sdk_queue.Event) -> FastResponse:
        return self.client.request(method, path, json={"appkey": APP_KEY, **body}, headers={"appKey": APP_KEY})

    def _drain(self) -> None:
        for _ in range(self.queue.drain()):
            self.environment.events.request.fire(
                request_type="SDK",
                name="sdk queue: event dropped by the client",
                response_time=0,
                response_length=0,
                exception=RuntimeError("dropped after a refusal"),
                context={},
            )


class BeaconWalker(FastHttpUser):
    """A phone in a mall: beacons in sight every few seconds, its place now and then."""

    weight = 2
    wait_time = between(1, 5)

    def on_start(self) -> None:
        fields = {"appkey": APP_KEY, "userEmail": f"walker{random.randrange(10**6)}@example.com"}
        answer = self.client.post("/mobileapi/init", data=fields)
        self.mid = answer.json().get("mobileId") if answer.ok else None
        if self.mid is None:
            raise StopUser

    @task(5)
    def beacons(self) -> None:
        fields = {"appkey": APP_KEY, "mid": self.mid}
        for n in range(random.randrange(1, 6)):
            fields[f"sensors[{n}][uuid]"] = "2376-34342-1233-23424"
            fields[f"sensors[{n}][major]"] = str(random.randrange(10))
            fields[f"sensors[{n}][rssi]"] = str(-random.randrange(40, 100))
        self.client.put("/mobileapi/sensors", data=fields)

    @task(1)
    def place(self) -> None:
        fields = {"appkey": APP_KEY, "mid": self.mid, "lat": "44.432149", "lon": "26.088868", "accuracy": "3"}
        self.client.put("/mobileapi/geo", data=fields)
