"""Files written once: whole or not at all, private, with their folders."""

import stat
from pathlib import Path

import pytest

from appliance.model.errors import StorageError
from appliance.runtime.files import make_folders, write_many, write_once
from tests.runtime.full_disk import no_file_larger_than


def test_a_file_and_its_folders_are_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_once(path, b"content")
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:2]} == {0o700}
    assert [name.name for name in path.parent.iterdir()] == ["file"]


def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path) -> None:
    with no_file_larger_than(100), pytest.raises(StorageError, match="free or repair"):
        write_once(tmp_path / "file", bytes(1000))
    assert list(tmp_path.iterdir()) == []


def test_several_files_are_written_all_or_none(tmp_path: Path) -> None:
    files = [(tmp_path / "one" / "x", b"1"), (tmp_path / "two" / "y", bytes(1000))]
    with no_file_larger_than(100), pytest.raises(StorageError, match="two/y"):
        write_many(files)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    write_many(files)
    assert [path.read_bytes() for path, _ in files] == [content for _, content in files]


def test_a_failed_write_leaves_the_older_file_as_it_was(tmp_path: Path) -> None:
    write_once(tmp_path / "file", b"older")
    with no_file_larger_than(100), pytest.raises(StorageError):
        write_once(tmp_path / "file", bytes(1000))
    assert (tmp_path / "file").read_bytes() == b"older"


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_folders([tmp_path, tmp_path / "new"])
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert (tmp_path / "new").is_dir()


def test_a_file_where_a_folder_should_be_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        write_once(tmp_path / "file" / "below", b"x")


def test_many_files_are_whole_and_leave_no_other(tmp_path: Path) -> None:
    files = [(tmp_path / str(number) / "file", bytes([number])) for number in range(20)]
    write_many(files)
    assert [path.read_bytes() for path, _ in files] == [content for _, content in files]
    with no_file_larger_than(100), pytest.raises(StorageError, match="new/last"):
        write_many(
            [
                *((tmp_path / "new" / str(number), b"x") for number in range(20)),
                (tmp_path / "new" / "last", bytes(1000)),
            ]
        )
    assert list((tmp_path / "new").iterdir()) == []
