"""How the official SDK (v0.1.2) keeps its events, and loses them (contracts.md, section 1): pure but for `post`."""

import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

MOST, AT_A_TIME, EVERY = 1000, 10, 15.0  # events kept, events a drain, seconds between two
RETRY_AFTER = 1.0  # seconds; once, and only for what is no answer or ours to mend

Event = Mapping[str, Any]
Post = Callable[[Event], int]  # to the answer's status; 0 for none


class SdkQueue:
    """Events carry neither id nor time, so a retry that had arrived before is one more event."""

    def __init__(self, post: Post, sleep: Callable[[float], None] = time.sleep) -> None:
        self._post = post
        self._sleep = sleep
        self._events: deque[Event] = deque(maxlen=MOST)

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        self._events.append(event)

    def drain(self) -> int:
        """Takes ten out and sends one after the other. At the first failure of any kind that one goes to the queue's
        end, and those that were not tried yet are gone: how many, is answered."""
        taken = [self._events.popleft() for _ in range(min(AT_A_TIME, len(self._events)))]
        for position, event in enumerate(taken):
            if not self._sent(event):
                self.put(event)
                return len(taken) - position - 1
        return 0

    def _sent(self, event: Event) -> bool:
        status = self._post(event)
        if status == 0 or status >= 500:
            self._sleep(RETRY_AFTER)
            status = self._post(event)
        return 200 <= status < 300
