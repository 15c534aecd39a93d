#!/usr/bin/env python3
"""The README's pictures, taken anew: `ochn dev` runs, Chromium shops, both pages are photographed.

.venv/bin/python scripts/take_pictures.py docs/pictures
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
from tests.support.product import Product  # noqa: E402

FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
SIZE: ViewportSize = {"width": 1280, "height": 800}


def shop(page: Page, url: str) -> None:
    """A visit, a sign-in, a purchase: what a newcomer would try first."""
    page.goto(f"{url}/demo/", wait_until="networkidle")
    for number in (0, 2):
        page.get_by_role("button", name="Add to bag").nth(number).click()
    page.wait_for_timeout(1500)
    page.evaluate("scrollTo({top: 0, behavior: 'instant'})")
    page.mouse.move(640, 400)
    page.wait_for_timeout(500)


def take(browser: Browser, product: Product, directory: Path) -> None:
    page = browser.new_page(viewport=SIZE, device_scale_factor=1)
    shop(page, product.url)
    page.screenshot(path=directory / "shop.png")
    page.set_viewport_size({"width": 1280, "height": 480})
    page.goto(f"http://127.0.0.1:{product.sandbox_port}/", wait_until="domcontentloaded")
    page.wait_for_timeout(2500)
    page.screenshot(path=directory / "sandbox.png")


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        Product(Path(data)) as product,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS) as browser,
    ):
        take(browser, product, directory)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
