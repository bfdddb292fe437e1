"""An account read from where it was left is the account read whole."""

from pathlib import Path

import pytest

from appliance.model.errors import HomeError
from appliance.replication import accounts
from appliance.replication.accounts import RECEIPTS
from appliance.replication.following import Following


def line(sequence: int, previous: str = "0" * 64) -> bytes:
    """A receipt as a central's line has it; who signed it is not looked at here."""
    return (
        b'{"central":"%s","format":"greffier receipt 1","name":"segments/x/%d","previous":"%s",'
        b'"received_at":"2026-11-22T09:00:00.000000000Z","sequence":%d,"sha256":"%064x","sig":"%s",'
        b'"site":"%s","size_bytes":7}\n'
        % (b"a" * 64, sequence, previous.encode(), sequence, sequence, b"b" * 128, b"c" * 64)
    )


def void(sequence: int) -> bytes:
    return b'{"format":"%s","void":%d}\n' % (accounts.FORMAT.encode(), sequence)


def same(following: Following, folder: Path) -> bool:
    read, whole = following.look(), accounts.read(folder)
    told = [(book.signed, book.highest, book.gaps, len(book), book.absent) for book in (read, whole)]
    return told[0] == told[1]


def test_the_lines_of_this_test_are_receipts(tmp_path: Path) -> None:
    (tmp_path / RECEIPTS).write_bytes(line(1) + line(2))
    assert sorted(accounts.read(tmp_path).signed) == ["segments/x/1", "segments/x/2"]


def test_what_comes_is_read_from_where_it_was_left(tmp_path: Path) -> None:
    following = Following(tmp_path)
    path = tmp_path / RECEIPTS
    assert same(following, tmp_path)  # no file yet
    steps = [line(1), line(2), line(4), void(2), line(2), b"torn and no line\n", line(3)]
    for number, step in enumerate(steps):
        with path.open("ab") as file:
            file.write(step)
        before = following.version
        assert same(following, tmp_path), number
        now = following.version
        assert now > before
        assert same(following, tmp_path)
        assert following.version == now  # nothing came: nothing is new


def test_a_line_that_is_being_written_waits(tmp_path: Path) -> None:
    path = tmp_path / RECEIPTS
    path.write_bytes(line(1) + line(2)[:50])
    following = Following(tmp_path)
    assert list(following.look().signed) == ["segments/x/1"]
    path.write_bytes(line(1) + line(2))
    assert same(following, tmp_path)
    assert len(following.look().signed) == 2


@pytest.mark.parametrize("how", ["anew", "shorter", "gone"])
def test_a_file_that_was_written_anew_is_read_whole(tmp_path: Path, how: str) -> None:
    path = tmp_path / RECEIPTS
    path.write_bytes(line(1) + line(2) + line(3))
    following = Following(tmp_path)
    following.look()
    if how == "anew":
        (tmp_path / "new").write_bytes(line(1) + line(3) + line(7) + line(8))
        (tmp_path / "new").rename(path)
    elif how == "shorter":
        path.write_bytes(line(1))
    else:
        path.unlink()
    assert same(following, tmp_path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / RECEIPTS).mkdir()
    with pytest.raises(HomeError, match="cannot read"):
        Following(tmp_path).look()
