"""The section [capture] of box.toml: which interfaces are recorded, and how a mirror is read."""

from dataclasses import dataclass

from appliance.config.values import outside, wrong_interfaces, wrong_networks, wrong_ports


@dataclass(frozen=True)
class CaptureConfig:
    """`interfaces` are recorded when none is named; `vxlan_ports` are UDP destination ports.

    `tunnel_ends` are networks in canonical text: both ends of a tunnel must lie in them for it to be
    peeled; without any, every tunnel is. `record_own_traffic`: the box's own packets are records like
    others, else the kernel leaves them out. `silent_alarm_minutes`: how long a mirror may give no frame.
    `ring_mib`: memory of the kernel's ring, for each interface.
    """

    interfaces: tuple[str, ...] = ()
    vxlan_ports: tuple[int, ...] = (4789, 8472)
    tunnel_ends: tuple[str, ...] = ()
    record_own_traffic: bool = False
    silent_alarm_minutes: int = 15
    ring_mib: int = 128

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, wrong in (
            ("interfaces", wrong_interfaces(self.interfaces)),
            ("vxlan_ports", wrong_ports(self.vxlan_ports)),
            ("tunnel_ends", wrong_networks(self.tunnel_ends)),
            ("silent_alarm_minutes", outside(self.silent_alarm_minutes, 1, 10_080)),
            ("ring_mib", outside(self.ring_mib, 8, 2_047)),  # a ring's size is a number of 31 bits
        ):
            if wrong:
                raise ValueError(f"{key}: {wrong}")
