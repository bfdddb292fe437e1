"""The index beside a segment: which row groups can hold a client or a destination.

Every distinct address of a column is known by 24 bits of a mixing hash, with one bit for each row group
it occurs in. A hit may be false, a miss is certain: what cannot match is never decrypted. FORMAT.md
gives the bytes. The file is encrypted with the day key; nothing of it is readable without custodians.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from numpy.typing import NDArray

from appliance.model.addresses import U64

FINGERPRINT_BITS = 24
ROW_GROUP_LIMIT = 64  # one bit each in a mask

_MAGIC = b"GIX1"
_HEAD = struct.Struct("<4sHHQqq")
_SECTION = struct.Struct("<BxxxI")
_NONCE_BYTES = 12
_SIZE = struct.Struct("<I")

_FACTOR_A = np.uint64(0x9E3779B97F4A7C15)
_FACTOR_B = np.uint64(0xD6E8FEB86659FD93)
_HALF = np.uint64(32)


class Indexed(IntEnum):
    """What an index can be asked for; the number names the section in the file."""

    CLIENT_IP = 1
    CLIENT_MAC = 2
    PEER_IP = 3


@dataclass(frozen=True)
class Section:
    """Sorted distinct fingerprints (n,) and for each the bits of the row groups it occurs in (n,)."""

    fingerprints: NDArray[np.uint32]
    masks: U64

    def row_groups(self, fingerprint: int) -> int:
        """The bits of the row groups that can hold an address of this fingerprint; 0 for certainly none."""
        at = int(np.searchsorted(self.fingerprints, np.uint32(fingerprint)))
        if at == len(self.fingerprints) or self.fingerprints[at] != fingerprint:
            return 0
        return int(self.masks[at])


@dataclass(frozen=True)
class Index:
    """What is known of a segment before it is opened. Instants are those of the rows, both inclusive."""

    row_groups: int
    rows: int
    first_ns: int
    last_ns: int
    sections: Mapping[Indexed, Section]


def fingerprints(hi: U64, lo: U64) -> NDArray[np.uint32]:
    """(n,) halves of addresses to (n,) fingerprints of 24 bits; a MAC has 0 for its high half."""
    with np.errstate(over="ignore"):
        mixed = (hi * _FACTOR_A) ^ lo
        for _ in range(2):
            mixed ^= mixed >> _HALF
            mixed *= _FACTOR_B
        return (mixed >> np.uint64(64 - FINGERPRINT_BITS)).astype(np.uint32)


def fingerprint(hi: int, lo: int) -> int:
    """The fingerprint of one address."""
    return int(fingerprints(np.array([hi], np.uint64), np.array([lo], np.uint64))[0])


def section(marks: NDArray[np.uint32], row_group: NDArray[np.uint8]) -> Section:
    """The section of one column from each row's fingerprint and the number of its row group."""
    pairs = np.sort(marks << np.uint32(8) | row_group)
    known = pairs >> np.uint32(8)
    starts = np.flatnonzero(np.concatenate(([True], known[1:] != known[:-1])))
    bits = np.uint64(1) << (pairs & np.uint32(0xFF)).astype(np.uint64)
    return Section(known[starts], np.bitwise_or.reduceat(bits, starts))


def seal(index: Index, secret: bytes, name: bytes) -> bytes:
    """The bytes of an index file: nonce, then AES-256-GCM over size and zstd; `name` is authenticated."""
    parts = [
        _HEAD.pack(_MAGIC, index.row_groups, len(index.sections), index.rows, index.first_ns, index.last_ns)
    ]
    mask_bytes = (index.row_groups + 7) // 8
    for which, held in index.sections.items():
        gaps = np.diff(held.fingerprints, prepend=np.uint32(0)).astype("<u4")
        parts.append(_SECTION.pack(which, len(gaps)))
        parts.append(_planes(gaps)[: FINGERPRINT_BITS // 8].tobytes())
        parts.append(_planes(held.masks.astype("<u8"))[:mask_bytes].tobytes())
    plain = b"".join(parts)
    packed = _SIZE.pack(len(plain)) + pa.Codec("zstd", 3).compress(plain, asbytes=True)
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(secret).encrypt(nonce, packed, name)


def unseal(sealed: bytes, cipher: AESGCM, name: bytes) -> Index:
    """The index in a file's bytes. Raises InvalidTag when key, name or content are not those sealed."""
    packed = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name)
    (size,) = _SIZE.unpack_from(packed)
    plain = pa.Codec("zstd").decompress(memoryview(packed)[_SIZE.size :], size, asbytes=True)
    _, row_groups, count, rows, first_ns, last_ns = _HEAD.unpack_from(plain)
    mask_bytes = (row_groups + 7) // 8
    sections, at = {}, _HEAD.size
    for _ in range(count):
        which, entries = _SECTION.unpack_from(plain, at)
        at += _SECTION.size
        gaps = _whole(plain, at, entries, FINGERPRINT_BITS // 8, np.dtype("<u4"))
        at += entries * (FINGERPRINT_BITS // 8)
        masks = _whole(plain, at, entries, mask_bytes, np.dtype("<u8"))
        at += entries * mask_bytes
        sections[Indexed(which)] = Section(np.cumsum(gaps, dtype=np.uint32), masks)
    return Index(row_groups, rows, first_ns, last_ns, sections)


def _planes(values: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
    """(n,) little-endian numbers to (width, n): all lowest bytes first, which zstd packs better."""
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, values.dtype.itemsize).T)


def _whole(plain: bytes, at: int, count: int, width: int, kind: np.dtype) -> NDArray:  # type: ignore[type-arg]
    planes = np.frombuffer(plain, np.uint8, count * width, at).reshape(width, count)
    numbers = np.zeros((count, kind.itemsize), np.uint8)
    numbers[:, :width] = planes.T
    return numbers.view(kind).reshape(-1)
