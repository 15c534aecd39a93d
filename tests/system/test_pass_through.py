"""The SDK's ad-serving calls at the whole product: answered by the vendor, under the id that the vendor gave the phone."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.corpus import Reply
from tests.support.product import Product
from tests.system.outside import FORM, eventually, form, request

pytestmark = [pytest.mark.system, pytest.mark.timeout(180), pytest.mark.xdist_group("system-pass-through")]
SETTINGS = {
    "OCHN_COLLECTOR__PASS_THROUGH__DESTINATION": "footprints",
    "OCHN_COLLECTOR__PASS_THROUGH__TIMEOUT": "1",
    "OCHN_COLLECTOR__PASS_THROUGH__REPLY_BYTES": "2000",
    "OCHN_DESTINATIONS__FOOTPRINTS__UPSTREAM_APPKEYS__DEMO": "their-key",
}
PATH = "/mobileapi/recommendation-products/search"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("ads") / "data", environ=SETTINGS) as product:
        yield product
        assert "Traceback" not in "\n".join(product.process.lines)


def ask(product: Product, path: str = PATH, **fields: Any) -> Reply:
    return request(
        product.port, "POST", path, json.dumps(fields).encode(), content_type="application/json", cookie="a=b"
    )


def said(answer: Reply) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    return found


def asked(product: Product) -> dict[str, Any]:
    """What the vendor got of the last ad-serving call."""
    calls = [call for call in product.received("footprints") if call["path"] == PATH]
    return dict(calls[-1])


def test_our_mid_becomes_the_vendors_and_nothing_else_goes_along(product: Product) -> None:
    told = form(product.port, "/mobileapi/init", {"appkey": "demo", "userEmail": "ann@example.com"})
    ours = said(told)["mobileId"]
    (init,) = eventually(lambda: [call for call in product.received("footprints") if call["path"] == "/mobileapi/init"])
    assert init["body"]["appkey"] == "their-key"
    assert eventually(lambda: said(ask(product, appkey="demo", mid=ours))["mid"] != ours)
    answer = ask(product, appkey="demo", mid=ours, q="shoes")
    theirs = said(answer)["mid"]
    assert (answer.status, answer.headers["content-security-policy"]) == (200, "sandbox")
    call = asked(product)
    assert call["body"] == {"appkey": "their-key", "mid": theirs, "q": "shoes"}
    assert not {"cookie", "x-forwarded-for"} & call["headers"].keys()
    query = request(product.port, "GET", f"{PATH}?mid={ours}", appkey="demo")
    assert (query.status, said(query)["mid"], asked(product)["headers"]["appkey"]) == (200, theirs, "their-key")
    assert said(ask(product, appkey="demo", mid="given-by-the-vendor"))["mid"] == "given-by-the-vendor"


def test_only_what_the_routes_name_under_a_key_of_ours(product: Product) -> None:
    before = len(product.received("footprints"))
    assert ask(product, appkey="nobody", mid="m").status == 403
    assert ask(product, "/mobileapi/recommendation-products/../../api/token", appkey="demo", mid="m").status == 404
    assert ask(product, "/mobileapi/anything", appkey="demo", mid="m").status == 404
    assert request(product.port, "POST", PATH, b"{", content_type="application/json").status == 400
    assert request(product.port, "DELETE", PATH).status == 404
    assert request(product.port, "POST", PATH, b"x=" + b"y" * 600_000, content_type=FORM).status == 413
    assert len(product.received("footprints")) == before


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ({"fault": "hang"}, 504, "upstream_late"),
        ({"fault": "refuse"}, 502, "upstream_failed"),
        ({"fault": "reset"}, 502, "upstream_failed"),
        ({"fault": "status", "status": 302}, 502, "upstream_failed"),
    ],
)
def test_a_vendor_in_trouble(product: Product, fault: dict[str, Any], status: int, reason: str) -> None:
    product.fault(destination="footprints", path=PATH, **fault)
    try:
        answer = ask(product, appkey="demo", mid="m")
        assert (answer.status, said(answer)["reason"]) == (status, reason)
    finally:
        product.fault()
    assert ask(product, appkey="demo", mid="m").status == 200


def test_an_answer_that_is_too_large(product: Product) -> None:
    """It repeats what it was asked."""
    answer = ask(product, appkey="demo", mid="m" * 3000)
    assert (answer.status, said(answer)["reason"]) == (502, "upstream_failed")


def test_what_the_vendor_refuses_is_passed_on(product: Product) -> None:
    answer = ask(product, appkey="demo", q="whose?")
    assert (answer.status, said(answer)["message"]) == (400, "mid is required")
