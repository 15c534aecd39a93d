"""The whole configuration: what every program reads, in one model, so that a misspelt table is a fault too."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from base.errors import SettingsError
from base.masking import MASK
from base.settings import CONFIG_VARIABLE, ENVIRONMENT, Name, load
from collector.settings import CollectorRoot, KeySettings
from forwarder.settings import AnyDestination, ForwarderRoot, SandboxRoot

DEFAULT_FILE = Path("ochn.toml")


class Settings(CollectorRoot, ForwarderRoot, SandboxRoot):
    model_config = ConfigDict(extra="forbid")

    keys: dict[str, KeySettings] = Field(default_factory=dict)  # whole, as the collector reads them

    destinations: dict[Name, AnyDestination] = Field(default_factory=dict)  # whole, as the forwarder does

    def enabled_destinations(self) -> tuple[str, ...]:
        return tuple(name for name, destination in self.destinations.items() if destination.enabled)


def find_file(chosen: Path | None, environ: Mapping[str, str]) -> Path | None:
    """`--config`, else OCHN_CONFIG, else ./ochn.toml if there is one, else none: the environment alone."""
    if chosen is not None:
        return chosen
    if environ.get(CONFIG_VARIABLE):
        return Path(environ[CONFIG_VARIABLE])
    return DEFAULT_FILE if DEFAULT_FILE.is_file() else None


def load_settings(chosen: Path | None, overrides: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    """The settings, and the environment in which a child reads the same ones. `overrides` are the command's flags."""
    environ = {**os.environ, **overrides}
    path = find_file(chosen, environ)
    if path is not None:
        environ[CONFIG_VARIABLE] = str(path.resolve())
    try:
        return load(Settings, environ, path, flags=overrides), environ
    except SettingsError as error:
        if error.source != ENVIRONMENT:
            raise
        alone = f"{ENVIRONMENT} alone, as there is no ./{DEFAULT_FILE} and --config names none"
        raise SettingsError(error.faults, alone) from error


def masked(value: Any) -> Any:
    """Settings as plain data with every secret hidden; what is not set stays visible as such."""
    return plain(value, lambda secret: MASK if secret else "")


def plain(value: Any, show: Callable[[str], str]) -> Any:
    """Settings as plain data; `show` says what stands for a secret."""
    if isinstance(value, SecretStr):
        return show(value.get_secret_value())
    if isinstance(value, BaseModel):
        return {name: plain(getattr(value, name), show) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {name: plain(item, show) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, show) for item in value]
    return str(value) if isinstance(value, Path) else value


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """`("collector.port", 8080)`, …: one line a setting, as people read them."""
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
