"""A process that has everything imported and forks a `greffier` for each line it is given.

Hundreds of starts a minute would otherwise be spent on imports. What is forked runs `main` of the command
with its arguments, its output in files, and can be killed like any other process.
"""

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.system.boxes import ROOT


def serve() -> None:
    """In the warm process: read `{"arguments": [...], "output": PATH}` lines, answer each with a pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are buried by the kernel
    for name in (
        "appliance.cli.record",
        "appliance.services.mirror.live",
        "appliance.services.mirror.replay",
    ):
        importlib.import_module(name)
    from appliance.cli.main import main

    for line in sys.stdin:
        wanted = json.loads(line)
        pid = os.fork()
        if pid:
            print(pid, flush=True)
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(wanted["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        code = main(wanted["arguments"])
        print(f"exit {code}", flush=True)
        os._exit(code)


class Warm:
    """Starts commands in the network namespace the calling thread is in when it is made."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from tests.system.warm import serve; serve()"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._pids: list[int] = []
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for pid in self._pids:
            kill(pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def start(self, arguments: list[str], output: Path) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(
            json.dumps({"arguments": arguments, "output": str(output)}), file=self._process.stdin, flush=True
        )
        pid = int(self._process.stdout.readline())
        self._pids.append(pid)
        return pid

    def end(self, pid: int, number: int, patience_s: float = 30.0) -> None:
        """Send a signal and wait until the process is gone."""
        try:
            watch = os.pidfd_open(pid)
        except ProcessLookupError:
            self._pids.remove(pid)
            return
        try:
            kill(pid, number)
            assert select.select([watch], [], [], patience_s)[0], f"process {pid} does not end"
        finally:
            os.close(watch)
        self._pids.remove(pid)


def kill(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def wait_for(condition: object, patience_s: float, what: str) -> None:
    """Poll a callable until it is true; fails the test otherwise."""
    assert callable(condition)
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, f"waited {patience_s} s in vain for: {what}"
        time.sleep(0.02)
