"""Categories of connections: first bytes glanced at, then remembered as a keyed hash and a number."""

import numpy as np
from numpy.typing import NDArray

from appliance.classify import dns, tls
from appliance.classify.categories import NOTHING_KNOWN, Category
from appliance.classify.http import Hosts, starts_request
from appliance.classify.initials import SMALLEST_DATAGRAM, Initials, starts_initial
from appliance.classify.keys import MULTIPLIERS as KEY_MULTIPLIERS
from appliance.classify.keys import Keys, Sides, packet_sides, row_sides
from appliance.classify.memory import Memory
from appliance.classify.names import Names
from appliance.classify.pieces import Pieces
from appliance.classify.segments import Segments, join
from appliance.classify.tables import Ports, Tables
from appliance.wire.packets import Packets

MULTIPLIERS = KEY_MULTIPLIERS + 1
"""How many random 64-bit numbers `Categories` wants."""

MOST_AT_ONCE = 4096
"""ClientHellos, requests and answers read in a batch; beyond, a flood, the port's category stands."""

_CONNECTION_BITS, _ADDRESS_BITS = 18, 16
"""A million connections (8 MiB) and a quarter million addresses (2 MiB) are remembered at most."""

_TCP, _UDP = 6, 17
_UDP_HEADER_BYTES = 8
_SYSTEM_PORTS = 1024
_LEAST_OCTETS = 120
"""A ClientHello that names a server has some 70 octets at least, a browser's 200; headers come on top."""

_DNS_PORT = np.uint16(53).byteswap()
Int64 = NDArray[np.int64]


class Categories:
    """Categories of connections. `multipliers` are MULTIPLIERS random numbers, kept secret."""

    def __init__(self, multipliers: NDArray[np.uint64], tables: Tables) -> None:
        self._keys = Keys(multipliers)
        self._names = Names(int(multipliers[KEY_MULTIPLIERS]), tables.domains)
        self._ports = tables.ports
        self._glanced_at = _glanced_at(tables.ports)
        self._hosts = Hosts()
        self._initials = Initials()
        self._pieces = Pieces()
        self._connections = Memory(_CONNECTION_BITS)
        self._addresses = Memory(_ADDRESS_BITS)
        self._beyond = 0

    @property
    def passed_over(self) -> int:
        """Packets that begin a connection, or answer for a name, not read so far: too many came at once."""
        return self._initials.passed_over + self._beyond

    def glance(self, packets: Packets) -> None:
        """Learn from one decoded batch, while its buffer is valid. Never raises, whatever the bytes."""
        chosen = np.take(self._glanced_at, packets.ports >> np.uint32(16), mode="clip")
        chosen &= packets.octets >= _LEAST_OCTETS
        rows = np.flatnonzero(chosen)
        shape = packets.shape[rows]
        self._tcp(packets, rows[shape == _TCP])
        self._quic(packets, rows[shape == _UDP])
        rows = np.flatnonzero(packets.ports.astype(np.uint16) == _DNS_PORT)
        self._dns(packets, rows[packets.shape[rows] == _UDP])

    def of(self, rows: NDArray[np.void]) -> NDArray[np.uint8]:
        """(k,) Category of TRAFFIC rows: by what was glanced at, then the peer's address, then the ports."""
        sides = row_sides(rows)
        known = self._connections.get(self._keys.connections(sides))
        by_port = _by_port(self._ports, sides, rows["protocol"])
        # An address says more than a web port or an unknown one, and less than a port with a meaning.
        vague = (by_port == NOTHING_KNOWN) | (by_port == Category.WEB) | (by_port == Category.TLS_WEB)
        by_address = np.where(vague, self._addresses.get(self._keys.addresses(*sides.other[:2])), 0)
        known = np.where(known != NOTHING_KNOWN, known, np.where(by_address, by_address, by_port))
        return np.where(known != NOTHING_KNOWN, known, np.uint8(Category.OTHER)).astype(np.uint8)

    def _tcp(self, packets: Packets, rows: Int64) -> None:
        """ClientHellos and HTTP requests at the beginning of segments."""
        data, transport = packets.frames.data, packets.transport[rows]
        payload = _payload(packets, rows)
        first = packets.frames.window(np.clip(payload, 0, len(data) - 8), 8).view("<u8")
        hello, request = tls.starts_hello(first), starts_request(first)
        if not (hello.any() or request.any()):
            return
        held = (transport >= 0) & (payload + 8 <= packets.ends(rows))
        segments = Segments(packets, rows, payload)
        saying = self._bounded(np.flatnonzero(hello & held))
        if len(saying):
            self._hellos(segments, saying)
        asked = self._bounded(np.flatnonzero(request & held))
        if len(asked):
            asking = segments.some(asked)
            start, stop = self._hosts.find(data, asking.payload, asking.ends())
            self._learn(packets, asking.rows, data, start, stop, Category.WEB)

    def _hellos(self, segments: Segments, hello: Int64) -> None:
        data, whose = segments.packets.frames.data, segments.some(hello)
        found = tls.server_names(data, whose.payload + tls.RECORD_BYTES, whose.ends())
        self._learn(segments.packets, whose.rows, data, found.start, found.stop, Category.TLS_WEB)
        if not found.cut.any():
            return
        try:
            cut = segments.rows[hello[found.cut]]
            segments = _with_followers(packets := segments.packets, cut)
            joined = join(segments, np.searchsorted(segments.rows, cut), self._pieces)
            found = tls.server_names(self._pieces.data, *self._pieces.bounds())
            rows = segments.rows[joined]
            self._learn(packets, rows, self._pieces.data, found.start, found.stop, Category.TLS_WEB)
        finally:
            self._pieces.clear()

    def _quic(self, packets: Packets, rows: Int64) -> None:
        """Initials of QUIC clients."""
        rows = rows[packets.octets[rows] >= SMALLEST_DATAGRAM]
        if not len(rows):
            return
        payload = packets.transport[rows] + _UDP_HEADER_BYTES
        large = (packets.ends(rows) - payload >= SMALLEST_DATAGRAM) & (payload >= _UDP_HEADER_BYTES)
        rows, payload = rows[large], payload[large]
        first = packets.frames.window(payload, 8).view(np.uint8).reshape(-1, 8)
        begins = starts_initial(first)
        rows, payload = rows[begins], payload[begins]
        if not len(rows):
            return
        hashes = self._keys.connections(packet_sides(packets, rows))
        new = self._connections.get(hashes) == NOTHING_KNOWN
        try:
            whose = self._initials.open(packets, rows[new], payload[new], hashes[new], self._pieces)
            found = tls.server_names(self._pieces.data, *self._pieces.bounds())
            named = found.start < found.stop
            known = self._names.categories(self._pieces.data, found.start[named], found.stop[named])
        finally:
            self._pieces.clear()
        self._connections.put(whose[named], np.where(known, known, np.uint8(Category.TLS_WEB)))

    def _dns(self, packets: Packets, rows: Int64) -> None:
        """Answers of name servers: the addresses of a name are of its category until another has them."""
        data, at = packets.frames.data, packets.transport[rows] + _UDP_HEADER_BYTES
        answering = self._bounded(np.flatnonzero((at >= _UDP_HEADER_BYTES) & dns.starts_answer(data, at)))
        if not len(answering):
            return
        rows, at = rows[answering], at[answering]
        said = dns.answers(data, at, packets.ends(rows))
        known = self._names.categories(data, said.start, said.stop, said.dots)
        self._addresses.put(self._keys.addresses(said.hi, said.lo), known[said.of])

    def _bounded(self, found: Int64) -> Int64:
        """The first MOST_AT_ONCE of them; the others are counted."""
        self._beyond += max(len(found) - MOST_AT_ONCE, 0)
        return found[:MOST_AT_ONCE]

    def _learn(
        self,
        packets: Packets,
        rows: Int64,
        data: NDArray[np.uint8],
        start: Int64,
        stop: Int64,
        otherwise: Category,
    ) -> None:
        """Remember the category of the names data[start:stop] for the connections of these packets."""
        named = np.flatnonzero(start < stop)
        known = self._names.categories(data, start[named], stop[named])
        hashes = self._keys.connections(packet_sides(packets, rows[named]))
        self._connections.put(hashes, np.where(known, known, np.uint8(otherwise)))


