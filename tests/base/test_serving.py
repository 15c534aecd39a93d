"""Where nobody can listen is told with what to do about it."""

import socket

import pytest

from base.errors import StartError
from base.serving import listen


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine(host: str) -> None:
    with pytest.raises(StartError, match=r"\(collector\.port\)") as failed:
        listen(host, 0, "collector.port")
    assert failed.value.way_out == "name an address of this machine"


def test_a_port_that_another_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(StartError) as failed:
        listen("127.0.0.1", other.getsockname()[1], "collector.port")
    assert failed.value.way_out == "stop what holds it, or choose another port"
