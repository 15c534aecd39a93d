"""The SDK as it loses events, so that a load test of it is one."""

from typing import Any

import pytest

from loadtests.sdk_queue import MOST, RETRY_AFTER, Event, SdkQueue


class Server:
    """Answers what it is told, then 200."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.got: list[Any] = []
        self.slept: list[float] = []

    def post(self, event: Event) -> int:
        self.got.append(event["n"])
        return self._statuses.pop(0) if self._statuses else 200


def queue_of(server: Server, count: int) -> SdkQueue:
    queue = SdkQueue(server.post, server.slept.append)
    for n in range(count):
        queue.put({"n": n})
    return queue


def test_ten_go_at_a_time() -> None:
    server = Server()
    queue = queue_of(server, 25)
    assert (queue.drain(), server.got, len(queue)) == (0, list(range(10)), 15)


@pytest.mark.parametrize("status", [400, 403, 429])
def test_one_refusal_destroys_nine(status: int) -> None:
    server = Server(status)
    queue = queue_of(server, 12)
    assert (queue.drain(), len(queue), server.slept) == (9, 3, [])
    assert queue.drain() == 0
    assert server.got == [0, 10, 11, 0]


@pytest.mark.parametrize("status", [0, 500, 503])
def test_trouble_is_tried_once_more_a_second_later(status: int) -> None:
    server = Server(200, status)
    assert (queue_of(server, 3).drain(), server.got, server.slept) == (0, [0, 1, 1, 2], [RETRY_AFTER])


def test_trouble_that_lasts_destroys_too() -> None:
    server = Server(200, 503, 503)
    queue = queue_of(server, 5)
    assert (queue.drain(), len(queue)) == (3, 1)


def test_the_oldest_go_when_it_is_full() -> None:
    server = Server()
    queue = queue_of(server, MOST + 5)
    queue.drain()
    assert server.got[0] == 5
