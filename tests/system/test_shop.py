"""The demo shop in a real browser, on the whole product: what is clicked stands at the sandboxed vendors."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM_ARGS
from tests.support.product import Product
from tests.support.tools import require
from tests.system.outside import eventually

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(180)]


def test_a_visit_and_clicks_arrive_at_both_vendors(tmp_path: Path) -> None:
    with Product(tmp_path / "data") as product:
        browse(f"{product.url}/demo/")
        sends = eventually(lambda: of_action(product.received("footprints"), 3))
        activities = eventually(lambda: at_netcore(product.received("netcore"), 3))
    sends, activities = sends[:3], activities[:3]  # then comes what is told as the page is left
    assert [call["body"]["actionType"] for call in sends] == ["visit", "engagement", "engagement"]
    assert sends[0]["body"]["aditionalData"]["brands"]
    assert {call["body"]["uType"] for call in sends} == {"p"}
    assert [activity["activity_name"] for activity in activities] == ["Visit", "Engagement", "Engagement"]
    assert activities[0]["activity_params"]["page_url"].endswith("/demo/")


def browse(url: str) -> None:
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=require("chromium"), args=CHROMIUM_ARGS) as browser,
    ):
        page = browser.new_page()
        page.goto(url)
        page.wait_for_function("window.ochn && ochn.version && ochn.state().sent >= 2")
        for number in (0, 2):
            page.get_by_role("button", name="Add to bag").nth(number).click()
        page.wait_for_function("ochn.state().sent >= 4")


def of_action(calls: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    sends = [call for call in calls if call["path"] == "/jsapi/send"]
    return sends if len(sends) >= count else []


def at_netcore(calls: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    activities = [activity for call in calls for activity in call["body"]]
    return activities if len(activities) >= count else []
