"""What a data directory remembers of the command that served it, so that later commands need only its path."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import orjson

from base.errors import UserError
from base.files import write_whole
from base.settings import CONFIG_VARIABLE, PREFIX, load, validate
from ochn.config import Settings, find_file, load_settings
from ochn.serving.dev import dev_config

_FILE: Final = "served.json"
_REMEMBERED: Final = (
    "OCHN_LOG__",
    "OCHN_PROFILE",
    "OCHN_SANDBOX__",
    "OCHN_COLLECTOR__HOST",
    "OCHN_COLLECTOR__PORT",
)


def remember(data_dir: Path, environ: Mapping[str, str]) -> None:
    """The config's path, where the log is, and where it listens. Never a secret: those stay in the file or the environment."""
    told = {
        name: value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name.startswith(_REMEMBERED) and "PASSWORD" not in name
    }
    document = {"config": environ.get(CONFIG_VARIABLE), "told": told}
    write_whole(data_dir / _FILE, orjson.dumps(document), draft=str(os.getpid()))


def settings_of(config: Path | None, data_dir: Path | None) -> Settings:
    """For commands that look at data: `--config` if given, else what served `data_dir`, else the usual search."""
    told = {} if data_dir is None else {"OCHN_DATA_DIR": str(data_dir.resolve())}
    directory = data_dir or Path("data")
    if config is None and (directory / _FILE).is_file():
        path, served = _remembered(directory / _FILE)
        environ = {**served, **os.environ, "OCHN_DATA_DIR": str(directory.resolve())}
        return load(Settings, environ, path)
    if data_dir is not None and not data_dir.is_dir():
        raise UserError(f"there is no data directory {data_dir}", "name the one that ochn was started with")
    if config is None and find_file(None, os.environ) is None and not any(map(_is_ours, os.environ)):
        here = (
            f"nobody has served {directory}" if directory.is_dir() else "there is neither ./ochn.toml nor ./data here"
        )
        raise UserError(here, "go where ochn was started, or name what it was started with: --config, --data-dir")
    settings, _ = load_settings(config, told)
    return settings


def _remembered(file: Path) -> tuple[Path | None, dict[str, str]]:
    """The configuration's path, and the environment; as `remember` wrote them."""
    way_out = "name the configuration with --config"
    try:
        document = orjson.loads(file.read_bytes())
        path = Path(document["config"]) if document["config"] else None
        told = {str(name): str(value) for name, value in document["told"].items()}
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is damaged: it tells how this data was served", way_out) from error
    if path is not None and not path.is_file():
        raise UserError(f"{path}, by which {file.parent} was served, is not there any more", way_out)
    return path, told


def _is_ours(variable: str) -> bool:
    return variable.startswith(PREFIX)


def settings_or_dev(config: Path | None, data_dir: Path | None) -> Settings:
    """As settings_of; where nothing is configured yet, those of `ochn dev`."""
    served = (data_dir or Path("data")) / _FILE
    told = config or served.is_file() or find_file(None, os.environ)
    if told or any(name.startswith(f"{PREFIX}KEYS__") for name in os.environ):
        return settings_of(config, data_dir)
    return validate(Settings, tomllib.loads(dev_config(sandbox_port=8090)), "the configuration of ochn dev")
