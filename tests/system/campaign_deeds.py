"""What goes wrong in the fault campaign: lines, processes, disks and backups, at random out of a seed."""

import contextlib
import random
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.system import load
from tests.system.boxes import make_box
from tests.system.captures import NS, write_capture
from tests.system.central_boxes import Place, enrol, site_of, unbridle
from tests.system.chaos import Proxy, Tally
from tests.system.chaos_certificates import issue
from tests.system.mounts import mount
from tests.system.warm import Warm, is_alive

DISK = "256m"
"""Of the central whose disk fills up."""

EVIL = 0.5
"""Share of requests that are harmed."""

_OVER_DAYS = (380, 900)
"""How old what is past its term is."""


@dataclass
class Deeds:
    """A box and its two centrals, `places`; `proxies` lie between, in the same order. Inside own mounts."""

    folder: Path
    seed: int
    tally: Tally = field(default_factory=Tally)
    rolled_back: bool = False

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._next_number = 0
        self._sender: int | None = None
        self._recorder: int | None = None
        self._backups: dict[str, list[Path]] = {}

    def set_up(self, stack: ExitStack) -> None:
        """Make everything; what was started ends with `stack`."""
        disk = self.folder / "disk"
        disk.mkdir()
        mount("-t", "tmpfs", "-o", f"size={DISK}", "greffier-test", str(disk))
        stack.callback(subprocess.run, ["umount", "--lazy", disk], check=True)
        self.disk = disk
        self.box = make_box(self.folder, [load.CLIENT_NET])
        self.box.settings(row_limit=2000)
        unbridle(self.box)
        stranger = make_box(self.folder, [load.CLIENT_NET], "stranger")
        self.places = [Place.new(disk / "lyon", "Lyon"), Place.new(self.folder / "lille", "Lille")]
        self._leave_no_room_free(self.places[0])
        self.warm = stack.enter_context(Warm())
        self.proxies, others = [], []
        for number, place in enumerate(self.places):
            place.start()
            stack.callback(place.end, signal.SIGKILL)
            certificate = issue(place.folder / "tls", self.folder / f"proxy-{number}")
            self.proxies.append(stack.enter_context(self._proxy(place, certificate, f"{number}")))
            others.append(stack.enter_context(self._proxy(place, certificate, f"other-{number}")))
            enrol(self.box, place, f"https://127.0.0.1:{self.proxies[-1].port}")
            enrol(stranger, place, f"https://127.0.0.1:{others[-1].port}")
        stranger.run("replicate", "--once")
        assert all(other.seen for other in others), "the stranger has no receipt to be abused"
        for proxy in self.proxies:
            proxy.others = [*others, *(one for one in self.proxies if one is not proxy)]
        self.site = site_of(self.box)

    def _proxy(self, place: Place, certificate: tuple[Path, Path], name: str) -> Proxy:
        return Proxy(place.port, place.folder / "tls", certificate, f"{self.seed} {name}", self.tally)

    @staticmethod
    def _leave_no_room_free(place: Place) -> None:
        settings = place.folder / "central.toml"
        text = settings.read_text()
        assert "free_mib = 256" in text
        settings.write_text(text.replace("free_mib = 256", "free_mib = 0"))

    # What happens in a round.

    def suffer(self, faults: int, patience_s: float) -> None:
        """Let everything go wrong until so many faults have happened, or the time is over."""
        goal, until = self.tally.total + faults, time.monotonic() + patience_s
        for proxy in self.proxies:
            proxy.evil = EVIL
        deeds = (
            (self.record, 4),
            (self.record_and_die, 3),
            (self.kill_central, 3),
            (self.kill_sender, 1),
            (self.fill_disk, 1),
            (lambda: time.sleep(self.chance.uniform(0.5, 2.0)), 4),
        )
        while self.tally.total < goal and time.monotonic() < until:
            self.keep_sending()
            self.chance.choices([deed for deed, _ in deeds], [weight for _, weight in deeds])[0]()
        self.end_sender()

    def keep_sending(self) -> None:
        if self._sender is None or not is_alive(self._sender):
            self._sender = self.warm.start(
                ["replicate", "--home", str(self.box.home)], self.folder / "sender.log"
            )

    def end_sender(self, number: int = signal.SIGKILL) -> None:
        if self._sender is not None:
            self.warm.end(self._sender, number)
            self._sender = None

    def kill_sender(self) -> None:
        self.end_sender()
        self.tally.count("sender-killed")

    def capture(self) -> Path:
        """A capture of connections never seen before; one in four is older than its term."""
        path = self.folder / f"load-{self._next_number}.pcap"
        numbers = self._next_number + np.tile(np.arange(self.chance.randrange(300, 5000)), 2)
        self._next_number = int(numbers.max()) + 1
        over_s = self.chance.randrange(*_OVER_DAYS) * 86_400
        age_s = over_s if self.chance.random() < 0.25 else self.chance.randrange(60, 30_000)
        write_capture(path, numbers, time.time_ns() - age_s * NS + np.arange(len(numbers)) * 400_000)
        return path

    def record(self) -> None:
        self.warm.end(self._begin_to_record(), 0, 60)

    def record_and_die(self) -> None:
        pid = self._begin_to_record()
        time.sleep(self.chance.uniform(0.1, 1.0))
        self.warm.end(pid, signal.SIGKILL)
        self.tally.count("recorder-killed")

    def _begin_to_record(self) -> int:
        output = self.folder / "recorder.log"
        return self.warm.start(["record", "--home", str(self.box.home), str(self.capture())], output)

    def kill_central(self) -> None:
        place = self.chance.choice(self.places)
        place.end(signal.SIGKILL)
        self.tally.count("central-killed")
        if self.chance.random() < 0.3:
            self._back_up(place.folder)
        time.sleep(self.chance.uniform(0, 0.8))
        place.start()

    def fill_disk(self) -> None:
        """Not a byte is left at one of the centrals for a while."""
        with (self.disk / "ballast").open("wb", buffering=0) as ballast:
            for size in (1 << 16, 1 << 12, 1):
                with contextlib.suppress(OSError):
                    while ballast.write(bytes(size)):
                        pass
        self.tally.count("disk-full")
        self.keep_sending()
        self.record()
        time.sleep(self.chance.uniform(0.3, 1.5))
        (self.disk / "ballast").unlink()

    def _back_up(self, folder: Path) -> None:
        copies = self._backups.setdefault(folder.name, [])
        copies.append(self.folder / "backups" / f"{folder.name}-{len(copies)}")
        shutil.copytree(folder, copies[-1])

    def go_back(self) -> None:
        """One of the three is what it was at an earlier time."""
        self.chance.choice((self.restore_central, self.restore_central, self.roll_back_box))()

    def restore_central(self) -> None:
        """Yesterday's backup takes the place of a central."""
        place = self.chance.choice(self.places)
        if copies := self._backups.get(place.folder.name):
            place.end(signal.SIGKILL)
            place.restore(self.chance.choice(copies[-4:]))
            place.start()
            self.tally.count("central-restored")

    def roll_back_box(self) -> None:
        """The box's disk is put back to an earlier copy, and it goes on recording: a fork."""
        if copies := self._backups.get(self.box.home.name):
            self.end_sender()
            shutil.rmtree(self.box.home)
            shutil.copytree(self.chance.choice(copies[-3:]), self.box.home)
            self.tally.count("box-rolled-back")
            self.rolled_back = True
            self.record()
