"""`ochn keys`: which app keys there are, and the snippet for a page."""

import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from base.errors import UserError
from collector.settings import KeySettings
from ochn.config import Settings, load_settings

Config = Annotated[
    Path | None, typer.Option("--config", help="The configuration file. Default: $OCHN_CONFIG, else ./ochn.toml.")
]

# The vendor's own loader, with a visit beside the init: the page's snippet alone sends no visit.
_SNIPPET = """\
<script>
var ochnkey = '{key}';
function ochntrack() {{
  ochn.init();
  ochn.send('action', 'visit');
}}
</script>
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


def list_keys(
    config: Config = None, as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False
) -> None:
    """The app keys, their tenants, origins and surfaces. A key is public: it stands in every page."""
    settings, _ = load_settings(config, {})
    if as_json:
        for name, key in settings.keys.items():
            sys.stdout.write(orjson.dumps({"name": name, **key.model_dump()}).decode() + "\n")
        return
    table = Table("name", "key", "tenant", "origins", "surfaces", box=None, pad_edge=False)
    for name, key in settings.keys.items():
        origins = ", ".join(key.origins) or "any"
        table.add_row(name, ", ".join(key.values), key.tenant, origins, ", ".join(key.surfaces))
    Console(highlight=False).print(table)


def snippet(
    name: Annotated[str, typer.Argument(help="The key's name in the configuration.")],
    url: Annotated[str, typer.Option(help="Where browsers reach the collector.")] = "http://127.0.0.1:8080",
    config: Config = None,
) -> None:
    """The lines to paste into a page."""
    settings, _ = load_settings(config, {})
    sys.stdout.write(_SNIPPET.format(key=_key(settings, name).values[0], url=url.rstrip("/")))


def _key(settings: Settings, name: str) -> KeySettings:
    key = settings.keys.get(name)
    if key is None:
        raise UserError(f"no key is named {name!r}", f"there are: {', '.join(settings.keys) or 'none'}")
    return key
