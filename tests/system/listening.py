"""`greffier listen` as a test has it: a box, free ports of its own, declared sources, a process that ends."""

import atexit
import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.system.boxes import ROOT, Box, make_box
from tests.system.warm import wait_for

_WAIT = """
import json, sys
from appliance.cli.main import main
import appliance.services.feeds.listening
words = sys.stdin.readline()
sys.exit(main(json.loads(words)) if words else 0)
"""
_SPARE: "list[subprocess.Popen[str]]" = []

UDP = ("netflow", "sflow", "syslog_udp", "radius")
TCP = ("ipfix_tcp", "syslog_tcp", "syslog_tls", "cloudtrax")


@dataclass
class Listener:
    """A running `greffier listen`; `ports` by their name in box.toml without `_ports`."""

    box: Box
    ports: dict[str, int]
    process: "subprocess.Popen[str]"
    said: str = ""
    complained: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def state(self) -> dict[str, Any]:
        """What it last said of itself."""
        own = [state for state in self.box.recorders() if state["pid"] == self.process.pid]
        return own[-1] if own else {}

    def source(self, name: str) -> dict[str, Any]:
        """A source as the state file has it; {} if it is not there."""
        sources = self.state().get("sources", ())
        return next((source for source in sources if source["name"] == name), {})

    def heard(self, name: str) -> int:
        """Messages of a source that are decoded."""
        return int(self.source(name).get("packets", 0))

    def end(self, expect: int = 0) -> dict[str, Any]:
        """Ask it to stop, wait, and return its closing words."""
        if self.process.poll() is None:
            self.process.terminate()
        self.said, self.complained = self.process.communicate(timeout=60)
        assert self.process.returncode == expect, self.complained
        assert "Traceback" not in self.complained
        self.report = json.loads(self.said) if self.said else {}
        return self.report


def started(arguments: list[str]) -> "subprocess.Popen[str]":
    """A `greffier` at work. Its imports take a second: one waits with them done, the next begins meanwhile.

    What has mounts or a network of its own is begun there, and leaves none to wait.
    """
    if _namespaces() == _NAMESPACES:
        process = _SPARE.pop() if _SPARE else _begun()
        _SPARE.append(_begun())
    else:
        process = _begun()
    assert process.stdin is not None
    print(json.dumps(arguments), file=process.stdin, flush=True)
    return process


def _begun() -> "subprocess.Popen[str]":
    """It waits for its arguments, and ends by itself when nobody is left to give them."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", _WAIT]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, cwd=ROOT)


def _namespaces() -> list[int]:
    """What is mounted and which network there is, as this thread sees it."""
    return [Path(f"/proc/thread-self/ns/{name}").stat().st_ino for name in ("mnt", "net")]


_NAMESPACES = _namespaces()


@atexit.register
def _end_spare() -> None:
    for process in _SPARE:
        process.kill()
        process.wait(timeout=20)


def free_ports(address: str = "127.0.0.1") -> dict[str, int]:
    """Ports that nobody has at this moment, one for each inlet."""
    kinds = dict.fromkeys(UDP, socket.SOCK_DGRAM) | dict.fromkeys(TCP, socket.SOCK_STREAM)
    return {name: free_port(kind, address) for name, kind in kinds.items()}


def feed_box(folder: Path, networks: list[str], sources: str) -> tuple[Box, dict[str, int]]:
    """A box that listens on loopback on free ports; `sources` is its sources.toml."""
    box, ports = make_box(folder, networks), free_ports()
    set_listening(
        box, address='"127.0.0.1"', **{f"{name}_ports": f"[{port}]" for name, port in ports.items()}
    )
    declare(box, sources)
    return box, ports


def set_listening(box: Box, **values: str) -> None:
    """Change settings of the section [listen]."""
    path = box.home / "box.toml"
    text = path.read_text()
    for name, value in values.items():
        text, changed = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1, f"box.toml has no setting {name}"
    path.write_text(text)


def declare(box: Box, sources: str) -> None:
    """Write sources.toml, as an installer would with an editor."""
    path = box.home / "sources.toml"
    path.write_text(sources)
    path.chmod(0o600)


@contextlib.contextmanager
def listening(box: Box, ports: dict[str, int], *arguments: str) -> Iterator[Listener]:
    """A listener that has bound its ports; killed at the end if the test has not ended it."""
    process = started(["listen", "--home", str(box.home), "--json", *arguments])
    listener = Listener(box, ports, process)
    try:
        wait_for(lambda: listener.source("feeds") or process.poll() is not None, 30, "the listener to listen")
        assert process.poll() is None, process.communicate(timeout=20)[1]
        yield listener
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=20)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
