"""Settings: one TOML file, `OCHN_*` in the environment over it, all faults told at once.

`OCHN_COLLECTOR__PORT=8080` is `[collector] port`; a name that ends in `_FILE` reads the value from that file
(`OCHN_DESTINATIONS__FOOTPRINTS__SECRET_FILE=/run/secrets/footprints`), as container secrets are mounted.
A value that is not text (a list, a table) is written as JSON.
"""

import ipaddress
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from base.errors import SettingsError
from base.masking import MASK, is_secret_name
from base.ready import PARENT_PID, READY_FD
from base.values import NOTHING

PREFIX = "OCHN_"
CONFIG_VARIABLE = "OCHN_CONFIG"  # the file's path
ENVIRONMENT: Final = "the environment"  # where settings come from that no file holds
_QUOTE = "'"  # around the names in pydantic's words about a union
# pydantic's words where they are Python's, not the file's.
_EXPECTED: Final[Mapping[str, str]] = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "too_short": "at least {min_length} in the list",
    "too_long": "at most {max_length} in the list",
}
_WITHOUT_VALUE: Final[Mapping[str, str]] = {"extra_forbidden": "no such setting", "missing": "is required"}
_PATHS = frozenset({"ssl_ca_file", "ssl_cert_file", "ssl_key_file"})  # settings whose value is a path
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "OCHN_TEST_KAFKA", READY_FD, PARENT_PID})


