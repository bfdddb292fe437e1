"""Greffier and its peers, live: `python -m bench.live [--rounds N] [--seconds N] [--rates N ...]`.

The frames of the capture `hotspot` are sent over a virtual cable at given rates; at its other end one
listener after the other takes them. The sender has the first core, the listener the last; both run in the
kernel's first-in-first-out class, so that whatever else the machine does costs neither of them much.
On such a cable the kernel's share of receiving (up to the copy into the listener's ring) is done in the
softirq of whoever sends: it is paid on the sender's core, about the same for all, and is in no figure here.

Truth is what the kernel counts at the listener's end of the cable, not what anybody says. The last step
is beyond everybody's capacity: as fast as it goes, while the listener runs 20 ms of each 200.
Everything happens in a network namespace of its own (`unshare --net`), of which nothing stays.
"""

import argparse
import contextlib
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from appliance.capture.files import CaptureFile
from bench import generate, listeners, live_report
from bench.listeners import Listener
from bench.live_report import Lap

SWITCH, MIRROR = "switch0", "mirror0"
RATES = (100_000, 300_000, 500_000, 800_000, 1_000_000, 1_200_000)
STARVED = -1
"""Stands for the last step among the rates: as fast as it goes, and the listener starved."""

_READY_WITHIN_S, _SETTLE_S, _DRAIN_S, _END_WITHIN_S = 20, 0.7, 1.3, 120
_RUN_S, _STOP_S = 0.02, 0.18
_SENDER, _WATCH = 1, 2  # priorities: who measures comes first


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make bench-live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each step; the capture may end sooner")
    parser.add_argument(
        "--rates", type=int, nargs="+", default=[*RATES, STARVED], metavar="N", help="-1: starved"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these listeners")
    parser.add_argument("--here", action="store_true", help="in this network namespace, not in a new one")
    chosen = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("a cable and a packet ring of one's own need root; run it as root")
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("the sender needs a core and the listener another one")
    if not chosen.here:
        os.execvp(
            "unshare", ["unshare", "--net", sys.executable, "-m", "bench.live", "--here", *sys.argv[1:]]
        )
    there = [one for one in listeners.ALL if one.is_there() and (not chosen.only or one.name in chosen.only)]
    console = Console(width=None if sys.stdout.isatty() else 100)
    generate.draw("hotspot")
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_WATCH))
    laps: list[Lap] = []
    with tempfile.TemporaryDirectory(dir=generate.FOLDER) as folder, _sink():
        sender = listeners.compile_c("sender", Path(folder))
        for number in range(chosen.rounds):
            for rate in chosen.rates:
                for listener in there:
                    laps.append(lap(listener, sender, rate, chosen.seconds, Path(folder)))
                    console.print(f"round {number + 1}: {live_report.sentence(laps[-1])}", highlight=False)
    live_report.show(laps, console)
    live_report.write(laps)
    return 0


@contextlib.contextmanager
def cable() -> Iterator[None]:
    """What is sent into `switch0` comes out of `mirror0`; neither end says anything by itself."""
    ends = [f"ip link set dev {end} arp off addrgenmode none up" for end in (SWITCH, MIRROR)]
    for command in (f"ip link add name {SWITCH} type veth peer name {MIRROR}", *ends):
        subprocess.run(command.split(), check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "del", "dev", SWITCH], check=True)


@contextlib.contextmanager
def _sink() -> Iterator[None]:
    """The discard port is open, and nobody reads."""
    subprocess.run(["ip", "link", "set", "dev", "lo", "up"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 9))
        yield


def lap(listener: Listener, sender: Path, rate: int, seconds: float, folder: Path) -> Lap:
    """One listener at one rate: start it, send, wait until it has drained its ring, stop it, count."""
    scratch = Path(tempfile.mkdtemp(dir=folder))
    listener.prepare(scratch)
    core = max(os.sched_getaffinity(0))
    try:
        with (scratch / "said").open("w") as said, cable(), sending(sender, rate, seconds) as send:
            command = [*_pinned(core), *listener.command(MIRROR, scratch)]
            running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            try:
                _wait_until_it_listens(running, scratch)
                before, cpu_before_ns = received(), cpu_ns(running.pid)
                with _starving(running.pid) if rate == STARVED else contextlib.nullcontext():
                    sent, took_s = send()
                time.sleep(_DRAIN_S)
                cpu_live_ns = cpu_ns(running.pid) - cpu_before_ns
                on_wire, answer = received() - before, listener.ask(scratch)
                os.kill(running.pid, signal.SIGTERM)  # Popen's own would reap it, and its CPU time with it
                cpu_all_ns = _end(running, scratch) - cpu_before_ns
            finally:
                running.kill()
        counts = listener.counts((scratch / "said").read_text() + answer, scratch)
        accounted = counts.accounted
        if accounted is not None:  # ARP makes neither a record nor a refusal; lost frames are like the others
            accounted += round(arp_among(sent) * counts.took / max(on_wire, 1))
        return Lap(
            listener.name, listener.is_meter, rate, sent, took_s, on_wire,
            counts.took, counts.lost, accounted, cpu_live_ns, cpu_all_ns,
        )  # fmt: skip
    finally:
        shutil.rmtree(scratch)


