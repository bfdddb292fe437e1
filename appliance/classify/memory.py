"""What was learnt lately: keyed hash to category, in one array of fixed size; the oldest give way."""

import numpy as np
from numpy.typing import NDArray

WAYS = 4
"""Entries that share a bucket; a fuller one than its neighbours forgets its oldest first."""

_CATEGORY = np.uint64(0xFF)


class Memory:
    """Holds at most 2**bits * WAYS hashes. An entry is a hash whose low eight bits are the category."""

    def __init__(self, bits: int) -> None:
        self._shift = np.uint64(64 - bits)
        self._entries = np.zeros((1 << bits, WAYS), np.uint64)  # the newest first

    def __len__(self) -> int:
        return int(np.count_nonzero(self._entries))

    def put(self, hashes: NDArray[np.uint64], categories: NDArray[np.uint8]) -> None:
        """Remember the last category given for each hash, as the newest of its bucket."""
        _, last = np.unique(hashes[::-1], return_index=True)
        order = np.sort(len(hashes) - 1 - last)
        entries = hashes[order] & ~_CATEGORY | categories[order].astype(np.uint64)
        bucket = (hashes[order] >> self._shift).astype(np.int64)
        while len(bucket):
            # One a bucket and round; beyond WAYS rounds a bucket would only forget what it just learnt.
            _, first = np.unique(bucket, return_index=True)
            self._put_apart(bucket[first], entries[first])
            bucket, entries = np.delete(bucket, first), np.delete(entries, first)

    def _put_apart(self, bucket: NDArray[np.int64], entries: NDArray[np.uint64]) -> None:
        """Put entries of which no two share a bucket: each goes first, those before its old place move on."""
        held = self._entries[bucket]
        same = (held & ~_CATEGORY) == (entries & ~_CATEGORY)[:, None]
        same[:, -1] |= ~same.any(axis=1)
        place = same.argmax(axis=1)
        moved = np.empty_like(held)
        moved[:, 0] = entries
        moved[:, 1:] = np.where(np.arange(1, WAYS) <= place[:, None], held[:, :-1], held[:, 1:])
        self._entries[bucket] = moved

    def get(self, hashes: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """(k,) what is remembered, 0 where nothing is."""
        held = self._entries[(hashes >> self._shift).astype(np.int64)]
        same = (held & ~_CATEGORY) == (hashes & ~_CATEGORY)[:, None]
        found: NDArray[np.uint8] = np.where(same, held & _CATEGORY, np.uint64(0)).max(axis=1).astype(np.uint8)
        return found
