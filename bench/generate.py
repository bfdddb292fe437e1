"""The captures of the benchmark, drawn from a fixed seed: the same bytes on every machine.

    python -m bench.generate hotspot hostile      writes build/bench/hotspot.pcap and hostile.pcap

hotspot   400 clients of a public Wi-Fi for ten minutes: 5 million small packets, 120,000 conversations
          with heavy-tailed sizes that interleave, TCP, QUIC and DNS, a fifth of it IPv6, some ARP
hostile   a scan: 4 million packets, 1 million conversations of one to seven packets, 20,000 sources
snaplen   the first tenth of hotspot, every frame cut at 68 octets (tcpdump did so for years)
tiny      the first 50 packets of hotspot
A capture that is there already and was drawn by this very code is kept.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench import frames
from bench.frames import ACK, FIN, PSH, SYN, TCP, UDP, Conversations, Packets

FOLDER = Path(__file__).parent.parent / "build" / "bench"
NAMES = ("hotspot", "hostile", "snaplen", "tiny")
CLIENT_NETWORKS = ("10.20.0.0/16", "2001:db8::/48")

_START_US = 1_767_271_200_000_000  # 2026-01-01T12:40:00Z: neither capture crosses an hour or a day
_GATEWAY = np.array([0x02, 0, 0x5E, 0x10, 0, 1], dtype=np.uint8)


def main(names: list[str]) -> int:
    if not names or not set(names) <= set(NAMES):
        print(__doc__, file=sys.stderr)
        return 2
    for name in names:
        print(draw(name))
    return 0


def draw(name: str) -> Path:
    """Make one capture if it is not there yet; returns its path."""
    path = FOLDER / f"{name}.pcap"
    stamp = FOLDER / f"{name}.drawn-by"
    sources = Path(__file__).read_bytes() + Path(frames.__file__).read_bytes()
    ours = hashlib.sha256(sources).hexdigest()
    if path.exists() and stamp.exists() and stamp.read_text() == ours:
        return path
    conversations, packets = _hostile() if name == "hostile" else _hotspot()
    if name == "snaplen":
        frames.write(path, conversations, packets.slice(0, len(packets.time_us) // 10), snaplen=68)
    elif name == "tiny":
        frames.write(path, conversations, packets.slice(0, 50))
    else:
        frames.write(path, conversations, packets)
    stamp.write_text(ours)
    return path


def _hotspot(count: int = 120_000, wanted: int = 4_992_000) -> tuple[Conversations, Packets]:
    """`count` conversations of about `wanted` packets in all."""
    rng = np.random.default_rng(20_261_121)
    is_dns = rng.random(count) < 0.25
    conversations = _conversations(
        rng,
        clients=400,
        client=rng.integers(0, 400, count),
        peer=(rng.zipf(1.3, count) - 1) % 20_000,
        is_v6=rng.random(count) < 0.2,
        protocol=np.where(is_dns | (rng.random(count) < 0.25), UDP, TCP).astype(np.uint8),
        peer_port=np.where(is_dns, 53, rng.choice([443, 443, 443, 443, 80, 993, 5223], count)),
    )
    sizes = np.where(is_dns, 2, 3 + np.minimum(rng.pareto(1.15, count) * 8, 40_000))
    sizes[~is_dns] *= (wanted - 2 * is_dns.sum()) / sizes[~is_dns].sum()
    sizes = np.maximum(sizes.astype(np.int64), 2)
    span_us = np.minimum(sizes * rng.lognormal(-2.5, 1.0, count), 590) * 1e6
    start_us = rng.random(count) * (600e6 - span_us)
    packets = _packets(rng, conversations, sizes, start_us, span_us, requests=8_000)
    return conversations, packets


def _hostile() -> tuple[Conversations, Packets]:
    rng = np.random.default_rng(20_261_122)
    count = 1_000_000
    conversations = _conversations(
        rng,
        clients=20_000,
        client=rng.integers(0, 20_000, count),
        peer=rng.integers(0, 500_000, count),
        is_v6=rng.random(count) < 0.1,
        protocol=np.where(rng.random(count) < 0.3, UDP, TCP).astype(np.uint8),
        peer_port=rng.integers(1, 10_000, count),
    )
    sizes = rng.integers(1, 8, count)
    span_us = rng.random(count) * 2e6
    start_us = rng.random(count) * 100e6
    return conversations, _packets(rng, conversations, sizes, start_us, span_us, requests=1_000)


def _conversations(
    rng: np.random.Generator,
    clients: int,
    client: NDArray[np.int64],
    peer: NDArray[np.int64],
    is_v6: NDArray[np.bool_],
    protocol: NDArray[np.uint8],
    peer_port: NDArray[np.int64],
) -> Conversations:
    """Columns of conversations, each with a key of its own: a client takes a fresh port every time."""
    order = np.argsort(client, kind="stable")
    first = np.searchsorted(client[order], np.arange(clients))
    rank = np.empty(len(client), dtype=np.int64)
    rank[order] = np.arange(len(client)) - first[client[order]]
    macs = rng.integers(0, 256, (clients, 6), dtype=np.uint8)
    macs[:, 0] = macs[:, 0] & 0xFC | 0x02
    inside = np.zeros((clients, 16), dtype=np.uint8)
    inside[:, 12:14] = 10, 20
    inside[:, 14], inside[:, 15] = np.divmod(np.arange(clients) + 256, 256)
    inside6 = rng.integers(0, 256, (clients, 16), dtype=np.uint8)
    inside6[:, :8] = np.frombuffer(bytes.fromhex("20010db800000001"), dtype=np.uint8)
    peers = int(peer.max()) + 1
    outside = rng.integers(0, 256, (peers, 16), dtype=np.uint8)
    outside[:, 12] = rng.integers(45, 100, peers)
    outside6 = outside.copy()
    outside6[:, :4] = np.frombuffer(bytes.fromhex("2a0204f8"), dtype=np.uint8)
    six = is_v6[:, None]
    return Conversations(
        is_v6=is_v6,
        protocol=protocol,
        client_mac=macs[client],
        client_ip=np.where(six, inside6[client], inside[client]),
        client_port=(20_000 + rank % 45_000).astype(np.uint16),
        peer_ip=np.where(six, outside6[peer], outside[peer]),
        peer_port=peer_port.astype(np.uint16),
        gateway_mac=np.broadcast_to(_GATEWAY, (len(client), 6)),
    )


def _packets(
    rng: np.random.Generator,
    conversations: Conversations,
    sizes: NDArray[np.int64],
    start_us: NDArray[np.float64],
    span_us: NDArray[np.float64],
    requests: int,
) -> Packets:
    """Every conversation's packets spread over its span, all of them in time order, with ARP between."""
    total = int(sizes.sum())
    conversation = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    rank = (np.arange(total) - np.repeat(np.cumsum(sizes) - sizes, sizes)).astype(np.int32)
    last = np.repeat(sizes, sizes) - 1
    moment = (rank + rng.random(total)) / (last + 1)
    moment[rank == 0] = 0
    when_us = start_us[conversation] + moment * span_us[conversation]
    outward = np.where(rank < 3, rank != 1, rng.random(total) < 0.4)
    flags = np.full(total, ACK, dtype=np.uint8)
    payload = np.where(rng.random(total) < 0.5, 0, rng.integers(1, 140, total))
    flags[payload > 0] |= PSH
    is_closing = (rank >= last - 1) & (rank > 2)
    for place, flag in ((rank == 0, SYN), (rank == 1, SYN | ACK), (is_closing, FIN | ACK)):
        flags[place], payload[place] = flag, 0
    payload[(conversations.protocol[conversation] == UDP) & (payload < 20)] = 40
    asking = -1 - rng.choice(np.flatnonzero(~conversations.is_v6), requests).astype(np.int32)
    asking_us = rng.random(requests) * when_us.max()
    time_us = np.concatenate([when_us, asking_us]).astype(np.int64)
    order = np.argsort(time_us, kind="stable")
    nothing = np.zeros(requests, dtype=np.uint8)
    return Packets(
        time_us=_START_US + time_us[order],
        conversation=np.concatenate([conversation, asking])[order],
        outward=np.concatenate([outward, nothing > 0])[order],
        rank=np.concatenate([rank, nothing])[order],
        flags=np.concatenate([flags, nothing])[order],
        payload=np.concatenate([payload, nothing])[order],
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
