"""The interfaces of the machine, and which of them brings a mirror: for whoever sets the box up."""

import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

from appliance.capture import listening, netlink, usage
from appliance.capture.ethtool import speed_mbps
from appliance.capture.interface import Link, link_of
from appliance.capture.listening import Heard
from appliance.capture.netlink import IFF_LOOPBACK, Device
from appliance.control.messages import Actor, AskInterfaces, Interface, Interfaces
from appliance.services.keeping.at_hand import AtHand, Handlers

MIRROR_PER_S = 0.5
"""Frames for others: a switch that has forgotten a MAC sends some everywhere, but not so often."""


def _interfaces(_: AtHand, __: Actor, ask: AskInterfaces) -> Interfaces:
    devices = [one for one in netlink.devices() if not one.flags & IFF_LOOPBACK]
    up = [one.name for one in devices if link_of(one.name) is Link.UP]
    heard: Mapping[str, Heard] = {}
    if ask.listen_s > 0 and up:
        heard = listening.listen(up, ask.listen_s)
    found = tuple(_interface(one, heard.get(one.name)) for one in devices)
    return Interfaces(found, proposed(found, unused(devices)))


def proposed(found: tuple[Interface, ...], unused_names: frozenset[str]) -> str | None:
    """The one that brings most of what is for others; of equal ones, one that serves nothing else."""
    mirrors = [one for one in found if (one.foreign_per_s or 0) >= MIRROR_PER_S and not one.is_default_route]
    best = max(mirrors, key=lambda one: (one.name in unused_names, one.foreign_per_s or 0), default=None)
    return best.name if best else None


def unused(devices: list[Device]) -> frozenset[str]:
    """The interfaces that serve nothing but a mirror."""
    addresses = netlink.addresses()
    return frozenset(one.name for one in devices if usage.use_of(one, devices, addresses) is None)


def _interface(device: Device, heard: Heard | None) -> Interface:
    of_ip = (socket.AF_INET, socket.AF_INET6)
    addresses = [one.address for one in psutil.net_if_addrs().get(device.name, []) if one.family in of_ip]
    return Interface(
        device.name,
        link_of(device.name) is Link.UP,
        speed_mbps(device.name),
        tuple(text.partition("%")[0] for text in addresses),
        device.name in default_routes(),
        round(heard.frames / heard.seconds, 1) if heard else None,
        round(heard.foreign / heard.seconds, 1) if heard else None,
        heard.networks() if heard else (),
    )


def default_routes() -> frozenset[str]:
    """The interfaces by which this machine reaches the rest of the world (proc(5), /proc/net/route)."""
    found = set()
    for path, name, goal, everywhere in (
        ("/proc/thread-self/net/route", 0, 1, "00000000"),
        ("/proc/thread-self/net/ipv6_route", 9, 0, "0" * 32),
    ):
        try:
            lines = Path(path).read_text(encoding="ascii", errors="replace").splitlines()
        except OSError:
            continue
        rows = [line.split() for line in lines]
        found |= {row[name] for row in rows if len(row) > name and row[goal] == everywhere}
    return frozenset(found - {"lo"})


HANDLERS: Handlers = {AskInterfaces: _interfaces}
