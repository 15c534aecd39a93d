"""What a visitor says no to, on the whole product: not passed on, said so everywhere, and sent again only as the settings say."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from ochn.cli import app
from ochn.tracing.trace import WAITS
from tests.support.product import Product
from tests.system.outside import FORM, eventually, request

pytestmark = [pytest.mark.system, pytest.mark.timeout(180), pytest.mark.xdist_group("system-withhold")]
VISIT = "appkey=demo&uid=v-{who}&uType=p&requestType=action&actionType=visit&aditionalData[brands][0]={who}"


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with Product(tmp_path_factory.mktemp("withhold") / "data") as product:
        yield product


def visit(product: Product, who: str, **headers: str) -> str:
    """The event's id."""
    answer = request(product.port, "POST", "/jsapi/send", VISIT.format(who=who).encode(), content_type=FORM, **headers)
    assert answer.status == 200
    return answer.headers["x-event-id"]


def ask(product: Product, command: str, *arguments: str) -> str:
    """In this process: starting one for each takes seconds."""
    done = CliRunner().invoke(app, [command, *arguments, f"--config={product.data_dir / 'dev.toml'}"])
    assert done.exit_code in (0, WAITS), done.output
    return done.output


def traced(product: Product, event_id: str) -> dict[str, tuple[str, str]]:
    """What became of it at each destination."""
    found = json.loads(ask(product, "trace", event_id, "--json", f"--data-dir={product.data_dir}"))
    rows = [row for copy in found["copies"] for row in copy["destinations"]]
    return {row["destination"]: (row["outcome"], row.get("reason", "")) for row in rows}


def brands(product: Product, destination: str) -> list[Any]:
    return [
        brand
        for call in product.received(destination)
        for one in (call["body"] if isinstance(call["body"], list) else [call["body"]])
        for brand in (one.get("activity_params") or one.get("aditionalData") or {}).get("brands", [])
    ]


def test_a_no_is_obeyed_until_the_settings_say_otherwise(product: Product) -> None:
    no = visit(product, "gpc", sec_gpc="1")
    declined = visit(product, "declined", cookie="cookie_consent=declined")
    yes = visit(product, "yes", sec_gpc="1", cookie="cookie_consent=accepted")
    both = ("footprints", "netcore")
    assert eventually(lambda: traced(product, yes) == dict.fromkeys(both, ("delivered", "")))
    assert traced(product, no) == traced(product, declined) == dict.fromkeys(both, ("filtered", "withheld"))
    assert "consent   gpc=1" in ask(product, "trace", no, f"--data-dir={product.data_dir}")
    explained = ask(product, "explain", f"curl -H 'Sec-GPC: 1' -d '{VISIT.format(who='x')}' http://x/jsapi/send")
    assert explained.count("filtered (withheld) gpc") == 2
    assert [brands(product, name) for name in both] == [["yes"], ["yes"]]

    with (product.data_dir / "dev.toml").open("a") as settings:  # of the last table, netcore's
        settings.write("withhold = []\n")
    # It is taken once an event of now goes out.
    assert eventually(lambda: visit(product, "now", sec_gpc="1") and "now" in brands(product, "netcore"))
    for name in both:
        asked = ("--from=1h", f"--destination={name}", "--yes", "--rate=1000", f"--data-dir={product.data_dir}")
        assert "replayed" in ask(product, "replay", *asked)
    assert eventually(lambda: {"gpc", "declined"} <= set(brands(product, "netcore")))
    assert eventually(lambda: brands(product, "footprints").count("yes") == 2)
    assert set(brands(product, "footprints")) == {"yes"}


def test_what_a_rule_tags_goes_where_nobody_lists_it(product: Product) -> None:
    crawler, acme = {"user_agent": "Twitterbot/1.0"}, {"user_agent": "Acme-check/2"}
    of_crawler, of_acme = visit(product, "crawler", **crawler), visit(product, "acme", **acme)
    assert eventually(lambda: set(traced(product, of_acme).values()) == {("delivered", "")})
    assert set(traced(product, of_crawler).values()) == {("filtered", "bot:crawler")}
    assert "bot       by the rule crawler" in ask(product, "trace", of_crawler, f"--data-dir={product.data_dir}")
    curl = f"curl -A Twitterbot/1.0 -d '{VISIT.format(who='x')}' http://x/jsapi/send"
    assert ask(product, "explain", curl).count("filtered (bot:crawler)") == 2

    with (product.data_dir / "dev.toml").open("a") as settings:  # of the last table, netcore's; and a rule
        settings.write('filter_bots = ["office"]\n[bots.rules.office]\nuser_agents = ["acme-check"]\n')
    filtered = {"footprints": ("delivered", ""), "netcore": ("filtered", "bot:office")}
    sent = [of_acme]

    def is_taken() -> bool:
        sent.append(visit(product, "office", **acme))
        return traced(product, sent[-2]) == filtered

    assert eventually(is_taken)
    assert eventually(lambda: visit(product, "now", **crawler) and "now" in brands(product, "netcore"))
    assert "crawler" not in {*brands(product, "footprints"), *brands(product, "netcore")}
