"""How long to leave a central alone after a failure: exponential, with full jitter and a cap. Pure.

Full jitter (a wait drawn evenly between nothing and the present bound) spreads a thousand boxes whose central
came back over the whole bound, where any fixed part would bring them all at one instant.
"""

FIRST_S = 2.0
"""The bound after the first failure: a journal is 30 s old at most, so one lost packet must cost no more."""

LONGEST_S = 300.0
"""No bound is above it: a central that is back after days is found within five minutes."""

LONGEST_ASKED_S = 900.0
"""The most that a central's Retry-After counts. What an answer says must not silence a box."""

_DOUBLINGS = 16
"""Beyond it every bound is LONGEST_S; without it 2 ** failures would grow for months."""


def wait_s(failures: int, chance: float, asked_s: float | None = None) -> float:
    """Seconds to wait after the failure number `failures` (1, 2, ...) in a row.

    `chance` is drawn evenly from [0, 1). `asked_s` is what central asked for (Retry-After): the wait is never
    shorter, as far as it is at most LONGEST_ASKED_S, and the jitter comes on top, or all would return at
    once.
    """
    if failures < 1 or not 0 <= chance <= 1:
        raise ValueError("a wait follows a failure, and chance lies between 0 and 1")
    bound = min(LONGEST_S, FIRST_S * 2.0 ** min(failures - 1, _DOUBLINGS))
    asked = min(max(asked_s or 0.0, 0.0), LONGEST_ASKED_S)
    return asked + chance * bound
