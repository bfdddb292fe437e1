"""Disks of a test's own: mounts that only the test and the processes it starts can see.

They are in the mount namespace of one thread, and gone when the thread and those processes are.
"""

import ctypes
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

CLONE_NEWNS = 0x00020000

_libc = ctypes.CDLL(None, use_errno=True)


def in_own_mounts(body: Callable[[], None]) -> None:
    """Run `body` in a thread with mounts of its own; what it raises is raised here."""

    def run() -> None:
        if _libc.unshare(CLONE_NEWNS) != 0:
            raise OSError(ctypes.get_errno(), f"cannot unshare mounts: {os.strerror(ctypes.get_errno())}")
        mount("--make-rprivate", "/")
        body()

    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(run).result()


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=30)
