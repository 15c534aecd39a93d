"""`ochn keys`: which app keys there are, and the snippet for a page."""

import re
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from base.errors import UserError
from base.serving import url_of
from collector.door.shim import DEFAULT_STATIC_DIR, find_script, hashed_path, integrity
from collector.settings import KeySettings
from ochn.config import Settings
from ochn.output import json_lines, table
from ochn.served import settings_or_dev

Config = Annotated[
    Path | None,
    typer.Option("--config", help="The configuration file. Default: what served the data directory, else ochn dev's."),
]
DataDir = Annotated[Path | None, typer.Option(help="Folder that ochn was started with. Default: ./data.")]

_URL: Final = re.compile(r"https?://[^\s/?#'\"<>]+(/[^\s?#'\"<>]*)?")
# A visit beside the init: the vendor's snippet alone sends none.
_PAGE = """\
<script>
var ochnkey = '{key}';
function ochntrack() {{
  ochn.init();
  ochn.send('action', 'visit');
}}
</script>
"""
# The vendor's own.
_LOADER = """\
<script>
(function (d, s, id) {{
  var js, ojs = d.getElementsByTagName(s)[0];
  if (d.getElementById(id)) {{ return; }}
  js = d.createElement(s); js.id = id; js.async = !0;
  js.src = '{url}/jsapi/omnichannel.js';
  ojs.parentNode.insertBefore(js, ojs);
}}(document, 'script', 'omnichanneltrack'));
</script>
"""
_PINNED = """\
<script id="omnichanneltrack" async src="{url}{path}"
  integrity="{integrity}" crossorigin="anonymous"></script>
"""


def list_keys(
    config: Config = None,
    data_dir: DataDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """The app keys, their tenants, origins and surfaces. A key is public: it stands in every page."""
    keys = settings_or_dev(config, data_dir).keys
    if as_json:
        json_lines({"name": name, **key.model_dump()} for name, key in keys.items())
        return
    rows = (
        (name, ", ".join(key.values), key.tenant, ", ".join(key.surfaces), ", ".join(key.origins) or "any")
        for name, key in keys.items()
    )
    table(("name", "key", "tenant", "surfaces", "origins"), rows, empty="there are no keys: every call is answered 403")


def snippet(
    name: Annotated[str, typer.Argument(help="The key's name in the configuration.")],
    url: Annotated[str, typer.Option(help="Where browsers reach the collector. Default: where it listens.")] = "",
    pinned: Annotated[
        bool, typer.Option("--integrity", help="Load this very build, by its hash; the browser refuses any other.")
    ] = False,
    config: Config = None,
    data_dir: DataDir = None,
) -> None:
    """The lines to paste into a page."""
    settings = settings_or_dev(config, data_dir)
    url = _address(url or url_of(settings.collector.host, settings.collector.port))
    page = _PAGE.format(key=_quoted(_key(settings, name).values[0]))
    sys.stdout.write(page + (_pinned(settings, url) if pinned else _LOADER.format(url=url)))


def _address(url: str) -> str:
    if not _URL.fullmatch(url):
        raise UserError(f"{url!r} is no address of a collector", "write it as browsers reach it: https://track.example")
    return url.rstrip("/")


def _quoted(value: str) -> str:
    """Between a script's quotes, in a page."""
    return value.replace("\\", "\\\\").replace("'", "\\'").replace("<", "\\x3c")


def _pinned(settings: Settings, url: str) -> str:
    static_dir = settings.collector.static_dir or DEFAULT_STATIC_DIR
    source = find_script(static_dir)
    if source is None:
        raise UserError(f"there is no omnichannel.js in {static_dir}", "set collector.static_dir")
    return _PINNED.format(url=url, path=hashed_path(source), integrity=integrity(source))


def _key(settings: Settings, name: str) -> KeySettings:
    key = settings.keys.get(name)
    if key is None:
        raise UserError(f"no key is named {name!r}", f"there are: {', '.join(settings.keys) or 'none'}")
    if "web" not in key.surfaces:
        raise UserError(f"the key {name} is for phones alone", f"name another, or let keys.{name}.surfaces have web")
    return key
