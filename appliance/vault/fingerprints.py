"""The index beside a segment: which row groups can hold a client or a destination.

Every distinct address of a column is known by 24 bits of a mixing hash, with one bit for each row group
it occurs in. A hit may be false, a miss is certain: what cannot match is never decrypted. FORMAT.md
gives the bytes. The file is encrypted with the day key; nothing of it is readable without custodians.
"""

import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
_TAG_BYTES = 16
_BODY = b"#sections"
_GAP_BYTES = FINGERPRINT_BITS // 8

HEAD_BYTES = _NONCE_BYTES + _HEAD.size + _TAG_BYTES
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
    """The distinct fingerprints of a column and the row groups each occurs in.

    `gaps` (3, n) are the bytes, lowest first, of the differences between the sorted fingerprints; `masks`
    (1 to 8, n) those of one bit a row group. Kept as in the file: a search looks at one column of each.
    """

    gaps: NDArray[np.uint8]
    masks: NDArray[np.uint8]

    def row_groups(self, fingerprint: int) -> int:
        """The bits of the row groups that can hold an address of this fingerprint; 0 for certainly none."""
        low, middle, high = self.gaps.astype(np.uint32)
        known = np.cumsum(low | middle << np.uint32(8) | high << np.uint32(16), dtype=np.uint32)
        at = int(np.searchsorted(known, np.uint32(fingerprint)))
        if at == len(known) or known[at] != fingerprint:
            return 0
        return int.from_bytes(self.masks[:, at].tobytes(), "little")


@dataclass(frozen=True)
class Index:
    """What is known of a segment before it is opened. Instants are those of the rows, both inclusive."""

    row_groups: int
    rows: int
    first_ns: int
    last_ns: int
    sections: Mapping[Indexed, Section]


def mixed(hi: U64, lo: U64) -> U64:
    """(n,) pairs of numbers to (n,) numbers whose every bit depends on all of both."""
    with np.errstate(over="ignore"):
        number = (hi * _FACTOR_A) ^ lo
        for _ in range(2):
            number ^= number >> _HALF
            number *= _FACTOR_B
        return number ^ number >> _HALF


def fingerprints(hi: U64, lo: U64) -> NDArray[np.uint32]:
    """(n,) halves of addresses to (n,) fingerprints of 24 bits; a MAC has 0 for its high half."""
    return (mixed(hi, lo) >> np.uint64(64 - FINGERPRINT_BITS)).astype(np.uint32)


def fingerprint(hi: int, lo: int) -> int:
    """The fingerprint of one address."""
    return int(fingerprints(np.array([hi], np.uint64), np.array([lo], np.uint64))[0])


def section(marks: NDArray[np.uint32], row_group: NDArray[np.uint8], row_groups: int) -> Section:
    """The section of one column from each row's fingerprint and the number of its row group."""
    pairs = np.sort(marks << np.uint32(8) | row_group)
    known = pairs >> np.uint32(8)
    starts = np.flatnonzero(np.concatenate(([True], known[1:] != known[:-1])))
    bits = np.uint64(1) << (pairs & np.uint32(0xFF)).astype(np.uint64)
    gaps = np.diff(known[starts], prepend=np.uint32(0)).astype("<u4")
    masks = np.bitwise_or.reduceat(bits, starts).astype("<u8")
    return Section(_planes(gaps)[:_GAP_BYTES], _planes(masks)[: _mask_bytes(row_groups)])


def seal(index: Index, secret: bytes, name: bytes) -> bytes:
    """The bytes of an index file: a head of HEAD_BYTES, then the sections, both encrypted; see FORMAT.md."""
    head = _HEAD.pack(
        _MAGIC, index.row_groups, len(index.sections), index.rows, index.first_ns, index.last_ns
    )
    parts = []
    for which, held in index.sections.items():
        parts += [_SECTION.pack(which, held.gaps.shape[1]), held.gaps.tobytes(), held.masks.tobytes()]
    plain = b"".join(parts)
    packed = _SIZE.pack(len(plain)) + pa.Codec("zstd", 3).compress(plain, asbytes=True)
    cipher = AESGCM(secret)
    return _encrypted(cipher, head, name) + _encrypted(cipher, packed, name + _BODY)


def unseal_head(sealed: bytes, cipher: AESGCM, name: bytes) -> Index:
    """An index without its sections, from the first HEAD_BYTES of a file: enough to know its period.

    Raises InvalidTag when key, name or content are not those sealed.
    """
    plain = cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:HEAD_BYTES], name)
    _, row_groups, _, rows, first_ns, last_ns = _HEAD.unpack(plain)
    return Index(row_groups, rows, first_ns, last_ns, {})


def unseal(sealed: bytes, cipher: AESGCM, name: bytes) -> Index:
    """The index in a file's bytes. Raises InvalidTag when key, name or content are not those sealed."""
    head = unseal_head(sealed, cipher, name)
    body = HEAD_BYTES + _NONCE_BYTES
    packed = cipher.decrypt(sealed[HEAD_BYTES:body], sealed[body:], name + _BODY)
    (size,) = _SIZE.unpack_from(packed)
    plain = pa.Codec("zstd").decompress(memoryview(packed)[_SIZE.size :], size, asbytes=True)
    return replace(head, sections=_sections(plain, head.row_groups))


def _encrypted(cipher: AESGCM, plain: bytes, name: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, name)


def _sections(plain: bytes, row_groups: int) -> dict[Indexed, Section]:
    sections, at = {}, 0
    while at < len(plain):
        which, entries = _SECTION.unpack_from(plain, at)
        middle = at + _SECTION.size + entries * _GAP_BYTES
        end = middle + entries * _mask_bytes(row_groups)
        planes = np.frombuffer(plain, np.uint8)
        gaps, masks = planes[at + _SECTION.size : middle], planes[middle:end]
        sections[Indexed(which)] = Section(
            gaps.reshape(_GAP_BYTES, entries), masks.reshape(_mask_bytes(row_groups), entries)
        )
        at = end
    return sections


def _mask_bytes(row_groups: int) -> int:
    return (row_groups + 7) // 8


def _planes(values: NDArray[np.unsignedinteger]) -> NDArray[np.uint8]:
    """(n,) little-endian numbers to (width, n): all lowest bytes first, which zstd packs better."""
    return np.ascontiguousarray(values.view(np.uint8).reshape(-1, values.dtype.itemsize).T)
