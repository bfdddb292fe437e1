"""Records: the octets of sets that share a template, and of whom they came, as columns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.netflow.elements import MACS, TEXTS
from appliance.feeds.netflow.templates import Template
from appliance.model.texts import Texts

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]


Head = tuple[int, int, int]
"""Of a message: receipt and device's clock (ns), its sysUpTime (ms, -1: not stated)."""


@dataclass(frozen=True, slots=True)
class Heads:
    """(n,) the heads of the messages that records are of, and in which order these arrived."""

    received: I64
    exported: I64
    uptime: I64
    arrivals: I64


@dataclass(slots=True)
class Sets:
    """Sets that share a template: their octets without padding, and how many records."""

    octets: list[bytes] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    heads: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, octets: bytes, count: int, head: tuple[int, int, int, int]) -> None:
        """Take the records of one set; `head` ends with the order of its arrival."""
        self.octets.append(octets)
        self.counts.append(count)
        self.heads.append(head)

    def rows(self, layout: np.dtype[Any]) -> NDArray[Any]:
        """All records as one array of this layout."""
        if not layout.itemsize:  # nothing but fields that vary and are not read
            return np.empty(sum(self.counts), layout)
        return np.frombuffer(b"".join(self.octets), layout)

    def each_head(self) -> Heads:
        """The head of each record."""
        columns = np.array(self.heads, np.int64).reshape(-1, 4).T
        return Heads(*(np.repeat(column, self.counts) for column in columns))


def cut_records(template: Template, octets: bytes, number: Callable[[str], int]) -> tuple[bytes, int, bool]:
    """The records of one set in the form of `template.layout`, how many, and whether the last was whole.

    What is left over and shorter than any record is padding (RFC 7011 section 3.3.1).
    """
    if not template.varies:
        count = len(octets) // template.size
        return octets[: count * template.size], count, True
    found: list[bytes] = []
    at = count = 0
    while at + template.size <= len(octets):
        record, end = _cut_one(template, octets, at, number)
        if end < 0:
            return b"".join(found), count, not any(octets[at:])
        found += record
        at = end
        count += 1
    return b"".join(found), count, True


def _cut_one(
    template: Template, octets: bytes, at: int, number: Callable[[str], int]
) -> tuple[list[bytes], int]:
    """One record whose length varies, and where it ends: -1 if the set ends within (RFC 7011 section 7)."""
    found: list[bytes] = []
    last = len(template.pieces) - 1
    for place, (run, name) in enumerate(template.pieces):
        if run:
            found.append(octets[at : at + run])
            at += run
        if place == last:
            break
        if at >= len(octets):
            return found, -1
        length = octets[at]
        at += 1
        if length == 255:
            length = int.from_bytes(octets[at : at + 2])
            at += 2
        if name:
            found.append(number(text_of(octets[at : at + length])).to_bytes(4))
        at += length
    return found, at if at <= len(octets) else -1


def text_of(octets: bytes) -> str:
    """What a field of text says, without its padding of zeros; what is no UTF-8 shows as it is."""
    return octets.split(b"\0", 1)[0].decode("utf-8", "backslashreplace").strip()


class Columns:
    """Columns of records by name; zeros for what the template has not."""

    def __init__(self, template: Template, sets: Sets, texts: Texts) -> None:
        self.template = template
        self.rows = sets.rows(template.layout)
        self.heads = sets.each_head()
        self._texts = texts
        self._has = frozenset(template.layout.fields or ())

    def __len__(self) -> int:
        return len(self.rows)

    def has(self, *names: str) -> bool:
        """Whether any of these is stated."""
        return not self._has.isdisjoint(names)

    def has_ends(self) -> bool:
        """Whether both addresses are stated."""
        return self.has("src_v4", "src_v6") and self.has("dst_v4", "dst_v6")

    def number(self, name: str) -> U64:
        """(n,) unsigned."""
        if name not in self._has:
            return np.zeros(len(self.rows), np.uint64)
        column = self.rows[name]
        if column.ndim == 1:
            return column.astype(np.uint64)
        total = np.zeros(len(self.rows), np.uint64)
        for octet in range(column.shape[1]):  # three, five, six or seven octets
            total = total << np.uint64(8) | column[:, octet]
        return total

    def address(self, name: str) -> tuple[U64, U64]:
        """(hi, lo) of `name`: its IPv6 field where that is not zero, else its IPv4 field, mapped."""
        low = self.number(f"{name}_v4") if f"{name}_v4" in self._has else None
        if low is not None:
            low |= np.where(low != 0, np.uint64(0xFFFF_0000_0000), np.uint64(0))
        if f"{name}_v6" not in self._has:
            zeros = np.zeros(len(self.rows), np.uint64)
            return zeros, zeros.copy() if low is None else low
        halves = self.rows[f"{name}_v6"].astype(np.uint64)
        hi, lo = halves[:, 0], halves[:, 1]
        return hi, lo if low is None else np.where((hi | lo) != 0, lo, low)

    def mac(self, name: str) -> U64:
        """(n,) MAC numbers."""
        assert name in MACS
        if name not in self._has:
            return np.zeros(len(self.rows), np.uint64)
        column = self.rows[name]
        number: U64 = column["hi"].astype(np.uint64) << np.uint64(32) | column["lo"]
        return number

    def text(self, name: str) -> NDArray[np.uint32]:
        """(n,) numbers of texts."""
        assert name in TEXTS
        if name not in self._has:
            return np.zeros(len(self.rows), np.uint32)
        column = self.rows[name]
        if column.dtype.kind != "S":
            return column.astype(np.uint32)
        unique, which = np.unique(column, return_inverse=True)
        numbers = [self._texts.number(text_of(each)) for each in unique.tolist()]
        return np.array(numbers, np.uint32)[which]
