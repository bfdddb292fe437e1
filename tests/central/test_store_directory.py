"""The store in a folder: the suite of all stores, and what only a disk can do."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from appliance.central.stores.directory import DirectoryStore
from tests.central.store_suite import SITE, StoreSuite, path_of, put, read, refuses

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "objects"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(root)


def found(root: Path) -> dict[str, bytes]:
    """Everything that is a file, temporary ones too."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def lying(root: Path) -> Callable[[], dict[str, bytes]]:
    return lambda: found(root)


@pytest.fixture
def damage(root: Path) -> Callable[[str, bytes], None]:
    def overwrite(path: str, content: bytes) -> None:
        (root / path).write_bytes(content)

    return overwrite


class TestDirectoryStore(StoreSuite):
    """All of it."""


def test_only_its_owner_can_look(store: DirectoryStore, root: Path) -> None:
    path = put(store, b"secret")
    assert (root / path).stat().st_mode & 0o777 == 0o600
    folders = [root, *(root / path).parents[: len(Path(path).parts) - 1]]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


def test_deleting_the_last_leaves_no_folders(store: DirectoryStore, root: Path) -> None:
    store.delete(put(store, b"x"))
    assert [entry.name for entry in root.iterdir()] == [".new"]


def test_leftovers_go_when_they_are_a_day_old(root: Path) -> None:
    store = DirectoryStore(root)
    path = put(store, b"stays")
    old, young = root / ".new/17-0-old", root / ".new/17-1-young"
    for file in (old, young):
        file.write_bytes(b"half")
    os.utime(old, (time.time() - 90_000,) * 2)
    again = DirectoryStore(root)
    assert sorted(found(root)) == sorted([".new/17-1-young", path])
    assert list(again.names("")) == [(path, 5)]


def test_room_is_left_to_the_catalogue(root: Path) -> None:
    free = shutil.disk_usage(root.parent).free
    assert "is as full as its settings allow" in refuses(
        lambda: put(DirectoryStore(root, free + (1 << 40)), b"x")
    )
    assert found(root) == {}


@needs_root
def test_a_disk_that_fills_up_leaves_nothing_half(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", disk], check=True)
    try:
        store = DirectoryStore(disk / "objects")
        first = put(store, b"f" * 1_000_000)
        before = found(disk)
        assert "No space left on device" in refuses(lambda: put(store, b"x" * 8_000_000))
        assert found(disk) == before
        assert read(store, first) == b"f" * 1_000_000
        store.delete(first)
        assert put(store, b"y" * 3_000_000)
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.fixture
def traced(tmp_path: Path, root: Path) -> list[str]:
    """The system calls of one put, by strace."""
    code = (
        "import sys, pathlib; sys.path.insert(0, '.')\n"
        "from appliance.central.stores.directory import DirectoryStore\n"
        "from tests.central.store_suite import put\n"
        f"put(DirectoryStore(pathlib.Path({str(root)!r})), b'durable')\n"
    )
    log = tmp_path / "strace"
    subprocess.run(
        ["strace", "-f", "-y", "-e", "trace=fsync,link,linkat", "-o", log, sys.executable, "-c", code],
        check=True, timeout=60,
    )  # fmt: skip
    return log.read_text().splitlines()


def test_bytes_are_on_the_disk_before_they_have_a_name_and_the_name_before_it_returns(
    traced: list[str], root: Path
) -> None:
    content = next(n for n, line in enumerate(traced) if "fsync(" in line and "/.new/" in line)
    named = next(n for n, line in enumerate(traced) if "link(" in line and path_of(b"durable") in line)
    folder = (root / path_of(b"durable")).parent
    after = [n for n, line in enumerate(traced) if "fsync(" in line and f"<{folder}>" in line]
    assert content < named < after[-1]
    assert any("fsync(" in line and f"<{root / SITE}>" in line for line in traced[:named])


def test_killed_in_the_middle_it_has_the_object_whole_or_not_at_all(root: Path) -> None:
    code = (
        "import sys, pathlib, itertools; sys.path.insert(0, '.')\n"
        "from appliance.central.stores.directory import DirectoryStore\n"
        "from tests.central.store_suite import put\n"
        f"store = DirectoryStore(pathlib.Path({str(root)!r}))\n"
        "for number in itertools.count():\n"
        "    put(store, bytes([number % 251]) * 300_000 + str(number).encode())\n"
        "    print(number, flush=True)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert writer.stdout is not None
        told = [int(writer.stdout.readline()) for _ in range(5)]
        time.sleep(0.05)
    finally:
        writer.send_signal(signal.SIGKILL)
        rest, _ = writer.communicate(timeout=30)
    told += [int(line) for line in rest.split()]
    store = DirectoryStore(root)
    kept = dict(store.names(""))
    for path in kept:
        assert path == path_of(read(store, path))
    for number in told:
        assert path_of(bytes([number % 251]) * 300_000 + str(number).encode()) in kept
