"""The section [listen] of box.toml: on which ports access points and gateways are listened to."""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from appliance.config.values import outside, wrong_ports

EVERYWHERE = "::"
"""Every address of the box, IPv4 as well."""


@dataclass(frozen=True)
class ListenConfig:
    """Ports by what arrives there; an empty list is not listened to.

    `address`: the box's own address that is bound. `receive_buffer_mib`: memory, for each UDP port, in which
    the kernel keeps what comes while a segment is sealed. `waiting_mib`: what all senders together may have
    in memory that is not decoded yet. `connections` at once, in all; `connections_each` of one address.
    """

    address: str = EVERYWHERE
    netflow_ports: tuple[int, ...] = (2055, 4739, 9995)
    ipfix_tcp_ports: tuple[int, ...] = (4739,)
    sflow_ports: tuple[int, ...] = (6343,)
    syslog_udp_ports: tuple[int, ...] = (514,)
    syslog_tcp_ports: tuple[int, ...] = (514,)
    syslog_tls_ports: tuple[int, ...] = (6514,)
    radius_ports: tuple[int, ...] = (1813,)
    cloudtrax_ports: tuple[int, ...] = (8443,)
    receive_buffer_mib: int = 64
    waiting_mib: int = 128
    connections: int = 4096
    connections_each: int = 64

    def __post_init__(self) -> None:
        """Raises ValueError('key: what is wrong') for a value that cannot be meant."""
        for key, wrong in (
            ("address", _wrong_address(self.address)),
            *((name, _wrong_list(getattr(self, name))) for name in PORTS),
            *_taken_twice(self),
            ("receive_buffer_mib", outside(self.receive_buffer_mib, 1, 1_023)),  # doubled in 31 bits
            ("waiting_mib", outside(self.waiting_mib, 8, 65_536)),
            ("connections", outside(self.connections, 1, 60_000)),
            ("connections_each", outside(self.connections_each, 1, 60_000)),
        ):
            if wrong:
                raise ValueError(f"{key}: {wrong}")


UDP_PORTS = ("netflow_ports", "sflow_ports", "syslog_udp_ports", "radius_ports")
TCP_PORTS = ("ipfix_tcp_ports", "syslog_tcp_ports", "syslog_tls_ports", "cloudtrax_ports")
PORTS = UDP_PORTS + TCP_PORTS


def _wrong_address(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return f"'{text}' is not an address of the box; '{EVERYWHERE}' is all of them"
    return f"'{text}' is a group of machines, not an address of the box" if address.is_multicast else None


def _wrong_list(ports: tuple[int, ...]) -> str | None:
    return "the same port is given twice" if len(set(ports)) != len(ports) else wrong_ports(ports)


def _taken_twice(config: ListenConfig) -> Iterator[tuple[str, str | None]]:
    """A port has one meaning; of UDP and of TCP apart."""
    for names in (UDP_PORTS, TCP_PORTS):
        taken: dict[int, str] = {}
        for name in names:
            for port in getattr(config, name):
                before = taken.setdefault(port, name)
                yield name, None if before == name else f"{port} is given to {before} already"
