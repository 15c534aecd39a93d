import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr, ValidationError

from base.admin import admin_beside, build_admin
from base.guard import guarded
from base.settings import AdminSettings
from tests.collector.wire import ask, request, served
from tests.support.ports import free_ports

pytestmark = pytest.mark.anyio

TOKEN = "a-token-of-the-operators"
PATHS = ("/metrics", "/status", "/health/ready", "/nowhere")
GUARDED = AdminSettings(token=SecretStr(TOKEN))


async def statuses(port: int, **headers: str) -> list[int]:
    return [(await ask(port, request("GET", path, **headers))).status for path in PATHS]


async def test_only_who_says_the_token_is_told_anything() -> None:
    app = guarded(build_admin(CollectorRegistry(), dict), GUARDED)
    async with served(app) as port:
        assert await statuses(port, authorization=f"Bearer {TOKEN}") == [200, 200, 200, 404]
        for wrong in ("", TOKEN, f"bearer {TOKEN}", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Basic YTpi", "\xff"):
            assert await statuses(port, authorization=wrong) == [401] * 4
        refused = await ask(port, request("GET", "/metrics"))
        assert (refused.headers["www-authenticate"], refused.json()["reason"]) == ("Bearer", "unauthorized")
        assert TOKEN not in str(refused)
        assert (await ask(port, request("GET", "/health/live"))).json() == {"status": "live"}


async def test_without_one_loopback_may_ask() -> None:
    async with served(guarded(build_admin(CollectorRegistry(), dict), AdminSettings())) as port:
        assert await statuses(port) == [200, 200, 200, 404]
        told = await ask(port, request("GET", "/metrics"))
    assert (told.headers["cache-control"], told.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_a_service_alone_guards_its_own() -> None:
    (port,) = free_ports(1)
    async with admin_beside(build_admin(CollectorRegistry(), dict), GUARDED, port):
        assert await statuses(port) == [401] * 4


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.5", "::", "ochn.internal", ""])
def test_another_address_than_loopback_wants_a_token(host: str) -> None:
    with pytest.raises(ValidationError, match="token is required"):
        AdminSettings(host=host)
    assert AdminSettings(host=host, token=SecretStr(TOKEN)).host == host
    with pytest.raises(ValidationError, match="16 characters"):
        AdminSettings(host=host, token=SecretStr("short"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_wants_none(host: str) -> None:
    assert AdminSettings(host=host).token is None
