"""Where a run's figures go is looked at before the run: who has waited for a quarter of an hour wants to read them."""

from argparse import ArgumentTypeError
from pathlib import Path


def folder(name: str) -> Path:
    """Made if it is missing."""
    path = Path(name)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArgumentTypeError(f"{name}: no folder can be made there: {error.strerror}") from error
    return path


def file(name: str) -> Path:
    """One that can be written. It is as before: a run that is stopped leaves none."""
    path = Path(name)
    folder(str(path.parent))
    stood = path.exists()
    try:
        path.open("ab").close()
        if not stood:
            path.unlink()
    except OSError as error:
        raise ArgumentTypeError(f"{name} can't be written: {error.strerror}") from error
    return path
