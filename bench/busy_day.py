"""A made-up but realistic busy day of a public Wi-Fi, hour by hour, as traffic rows.

About 6,000 clients come and go with a day's rhythm; a third of the records are DNS to three resolvers,
most others TLS and QUIC to 400,000 destinations of Zipf popularity, four in ten of them IPv6; a client
returns to its own thirty favourites two times in three. Ports are drawn at random from the ranges of
Linux and of Apple and Windows, durations and octets are log-normal, some attempts get no answer, and
connections over a minute are cut into parts as the recorder does. Times are nanoseconds. Apart from the
favourites every draw is independent: a real day, with its bursts and its repeated sizes, packs better.
"""

import numpy as np
from numpy.typing import NDArray

from appliance.model.addresses import MAPPED_V4
from appliance.model.instants import HOUR_NS, NS
from appliance.model.rows import TRAFFIC

CLIENTS = 6_000
DESTINATIONS = 400_000
FAVOURITES = 30
RHYTHM = (3, 2, 2, 1, 1, 2, 5, 12, 25, 38, 45, 50, 55, 55, 50, 48, 50, 55, 60, 58, 50, 35, 18, 8)
"""Relative load of the 24 hours."""

_KINDS = np.array(
    # share, protocol, port, median seconds, sigma, median octets out, in
    [
        (0.35, 17, 53, 0.018, 1.0, 66, 130),
        (0.42, 6, 443, 4.0, 2.0, 1900, 6500),
        (0.12, 17, 443, 6.0, 1.8, 2600, 9000),
        (0.03, 6, 80, 1.0, 2.0, 700, 1500),
        (0.02, 6, 5228, 8.0, 2.0, 900, 1000),
        (0.01, 6, 993, 5.0, 1.5, 1500, 6000),
        (0.02, 17, 123, 0.030, 1.0, 76, 76),
        (0.01, 1, 0, 1.0, 1.0, 84, 84),
        (0.02, 17, -1, 20.0, 2.0, 3000, 3000),
    ]
)


class BusyDay:
    """One seeded day of `records` rows; `hour(h)` gives the rows of one hour, always the same ones."""

    def __init__(self, records: int, day_start_ns: int, seed: int = 1) -> None:
        self.records, self.day_start_ns, self.seed = records, day_start_ns, seed
        draw = np.random.default_rng(seed)
        self.client_mac = draw.integers(1, 1 << 48, CLIENTS, dtype=np.uint64)
        self.client_v4 = np.uint64(MAPPED_V4 | 0x0A140000) + np.arange(CLIENTS, dtype=np.uint64)
        self.client_v6 = draw.integers(0, 1 << 64, CLIENTS, dtype=np.uint64)
        popular_hours = np.array(RHYTHM) / sum(RHYTHM)
        self.arrival_h = draw.choice(24, CLIENTS, p=popular_hours) + draw.random(CLIENTS)
        self.stay_h = np.minimum(draw.lognormal(0.3, 0.8, CLIENTS), 12)
        self.activity = draw.lognormal(0, 1, CLIENTS)
        self.peer_is_v6 = draw.random(DESTINATIONS) < 0.4
        v4 = np.uint64(MAPPED_V4) | draw.integers(0x01000000, 0xDF000000, DESTINATIONS, dtype=np.uint64)
        prefixes = draw.integers(0x2001_0000_0000, 0x2A10_0000_0000, 3000, dtype=np.uint64) << np.uint64(16)
        v6_hi = draw.choice(prefixes, DESTINATIONS)
        host_bits = draw.choice([8, 16, 32, 64], DESTINATIONS, p=[0.3, 0.4, 0.2, 0.1]).astype(np.uint64)
        v6_lo = draw.integers(0, 1 << 64, DESTINATIONS, dtype=np.uint64) >> (np.uint64(64) - host_bits)
        self.peer_hi = np.where(self.peer_is_v6, v6_hi, np.uint64(0))
        self.peer_lo = np.where(self.peer_is_v6, v6_lo, v4)
        self.popularity = np.cumsum(1 / np.arange(1, DESTINATIONS + 1))
        self.favourites = self._popular(draw, CLIENTS * FAVOURITES).reshape(CLIENTS, FAVOURITES)
        self.is_linux = draw.random(CLIENTS) < 0.5

    def _popular(self, draw: np.random.Generator, count: int) -> NDArray[np.intp]:
        rank = np.searchsorted(self.popularity, draw.random(count) * self.popularity[-1])
        known: NDArray[np.intp] = np.minimum(rank, DESTINATIONS - 1)
        return known

    def hour(self, hour: int) -> NDArray[np.void]:
        """The rows of one UTC hour in order of their end, about its share of the day's records."""
        draw = np.random.default_rng((self.seed, hour))
        wanted = int(self.records * RHYTHM[hour] / sum(RHYTHM))
        connections = self._connections(draw, hour, int(wanted * 0.9) + 1)
        rows = _cut(draw, connections, self.day_start_ns + (hour + 1) * HOUR_NS)[:wanted]
        return rows[np.argsort(rows["last_seen"])]

    def _connections(self, draw: np.random.Generator, hour: int, count: int) -> NDArray[np.void]:
        kinds = _KINDS[draw.choice(len(_KINDS), count, p=_KINDS[:, 0])]
        rows = np.zeros(count, TRAFFIC)
        rows["first_seen"] = self.day_start_ns + hour * HOUR_NS + draw.integers(0, HOUR_NS, count)
        seconds = np.minimum(kinds[:, 3] * draw.lognormal(0, kinds[:, 4]), 1800)
        rows["last_seen"] = rows["first_seen"] + (seconds * NS).astype(np.int64)
        rows["protocol"] = kinds[:, 1]
        self._ends(draw, rows, hour, kinds)
        _count_octets(draw, rows, kinds)
        rows["vlan"] = -1
        rows["end_reason"] = np.where(kinds[:, 1] == 6, np.where(draw.random(count) < 0.8, 3, 1), 1)
        return rows

    def _ends(
        self, draw: np.random.Generator, rows: NDArray[np.void], hour: int, kinds: NDArray[np.float64]
    ) -> None:
        count = len(rows)
        here = np.flatnonzero((self.arrival_h < hour + 1) & (self.arrival_h + self.stay_h > hour))
        weights = self.activity[here] / self.activity[here].sum()
        client = draw.choice(here, count, p=weights)
        favourite = np.minimum(draw.geometric(0.1, count) - 1, FAVOURITES - 1)
        returns = draw.random(count) < 2 / 3
        peer = np.where(returns, self.favourites[client, favourite], self._popular(draw, count))
        resolver = kinds[:, 2] == 53
        peer[resolver] = draw.choice(3, int(resolver.sum()), p=[0.7, 0.2, 0.1])
        v6 = self.peer_is_v6[peer]
        rows["client_mac"], rows["peer_mac"] = self.client_mac[client], 0x00005E000101
        rows["client_ip_hi"] = np.where(v6, np.uint64(0x20010DB8_00420001), np.uint64(0))
        rows["client_ip_lo"] = np.where(v6, self.client_v6[client], self.client_v4[client])
        rows["peer_ip_hi"], rows["peer_ip_lo"] = self.peer_hi[peer], self.peer_lo[peer]
        linux = self.is_linux[client]
        rows["client_port"] = draw.integers(np.where(linux, 32768, 49152), np.where(linux, 61000, 65536))
        rows["peer_port"] = np.where(kinds[:, 2] < 0, draw.integers(1024, 65536, count), kinds[:, 2])
        for column in ("client_port", "peer_port"):
            rows[column][rows["protocol"] == 1] = -1


