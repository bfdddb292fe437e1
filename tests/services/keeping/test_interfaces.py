"""Which interface brings a mirror: real frames over real (virtual) cables, in a network of the test's own."""

import contextlib
import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.capture import listening
from appliance.capture.interface import Link, link_of
from appliance.control import messages
from appliance.control.messages import AskInterfaces, AskTests, Interface, Interfaces
from appliance.control.words import Check, Outcome
from appliance.services.keeping.interfaces import proposed
from tests.services.keeping.asking import Asked, set_up
from tests.system.networks import Network, may_make
from tests.system.warm import wait_for

pytestmark = pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")

PHONES = [f"02:00:00:00:01:{number:02x}" for number in range(3)]
ROUTER = "02:00:00:00:00:99"


def frame(mac: str, to_mac: str, address: str, to_address: str) -> bytes:
    """An Ethernet frame with an IPv4 datagram (RFC 791) of 30 octets over UDP."""
    ethernet = bytes.fromhex((to_mac + mac).replace(":", "") + "0800")
    addresses = ipaddress.ip_address(address).packed + ipaddress.ip_address(to_address).packed
    return ethernet + struct.pack("!BBHHHBBH", 0x45, 0, 58, 1, 0, 64, 17, 0) + addresses + bytes(38)


def frames() -> list[bytes]:
    """Three telephones of one network that speak with many others through a router, both ways."""
    sent = []
    for number, phone in enumerate(PHONES):
        own = f"192.168.7.{10 + number}"
        for far in range(12):
            there = f"198.51.{far}.7"
            sent += [frame(phone, ROUTER, own, there), frame(ROUTER, phone, there, own)]
    return sent


@contextlib.contextmanager
def mirrored(network: Network, end: str) -> Iterator[None]:
    """Frames for others come in at the other end of a cable, over and over."""
    with network.inside():
        switch = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        switch.bind((end, 0))
    over = threading.Event()

    sent = frames()

    def send() -> None:
        while not over.is_set():
            for frame in sent:
                switch.send(frame)
            time.sleep(0.1)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        switch.close()


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as network:
        network.cable("mirror0", "switch0")
        network.cable("lan0", "desk0")
        network.run("ip", "addr", "add", "192.168.7.2/24", "dev", "lan0")
        network.run("ip", "route", "add", "default", "via", "192.168.7.1", "dev", "lan0")
        yield network


def by_name(answer: object) -> dict[str, Interface]:
    assert isinstance(answer, Interfaces)
    return {one.name: one for one in answer.interfaces}


def test_the_one_that_brings_what_is_for_others_is_proposed(network: Network, tmp_path: Path) -> None:
    asked = Asked(tmp_path / "home")
    with mirrored(network, "switch0"), network.inside():
        answer = asked.ask(AskInterfaces(1.0))
    assert answer.proposed == "mirror0"
    found = by_name(answer)
    assert set(found) == {"mirror0", "switch0", "lan0", "desk0"}
    mirror, lan = found["mirror0"], found["lan0"]
    assert mirror.up
    assert 72 <= mirror.foreign_per_s <= 800  # 72 at a time, ten times a second where the machine is idle
    assert mirror.frames_per_s >= mirror.foreign_per_s
    assert mirror.networks == ("192.168.7.0/24",)
    assert lan.is_default_route
    assert not mirror.is_default_route
    assert lan.addresses == ("192.168.7.2",)
    assert lan.foreign_per_s == 0


def test_without_listening_nothing_is_said_of_traffic(network: Network, tmp_path: Path) -> None:
    network.run("ip", "link", "set", "switch0", "down")
    with network.inside():
        wait_for(lambda: link_of("mirror0") is not Link.UP, 10, "the other end knows a moment later")
        answer = Asked(tmp_path / "home").ask(AskInterfaces())
    assert answer.proposed is None
    found = by_name(answer)
    assert found["mirror0"].frames_per_s is None
    assert not found["mirror0"].up
    assert found["lan0"].up


def test_listening_has_an_end_whatever_is_asked(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LONGEST_S", 0.3)
    begun = time.monotonic()
    with network.inside():
        heard = listening.listen(["mirror0", "gone0"], 3600)
    assert time.monotonic() - begun < 60, "of 3600 asked"
    assert heard["mirror0"].frames == 0
    assert set(heard) == {"mirror0"}


@pytest.mark.parametrize(
    ("client_network", "outcome"),
    [("192.168.7.0/24", Outcome.PASSED), ("17.248.185.0/24", Outcome.FAILED)],
)
def test_traffic_that_is_of_no_client_does_not_pass(
    network: Network, tmp_path: Path, client_network: str, outcome: Outcome
) -> None:
    asked = set_up(tmp_path, networks=(client_network,), interfaces=("mirror0",))
    with mirrored(network, "switch0"), network.inside():
        found = asked.ask(AskTests())
    assert isinstance(found, messages.Tests)
    (traffic,) = [one for one in found.tested if one.check is Check.TRAFFIC]
    assert traffic.outcome is outcome, traffic.said


def test_what_the_page_is_told_holds_no_device(network: Network, tmp_path: Path) -> None:
    with mirrored(network, "switch0"), network.inside():
        told = str(Asked(tmp_path / "home").ask(AskInterfaces(0.5)))
    for text in ("192.168.7.10", PHONES[0], PHONES[0].replace(":", ""), "198.51.0"):
        assert text not in told


def interface(name: str, foreign: float | None, default: bool = False) -> Interface:
    return Interface(name, True, None, (), default, foreign, foreign, ())


def test_an_interface_that_serves_the_box_itself_is_never_proposed() -> None:
    found = (interface("lan0", 900, default=True), interface("mirror0", 3), interface("mirror1", 5))
    assert proposed(found, frozenset()) == "mirror1"
    assert proposed(found, frozenset({"mirror0"})) == "mirror0"
    assert proposed((interface("lan0", 900, default=True), interface("mirror0", 0.1)), frozenset()) is None
    assert proposed((interface("mirror0", None),), frozenset({"mirror0"})) is None
