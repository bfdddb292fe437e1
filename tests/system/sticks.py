"""Sticks of a test's own: real FAT and exFAT on loop devices, mounted where only the test sees them.

The kernel's file systems are used where it has them, programs in user space (FUSE) where it has not.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

MAKE = {"vfat": ["mkfs.vfat", "-n", "COURIER"], "exfat": ["mkfs.exfat", "-L", "COURIER"]}
PROGRAMS = {"vfat": ["fusefat", "-o"], "exfat": ["mount.exfat-fuse", "-o"]}
WRITABLE = {"vfat": {True: "rw+", False: "ro"}, "exfat": {True: "rw", False: "ro"}}


class Stick:
    """A stick of some MiB in `folder`, mounted at `point`; to be used inside `mounts.in_own_mounts`."""

    def __init__(self, folder: Path, kind: str, mib: int) -> None:
        self.kind = kind
        self.image = folder / "stick.img"
        self.point = folder / "stick"
        self.point.mkdir()
        with self.image.open("wb") as file:
            file.truncate(mib << 20)
        _run(*MAKE[kind], str(self.image))
        self._loop = _run("losetup", "-f", "--show", str(self.image)).strip()

    def plug(self, writable: bool = True) -> None:
        """Mount it; one that was pulled out is let go of by the kernel in its own time."""
        wait_until(lambda: self._mounts(writable))
        wait_until(self._is_plugged)

    def _mounts(self, writable: bool) -> bool:
        mode = "rw" if writable else "ro"
        tried = subprocess.run(
            ["mount", "-i", "-t", self.kind, "-o", mode, self._loop, self.point],
            capture_output=True,
            timeout=30,
        )
        if tried.returncode == 0:
            return True
        options = WRITABLE[self.kind][writable]
        program = [*PROGRAMS[self.kind], options, self._loop, self.point]
        return subprocess.run(program, capture_output=True, timeout=30).returncode == 0

    def unplug(self) -> None:
        """Unmount it as a careful person does; on return everything is on it."""
        _run("umount", str(self.point))
        wait_until(lambda: not self._programs())

    def pull_out(self) -> None:
        """Take it away at once, whatever is being written."""
        for pid in self._programs():
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", self.point], check=True, capture_output=True, timeout=30)

    def remove(self) -> None:
        """Leave nothing behind."""
        for pid in self._programs():
            os.kill(pid, signal.SIGKILL)
        subprocess.run(["umount", "-l", self.point], capture_output=True, timeout=30)
        wait_until(lambda: not self._programs())
        _run("losetup", "-d", self._loop)

    def _is_plugged(self) -> bool:
        return os.stat(self.point).st_dev != os.stat(self.point.parent).st_dev

    def _programs(self) -> list[int]:
        """The programs in user space that are this file system: they name its device."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit():
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if os.fsencode(str(self.point)) in words and words[0].split(b"/")[-1] in (
                        b"fusefat",
                        b"mount.exfat-fuse",
                    ):
                        found.append(int(entry.name))
        return found


@contextlib.contextmanager
def stick(folder: Path, kind: str, mib: int) -> Iterator[Stick]:
    made = Stick(folder, kind, mib)
    try:
        yield made
    finally:
        made.remove()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end, "the stick does not come or go"
        time.sleep(0.02)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout
