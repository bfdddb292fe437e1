"""When a flow began and ended: every form that an export can say it in, to UTC nanoseconds."""

import numpy as np
from numpy.typing import NDArray

from appliance.feeds.clocks import NOT_KNOWN, believed
from appliance.feeds.netflow.records import I64, U64, Columns
from appliance.model.instants import DAY_NS, MS, NS

NTP_EPOCH_S = 2_208_988_800  # 1900-01-01 to 1970-01-01
WRAP_MS = 1 << 32  # sysUpTime is 32 bits of milliseconds: it begins anew after 49.7 days
DAMAGED = np.int64(-1)

Bools = NDArray[np.bool_]


def read_instants(columns: Columns, init_ms: int) -> tuple[I64, I64, Bools]:
    """(first, last, by_receipt) of records; `init_ms` is when the device began to count, 0 if it never said.

    What is not stated: the end is when the message left, the beginning is the end less the duration. A clock
    that is not believed (`clocks`) leaves what does not depend on it: how long before the export a flow
    ended, and how long it lasted; these are counted back from the receipt.
    """
    heads = columns.heads
    last, ended = _one_of(columns, ("end", "seen"), init_ms)
    afloat = np.zeros(len(columns), np.bool_)
    lasted = np.zeros(len(columns), np.int64)
    if not ended:
        last = heads.exported
        if columns.has("start_uptime", "end_uptime") and not columns.has("init_ms") and not init_ms:
            afloat[:] = True  # since a start of the device that nobody knows: only differences mean anything
            lasted = _uptimes_apart(columns)
    first, dated = _one_of(columns, ("start",), init_ms)
    if not dated:
        first = last - np.maximum(lasted, _duration(columns))
    elif not ended:  # the message's own instant is cut to the second
        last = first + _duration(columns) if columns.has(*_DURATIONS) else np.maximum(first, last)
    last = np.where(last == DAMAGED, heads.exported, last)
    first = np.where(first == DAMAGED, last, np.minimum(first, last))
    if columns.has(*_BACK):
        first, last = _with_way_back(columns, first, last, init_ms)
    return _mend(columns, first, last, afloat)


def _with_way_back(columns: Columns, first: I64, last: I64, init_ms: int) -> tuple[I64, I64]:
    """From the earlier beginning to the later end of both directions (RFC 5103): they are one row.

    Of the way back, what is zero or cannot be meant says nothing, nor does it where nothing came back.
    """
    received = columns.heads.received
    wrong = ~believed(first, received) | ~believed(last, received)  # the clock is: that of both directions
    meant = np.ones(len(columns), np.bool_)
    if columns.has(*_COUNTED_BACK):
        meant = np.logical_or.reduce([columns.number(name) != 0 for name in _COUNTED_BACK])
    for side in ("start_back", "end_back"):
        back, dated = _one_of(columns, (side,), init_ms)
        if not dated:
            continue
        usable = meant & (back != DAMAGED) & (wrong | believed(back, received))
        first = np.where(usable, np.minimum(first, back), first)
        last = np.where(usable, np.maximum(last, back), last)
    return first, last


def _mend(columns: Columns, first: I64, last: I64, afloat: Bools) -> tuple[I64, I64, Bools]:
    heads = columns.heads
    known = heads.received != NOT_KNOWN
    wrong = (~believed(first, heads.received) | ~believed(last, heads.received) | afloat) & known
    if not wrong.any():
        return first, last, wrong
    lasted, ago = last - first, heads.exported - last
    lasted = np.where((lasted >= 0) & (lasted <= DAY_NS), lasted, 0)
    ago = np.where((ago >= 0) & (ago <= DAY_NS), ago, 0)
    last = np.where(wrong, heads.received - ago, last)
    first = np.where(wrong, last - lasted, first)
    return first, last, wrong


def observed(columns: Columns, init_ms: int) -> tuple[I64, Bools]:
    """(n,) when an event was, and whether that is the receipt because the device's clock is not believed."""
    seen, dated = _one_of(columns, ("seen", "start", "end"), init_ms)
    seen = np.where(seen == DAMAGED, columns.heads.exported, seen) if dated else columns.heads.exported
    seen, _, wrong = _mend(columns, seen, seen, np.zeros(len(columns), np.bool_))
    return seen, wrong


