"""What asyncio does not tell apart by itself."""

import asyncio


def is_wanted_to_end() -> bool:
    """Whether somebody has cancelled this task. Else a CancelledError in it comes out of what it waited for: aiokafka
    cancels tasks of its own when a coordinator is gone, and then waits for them. That is an error like others."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
