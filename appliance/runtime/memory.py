"""The allocator's habits: large arrays come and go every few milliseconds, so their pages are kept."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # mallopt(3)
_KEPT_BYTES = 64 << 20
_HEAP_BYTES = 32 << 20


def give_back() -> None:
    """Give the kernel what was freed: after work that takes much, in a process that takes little."""
    ctypes.CDLL(None).malloc_trim(0)


def keep_freed_memory() -> None:
    """Let malloc keep freed memory instead of giving it back to the kernel page by page.

    Without it every batch faults its pages in anew: 1.18 times the time. Arrays above 32 MiB are still
    mapped apart, so that a sealed hour's memory goes back.
    """
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
    libc.mallopt(_M_MMAP_THRESHOLD, _HEAP_BYTES)
