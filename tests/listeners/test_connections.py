"""Connections on real sockets: bounded, answered when settled, ended when they are due."""

import contextlib
import resource
import socket
import ssl
import struct
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.feeds.syslog.framing import Framing
from appliance.listeners import asking, certificate, connections
from appliance.listeners.arrivals import Arrival, address_text
from appliance.listeners.conversation import Monologue
from appliance.listeners.streams import Streams
from appliance.model.errors import ListenError
from appliance.model.feeds import FeedKind
from tests.ports import free_port


class Scene:
    """Streams with one port of syslog, and what has been handed on."""

    def __init__(self, most: int = 100, most_each: int = 100, declared: str = "127.0.0.1") -> None:
        self.arrivals: list[Arrival] = []
        self.settled = 0
        self.streams = Streams(most, most_each, lambda kind, sender, certificate: sender == declared)
        self.port = free_port()
        self.streams.listen(FeedKind.SYSLOG, "127.0.0.1", self.port, lambda: Monologue(Framing()))

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), source_address=(source, 0), timeout=5)
        self.serve()
        return made

    def serve(self, rounds: int = 5) -> None:
        for _ in range(rounds):
            self.streams.ready(self.arrivals.append)
            time.sleep(0.002)

    def settle(self) -> None:
        settled, self.settled = self.settled, len(self.arrivals)
        for arrival in self.arrivals[settled:]:
            arrival.way_back.settle(len(arrival.messages), ())
        self.streams.resume(self.arrivals.append)

    @property
    def payloads(self) -> list[bytes]:
        return [bytes(payload) for arrival in self.arrivals for payload in arrival.messages.payloads]


@contextlib.contextmanager
def scene(**bounds: int | str) -> Iterator[Scene]:
    made = Scene(**bounds)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.streams.close(lambda arrival: None)


def test_messages_come_whole_and_the_end_is_told() -> None:
    with scene() as at, at.connect() as peer:
        peer.sendall(b"<1>one\n<1>t")
        at.serve()
        assert at.payloads == [b"<1>one"]
        peer.sendall(b"wo\n<1>three")
        peer.shutdown(socket.SHUT_WR)
        at.serve()
        assert at.payloads == [b"<1>one", b"<1>two", b"<1>three"]
        assert [arrival.last for arrival in at.arrivals] == [False, False, True]
        assert {arrival.sender for arrival in at.arrivals} == {"127.0.0.1"}
        assert len(at.streams) == 0


def test_no_more_is_read_than_may_be_unsettled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "EACH_BYTES", 100_000)
    with scene() as at, at.connect() as peer:
        peer.setblocking(False)
        sent = 0
        line = b"<1>" + b"x" * 96 + b"\n"
        for _ in range(300):
            with contextlib.suppress(BlockingIOError):
                sent += peer.send(line * 100)
            at.serve(1)
        taken = sum(arrival.size_bytes for arrival in at.arrivals)
        assert 100_000 <= taken < 100_000 + 2 * connections.READ_BYTES
        at.serve(20)
        assert sum(arrival.size_bytes for arrival in at.arrivals) == taken, "it waits"
        for _ in range(1000):
            at.settle()
            at.serve(2)
            if sum(len(payload) + 1 for payload in at.payloads) >= sent - len(line):
                break
        assert sum(len(payload) + 1 for payload in at.payloads) >= sent - len(line), "nothing was lost"


