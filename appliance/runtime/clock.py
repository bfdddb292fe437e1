"""The wall clock: the only place where it is read, so that everything else can be given another one."""

import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Gives the present instant, UTC nanoseconds."""


def now_ns() -> int:
    """The present instant by the machine's clock, UTC nanoseconds."""
    return time.time_ns()
