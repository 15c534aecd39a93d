"""Pictures that say where they come from: each carries its commit, its command and its machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt


@dataclass(frozen=True)
class Stamp:
    """`told` as machine.describe says it."""

    told: dict[str, Any]

    def __str__(self) -> str:
        told = self.told
        load = "/".join(map(str, told["load_average"]))
        return f"{told['command']}  ·  commit {told['commit']}  ·  {told['at']}  ·  {told['machine']}  ·  load {load}"


def canvas(rows: int, columns: int, *, width: float, height: float, **how: Any) -> tuple[Any, Any]:
    """A figure and its axes, as rows of columns; no screen is needed."""
    plt.switch_backend("Agg")
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **how)
    for each in axes.flat:
        each.grid(visible=True, alpha=0.3)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def save(figure: Any, title: str, stamp: Stamp, path: Path) -> None:
    figure.suptitle(title, fontsize=14)
    figure.text(0.5, 0.005, str(stamp), ha="center", fontsize=7.5, color="#555555")
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=95)
    plt.close(figure)
