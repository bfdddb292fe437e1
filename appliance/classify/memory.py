"""What was learnt lately: keyed hash to category, in one array of fixed size; the oldest give way."""

import numpy as np
from numpy.typing import NDArray

WAYS = 4
"""Entries that share a bucket; a fuller one than its neighbours forgets its oldest first."""

_BUCKET = np.dtype(
    (np.void, 8 * WAYS)
)  # copied in one piece: two dimensions of numbers take four times as long
_CATEGORY = np.uint64(0xFF)


class Memory:
    """Holds at most 2**bits * WAYS hashes. An entry is a hash whose low eight bits are the category."""

    def __init__(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        self._entries = np.zeros((1 << bits, WAYS), np.uint64)  # the newest first
        self._buckets = self._entries.view(_BUCKET).reshape(-1)

    def __len__(self) -> int:
        return int(np.count_nonzero(self._entries))

    def put(self, hashes: NDArray[np.uint64], categories: NDArray[np.uint8]) -> None:
        """Remember the last category given for each hash, as the newest of its bucket."""
        if not len(hashes):
            return
        order = np.argsort(hashes, kind="stable")
        sorted_hashes = hashes[order]
        last = np.append(sorted_hashes[1:] != sorted_hashes[:-1], True)
        order, sorted_hashes = order[last], sorted_hashes[last]
        entries = sorted_hashes & ~_CATEGORY | categories[order].astype(np.uint64)
        bucket = (sorted_hashes >> self._shift).astype(np.int64)
        begins = np.flatnonzero(np.append(True, bucket[1:] != bucket[:-1]))
        rank = np.arange(len(bucket)) - np.repeat(begins, np.diff(np.append(begins, len(bucket))))
        for turn in range(int(rank.max()) + 1):  # one of each bucket at a time; two in one are rare
            which = np.flatnonzero(rank == turn)
            self._put_apart(bucket[which], entries[which])

    def _put_apart(self, bucket: NDArray[np.int64], entries: NDArray[np.uint64]) -> None:
        """Put entries of which no two share a bucket: each goes first, those before its old place move on."""
        held = self._held(bucket)
        same = (held & ~_CATEGORY) == (entries & ~_CATEGORY)[:, None]
        same[:, -1] |= ~same.any(axis=1)
        stays = np.arange(1, WAYS) > same.argmax(axis=1)[:, None]
        moved = np.empty_like(held)
        moved[:, 0] = entries
        moved[:, 1:] = np.where(stays, held[:, 1:], held[:, :-1])
        self._buckets[bucket] = moved.view(_BUCKET).reshape(-1)

    def get(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """(k,) what is remembered, 0 where nothing is."""
        held = self._held((hashes >> self._shift).astype(np.int64))
        same = (held & ~_CATEGORY) == (hashes & ~_CATEGORY)[:, None]
        found: NDArray[np.uint8] = np.where(same, held & _CATEGORY, np.uint64(0)).max(axis=1).astype(np.uint8)
        return found

    def _held(self, bucket: NDArray[np.int64]) -> NDArray[np.uint64]:
        """(k, WAYS) entries of buckets."""
        return self._buckets[bucket].view(np.uint64).reshape(-1, WAYS)
