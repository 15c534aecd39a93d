import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from base.errors import StartError
from base.lock import lock_data_dir, prepare_data_dir


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    trying = "import sys, pathlib; from base.lock import lock_data_dir\nwith lock_data_dir(pathlib.Path(sys.argv[1]), 'collector'): pass"
    with lock_data_dir(tmp_path, "collector"):
        held = subprocess.run([sys.executable, "-c", trying, tmp_path], capture_output=True, text=True, check=False)
    freed = subprocess.run([sys.executable, "-c", trying, tmp_path], capture_output=True, text=True, check=False)
    assert held.returncode != 0
    assert f"in use by another collector (process {os.getpid()})" in held.stderr
    assert freed.returncode == 0, freed.stderr


def test_roles_do_not_exclude_each_other(tmp_path: Path) -> None:
    with lock_data_dir(tmp_path, "collector"), lock_data_dir(tmp_path, "forwarder"):
        pass


def test_those_who_share_keep_the_others_out(tmp_path: Path) -> None:
    with lock_data_dir(tmp_path, "collector", shared=True), lock_data_dir(tmp_path, "collector", shared=True):
        assert_refused(tmp_path, shared=False)
    with lock_data_dir(tmp_path, "collector"):
        assert_refused(tmp_path, shared=True)


def assert_refused(data_dir: Path, *, shared: bool) -> None:
    with pytest.raises(StartError, match="in use"), lock_data_dir(data_dir, "collector", shared=shared):
        pass


def test_a_new_directory_is_its_owners_and_one_that_stands_is_left_as_it_is(tmp_path: Path) -> None:
    assert prepare_data_dir(tmp_path / "new" / "data").stat().st_mode & 0o777 == 0o700
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o750)
    assert prepare_data_dir(shared).stat().st_mode & 0o777 == 0o750


def test_the_layout_is_written_once(tmp_path: Path) -> None:
    data_dir = prepare_data_dir(tmp_path / "new" / "data")
    assert orjson.loads((data_dir / "layout.json").read_bytes()) == {"version": 1}
    prepare_data_dir(data_dir)
    assert [path.name for path in data_dir.iterdir()] == ["layout.json"]


@pytest.mark.parametrize(
    ("content", "sentence"), [(b'{"version":2}', "newer version"), (b"{", "can't be read"), (b"[]", "can't be read")]
)
def test_data_that_is_not_ours_to_read(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "layout.json").write_bytes(content)
    with pytest.raises(StartError, match=sentence):
        prepare_data_dir(tmp_path)


def test_a_directory_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match="can't be used"):
        prepare_data_dir(tmp_path / "file" / "data")
