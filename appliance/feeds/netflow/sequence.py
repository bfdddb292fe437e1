"""Sequence numbers: what the device numbered and never arrived.

NetFlow v5 numbers flows, v9 messages, IPFIX data records (RFC 3954 section 5.1, RFC 7011 section 3.1), each
for every domain of its own, modulo 2^32. Messages may overtake one another: a gap is a loss only once nothing
can be expected to fill it.
"""

from appliance.model.instants import NS

PATIENCE_NS = 5 * NS
PATIENCE_MESSAGES = 64
"""How long a gap may be filled: in a network that reorders, far less than either passes."""

GAPS_LIMIT = 64
LEAP = 1_000_000
"""A number so far ahead is a new beginning: at 20,000 datagrams a second, close to a minute of them in v9."""

LATE = 3000
"""A number so little behind may be a late message's (RFC 3550 appendix A.1 allows 100 packets of one
record)."""

NOT_COUNTED = -1
"""For how many a message's number stands, where some of its sets could not be read."""

_MODULUS = 1 << 32
_HALF = 1 << 31


class Sequence:
    """The numbering of one domain."""

    def __init__(self) -> None:
        self.lost = 0
        self.restarts = 0
        self._next = -1  # not known
        self._doubt = -1  # where an odd message's numbering would go on
        self._uptime = -1
        self._gaps: list[tuple[int, int, int, int]] = []  # first, count, born (ns), born (message)
        self._messages = 0

    def observe(self, number: int, count: int, uptime: int, now_ns: int) -> None:
        """Take a message's number, and for how many it stands or NOT_COUNTED."""
        self._messages += 1
        if self._gaps:
            self.settle(now_ns)
        if self._was_restarted(uptime) and (number - self._next) % _MODULUS:
            self._begin_again(number, count)
        elif self._next < 0:
            self._go_on(number, count)
        else:
            ahead = (number - self._next + _HALF) % _MODULUS - _HALF
            if ahead == 0:
                self._go_on(number, count)
            elif 0 < ahead <= LEAP:
                self._open_gap(ahead, now_ns)
                self._go_on(number, count)
            elif ahead < 0 and self._fill(number, count):
                pass
            elif -LATE <= ahead < 0 and number != self._doubt:
                self._doubt = (number + max(count, 1)) % _MODULUS
            else:
                self._begin_again(number, count)

    def settle(self, now_ns: int) -> None:
        """Count as lost what nothing fills any more."""
        stay = []
        for gap in self._gaps:
            _, count, born_ns, born = gap
            if now_ns - born_ns > PATIENCE_NS or self._messages - born > PATIENCE_MESSAGES:
                self.lost += count
            else:
                stay.append(gap)
        self._gaps = stay

    def _was_restarted(self, uptime: int) -> bool:
        """Whether sysUpTime went back by more than a late message can be: not by a wrap of its 32 bits."""
        if uptime < 0:
            return False
        before, self._uptime = self._uptime, uptime
        back = (before - uptime) % _MODULUS
        return before >= 0 and self._next >= 0 and 60_000 < back < _HALF

    def _go_on(self, number: int, count: int) -> None:
        self._next = (number + count) % _MODULUS if count >= 0 else -1
        self._doubt = -1

    def _begin_again(self, number: int, count: int) -> None:
        self.restarts += 1
        self._go_on(number, count)

    def _open_gap(self, count: int, now_ns: int) -> None:
        if len(self._gaps) >= GAPS_LIMIT:
            self.lost += self._gaps.pop(0)[1]
        self._gaps.append((self._next, count, now_ns, self._messages))

    def _fill(self, number: int, count: int) -> bool:
        """Whether a late message lies in a gap, which then shrinks to what is left on both sides."""
        for place, (first, missing, born_ns, born) in enumerate(self._gaps):
            before = (number - first) % _MODULUS
            if before >= missing:
                continue
            after = missing - before - max(count, 0)
            self._gaps[place : place + 1] = [
                gap
                for gap in (
                    (first, before, born_ns, born),
                    ((number + max(count, 0)) % _MODULUS, after, born_ns, born),
                )
                if gap[1] > 0
            ]
            return True
        return False
