"""`python -m tests.support.lease_holder DATA_DIR TOPIC`: reads for the group `group` until it is killed."""

import asyncio
import sys
from pathlib import Path

from tests.support.embedded import a_log
from tests.support.logs import assigned


async def hold(data_dir: Path, topic: str) -> None:
    reader = await a_log(data_dir).open_reader("group", topic, "earliest")
    await assigned(reader)
    print("holding", flush=True)
    while True:
        await reader.next(0, 60)


if __name__ == "__main__":
    asyncio.run(hold(Path(sys.argv[1]), sys.argv[2]))
