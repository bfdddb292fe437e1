"""Who may speak is let in; who may not is kept, bounded and fairly, until somebody declares it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from appliance.config.sources import NAME, text_of
from appliance.feeds.told import Messages
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.model.instants import NS, to_iso
from appliance.runtime import local_socket
from appliance.runtime.files import write_once
from appliance.services.feeds import noticeboard
from appliance.services.feeds.gate import Gate, kernel_neighbours
from appliance.services.feeds.quarantine import MESSAGE_OVERHEAD_BYTES, Quarantine
from appliance.vault.names import Home
from tests.system.networks import Network, may_make

NOW_NS = 1_790_000_000 * NS
SYSLOG, NETFLOW, RADIUS = FeedKind.SYSLOG, FeedKind.NETFLOW, FeedKind.RADIUS
GATEWAY = DeclaredSource("gateway", addresses=("10.0.0.1/32", "2001:db8::/64"))
LINES = DeclaredSource("lines", addresses=("10.0.1.0/24",), kinds=(SYSLOG,))
FLOWS = DeclaredSource("flows", addresses=("10.0.1.7/32",), kinds=(NETFLOW,))
ROAMER = DeclaredSource("roamer", mac="02:00:00:00:00:aa")


def messages(*payloads: bytes, at_ns: int = NOW_NS) -> Messages:
    return Messages(np.arange(at_ns, at_ns + len(payloads), dtype=np.int64), payloads)


def held_bytes(quarantine: Quarantine) -> int:
    return sum(sender.held_bytes for sender in quarantine.senders)


def declare(home: Home, *sources: DeclaredSource) -> None:
    write_once(home.path / NAME, text_of(sources).encode())


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "state").mkdir()
    return Home(tmp_path)


@pytest.fixture
def gate_of(home: Home) -> Iterator[Callable[..., Gate]]:
    gates: list[Gate] = []

    def make(*declared: DeclaredSource, neighbours: dict[str, int] | None = None) -> Gate:
        declare(home, *declared)
        gates.append(Gate(home, lambda: dict(neighbours or {})))
        gates[-1].refresh(NOW_NS)
        return gates[-1]

    yield make
    for gate in gates:
        gate.close()


def test_a_sender_is_known_by_its_address_for_its_kinds(gate_of: Callable[..., Gate]) -> None:
    gate = gate_of(GATEWAY, LINES, FLOWS)
    nothing = messages()
    for kind, sender, label in (
        (SYSLOG, "10.0.0.1", "gateway"),
        (NETFLOW, "2001:db8::9", "gateway"),
        (SYSLOG, "10.0.1.7", "lines"),
        (NETFLOW, "10.0.1.7", "flows"),
        (NETFLOW, "10.0.1.8", None),
        (RADIUS, "10.0.0.1", None),  # it has no secret
        (SYSLOG, "10.0.0.2", None),
        (SYSLOG, "2001:db8:1::1", None),
        (SYSLOG, "not an address", None),
    ):
        for _ in range(2):  # the second time it is remembered
            found = gate.admit(kind, sender, nothing)
            assert (found and found.label) == label, (kind, sender)


def test_the_same_object_stands_until_its_declaration_changes(
    home: Home, gate_of: Callable[..., Gate]
) -> None:
    gate = gate_of(GATEWAY, LINES)
    gateway, lines = (gate.admit(SYSLOG, sender, messages()) for sender in ("10.0.0.1", "10.0.1.1"))
    assert not gate.refresh(NOW_NS + NS)
    declare(home, GATEWAY, DeclaredSource("lines", "Guests", LINES.addresses, kinds=(SYSLOG,)), FLOWS)
    assert gate.refresh(NOW_NS + 2 * NS)
    assert gate.admit(SYSLOG, "10.0.0.1", messages()) is gateway
    changed = gate.admit(SYSLOG, "10.0.1.1", messages())
    assert changed is not lines
    assert changed is not None
    assert changed.network == "Guests"
    declare(home, GATEWAY)
    assert gate.refresh(NOW_NS + 3 * NS)
    assert gate.admit(SYSLOG, "10.0.1.1", messages()) is None


def test_what_a_stranger_said_is_recorded_once_it_is_declared(
    home: Home, gate_of: Callable[..., Gate]
) -> None:
    gate = gate_of(LINES)
    assert gate.admit(SYSLOG, "10.0.0.1", messages(b"one", b"two"), 514) is None
    assert gate.admit(SYSLOG, "10.0.0.1", messages(b"other", at_ns=NOW_NS + 5), 7) is None
    assert gate.admit(SYSLOG, "10.0.0.1", messages(b"three", at_ns=NOW_NS + 9), 514) is None
    assert gate.admit(NETFLOW, "10.0.0.9", messages(b"stays")) is None
    assert gate.released() == []
    declare(home, LINES, GATEWAY)
    assert gate.refresh(NOW_NS + NS)
    first, second = gate.released()
    assert first.declared is gate.admit(SYSLOG, "10.0.0.1", messages()) == second.declared
    assert (first.kind, first.sender, first.channel, second.channel) == (SYSLOG, "10.0.0.1", 514, 7)
    assert list(first.messages.payloads) == [b"one", b"two", b"three"]
    assert first.messages.received_ns.tolist() == [NOW_NS, NOW_NS + 1, NOW_NS + 9]
    assert gate.released() == []
    assert (gate.dropped(), gate.close()) == (0, 1)


def test_a_file_that_cannot_be_read_leaves_in_force_what_stood(
    home: Home, gate_of: Callable[..., Gate]
) -> None:
    gate = gate_of(GATEWAY)
    path = home.path / NAME
    path.write_text("[[source]]\nlabel = ")
    assert not gate.refresh(NOW_NS + NS)
    assert "sources.toml is not valid TOML" in gate.fault
    assert gate.admit(SYSLOG, "10.0.0.1", messages()) == GATEWAY
    for number, vanish in enumerate((lambda: path.write_bytes(b""), path.unlink), 2):
        vanish()
        assert not gate.refresh(NOW_NS + number * NS)
        assert "is gone or empty" in gate.fault
        assert gate.admit(SYSLOG, "10.0.0.1", messages()) == GATEWAY
    declare(home)  # nobody, as 'greffier sources forget' leaves it
    assert gate.refresh(NOW_NS + 5 * NS)
    assert (gate.fault, gate.declared) == ("", ())
    assert gate.admit(SYSLOG, "10.0.0.1", messages()) is None


def test_a_source_without_a_fixed_address_is_known_by_its_mac(gate_of: Callable[..., Gate]) -> None:
    neighbours = {"10.9.0.4": 0x0200000000AA, "10.9.0.5": 0x0200000000AB}
    gate = gate_of(ROAMER, neighbours=neighbours)
    assert gate.admit(SYSLOG, "10.9.0.4", messages()) == ROAMER
    assert gate.admit(SYSLOG, "10.9.0.5", messages(b"x")) is None
    neighbours["10.9.0.5"] = neighbours.pop("10.9.0.4")
    gate.refresh(NOW_NS + NS)
    assert gate.admit(SYSLOG, "10.9.0.4", messages()) == ROAMER, "the kernel is not asked at every turn"
    gate.refresh(NOW_NS + 6 * NS)
    assert gate.admit(SYSLOG, "10.9.0.4", messages()) is None
    assert [one.messages.payloads for one in gate.released()] == [[b"x"]]


def test_a_certificate_lets_in_from_anywhere(gate_of: Callable[..., Gate]) -> None:
    cloud = DeclaredSource("cloud", certificate="ab" * 32)
    gate = gate_of(GATEWAY, cloud)
    assert gate.by_certificate(":".join(["AB"] * 32)) == cloud
    assert gate.by_certificate("cd" * 32) is None
    assert gate.by_certificate("") is None


def test_what_came_before_a_certificate_was_asked_for_is_given_up(
    home: Home, gate_of: Callable[..., Gate]
) -> None:
    """Who sent it was not asked, or showed another one; exports have none to show."""
    gate = gate_of(GATEWAY)
    gate.admit(SYSLOG, "10.0.0.9", messages(b"forged", b"forged"), 6514)
    gate.admit(NETFLOW, "10.0.0.9", messages(b"flows"), 2055)
    declare(home, DeclaredSource("strict", addresses=("10.0.0.9/32",), certificate="ab" * 32))
    gate.refresh(NOW_NS + NS)
    assert [list(one.messages.payloads) for one in gate.released()] == [[b"flows"]]
    assert (gate.dropped(), gate.close()) == (2, 0)


def test_who_is_kept_apart_is_shown_and_lies_on_no_disk(home: Home, gate_of: Callable[..., Gate]) -> None:
    gate = gate_of(GATEWAY, neighbours={"10.66.0.9": 0x0200000000AA})
    gate.tls_fingerprint = "ab" * 32
    gate.admit(SYSLOG, "10.0.0.1", messages(b"<13>x", b"<13>y"))
    gate.admit(SYSLOG, "10.66.0.9", messages(b"<134>1 2026", b"<134>1 2027"))
    gate.refresh(NOW_NS + NS)
    shown = noticeboard.read(home.state)
    assert shown is not None
    assert shown["tls_fingerprint"] == "ab" * 32
    assert shown["arrived"] == {"gateway": {"messages": {"syslog": 2}, "last": to_iso(NOW_NS + 1)}}
    (sender,) = shown["quarantined"]
    assert sender == {
        "address": "10.66.0.9",
        "mac": "02:00:00:00:00:aa",
        "kind": "syslog",
        "looks": "syslog (RFC 5424)",
        "messages": 2,
        "bytes": 22,
        "kept": 2,
        "first": to_iso(NOW_NS),
        "last": to_iso(NOW_NS + 1),
    }
    for path in home.path.rglob("*"):
        assert not path.is_file() or b"10.66.0.9" not in path.read_bytes()
    gate.close()
    assert noticeboard.read(home.state) is None
    assert list(home.state.iterdir()) == []


def test_one_process_shows_and_a_dead_ones_socket_is_in_nobodys_way(tmp_path: Path) -> None:
    deep = tmp_path / ("long" * 40)
    deep.mkdir()
    one, other = noticeboard.Noticeboard(deep), noticeboard.Noticeboard(deep)
    for board, word in ((one, "one"), (other, "other")):
        board.post("who", word)
        board.open()
    assert noticeboard.read(deep) == {"who": "one"}
    other.close()
    assert noticeboard.read(deep) == {"who": "one"}
    one.close()
    local_socket.listen(deep / noticeboard.NAME, 0o600).close()
    other.open()
    assert noticeboard.read(deep) == {"who": "other"}
    other.close()


def test_a_sender_that_floods_displaces_itself() -> None:
    quarantine = Quarantine(room_bytes=100_000)
    quarantine.keep(SYSLOG, "10.0.0.1", messages(*[b"x" * 72] * 100), None)
    for _ in range(50):
        quarantine.keep(SYSLOG, "10.6.6.6", messages(*[b"y" * 872] * 30), None)
    assert held_bytes(quarantine) <= 100_000
    kept = {sender.address: len(sender.kept) for sender in quarantine.senders}
    assert kept["10.0.0.1"] == 100
    assert kept["10.6.6.6"] >= 30
    assert quarantine.given_up == 1500 - kept["10.6.6.6"]
    assert {sender.address: sender.messages for sender in quarantine.senders}["10.6.6.6"] == 1500
    assert quarantine.close() == 100 + kept["10.6.6.6"]
    assert held_bytes(quarantine) == 0


def test_a_flood_of_forged_addresses_displaces_itself() -> None:
    quarantine = Quarantine(sender_limit=50)
    quarantine.keep(NETFLOW, "10.0.0.1", messages(b"a", b"b"), 2055)
    quarantine.keep(SYSLOG, "10.0.0.1", messages(b"a"), 514)
    quarantine.keep(SYSLOG, "10.0.0.1", messages(b"b"), 514)
    for number in range(500):
        quarantine.keep(SYSLOG, f"10.6.{number // 250}.{number % 250}", messages(b"z"), 514)
    assert len(quarantine) == 50
    assert [(one.kind, len(one.kept)) for one in quarantine.senders][:2] == [(NETFLOW, 2), (SYSLOG, 2)]
    assert quarantine.given_up == 500 - 48
    steady = Quarantine(sender_limit=2)
    for address in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        steady.keep(SYSLOG, address, messages(b"a", b"b"), 514)
    assert (len(steady), steady.given_up) == (2, 2), "who has spoken more often does not give way"


def test_a_flood_costs_little_time() -> None:
    """Ten thousand forged senders, ten messages each, in a room for a tenth of it."""
    quarantine = Quarantine(room_bytes=10_000 * (100 + MESSAGE_OVERHEAD_BYTES))
    started = time.process_time()
    for _ in range(10):
        for number in range(10_000):
            quarantine.keep(SYSLOG, f"10.6.{number // 250}.{number % 250}", messages(b"z" * 100), 514)
    assert time.process_time() - started < 20
    assert held_bytes(quarantine) <= 10_000 * (100 + MESSAGE_OVERHEAD_BYTES)


@pytest.mark.skipif(not may_make(), reason="needs root to make a network namespace")
def test_the_kernels_own_table_is_read() -> None:
    with Network() as network:
        network.cable("here", "there")
        network.run("ip", "addr", "add", "192.0.2.1/24", "dev", "here")
        with network.inside(), open("/proc/sys/net/ipv6/conf/here/disable_ipv6", "w") as setting:
            setting.write("0")
        for address, mac in (("192.0.2.7", "02:00:00:00:00:07"), ("2001:db8::7", "02:00:00:00:00:08")):
            network.run("ip", "neigh", "add", address, "lladdr", mac, "dev", "here", "nud", "reachable")
        with network.inside():
            known = kernel_neighbours()
    assert {address: mac for address, mac in known.items() if not address.startswith("ff")} == {
        "192.0.2.7": 0x020000000007,
        "2001:db8::7": 0x020000000008,
    }


def test_a_flood_of_many_that_all_speak_on_costs_no_more_each() -> None:
    """4,096 senders in a room that is full: looking for whoever has most must not be paid per message."""
    quarantine = Quarantine(room_bytes=16 << 20)
    quarantine.keep(SYSLOG, "10.0.0.1", messages(b"a", b"b"), 514)
    before = time.process_time()
    for number in range(60_000):
        address = f"10.6.{number % 4095 // 256}.{number % 256}"
        quarantine.keep(SYSLOG, address, messages(b"z" * 1000), 514)
    assert time.process_time() - before < 6
    assert held_bytes(quarantine) <= 16 << 20
    assert held_bytes(quarantine) > 13 << 20
    assert {sender.address: len(sender.kept) for sender in quarantine.senders}["10.0.0.1"] == 2
