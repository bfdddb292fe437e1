"""How often may be guessed: buckets of tries that fill up again slowly. Pure: it is given `now`.

A try is taken before a password is looked at, so that who has none left costs nothing, and given back when
it was right. Whoever comes with a browser that is known for the account has buckets of his own: no stranger,
however long he guesses, can make him wait.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

_S = 1_000_000_000


@dataclass(frozen=True)
class Pace:
    """`tries` at once, then one every `refill_s`."""

    tries: int
    refill_s: int


OF_ADDRESS = Pace(20, 30)
"""All accounts tried from one address: a reception's staff shares one."""

OF_STRANGERS = Pace(10, 60)
"""One account tried from anywhere by browsers that it does not know: 1,450 guesses a day in all.

A password that is taken needs 10**10 guesses (`passwords.LEAST_GUESSES`); CNIL 2022-100 wants such a bound
where a password has less than 80 bits."""

OF_PAIR, OF_RESERVE = Pace(3, 3600), Pace(1000, 60)
"""One account tried from one address when strangers have used up the account's tries; and all such."""

OF_DEVICE = Pace(10, 30)
"""One account from a browser that it knows."""

OF_CODES = Pace(5, 600)
"""Codes of one account's second factor: 149 a day; of a million codes three are right at a time."""

PLACES = 20_000
"""Buckets in memory; the one longest unused is dropped, and then is full again."""


class Throttle:
    """Buckets by key. Not to be used by two threads at once."""

    def __init__(self) -> None:
        self._full_at: OrderedDict[str, int] = OrderedDict()
        """When each is full again (a virtual schedule: ITU-T I.371's GCRA)."""

    def wait_ns(self, key: str, pace: Pace, now_ns: int) -> int:
        """How long until there is a try; 0 if there is one."""
        step_ns = pace.refill_s * _S
        missing_ns = max(self._full_at.get(key, 0) - now_ns, 0)
        return max(missing_ns - (pace.tries - 1) * step_ns, 0)

    def take(self, key: str, pace: Pace, now_ns: int) -> None:
        """Take a try, whether there is one or not."""
        self._full_at[key] = max(self._full_at.get(key, 0), now_ns) + pace.refill_s * _S
        self._full_at.move_to_end(key)
        while len(self._full_at) > PLACES:
            self._full_at.popitem(last=False)

    def give_back(self, key: str, pace: Pace) -> None:
        """It was right: it does not count."""
        if key in self._full_at:
            self._full_at[key] -= pace.refill_s * _S

    def clear(self, key: str) -> None:
        """Whoever administers accounts says that it is all right."""
        self._full_at.pop(key, None)


def network_of(address: str) -> str:
    """The address; of IPv6 its network, in which a device has any address it likes (RFC 8981)."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return address if found.version == 4 else str(ipaddress.ip_network((int(found), 64), strict=False))
