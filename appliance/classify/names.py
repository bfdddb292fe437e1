"""Names to categories, many at once: each suffix is hashed where it lies, and no string is ever made.

The hash of a name is the sum of its bytes, each times a secret random number of its place counted from the
name's end, so the hashes of all its suffixes are the running sums of one multiplication. Two names of one
hash (about one pair in 2**57) would only share a category.

The bytes of names are copied into one scratch that is overwritten with zeros before a call returns. numpy
must not buffer them on the way: hence contiguous blocks, outputs that are given, and nothing that casts.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from appliance.classify.categories import NOTHING_KNOWN, Category

Bytes = NDArray[np.uint8]
Int64 = NDArray[np.int64]
Dots = tuple[Int64, Int64]

NO_DOTS: Dots = (np.empty(0, np.int64), np.empty(0, np.int64))

LONGEST_NAME = 255
"""RFC 1035 section 2.3.4."""

ROWS = 256
"""Names looked up at once."""

_DOT, _UPPER_A, _LETTERS, _CASE_BIT = (np.uint8(number) for number in (ord("."), ord("A"), 26, 5))
_GOLDEN = 0x9E37_79B9_7F4A_7C15


class Names:
    """The table of domains, hashed under `secret`, a random number."""

    def __init__(self, secret: int, domains: Mapping[str, Category]) -> None:
        self._weights = _random_numbers(secret, LONGEST_NAME)
        self._letters = np.zeros(ROWS * LONGEST_NAME, np.uint8)
        self._shifted = np.zeros(ROWS * LONGEST_NAME, np.uint8)
        self._products = np.zeros(ROWS * LONGEST_NAME, np.uint64)
        self._sums = np.zeros(ROWS * LONGEST_NAME, np.uint64)
        hashes = np.array([self.hash(suffix) for suffix in domains], np.uint64)
        order = np.argsort(hashes)
        # One entry more, so that what is greater than all of them has something to be compared with.
        self._hashes = np.append(hashes[order], np.uint64(0))
        self._categories = np.append(np.array(list(domains.values()), np.uint8)[order], np.uint8(0))

    def hash(self, name: str) -> int:
        """Hash of a name in lower case that is known beforehand."""
        letters = np.frombuffer(name.encode("ascii"), np.uint8)[::-1].astype(np.uint64)
        return int((letters * self._weights[: len(letters)]).sum())

    def categories(self, data: Bytes, start: Int64, stop: Int64, dots: Dots = NO_DOTS) -> Bytes:
        """(k,) Category of the longest suffix in the table of each name data[start:stop]; 0 where none is.

        `dots` names bytes that stand for a dot: which name, and where in `data`.
        """
        found = np.full(len(start), NOTHING_KNOWN, np.uint8)
        for first in range(0, len(start), ROWS):
            part = slice(first, first + ROWS)
            inside = np.flatnonzero((dots[0] >= first) & (dots[0] < first + ROWS))
            some = dots[0][inside] - first, dots[1][inside]
            of, hashes = self.suffixes(data, start[part], stop[part], some)
            place = np.searchsorted(self._hashes[:-1], hashes)
            known = np.flatnonzero(self._hashes[place] == hashes)
            found[first + of[known]] = self._categories[place[known]]  # the last written is the longest
        return found

    def suffixes(
        self, data: Bytes, start: Int64, stop: Int64, dots: Dots = NO_DOTS
    ) -> tuple[Int64, NDArray[np.uint64]]:
        """Which name, and the hash, of each suffix of at most ROWS names; the shortest first, the whole last.

        A name of no length or more than LONGEST_NAME bytes has none.
        """
        length = np.where(stop - start <= LONGEST_NAME, stop - start, 0)
        shape = len(start), int(length.max(initial=0))
        size = shape[0] * shape[1]
        letters, shifted = (block[:size].reshape(shape) for block in (self._letters, self._shifted))
        products, sums = (block[:size].reshape(shape) for block in (self._products, self._sums))
        column = np.arange(shape[1])
        inside = column < length[:, None]
        try:
            # Backwards, so that a suffix begins each row. Outside of a name the index stays in the buffer.
            np.take(data, stop[:, None] - 1 - column, out=letters, mode="clip")
            np.multiply(letters, inside.view(np.uint8), out=letters)
            dotted = stop[dots[0]] - 1 - dots[1]
            fits = (dotted >= 0) & (dotted < length[dots[0]])
            letters[dots[0][fits], dotted[fits]] = _DOT
            np.subtract(letters, _UPPER_A, out=shifted)
            np.bitwise_or(letters, (shifted < _LETTERS).view(np.uint8) << _CASE_BIT, out=letters)
            np.copyto(products, letters)
            np.multiply(products, self._weights[: shape[1]], out=products)
            np.cumsum(products, axis=1, out=sums)
            begins = column == length[:, None] - 1
            begins[:, :-1] |= letters[:, 1:] == _DOT
            begins &= inside
            which, place = np.nonzero(begins)
            hashes: NDArray[np.uint64] = sums[which, place]
            return which, hashes
        finally:
            for used in (letters, shifted, products, sums):
                used.fill(0)


def _random_numbers(secret: int, count: int) -> NDArray[np.uint64]:
    """(count,) numbers drawn from one secret: SplitMix64 (Steele, Lea, Flood 2014)."""
    numbers = np.uint64(secret) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    numbers ^= numbers >> np.uint64(30)
    numbers *= np.uint64(0xBF58_476D_1CE4_E5B9)
    numbers ^= numbers >> np.uint64(27)
    numbers *= np.uint64(0x94D0_49BB_1331_11EB)
    numbers ^= numbers >> np.uint64(31)
    return numbers