def _count_octets(draw: np.random.Generator, rows: NDArray[np.void], kinds: NDArray[np.float64]) -> None:
    count = len(rows)
    single = kinds[:, 5] < 100  # one packet each way: DNS, NTP, ping
    fixed = single & (kinds[:, 2] != 53)
    unanswered = draw.random(count) < np.where(fixed, 0.1, 0.04)
    for side, median in (("out", kinds[:, 5]), ("in", kinds[:, 6])):
        octets = (median * draw.lognormal(0, np.where(single, 0.25, 1.4))).astype(np.int64)
        packets = octets // draw.integers(300, 1400, count) + draw.poisson(4, count) + 1
        octets += np.where(single, 0, packets * 40)
        packets = np.where(single, 1, packets)
        octets = np.where(fixed, median, octets)
        tries = draw.geometric(0.5, count)
        packets = np.where(unanswered, tries if side == "out" else 0, packets)
        octets = np.where(unanswered, tries * 60 if side == "out" else 0, octets)
        rows[f"packets_{side}"], rows[f"bytes_{side}"] = packets, octets


def _cut(draw: np.random.Generator, rows: NDArray[np.void], hour_end_ns: int) -> NDArray[np.void]:
    """Cut connections at the active timeout and at the end of the hour, as the recorder does."""
    end = np.minimum(rows["last_seen"], hour_end_ns - 1)
    parts = 1 + (end - rows["first_seen"]) // (60 * NS)
    which = np.repeat(np.arange(len(rows)), parts)
    number = np.arange(len(which)) - np.repeat(np.cumsum(parts) - parts, parts)
    cut = rows[which]
    late = np.where(number > 0, draw.integers(0, NS, len(which)), 0)
    cut["first_seen"] += number * 60 * NS + late
    last_part = number == parts[which] - 1
    cut["last_seen"] = np.where(last_part, end[which], cut["first_seen"] + 60 * NS - NS - late)
    cut["last_seen"] = np.maximum(cut["last_seen"], cut["first_seen"])
    cut["end_reason"][~last_part] = 2
    return cut[cut["first_seen"] < hour_end_ns]
