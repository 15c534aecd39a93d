from pathlib import Path

import pytest
import structlog

from base.clock import ManualClock
from base.settings import load
from collector.reload import CollectorReload
from collector.settings import CollectorRoot

HEAD = 'profile = "dev"\n'


class Diary:
    """A logger, and what it was told."""

    def __init__(self) -> None:
        self.entries = structlog.testing.LogCapture()
        self.logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.testing.CapturingLogger(),
            processors=[self.entries],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )

    def events(self) -> list[str]:
        return [entry["event"] for entry in self.entries.entries]


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ochn.toml"
    path.write_text(f'{HEAD}[keys.shop]\nvalues = ["one"]\n')
    return path


def reload_of(path: Path, diary: Diary) -> CollectorReload:
    environ = {"OCHN_CONFIG": str(path)}
    return CollectorReload(load(CollectorRoot, environ), environ, diary.logger)


def test_a_changed_file_changes_the_keys(path: Path, diary: Diary) -> None:
    reload = reload_of(path, diary)
    before = reload.keys()
    path.write_text(f'{HEAD}[keys.shop]\nvalues = ["one", "two"]\n[keys.app]\nvalues = ["three"]\n')
    reload.look()
    assert before.find("two") is None
    found = reload.keys().find("two")
    assert found is not None
    assert found.name == "shop"
    (entry,) = diary.entries.entries
    assert (entry["event"], entry["added"], entry["changed"], entry["removed"]) == (
        "keys.reloaded",
        ["app"],
        ["shop"],
        [],
    )


def test_only_the_keys_are_taken_and_only_changes_are_told(path: Path, diary: Diary) -> None:
    reload = reload_of(path, diary)
    path.write_text(f'{HEAD}[collector]\nport = 1\n[keys.shop]\nvalues = ["one"]\n')
    reload.look()
    assert diary.events() == []


def test_a_changed_file_changes_the_rules_about_bots(path: Path, diary: Diary) -> None:
    reload = reload_of(path, diary)
    curl = {"user-agent": "curl/8.5.0"}
    before = reload.bots()
    path.write_text(f'{path.read_text()}[bots]\noff = ["library"]\n[bots.rules.probe]\nuser_agents = ["acme"]\n')
    reload.look()
    assert (before.rule("web", "shop", "", curl), reload.bots().rule("web", "shop", "", curl)) == ("library", None)
    assert reload.bots().rule("web", "shop", "", {"user-agent": "ACME probe"}) == "probe"
    (entry,) = diary.entries.entries
    assert (entry["event"], entry["added"], entry["removed"]) == ("bots.reloaded", ["probe"], ["library"])


@pytest.mark.parametrize(
    "broken", ["[keys", f"{HEAD}[keys.shop]\nvalues = []\n", f'{HEAD}[log]\nkind = "stone"\n', None]
)
def test_a_broken_file_keeps_the_keys_and_is_told_once(path: Path, diary: Diary, broken: str | None) -> None:
    reload = reload_of(path, diary)
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    for _ in range(3):
        reload.look()
    assert reload.keys().find("one") is not None
    assert diary.events() == ["keys.not_reloaded"]
    path.write_text(f'{HEAD}[keys.shop]\nvalues = ["mended"]\n')
    reload.look()
    assert reload.keys().find("mended") is not None


def test_another_file_put_in_its_place(path: Path, diary: Diary) -> None:
    reload = reload_of(path, diary)
    draft = path.with_suffix(".new")
    draft.write_text(f'{HEAD}[keys.shop]\nvalues = ["two"]\n')
    draft.replace(path)
    reload.look()
    assert reload.keys().find("two") is not None


@pytest.mark.anyio
async def test_without_a_file_nothing_is_watched(diary: Diary) -> None:
    await CollectorReload(CollectorRoot(profile="dev"), {}, diary.logger).watch(ManualClock())
