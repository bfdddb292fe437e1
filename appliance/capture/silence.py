"""A mirror interface that never transmits: no IPv6, no ARP, and whatever else would leave is dropped.

The socket of the ring never sends, but the kernel does by itself as soon as an interface is up (router
solicitations, duplicate address detection, multicast reports), and so may other programs. An interface
that is used for anything else is not touched: whoever names the wrong one must not cut himself off. Only an
AF_PACKET sender that goes round the queueing layer (PACKET_QDISC_BYPASS) still gets out: it needs the same
rights as taking the drop away.

What arrives is dropped as well, behind the ring's back. The kernel has no use for it, and it would count
every frame that only the ring wants (LLDP, spanning tree, a tag) as dropped by the interface: with the drop
that count holds losses alone. It costs 0.1 us a frame.

Nothing is put back at the end: between two runs the interface would begin to talk to the mirror, and a
recorder that is killed could not put it back either. A restart of the machine does.
"""

import contextlib
import fcntl
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from struct import Struct

from appliance.capture import ethtool
from appliance.capture.netlink import IFF_NOARP, IFF_UP, Address, Device, find
from appliance.capture.usage import use_of

_SIOCSIFFLAGS = 0x8914  # netdevice(7)
_IFREQ_FLAGS = Struct("=16sH14x")
_DROP = "1,6 0 0 2"
"""A classic BPF program of one instruction: return TC_ACT_SHOT."""

_TC_PATIENCE_S = 10.0
_SETTINGS = "/proc/sys/net/ipv6/conf"

_LOOK_AT_DROP_EVERY = 30
"""Of so many looks one asks whether the drop is still there: it takes a process of its own, some 3 ms."""


@dataclass(frozen=True)
class Standing:
    """Whether the interface can send. `doubt` says in a sentence why it can, or may; empty if silent.

    `ours`: nothing else uses the interface, so it may be set up as a mirror needs it. `deaf`: what arrives
    reaches nobody but the ring.
    """

    ours: bool
    doubt: str
    deaf: bool = False

    @property
    def silent(self) -> bool:
        return not self.doubt


class Silence:
    """Keeps one interface silent: call `keep` when the recorder starts and every second from then on."""

    def __init__(self, interface: str) -> None:
        self._interface = interface
        self._index = 0
        self._standing = Standing(True, "")
        self._dropped = 0
        self._looks = 0

    def keep(self, devices: Sequence[Device], addresses: Sequence[tuple[int, Address]]) -> Standing:
        """Silence the interface if it is ours and not silent yet. Never raises."""
        device = find(devices, self._interface)
        if device is None:
            return Standing(False, "")
        use = use_of(device, devices, addresses)
        if use:
            return Standing(False, _doubt_of(device.name, use))
        dropped, self._dropped = self._dropped, device.losses.dropped
        told_apart = dropped == self._dropped or not self._standing.deaf or _drops(device.name, "ingress")
        self._looks += 1
        undone = self._looks % _LOOK_AT_DROP_EVERY == 0 and not _drops(device.name, "egress")
        if device.index != self._index or _has_relapsed(device) or not told_apart or undone:
            self._standing = self._silence(device)
            self._index = device.index
            return replace(self._standing, deaf=False)  # it was not yet when the devices were asked
        return self._standing

    def _silence(self, device: Device) -> Standing:
        """First the drop, for the rest may make the kernel say goodbye."""
        _run_tc("qdisc", "add", "dev", device.name, "clsact")  # it may be there
        told, deaf = _drop(device.name, "egress"), not _drop(device.name, "ingress")
        doubt = told and (
            f"'{self._interface}' can send: the kernel does not drop what leaves ({told}); "
            "run as root or give the process CAP_NET_ADMIN"
        )
        try:
            _set_ipv6(device.name)
            # A new device comes up only now, so that it says nothing: nobody else may set it up.
            up = IFF_UP if device.index != self._index else device.flags & IFF_UP
            _set_flags(device.name, device.flags | IFF_NOARP | up)
        except OSError as error:
            doubt = doubt or f"'{self._interface}' could not be silenced ({error.strerror}); run as root"
        ethtool.stop_merging(device.name)
        return Standing(True, doubt, deaf)


def _doubt_of(interface: str, use: str) -> str:
    """What a person must know of a recorded interface that serves something else."""
    if _drops(interface, "egress"):
        return (
            f"'{interface}' {use}, and nothing of that gets out since it was silenced as a mirror; "
            f"give the mirror an interface of its own, and undo it with 'tc qdisc del dev {interface} clsact'"
        )
    return (
        f"'{interface}' {use}, so it was not silenced and can send; give the mirror an interface of its own"
    )


def _has_relapsed(device: Device) -> bool:
    """Whether somebody has taken back what can be seen of the silence at no cost."""
    if not device.flags & IFF_NOARP:
        return True
    try:
        with open(f"{_SETTINGS}/{device.name}/disable_ipv6", encoding="ascii") as setting:
            return setting.read().strip() != "1"
    except OSError:
        return False


def _set_ipv6(interface: str) -> None:
    # Without IPv6 in the kernel there are no settings either. A mode set first leaves no time for an address.
    for name in ("addr_gen_mode", "disable_ipv6"):
        with (
            contextlib.suppress(FileNotFoundError),
            open(f"{_SETTINGS}/{interface}/{name}", "w", encoding="ascii") as setting,
        ):
            setting.write("1")


def _set_flags(interface: str, flags: int) -> None:
    request = _IFREQ_FLAGS.pack(interface.encode()[:15], flags & 0xFFFF)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        fcntl.ioctl(asking, _SIOCSIFFLAGS, request)


def _drop(interface: str, direction: str) -> str:
    """Let the kernel drop all that comes in or leaves (tc-bpf(8)); what is wrong, or nothing."""
    where = ("filter", "replace", "dev", interface, direction, "pref", "1", "handle", "1")
    return _run_tc(*where, "bpf", "da", "bytecode", _DROP)


def _drops(interface: str, direction: str) -> bool:
    """Whether the kernel drops what comes in or leaves, as we told it to; in doubt not."""
    done = _tc("filter", "show", "dev", interface, direction)
    return done is not None and _DROP in done.stdout


def _run_tc(*words: str) -> str:
    """What tc(8) complains of; nothing if it did as it was told."""
    done = _tc(*words)
    if done is None:
        return "the command 'tc' cannot be run; install iproute2"
    return (done.stderr.strip().partition("\n")[0] or "tc failed") if done.returncode else ""


def _tc(*words: str) -> "subprocess.CompletedProcess[str] | None":
    try:
        # Fixed words, and a name that the kernel gave us.
        return subprocess.run(  # noqa: S603
            ["tc", *words],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=_TC_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
