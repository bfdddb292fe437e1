"""When a lease ends that a server gave for so many seconds."""

from appliance.model.instants import NS

_INFINITE = 0xFFFF_FFFF  # RFC 2131 section 3.3, RFC 8415 section 7.7
_LAST_NS = 2**63 - 1


def lease_end(seen_ns: int, seconds: int) -> int:
    """UTC nanoseconds; 0 where no end is stated, or none that can be meant."""
    return min(seen_ns + seconds * NS, _LAST_NS) if 0 < seconds < _INFINITE else 0