def _forms(which: str) -> tuple[str, ...]:
    return tuple(f"{which}_{form}" for form in ("ms", "us", "ns", "delta", "uptime", "s"))


_BACK = (*_forms("start_back"), *_forms("end_back"))
_COUNTED_BACK = ("packets_back", "octets_back", "packets_back_total", "octets_back_total")


def starts_as_stated(columns: Columns) -> U64:
    """(n,) the number in which each record states its flow's start, whatever its unit; 0: it does not.

    The same in each report of one flow, which an instant reckoned from a message's own need not be.
    """
    for name in _forms("start"):
        if columns.has(name):
            value = columns.number(name)
            if name.endswith("_delta"):
                return (columns.heads.exported // 1000).astype(np.uint64) - value
            return value
    return np.zeros(len(columns), np.uint64)


def _one_of(columns: Columns, sides: tuple[str, ...], init_ms: int) -> tuple[I64, bool]:
    """The first of these that is stated, DAMAGED where records leave it zero; and whether any is."""
    for side in sides:
        for name in _forms(side):
            if not columns.has(name):
                continue
            if not name.endswith("_uptime"):
                return _READ[name.rpartition("_")[2]](columns, name), True
            if columns.heads.uptime[:1].min(initial=0) >= 0 or init_ms or columns.has("init_ms"):
                return _from_uptime(columns, name, init_ms), True
    return np.zeros(len(columns), np.int64), False


def _scaled(columns: Columns, name: str, unit_ns: int) -> I64:
    value = columns.number(name)
    limit = np.uint64((1 << 62) // unit_ns)
    return np.where(
        (value == 0) | (value > limit), DAMAGED, np.minimum(value, limit).astype(np.int64) * unit_ns
    )


def _from_ntp(columns: Columns, name: str) -> I64:
    """64 bits: seconds since 1900, then their fraction (RFC 7011 sections 6.1.9 and 6.1.10)."""
    value = columns.number(name)
    seconds = (value >> np.uint64(32)).astype(np.int64)
    seconds += np.where(seconds < 1 << 31, WRAP_MS, 0)  # the era that begins in 2036 (RFC 4330 section 3)
    fraction = (value & np.uint64(0xFFFF_FFFF)) * np.uint64(NS) >> np.uint64(32)
    return np.where(value == 0, DAMAGED, (seconds - NTP_EPOCH_S) * NS + fraction.astype(np.int64))


def _from_delta(columns: Columns, name: str) -> I64:
    """Microseconds before the message left."""
    return columns.heads.exported - columns.number(name).astype(np.uint32).astype(np.int64) * 1000


_READ = {
    "ms": lambda columns, name: _scaled(columns, name, MS),
    "s": lambda columns, name: _scaled(columns, name, NS),
    "us": _from_ntp,
    "ns": _from_ntp,
    "delta": _from_delta,
}


def _from_uptime(columns: Columns, name: str, init_ms: int) -> I64:
    """Of milliseconds modulo 2^32: within 24.8 days of the message's own instant."""
    heads = columns.heads
    value = columns.number(name).astype(np.uint32).astype(np.int64)
    if columns.has("init_ms"):
        uptime = heads.exported // MS - columns.number("init_ms").astype(np.int64)
    elif init_ms:
        uptime = heads.exported // MS - init_ms
    else:
        uptime = heads.uptime
    ago = _signed(uptime - value)
    return heads.exported - ago * MS


def _uptimes_apart(columns: Columns) -> I64:
    if not columns.has("start_uptime") or not columns.has("end_uptime"):
        return np.zeros(len(columns), np.int64)
    end, start = (columns.number(name).astype(np.int64) for name in ("end_uptime", "start_uptime"))
    return np.maximum(_signed(end - start), 0) * MS


def _signed(milliseconds: I64) -> I64:
    return (milliseconds + WRAP_MS // 2) % WRAP_MS - WRAP_MS // 2


_DURATIONS = ("duration_ms", "duration_us")


def _duration(columns: Columns) -> I64:
    milliseconds = np.minimum(columns.number("duration_ms"), np.uint64(WRAP_MS)).astype(np.int64)
    microseconds = np.minimum(columns.number("duration_us"), np.uint64(WRAP_MS * 1000)).astype(np.int64)
    return np.where(milliseconds > 0, milliseconds * MS, microseconds * 1000)