@functools.cache
def _arp_so_far() -> NDArray[np.int64]:
    """ARP frames among the first n of the capture, at n."""
    with CaptureFile(generate.FOLDER / "hotspot.pcap") as capture:
        passed = [
            (frames.data[frames.offsets + 12] == 8) & (frames.data[frames.offsets + 13] == 6)
            for frames in capture
        ]
    return np.concatenate([np.zeros(1, np.bool_), *passed]).cumsum()


def arp_among(count: int) -> int:
    """How many of the first `count` frames of the capture are ARP."""
    return int(_arp_so_far()[count])


@contextlib.contextmanager
def sending(sender: Path, rate: int, seconds: float) -> Iterator[Callable[[], tuple[int, float]]]:
    """A sender that is ready; call what is yielded to send: (frames sent, seconds it took)."""
    core, capture = min(os.sched_getaffinity(0)), generate.FOLDER / "hotspot.pcap"
    command = [*_pinned(core), str(sender), SWITCH, MIRROR, str(capture), str(max(rate, 0)), str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the sender is not ready")

        def send() -> tuple[int, float]:
            answer = json.loads(process.communicate("go\n")[0])
            return answer["sent"], answer["seconds"]

        try:
            yield send
        finally:
            process.kill()


def received() -> int:
    """Frames that came out of the cable, as the kernel counts them."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == MIRROR:
            return int(counts.split()[1])
    raise SystemExit(f"there is no {MIRROR}")


def cpu_ns(process: int) -> int:
    """Nanoseconds all threads of a process have run (Documentation/scheduler/sched-stats.rst)."""
    threads = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads)


def _pinned(core: int) -> list[str]:
    return ["taskset", "-c", str(core), "chrt", "--fifo", str(_SENDER)]


def _wait_until_it_listens(running: subprocess.Popen[bytes], scratch: Path) -> None:
    """Wait until a packet socket has stood bound to the cable for a while: some open one first to try."""
    until = time.monotonic() + _READY_WITHIN_S
    seen, since = set[str](), time.monotonic()
    while not seen or time.monotonic() - since < _SETTLE_S:
        if running.poll() is not None or time.monotonic() > until:
            raise SystemExit(f"it does not listen: {(scratch / 'said').read_text()[-500:]}")
        if (now := _listening()) != seen:
            seen, since = now, time.monotonic()
        time.sleep(0.02)


def _listening() -> set[str]:
    """Inodes of the packet sockets that take frames from the cable (packet(7): proc_net_packet)."""
    rows = [line.split() for line in Path("/proc/self/net/packet").read_text().splitlines()[1:]]
    cable_end = str(socket.if_nametoindex(MIRROR))
    return {row[8] for row in rows if row[4] == cable_end and row[5] == "1"}


@contextlib.contextmanager
def _starving(process: int) -> Iterator[None]:
    """Inside the block the process runs 20 ms of each 200; a process of its own sees to it."""
    code = (
        f"import os, time\nwhile True:\n os.kill({process}, {signal.SIGSTOP:d}); time.sleep({_STOP_S})\n"
        f" os.kill({process}, {signal.SIGCONT:d}); time.sleep({_RUN_S})"
    )
    starver = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])
    try:
        yield
    finally:
        starver.kill()
        starver.wait()
        os.kill(process, signal.SIGCONT)


def _end(running: subprocess.Popen[bytes], scratch: Path) -> int:
    """Wait for its end; the CPU nanoseconds of its whole life."""
    until = time.monotonic() + _END_WITHIN_S
    while True:
        ended, status, used = os.wait4(running.pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > until:
            raise SystemExit(f"it does not end: {(scratch / 'said').read_text()[-500:]}")
        time.sleep(0.01)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode not in (0, -signal.SIGTERM):
        raise SystemExit(f"it failed ({running.returncode}): {(scratch / 'said').read_text()[-500:]}")
    return int((used.ru_utime + used.ru_stime) * 1e9)


if __name__ == "__main__":
    sys.exit(main())