def test_all_together_are_bounded_and_all_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ALL_BYTES", 50_000)
    with scene() as at, contextlib.ExitStack() as held:
        peers = [held.enter_context(at.connect()) for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.sendall(b"".join(b"<1>%02d %04d\n" % (number, line) for line in range(1000)))
        at.serve(20)
        assert at.streams.tally.unsettled_bytes < 50_000 + 20 * 1000 * 80
        for _ in range(50):
            at.settle()
            at.serve(2)
            if len(at.payloads) == 20_000:
                break
        assert len(set(at.payloads)) == len(at.payloads) == 20_000
        at.settle()
        assert at.streams.tally.unsettled_bytes == 0


def test_one_address_has_its_share() -> None:
    with scene(most=100, most_each=3) as at, contextlib.ExitStack() as held:
        for _ in range(5):
            held.enter_context(at.connect("127.0.0.2"))
        assert len(at.streams) == 3
        held.enter_context(at.connect())
        assert len(at.streams) == 4
        assert at.streams.tally.noted == Counter({"connections_refused": 2})


def test_a_stranger_makes_way_for_who_is_declared() -> None:
    with scene(most=4) as at, contextlib.ExitStack() as held:
        strangers = [held.enter_context(at.connect(f"127.0.0.{number + 2}")) for number in range(6)]
        assert len(at.streams) == 4
        declared = held.enter_context(at.connect())
        assert len(at.streams) == 4
        assert strangers[0].recv(1) == b"", "the one that was silent longest"
        declared.sendall(b"<1>here\n")
        at.serve()
        assert at.payloads == [b"<1>here"]


def test_the_silent_are_ended_unless_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STRANGER_IDLE_S", 0.05)
    with scene() as at, at.connect("127.0.0.2") as stranger, at.connect():
        stranger.sendall(b"<1>un")
        at.serve()
        time.sleep(0.1)
        at.streams.tend(at.arrivals.append)
        assert len(at.streams) == 1
        assert stranger.recv(1) == b""
        assert at.streams.tally.noted == Counter({"connections_overdue": 1})
        assert at.payloads == []
        assert at.streams.tally.refused == Counter({"cut_short": 1}), "half a line may say another address"


def test_without_file_descriptors_the_port_waits_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    with scene() as at, contextlib.ExitStack() as held:
        waiting = held.enter_context(socket.create_connection(("127.0.0.1", at.port)))
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        taken = [held.enter_context(socket.socket()) for _ in range(10)]
        low = max(one.fileno() for one in taken) + 1
        resource.setrlimit(resource.RLIMIT_NOFILE, (low, limits[1]))
        try:
            at.serve()
            assert len(at.streams) == 0
            assert not at.streams._selector.select(0), "no busy waiting"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        at.streams.tend(at.arrivals.append)
        at.serve()
        assert len(at.streams) == 1
        waiting.sendall(b"<1>now\n")
        at.serve()
        assert at.payloads == [b"<1>now"]


def test_a_reset_is_an_end() -> None:
    with scene() as at:
        peer = at.connect()
        peer.sendall(b"<1>one\n<1>tw")
        at.serve()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()
        at.serve()
        assert len(at.streams) == 0
        assert at.payloads[0] == b"<1>one"


def test_addresses_are_canonical() -> None:
    assert address_text("::ffff:192.0.2.1") == "192.0.2.1"
    assert address_text("2001:db8:0:0::1") == "2001:db8::1"
    assert address_text("fe80::1%eth0") == "fe80::1"


def test_a_port_is_listened_to_once() -> None:
    with scene() as at:
        other = Streams(1, 1, lambda *_: True)
        with pytest.raises(ListenError, match="taken by another program"):
            other.listen(FeedKind.SYSLOG, "127.0.0.1", at.port, lambda: Monologue(Framing()))
        other.close(lambda arrival: None)


def test_a_stranger_makes_way_for_another_and_does_not_stay_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    with scene(most=3) as at, contextlib.ExitStack() as held:
        strangers = [held.enter_context(at.connect(f"127.0.0.{number + 2}")) for number in range(5)]
        assert len(at.streams) == 3
        assert strangers[0].recv(1) == strangers[1].recv(1) == b"", "the oldest gave way"
        held.enter_context(at.connect())
        assert at.streams.tally.noted == Counter({"connections_refused": 3})
        monkeypatch.setattr(connections, "STRANGER_S", 0.05)
        for stranger in strangers[3:]:
            time.sleep(0.03)
            stranger.sendall(b"<1>a word now and then")
            at.serve()
        at.streams.tend(at.arrivals.append)
        assert len(at.streams) == 1, "who is declared stays"


def test_strangers_do_not_lock_out_who_is_known_by_a_certificate_alone(tmp_path: Path) -> None:
    """All places are held, by plain connections and by such as shake no hands; and they come again."""
    (tmp_path / "box").mkdir()
    (tmp_path / "device").mkdir()
    certificate.context(tmp_path / "device")
    known = certificate.fingerprint(tmp_path / "device")
    with scene(most=6) as at, contextlib.ExitStack() as held:
        at.streams._may_stay = lambda kind, sender, shown: shown == known
        port = free_port()
        own = certificate.context(tmp_path / "box")
        assert asking.ask(own)
        at.streams.listen(FeedKind.SYSLOG, "127.0.0.1", port, lambda: Monologue(Framing()), own)
        for number in range(10):
            held.enter_context(at.connect(f"127.0.1.{number + 1}"))
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            at.serve(2)
        assert len(at.streams) == 6
        device = held.enter_context(_shaken(at, port, tmp_path / "device"))
        for number in range(20):
            held.enter_context(at.connect(f"127.0.2.{number + 1}"))
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            at.serve(2)
        device.sendall(b"<1>here\n")
        at.serve()
        assert at.payloads == [b"<1>here"]
        assert at.arrivals[0].certificate == known


def _shaken(at: Scene, port: int, identity: Path) -> ssl.SSLSocket:
    """A TLS connection that shows its certificate, made while the other end is served."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(identity / certificate.CERTIFICATE, identity / certificate.KEY)
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    plain.setblocking(False)
    made = context.wrap_socket(plain, do_handshake_on_connect=False)
    for _ in range(200):
        at.serve(1)
        with contextlib.suppress(ssl.SSLWantReadError):
            made.do_handshake()
            at.serve()
            made.settimeout(5)
            return made
    raise AssertionError("no handshake")
