"""Locks: held by the living, dropped by the dead."""

import os
import signal
from pathlib import Path

import pytest

from appliance.model.errors import StorageError
from appliance.runtime.locks import exclusive, is_held, shared, take


def test_a_lock_is_held_until_it_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    handle = take(path)
    assert is_held(path)
    os.close(handle)
    assert not is_held(path)
    assert path.exists()


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    ready, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        take(path)
        os.write(tell, b"x")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    assert is_held(path)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert not is_held(path)


def test_readers_share_and_do_not_count_as_holders(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with shared(path):  # not there: nobody to wait for
        assert not path.exists()
    with exclusive(path):
        assert is_held(path)
    with shared(path), shared(path):
        assert not is_held(path)


def test_a_lock_that_cannot_be_made_is_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot lock"):
        take(tmp_path / "missing" / "lock")
