"""docs/configuration.md, made from the settings themselves: `python -m ochn.reference > docs/configuration.md`."""

import sys
from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from base.settings import Section
from ochn.config import Settings

_HEAD = """\
# Configuration

Made from the settings in the code by `make docs`; a test keeps it so.

One TOML file (`--config`, else `OCHN_CONFIG`, else `./ochn.toml`), and the environment over it: `[collector] port` is
`OCHN_COLLECTOR__PORT`. A variable whose name ends in `_FILE` names a file to read the value from. A list is written
as JSON: `OCHN_KEYS__SHOP__VALUES='["abc"]'`. All faults are told at once, before anything listens:
`ochn check-config`. `[keys]`, `[bots]` and most of a destination are read again while running, within five seconds.
"""


# As the data goes; what is not named here comes last.
_ORDER = ("profile", "data_dir", "keys", "identity", "collector", "bots", "log", "forwarder", "destinations")


def markdown() -> str:
    return "\n".join([_HEAD, *_tables("", Settings)]).rstrip() + "\n"


def _tables(path: str, model: type[BaseModel]) -> Iterator[str]:
    """A section's own values first, then the sections inside it."""
    inner: list[tuple[str, type[BaseModel]]] = []
    rows = []
    for name, field in sorted(model.model_fields.items(), key=_place):
        models = list(_models(field.annotation))
        named = ".<name>" if get_origin(field.annotation) is dict else ""
        inner += [(f"{path}.{name}{named}".lstrip("."), item) for item in models]
        if not models:
            rows.append(_row(name, field))
    if rows:
        yield f"## {_title(path, model)}\n" if path else "## Top of the file\n"
        if path and model.__doc__ and model.__doc__ != Section.__doc__:
            yield f"{' '.join(model.__doc__.split())}\n"
        yield "| setting | takes | default | meaning |\n|---|---|---|---|"
        yield "\n".join(rows) + "\n"
    for inner_path, item in inner:
        yield from _tables(inner_path, item)


def _place(entry: tuple[str, FieldInfo]) -> int:
    return _ORDER.index(entry[0]) if entry[0] in _ORDER else len(_ORDER)


def _title(path: str, model: type[BaseModel]) -> str:
    kind = model.model_fields.get("kind")
    if kind is None or not path.endswith("<name>"):
        return f"`[{path}]`"
    return f'`[{path}]` with `kind = "{get_args(kind.annotation)[0]}"`'


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (dict, Annotated, Union, UnionType):
        for part in get_args(annotation):
            yield from _models(part)


def _row(name: str, field: FieldInfo) -> str:
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name}` | {_takes(field)} | {_default(field)} | {meaning} |"


def _takes(field: FieldInfo) -> str:
    text = _type(field.annotation)
    signs = {Ge: ("ge", "≥"), Gt: ("gt", ">"), Le: ("le", "≤"), Lt: ("lt", "<")}
    bounds = [
        f"{signs[type(rule)][1]} {getattr(rule, signs[type(rule)][0])}"
        for rule in field.metadata
        if type(rule) in signs
    ]
    return ", ".join([text, *bounds])


def _type(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{_brief(part)}`" for part in parts)
    if origin is Annotated:
        return _type(parts[0])
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_type(part) for part in parts if part is not type(None)))
    if origin is tuple:
        return f"list of {_type(parts[0])}"
    if origin is dict:
        return f"table of {_type(parts[1])}"
    names = {str: "text", SecretStr: "secret", int: "number", float: "number", bool: "true or false"}
    return names.get(annotation, "path" if annotation.__name__ == "Path" else "text")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{_brief(value)}`"


def _brief(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


if __name__ == "__main__":
    sys.stdout.write(markdown())
