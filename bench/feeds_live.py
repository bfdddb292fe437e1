"""Feeds over loopback at given rates: what each collector loses, and the CPU it takes."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import exports
from bench.contestants import Greffier, program

RATES = (5_000, 20_000)
SECONDS = 8
_STEP_S = 0.001
_LINE = (
    "<30>Nov 22 04:00:00 gate dnsmasq-dhcp[812]: DHCPACK(br-lan) 10.20.{}.{} 02:00:00:{:02x}:{:02x}:01 phone"
)


class Collector(ABC):
    """A program that listens on a port, in a folder of its own, on the last core."""

    name: str

    def prepare(self, folder: Path, port: int) -> None:  # noqa: B027 (most need nothing)
        """What comes before it starts."""

    @abstractmethod
    def command(self, folder: Path, port: int) -> list[str]:
        """How it is started."""

    @abstractmethod
    def count(self, folder: Path, said: str) -> int:
        """What it has taken: flows, or lines."""


class Listen(Collector):
    """Greffier: received, decoded, sealed and encrypted. Counts messages, of `each` flows."""

    name = "greffier listen"

    def __init__(self, key: str, each: int) -> None:
        self._key, self._each = key, each

    def prepare(self, folder: Path, port: int) -> None:
        Greffier().prepare(folder)
        path = folder / "home" / "box.toml"
        text = re.sub(r"^(\w+_ports) = .*$", r"\1 = []", path.read_text(), flags=re.MULTILINE)
        text = re.sub(rf"^{self._key}_ports = .*$", f"{self._key}_ports = [{port}]", text, flags=re.MULTILINE)
        path.write_text(re.sub(r"^address = .*$", 'address = "127.0.0.1"', text, flags=re.MULTILINE))
        sources = folder / "home" / "sources.toml"
        sources.write_text('[[source]]\nlabel = "sender"\naddresses = ["127.0.0.1"]\n')
        sources.chmod(0o600)

    def command(self, folder: Path, port: int) -> list[str]:
        return [str(program()), "listen", "--home", str(folder / "home"), "--json"]

    def count(self, folder: Path, said: str) -> int:
        report = json.loads(said)
        return int(report["packets"]) * self._each


class Nfcapd(Collector):
    """nfdump's collector, with LZ4, its fastest compression."""

    name = "nfcapd"

    def command(self, folder: Path, port: int) -> list[str]:
        buffer = str(64 << 20)
        return [
            "nfcapd",
            "-b",
            "127.0.0.1",
            "-p",
            str(port),
            "-w",
            str(folder),
            "-y",
            "-B",
            buffer,
            "-t",
            "3600",
        ]

    def count(self, folder: Path, said: str) -> int:
        command = ["nfdump", "-R", str(folder), "-I"]
        told = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        return sum(int(number) for number in re.findall(r"^Flows: (\d+)$", told.stdout, re.MULTILINE))


class Rsyslogd(Collector):
    """rsyslog, from UDP into a file."""

    name = "rsyslogd"

    def prepare(self, folder: Path, port: int) -> None:
        (folder / "rsyslog.conf").write_text(
            f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="64m")\n'
            f'action(type="omfile" file="{folder}/lines")\n'
        )

    def command(self, folder: Path, port: int) -> list[str]:
        return ["rsyslogd", "-n", "-f", f"{folder}/rsyslog.conf", "-i", f"{folder}/pid"]

    def count(self, folder: Path, said: str) -> int:
        return (folder / "lines").read_bytes().count(b"\n")


def show(folder: Path, console: Console) -> None:
    """Both tables. The ratio is the other's CPU over Greffier's."""
    for flows in (5, exports.RECORDS):
        sent = exports.datagrams("v9", max(RATES) * SECONDS * flows, int(time.time()) - 700, flows)
        collectors = [Listen("netflow", flows), Nfcapd()]
        _show(f"NetFlow v9, {flows} flows a datagram", sent, flows, collectors, folder, console)
    lines = [_LINE.format(n >> 8 & 255, n & 255, n >> 8 & 255, n & 255).encode() for n in range(20_000)]
    _show("syslog, lines", lines * SECONDS, 1, [Listen("syslog_udp", 1), Rsyslogd()], folder, console)


def _show(
    title: str, sent: list[bytes], each: int, collectors: Sequence[Collector], folder: Path, console: Console
) -> None:
    table = Table(title=f"{title}, live for {SECONDS} s", title_justify="left")
    for heading in ("datagrams/s", "", "ratio CPU", "sent", "lost", "CPU s"):
        table.add_column(heading, justify="left" if not heading else "right")
    for rate in RATES:
        ours = 0.0
        for collector in (each for each in collectors if _is_there(each)):
            own = folder / f"{title[:14]}-{collector.name.split()[0]}-{rate}".replace(" ", "")
            own.mkdir()
            payloads = sent[: rate * SECONDS]
            taken, cpu_s = _run(collector, own, payloads, rate)
            ours = ours or cpu_s
            lost = len(payloads) * each - taken
            ratio = f"{cpu_s / ours:.2f}"
            table.add_row(
                f"{rate:,}", collector.name, ratio, f"{len(payloads) * each:,}", f"{lost:,}", f"{cpu_s:.2f}"
            )
            shutil.rmtree(own, ignore_errors=True)
    console.print(table)


def _is_there(collector: Collector) -> bool:
    return isinstance(collector, Listen) or shutil.which(collector.name) is not None


def _run(collector: Collector, folder: Path, payloads: list[bytes], rate: int) -> tuple[int, float]:
    """What was taken of all that was sent, and CPU seconds, start and end included."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    collector.prepare(folder, port)
    core = str(max(os.sched_getaffinity(0)))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            ["taskset", "-c", core, *collector.command(folder, port)], stdout=said, stderr=subprocess.DEVNULL
        )
        try:
            time.sleep(3)
            _send(payloads, port, rate)
            time.sleep(2)
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        finally:
            process.kill()
            process.wait()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        said.seek(0)
        told = said.read()
    return collector.count(folder, told), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _send(payloads: list[bytes], port: int, rate: int) -> None:
    """At an even pace: what is due each millisecond, at once."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", port))
        begun = time.perf_counter()
        sent = 0
        while sent < len(payloads):
            due = min(int((time.perf_counter() - begun) * rate) + 1, len(payloads))
            for payload in payloads[sent:due]:
                sender.send(payload)
            sent = due
            time.sleep(_STEP_S)
