"""Ticks of a pcapng interface to UTC nanoseconds (if_tsresol and if_tsoffset): exact, within 64 bits."""

import numpy as np
from numpy.typing import NDArray

from appliance.model.instants import NS

LAST_S = (1 << 63) // NS - 1
"""The last whole second that nanoseconds in 64 bits can say."""

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]


def ticks_per_s(resolution: int) -> int:
    """if_tsresol: a power of ten, or of two when the top bit is set; beyond 63 bits it means nothing."""
    exponent = resolution & 0x7F
    if resolution & 0x80:
        return 1 << min(exponent, 63)
    return int(10 ** min(exponent, 18))


def instants(ticks: U64, rates: U64, offsets_s: I64) -> I64:
    """(k,) UTC ns, rounded down, of ticks at `rates` a second; what leaves the range stays at its end."""
    seconds, fractions = ticks // rates, ticks % rates
    nanoseconds = np.empty(len(ticks), np.int64)
    for rate in np.unique(rates).tolist():  # at most as many as if_tsresol knows
        rows = np.flatnonzero(rates == rate)
        nanoseconds[rows] = _nanoseconds(fractions[rows], rate)
    whole = np.minimum(seconds, np.uint64(LAST_S)).astype(np.int64) + offsets_s
    return np.where(whole < 0, 0, np.minimum(whole, LAST_S) * NS + nanoseconds)


def _nanoseconds(fractions: U64, rate: int) -> I64:
    if rate <= 1 << 33:
        return (fractions * np.uint64(NS) // np.uint64(rate)).astype(np.int64)
    if rate % NS == 0:
        return (fractions // np.uint64(rate // NS)).astype(np.int64)
    shift = np.uint64(rate.bit_length() - 33)  # a power of two: the high 32 bits and the rest one by one
    high, low = fractions >> shift, fractions & ((np.uint64(1) << shift) - np.uint64(1))
    return (high * np.uint64(NS) + (low * np.uint64(NS) >> shift) >> np.uint64(32)).astype(np.int64)
