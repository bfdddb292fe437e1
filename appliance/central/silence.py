"""The silence of a site: which of its levels are due. Pure: given when it was last heard, and now."""

from collections.abc import Sequence
from dataclasses import dataclass

_MINUTE_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Silence:
    """A site that has not been heard since an instant (UTC nanoseconds), for so many minutes at least."""

    since_ns: int
    minutes: int


def due(
    heard_at_ns: int, now_ns: int, levels_minutes: Sequence[int], listening_since_ns: int = 0
) -> list[Silence]:
    """The levels that the silence has reached, shortest first; none for an instant in the future.

    Central itself may have been away: since it listens again (UTC nanoseconds) a site has the time of the
    shortest level to be heard before it is called silent.
    """
    levels = sorted(set(levels_minutes))
    listened_ns = now_ns - max(heard_at_ns, listening_since_ns)
    if not levels or listened_ns < levels[0] * _MINUTE_NS:
        return []
    silent_ns = now_ns - heard_at_ns
    return [Silence(heard_at_ns, minutes) for minutes in levels if silent_ns >= minutes * _MINUTE_NS]


def level(heard_at_ns: int, now_ns: int, levels_minutes: Sequence[int]) -> int:
    """The highest level reached, in minutes; 0 for a site that speaks."""
    return max((one.minutes for one in due(heard_at_ns, now_ns, levels_minutes)), default=0)


def has_ended(noticed_since_ns: int, heard_at_ns: int) -> bool:
    """Whether a silence that was noticed is over: something came after the instant it counts from."""
    return heard_at_ns > noticed_since_ns