def _payload(packets: Packets, rows: Int64) -> Int64:
    """(k,) where the payload of these TCP segments begins, by what their headers say."""
    transport = packets.transport[rows]
    words_of_header = np.take(packets.frames.data, transport + 12, mode="clip") >> 4
    return np.asarray(transport + words_of_header * np.int64(4))


def _with_followers(packets: Packets, cut: Int64) -> Segments:
    """The segments `cut` and all others between their ports: the last one may be as short as one octet."""
    between = np.isin(packets.ports, packets.ports[cut])
    rows = np.flatnonzero(between & (packets.shape == _TCP))
    return Segments(packets, rows, _payload(packets, rows))


def _glanced_at(ports: Ports) -> NDArray[np.bool_]:
    """(65536,) by a destination port in network order: whether its connections begin with a name."""
    numbers = np.arange(65536, dtype=np.uint16).byteswap()
    web = np.isin(ports.tcp, (Category.WEB, Category.TLS_WEB)) | (ports.udp == Category.TLS_WEB)
    return np.asarray(web[numbers])


def _by_port(ports: Ports, sides: Sides, protocol: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(k,) what the peer's port means, else the client's if no client would take it by chance."""
    client_port, peer_port = (port.astype(np.int64) for port in (sides.one[2], sides.other[2]))
    served = ports.protocols[protocol]
    for number, table in ((_TCP, ports.tcp), (_UDP, ports.udp)):
        by_client = np.where(client_port < _SYSTEM_PORTS, table[client_port], np.uint8(NOTHING_KNOWN))
        by_peer = table[peer_port]
        served = np.where(protocol == number, np.where(by_peer, by_peer, by_client), served)
    return np.asarray(served, np.uint8)
