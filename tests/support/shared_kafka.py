"""One broker for the whole test run: the first worker that needs it starts it, and it ends with the run.

`python -m tests.support.shared_kafka DIRECTORY OWNER` holds the broker until the process OWNER has gone.
"""

import fcntl
import os
import sys
import time
from pathlib import Path

from tests.support.detached import start_detached, wait_until_gone
from tests.support.kafka import START_DEADLINE, Kafka, KafkaServer
from tests.support.tools import kafka_class_path, require


def shared_kafka(directory: Path, owner: int) -> Kafka:
    """The run's broker, started when it isn't there yet. `directory` belongs to all workers of one run."""
    require("java")
    kafka_class_path()
    directory.mkdir(exist_ok=True)
    address = directory / "bootstrap"
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            start_detached("tests.support.shared_kafka", directory, owner)
            _wait_for(address)
    return Kafka(address.read_text())


def _wait_for(address: Path) -> None:
    until = time.monotonic() + 2 * START_DEADLINE
    failed = address.with_name("failed")
    while not address.exists():
        if failed.exists() or time.monotonic() > until:
            raise RuntimeError(f"the shared Kafka did not start: {failed.read_text() if failed.exists() else 'late'}")
        time.sleep(0.05)


def hold(directory: Path, owner: int) -> None:
    """Runs the broker until the owner has gone. Its data is thrown away with the run, so it need not stop in order."""
    server = KafkaServer(directory / "broker")
    try:
        server.start()
    except Exception as error:
        (directory / "failed").write_text(str(error))
        raise
    ready = directory / f"bootstrap.{os.getpid()}"
    ready.write_text(server.bootstrap)
    ready.rename(directory / "bootstrap")
    wait_until_gone(owner)
    server.kill()


if __name__ == "__main__":
    hold(Path(sys.argv[1]), int(sys.argv[2]))
