"""docs/privacy.md names what the code takes out, every place where something is kept, and settings that there are."""

import re
from typing import Any

import pytest
from pydantic import BaseModel

from collector.judging.privacy import ADDRESSES, OF_NOBODY, PERSONAL
from eventlog.topics import Topics
from ochn.config import Settings
from tests.support.house import ROOT

PAGE = (ROOT / "docs/privacy.md").read_text()
PLACES = PAGE.split("## What is kept, and where")[1].split("\n## ")[0]


@pytest.mark.parametrize(("block", "names"), [("personal", PERSONAL), ("lead", OF_NOBODY), ("address", ADDRESSES)])
def test_the_names_are_those_of_the_code(block: str, names: frozenset[str]) -> None:
    told = re.findall(rf"^```{block}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert [set(each.split()) for each in told] == [names]


def test_every_topic_and_every_folder_has_its_row() -> None:
    topics = Topics()
    names = {topic.name for topic in (*topics.all(("<destination>",)), topics.spool, topics.oversize)}
    on_disk = (ROOT / "docs/operations.md").read_text().split("## Stored on disk")[1]
    folders = set(re.findall(r"`(\w+/)`", on_disk)) - {"log/", "spool/", "replays/", "run/"}
    told = {
        name for row in re.findall(r"^\| (`[^|]*`) \|", PLACES, re.MULTILINE) for name in re.findall(r"`(.*?)`", row)
    }
    assert told == names | folders


def test_every_setting_that_keeps_is_one() -> None:
    told = set(re.findall(r"`((?:log|forwarder|logging|collector|identity)\.[\w.]+)`", PAGE))
    assert len(told) > 6
    assert [path for path in told if not is_setting(path)] == []


def is_setting(path: str) -> bool:
    model: Any = Settings
    for name in path.split("."):
        if not issubclass(model, BaseModel) or name not in model.model_fields:
            return False
        model = model.model_fields[name].annotation
    return True
