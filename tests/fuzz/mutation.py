"""Damaged frames in whole batches: numpy does to 32,768 frames at once what a fuzzer does to one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from appliance.model.frames import ETHERNET, PADDING_BYTES, Frames
from tests.fuzz.invariants import START

WIDTH = 400
"""Longest frame made: deep enough for eight headers in each other."""

GAP = 9
"""Canary bytes behind each frame; odd, so that frames lie at every alignment."""

_LENGTHS = np.array(
    [0, 1, 2, 4, 7, 8, 15, 16, 20, 28, 40, 64, 127, 128, 255, 256, 0x5DC, 0x7FFF, 0x8000, 0xFFF8, 0xFFFF]
)
_TYPES = np.array(
    [0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8, 0x9100, 0x6558, 0x88BE, 0x22EB, 0x8847, 0x8864, 0x880B, 0x0021]
)
_PORTS = np.array([53, 67, 68, 546, 547, 1701, 2152, 4789, 4790, 5247, 6081, 6635, 8472, 12222, 37008])
_PROTOCOLS = np.array([0, 1, 4, 6, 17, 41, 43, 44, 47, 50, 51, 58, 59, 60, 97, 132, 135, 137, 143], np.uint8)
_BACKWARDS = 0.25
"""Share of frames whose end is repeated from an earlier place, so that headers come again and again."""


@dataclass(frozen=True)
class Seeds:
    """Frames of one link type, one a row."""

    link_type: int
    bytes: NDArray[np.uint8]  # (n, WIDTH)
    size: NDArray[np.int64]  # (n,)


def as_seeds(link_type: int, contents: list[bytes]) -> Seeds:
    """Rows of at most WIDTH bytes."""
    rows = b"".join(content[:WIDTH].ljust(WIDTH, b"\0") for content in contents)
    size = np.array([min(len(content), WIDTH) for content in contents], np.int64)
    return Seeds(link_type, np.frombuffer(rows, np.uint8).reshape(-1, WIDTH), size)


def batch(seeds: Seeds, chance: np.random.Generator, count: int) -> Frames:
    """`count` damaged frames; everything follows from the generator."""
    taken = chance.integers(len(seeds.size), size=count)
    rows, size = seeds.bytes[taken], seeds.size[taken]
    size = _splice(seeds, rows, size, chance)
    _overwrite(rows, size, chance)
    cut = np.flatnonzero(chance.random(count) < 0.25)
    size[cut] = (size[cut] * chance.random(len(cut))).astype(np.int64)
    size[chance.random(count) < 0.01] = 0
    beyond = np.where(chance.random(count) < 0.25, chance.integers(2000, size=count), 0)
    vlan = None
    if chance.random() < 0.2:
        vlan = chance.integers(-1, 4095, size=count).astype(np.int16)
    return laid_out(rows, size, size + beyond, seeds.link_type, vlan, canary=0xA5)


def laid_out(
    rows: NDArray[np.uint8],
    size: NDArray[np.int64],
    length: NDArray[np.int64],
    link_type: int = ETHERNET,
    vlan: NDArray[np.int16] | None = None,
    *,
    canary: int,
) -> Frames:
    """Frames a nanosecond apart; every byte that is none of a frame's is the canary."""
    count, stride = len(rows), WIDTH + GAP
    data = np.full(count * stride + PADDING_BYTES, canary, np.uint8)
    held = np.where(np.arange(WIDTH) < size[:, None], rows, np.uint8(canary))
    data[: count * stride].reshape(count, stride)[:, :WIDTH] = held
    offsets = np.arange(count, dtype=np.int64) * stride
    return Frames(data, offsets, size, length, START + np.arange(count), link_type, vlan)


def _splice(
    seeds: Seeds, rows: NDArray[np.uint8], size: NDArray[np.int64], chance: np.random.Generator
) -> NDArray[np.int64]:
    """The head of a frame before the tail of another, or before its own from an earlier place."""
    count = len(rows)
    kind = chance.random(count)
    spliced = np.flatnonzero(kind < 0.5)
    repeats = kind[spliced] < _BACKWARDS
    other = np.where(repeats, 0, chance.integers(len(seeds.size), size=len(spliced)))
    tails = np.where(repeats[:, None], rows[spliced], seeds.bytes[other])
    tail_size = np.where(repeats, size[spliced], seeds.size[other])
    until = (size[spliced] * chance.random(len(spliced))).astype(np.int64)
    since = (np.where(repeats, until, tail_size) * chance.random(len(spliced))).astype(np.int64)
    column = np.arange(WIDTH)
    source = np.clip(column - until[:, None] + since[:, None], 0, WIDTH - 1)
    rows[spliced] = np.where(
        column < until[:, None], rows[spliced], np.take_along_axis(tails, source, axis=1)
    )
    changed = size.copy()
    changed[spliced] = np.minimum(until + tail_size - since, WIDTH)
    return changed


def _overwrite(rows: NDArray[np.uint8], size: NDArray[np.int64], chance: np.random.Generator) -> None:
    """Single bytes, bits, lengths, types, ports and protocol numbers; more of them near the front."""
    count = len(rows)

    def places(share: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        hit = np.flatnonzero((chance.random(count) < share) & (size > 1))
        return hit, ((size[hit] - 1) * chance.random(len(hit)) ** 1.5).astype(np.int64)

    for _ in range(3):
        hit, at = places(0.3)
        rows[hit, at] = chance.integers(256, size=len(hit), dtype=np.uint8)
    hit, at = places(0.3)
    rows[hit, at] ^= np.uint8(1) << chance.integers(8, size=len(hit), dtype=np.uint8)
    hit, at = places(0.2)
    rows[hit, at] = chance.choice(_PROTOCOLS, len(hit))
    for values in (_LENGTHS, _TYPES, _PORTS):
        hit, at = places(0.2)
        value = chance.choice(values, len(hit))
        rows[hit, at], rows[hit, at + 1] = value >> 8, value & 0xFF
