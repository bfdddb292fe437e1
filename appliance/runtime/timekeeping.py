"""How good the machine's clock is, as the kernel knows it (adjtimex(2)), and whether it was set by a jump."""

import ctypes
import time
from dataclasses import dataclass

STEP_US = 100_000
"""Discipline moves the clock by 0.5 ms a second at most (RFC 5905, 12): a change of a tenth is a jump."""

_UNSYNCHRONISED, _NANOSECONDS = 0x0040, 0x2000  # linux/timex.h


class _Timex(ctypes.Structure):
    """struct timex; what is not read here only holds its place."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("frequency", ctypes.c_long),
        ("greatest_error", ctypes.c_long),
        ("estimated_error", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    )


@dataclass(frozen=True)
class ClockState:
    """Whether anything disciplines the clock, how far it is off, and how far it may be at most."""

    synchronised: bool
    offset_us: int
    error_us: int


def clock_state() -> ClockState:
    """Ask the kernel; needs no rights. Raises OSError."""
    timex = _Timex()
    if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, "adjtimex was refused")
    offset = timex.offset // 1000 if timex.status & _NANOSECONDS else timex.offset
    return ClockState(not timex.status & _UNSYNCHRONISED, abs(offset), timex.greatest_error)


class Jumps:
    """Notices that the wall clock was set: it no longer runs with the one that counts since the start."""

    def __init__(self) -> None:
        self._difference_ns = _difference_ns()

    def since_last(self) -> int:
        """Microseconds by which the wall clock jumped since the last call, 0 if it did not."""
        before, self._difference_ns = self._difference_ns, _difference_ns()
        jump_us = (self._difference_ns - before) // 1000
        return jump_us if abs(jump_us) >= STEP_US else 0


def _difference_ns() -> int:
    return time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)
