"""What the kernel says of a recorded interface, asked beside the recording.

These questions wait for a lock that all network configuration of the machine shares: whoever asks may be
held up for a second, and the recorder has to be at its ring meanwhile.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from appliance.capture import ethtool, netlink
from appliance.capture.silence import Silence, Standing

EVERY_S = 1.0


@dataclass(frozen=True)
class Observation:
    """The interfaces and addresses of our network namespace, and how the recorded one stands."""

    devices: tuple[netlink.Device, ...]
    addresses: tuple[tuple[int, netlink.Address], ...]
    standing: Standing
    merges: bool
    speed_mbps: int | None


class Observer:
    """Observes one interface and keeps it silent."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._silence = Silence(interface)

    def observe(self) -> Observation | None:
        """Ask now; None in a moment without memory. May take a while."""
        number = netlink.number_of(self._interface)
        try:
            devices, addresses = netlink.devices(), netlink.addresses()
        except OSError:
            return None
        standing = self._silence.keep(devices, addresses)
        if number and all(one.index != number for one in devices):
            standing = Standing(False, f"'{self._interface}' is there, but the kernel does not tell of it: "
                                       "it was not silenced and can send; restart the recorder")  # fmt: skip
        merges, speed = ethtool.merges_frames(self._interface), ethtool.speed_mbps(self._interface)
        return Observation(tuple(devices), tuple(addresses), standing, merges, speed)


class Beside:
    """Lets an observer ask every second in a thread of its own; `latest` is what it was told last."""

    def __init__(self, observe: Callable[[], Observation | None]) -> None:
        self._observe = observe
        self._latest = observe()
        self._wanted, self._ended = threading.Event(), False
        # A daemon: nothing that hangs in the kernel may keep a recorder from ending.
        self._thread = threading.Thread(target=self._run, name="observer", daemon=True)
        self._thread.start()

    def latest(self) -> Observation | None:
        return self._latest

    def hurry(self) -> None:
        """Something has happened: ask at once."""
        self._wanted.set()

    def end(self) -> None:
        """Ask a last time, if the kernel answers soon, and no more."""
        self._ended = True
        self._wanted.set()
        self._thread.join(EVERY_S)

    def _run(self) -> None:
        while not self._ended:
            self._wanted.wait(EVERY_S)
            self._wanted.clear()
            self._latest = self._observe() or self._latest
