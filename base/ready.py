"""What a child is told by the process that started it, and how it says that it serves: a byte into an inherited pipe."""

import os
from collections.abc import Mapping
from typing import Final

READY_FD: Final = "OCHN_READY_FD"
PARENT_PID: Final = "OCHN_PARENT_PID"


def tell_ready(environ: Mapping[str, str]) -> None:
    """Once, when everything serves; says nothing where nobody asked to be told."""
    descriptor = environ.get(READY_FD)
    if descriptor is not None:
        os.write(int(descriptor), b".")
        os.close(int(descriptor))
