"""`ochn dev`: the development configuration, written where it can be read, and the lines that show each event's way."""

from pathlib import Path
from typing import Final

DEMO_KEY: Final = "demo"
VENDOR_KEY: Final = "571e64183647a855d0sgf3a3"  # the one in the vendor's samples

_CONFIG = """\
# Written by `ochn dev` at each start. While it runs, changes to [keys], and to secrets and
# mappings of destinations, are taken within five seconds.
# For a configuration of your own start from ochn.example.toml.
profile = "dev"

[logging]
events = true

[collector]
demo = true
warnings = true

[keys.vendor-samples]
values = ["{vendor_key}"]

[keys.demo]
values = ["{demo_key}"]

[destinations.footprints]
kind = "footprints"
base_url = "http://127.0.0.1:{sandbox_port}/footprints"
key = "sandbox-key"
secret = "sandbox-secret"

[destinations.netcore]
kind = "netcore"
base_url = "http://127.0.0.1:{sandbox_port}/netcore"
api_key = "sandbox-netcore"
web_asset_id = "web-asset"
app_asset_id = "app-asset"
currency = "EUR"
"""


def dev_config(sandbox_port: int) -> str:
    return _CONFIG.format(vendor_key=VENDOR_KEY, demo_key=DEMO_KEY, sandbox_port=sandbox_port)


def write_dev_config(data_dir: Path, sandbox_port: int) -> Path:
    """For this user's eyes only: a configuration holds secrets, if only the sandbox's."""
    path = data_dir / "dev.toml"
    path.touch(mode=0o600)
    path.write_text(dev_config(sandbox_port), encoding="utf-8")
    return path
