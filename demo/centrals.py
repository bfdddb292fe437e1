"""Two centrals on this machine, as their operators run them, for as long as the demonstration needs them."""

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from demo.commands import GREFFIER, show


class Centrals:
    """A context: the centrals in these folders serve on free ports of the loopback; then they are gone."""

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder = folder
        self._names = names
        self._running: list[subprocess.Popen[str]] = []

    def __enter__(self) -> dict[str, str]:
        """The URL of each."""
        started = {name: self._start(name) for name in self._names}
        return {name: _url(name, process.stdout) for name, process in started.items()}

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.communicate(timeout=30)

    def _start(self, name: str) -> subprocess.Popen[str]:
        command = ["central", "serve", "--dir", name, "--listen", "127.0.0.1:0", "--workers", "1"]
        show(command)
        process = subprocess.Popen(
            [GREFFIER, *command],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._running.append(process)
        return process


def _url(name: str, said: IO[str] | None) -> str:
    """The address in the line that a central prints when it listens."""
    line = said.readline() if said else ""
    found = re.search(r"https://\S+", line)
    if not found:
        raise SystemExit(f"the demonstration ends here: the central {name} does not start")
    print(f"    {line}", end="", flush=True)
    return found.group()