class Section(BaseModel):
    """A table of the file: frozen, and a name it does not know is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Root(BaseModel):
    """What one program reads of the file. Other programs' tables are theirs to check (`ochn check-config` checks all)."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class KeyValues(BaseModel):
    """A table `[keys.<name>]`, as far as every program needs it; what more it says is the collector's."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    values: tuple[str, ...] = Field(min_length=1, max_length=2)
    """The key as pages and apps send it; two while one replaces the other."""


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    """ValueError names the first that is neither an address nor a network."""
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError as error:
            raise ValueError(f"expected addresses or networks (192.0.2.7, 10.0.0.0/8); {value!r} is none") from error
    return values


class LoggingSettings(Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    """Least level that is written."""
    format: Literal["json", "console"] = "json"
    """`json`: a line of JSON an entry, to standard error; `console`: for eyes."""
    events: bool = False
    """Write a line for each event received and settled. `ochn dev` turns it on and draws them."""


class AdminSettings(Section):
    host: str = "127.0.0.1"
    """Address of metrics and health detail. Keep it off the open internet."""
    port: int | None = Field(default=None, ge=0, le=65535)
    """Default: the collector's port + 1000 (a forwarder alone: 9081). 0 takes a free one."""
    token: SecretStr | None = None
    """Who asks says `Authorization: Bearer …`, but at /health/live; 16 characters at least. Required unless `host` is
    loopback."""

    @field_validator("token")
    @classmethod
    def _long(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and len(token.get_secret_value()) < 16:
            raise ValueError("expected 16 characters or more, such as `openssl rand -hex 32` prints")
        return token

    @model_validator(mode="after")
    def _open(self) -> Self:
        if self.token is None and not is_loopback(self.host):
            raise ValueError(f"token is required, because host = {self.host!r} is not loopback")
        return self


R = TypeVar("R", bound=BaseModel)


def matching(pattern: str, expected: str) -> AfterValidator:
    """For text of which all matches; else ValueError says in words what is expected."""

    def checked(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"expected {expected}")
        return value

    return AfterValidator(checked)


Name = Annotated[str, matching("[a-z0-9][a-z0-9_-]{0,62}", "up to 63 small letters, digits, - and _")]  # for metrics
Currency = Annotated[str, matching("[A-Z]{3}", "an ISO 4217 code, such as EUR")]


def read_sources(path: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """The file's tables with the environment laid over them, not validated yet. SettingsError when unreadable."""
    raw: dict[str, Any] = {}
    if path is not None:
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError([f"can't be read: {error.strerror}"], str(path)) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError([f"is not TOML: {error}"], str(path)) from error
    for name in sorted(filter(_is_setting, environ)):
        _lay_over(raw, name, environ[name])
    return raw


def _is_setting(variable: str) -> bool:
    return variable.startswith(PREFIX) and variable not in _NOT_SETTINGS


def settings_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Every file that the environment names: the settings', and those that hold one value each."""
    single = (environ[name] for name in sorted(filter(_is_setting, environ)) if _steps(name)[1])
    return tuple(Path(path) for path in (environ.get(CONFIG_VARIABLE), *single) if path)


def _steps(name: str) -> tuple[list[str], bool]:
    """Where a variable's value stands in the file; and whether the variable names a file that holds it."""
    steps = name.removeprefix(PREFIX).lower().split("__")
    if in_a_file := steps[-1].endswith("_file") and steps[-1] not in _PATHS:
        steps[-1] = steps[-1].removesuffix("_file")
    return steps, in_a_file


def _lay_over(raw: dict[str, Any], name: str, value: str) -> None:
    (*tables, key), in_a_file = _steps(name)
    if in_a_file:
        try:
            value = Path(value).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError([f"{value} can't be read: {error}"], name) from error
    node = raw
    for table in tables:
        node = node.setdefault(table, {})
        if not isinstance(node, dict):
            raise SettingsError([f"{table} is a value, not a table"], name)
    node[key] = _json_or_text(value)


def _json_or_text(value: str) -> Any:
    if value[:1] not in ("[", "{"):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def validate(model: type[R], raw: Mapping[str, Any], source: str, variables: Mapping[str, str] = NOTHING) -> R:
    """The frozen settings, or one SettingsError that lists every fault with key, value and expectation, and which of
    the environment's `variables` it came by, as those are called."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = [_fault(detail, raw) for detail in error.errors(include_url=False)]
        raise SettingsError([f"{fault}{_by(fault, variables)}" for fault in _joined(faults)], source) from error


def _joined(faults: Iterable[str]) -> list[str]:
    """What may be of several types has a fault for each: one, that names them all."""
    expectations: dict[str, list[str]] = {}
    for fault in faults:
        value, _, expected = fault.partition(": expected ")
        expectations.setdefault(value, []).append(expected)
    return [f"{value}: expected {', '.join(each)}" if any(each) else value for value, each in expectations.items()]


def _by(fault: str, variables: Mapping[str, str]) -> str:
    place = re.split(r" = |: ", fault, maxsplit=1)[0]
    found = (name for name in variables if f"{place}.".startswith(f"{'.'.join(_steps(name)[0])}."))
    return "".join(f" ({variables[name]})" for name in sorted(found, key=len)[-1:])


def _fault(detail: Any, raw: Any) -> str:
    place = ".".join(_place(detail, raw))
    if detail["type"] in _WITHOUT_VALUE:
        return f"{place}: {_WITHOUT_VALUE[detail['type']]}"
    if detail["type"] == "union_tag_not_found":
        return f"{place}.{detail['ctx']['discriminator'].strip(_QUOTE)}: is required"
    if detail["type"] == "union_tag_invalid":
        context = detail["ctx"]
        place = f"{place}.{context['discriminator'].strip(_QUOTE)}"
        return f"{place} = {context['tag']!r}: expected one of {context['expected_tags']}"
    value, message = detail.get("input"), _expectation(detail)
    if not place:
        return message
    if detail["type"] == "value_error" and isinstance(value, Mapping | BaseModel):
        return f"{place}: {message}"  # of several settings together, which the message names
    shown = MASK if any(is_secret_name(str(step)) for step in detail["loc"]) else _brief(value)
    return f"{place} = {shown}: {message}"


def _expectation(detail: Any) -> str:
    if detail["type"] in _EXPECTED:
        return f"expected {_EXPECTED[detail['type']].format(**detail.get('ctx', {}))}"
    return str(detail["msg"]).removeprefix("Value error, ").replace("Input should be", "expected")


def _place(detail: Any, raw: Any) -> Iterator[str]:
    """As it stands in the file: without the names that pydantic puts in for the members of a union."""
    node, location = raw, detail["loc"]
    for index, step in enumerate(location):
        absent = index == 0 or (detail["type"] == "missing" and index == len(location) - 1)
        if not absent and not _has(node, step):
            continue
        node = node[step] if _has(node, step) else None
        yield str(step)


def _has(node: Any, step: str | int) -> bool:
    return step in node if isinstance(node, Mapping) else isinstance(node, list) and isinstance(step, int)


def _brief(value: Any) -> str:
    if isinstance(value, dict):
        return "{…}"
    text = re.sub(r"//[^/@]*@", f"//{MASK}@", repr(value))
    return text if len(text) <= 80 else f"{text[:77]}…"


def load(model: type[R], environ: Mapping[str, str], path: Path | None = None, flags: Collection[str] = ()) -> R:
    """Reads `path`, else the file `OCHN_CONFIG` names, else the environment alone. `flags`: variables that stand for what
    the command line said."""
    path = path or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    raw = read_sources(path, environ)
    variables = {name: "of the command line" if name in flags else name for name in filter(_is_setting, environ)}
    return validate(model, raw, str(path) if path else ENVIRONMENT, variables)
