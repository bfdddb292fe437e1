"""What else an interface serves than the mirror, as far as the kernel shows it (see decision 050)."""

import contextlib
from collections.abc import Sequence

from appliance.capture.netlink import IFF_LOOPBACK, Address, Device, foreign_macs

_PPPOE = "/proc/thread-self/net/pppoe"


def use_of(device: Device, devices: Sequence[Device], addresses: Sequence[tuple[int, Address]]) -> str | None:
    """What else an interface serves, in words; None where it is there for the mirror alone."""
    if device.flags & IFF_LOOPBACK:
        return "is the loopback"
    if any(index == device.index and not ip.is_link_local for index, ip in addresses):
        return "has an address"
    if any(index == device.index and ip.version == 4 for index, ip in addresses):
        return "has an address"
    if device.master:
        return "is a port of a bridge or a bond"
    # The other end of a virtual cable names us as well.
    if any(one.lower == device.index and one.kind != "veth" for one in devices):
        return "carries other interfaces"
    with contextlib.suppress(OSError):
        if foreign_macs(device):
            return "takes frames for another MAC, as a container's or a virtual machine's network does"
    if _carries_pppoe(device.name):
        return "carries a PPPoE session"
    return None


def _carries_pppoe(interface: str) -> bool:
    """Whether /proc/net/pppoe (Id, Address, Device) names it; a kernel without PPPoE has no such file."""
    try:
        with open(_PPPOE, encoding="ascii", errors="replace") as sessions:
            return any(line.split()[-1:] == [interface] for line in sessions)
    except OSError:
        return False
