"""Sequence numbers: what the device numbered and never arrived.

NetFlow v5 numbers flows, v9 messages, IPFIX data records (RFC 3954 section 5.1, RFC 7011 section 3.1), each
for every domain of its own, modulo 2^32. Messages may overtake one another: a gap is a loss only once nothing
can be expected to fill it.
"""

from appliance.feeds.netflow.headers import V9
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


Way = tuple[int, int]
"""One way to number: how far behind a message's number its first unit is, and how many units it stands
for."""

_NOT_KNOWN: Way = (NOT_COUNTED, NOT_COUNTED)
FITS_WANTED = 2
"""Messages in a row that a way of numbering other than the prescribed one must explain, to be taken for
it."""


def ways_of(version: int, records: int, stated: int) -> tuple[Way, ...]:
    """How a message may be numbered, the prescribed way first; `records` may be NOT_COUNTED.

    Devices differ: softflowd's IPFIX counts the message's own records in, others number IPFIX by message or
    v9 by record (`stated`: with the templates, as its header counts them).
    """
    before: Way = (0, records)
    after: Way = (records, records) if records >= 0 else _NOT_KNOWN
    if version == V9:
        return (0, 1), before, after, (0, stated), (stated, stated)
    return before, after, (0, 1)


class Sequence:
    """The numbering of one domain. What is odd is lost only if no way of numbering explains it."""

    def __init__(self) -> None:
        self.lost = 0
        self.restarts = 0
        self._way = 0
        self._sure = False  # this way explained what another does not
        self._rival = (0, 0)  # another way that explained the last messages, and how many
        self._next: tuple[int, ...] = ()  # by way; negative: not known
        self._doubt = -1  # where an odd message's numbering would go on
        self._uptime = -1
        self._gaps: list[tuple[int, int, int, int]] = []  # first, count, born (ns), born (message)
        self._messages = 0

    def observe(self, number: int, ways: tuple[Way, ...], uptime: int, now_ns: int) -> None:
        """Take a message's number, and what it may mean."""
        self._messages += 1
        if self._gaps:
            self.settle(now_ns)
        restarted = self._was_restarted(uptime)
        back, count = ways[self._way]
        expected = self._next[self._way] if self._next else NOT_COUNTED
        start = (number - back) % _MODULUS
        if expected < 0 or back < 0 or start == expected:
            if expected >= 0 and back >= 0:
                self._rival = (0, 0)
                self._sure = self._sure or self._tells_apart(number, ways)
            self._go_on(number, ways)
        elif restarted:
            self._begin_again(number, ways)
        elif not self._explains_otherwise(number, ways):
            self._judge(start, count, expected, number, ways, now_ns)

    def _tells_apart(self, number: int, ways: tuple[Way, ...]) -> bool:
        """Whether a message that this way explains speaks against another."""
        return any(
            back >= 0 and expected >= 0 and expected != (number - back) % _MODULUS
            for (back, _), expected in zip(ways, self._next, strict=True)
        )

    def _explains_otherwise(self, number: int, ways: tuple[Way, ...]) -> bool:
        """Whether another way of numbering has this message follow the last; then no gap was one.

        Where the present way has explained what the other does not, this may be chance: few records and one
        lost message look alike. It then takes several in a row, and until then a gap stands.
        """
        for way, (back, _) in enumerate(ways):
            if back >= 0 and self._next[way] == (number - back) % _MODULUS:
                rival, fits = self._rival
                self._rival = (way, fits + 1 if rival == way else 1)
                if self._rival[1] >= (FITS_WANTED if self._sure else 1):
                    self._way, self._rival, self._sure = way, (0, 0), False
                    self._gaps = []
                    self._go_on(number, ways)
                    return True
                return False
        self._rival = (0, 0)
        return False

    def _judge(
        self, start: int, count: int, expected: int, number: int, ways: tuple[Way, ...], now_ns: int
    ) -> None:
        ahead = (start - expected + _HALF) % _MODULUS - _HALF
        if 0 < ahead <= LEAP:
            self._open_gap(expected, ahead, now_ns)
            self._go_on(number, ways)
        elif ahead < 0 and self._fill(start, count):
            pass
        elif -LATE <= ahead < 0 and start != self._doubt:
            self._doubt = (start + max(count, 1)) % _MODULUS
        else:
            self._begin_again(number, ways)

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
        return before >= 0 and 60_000 < back < _HALF

    def _go_on(self, number: int, ways: tuple[Way, ...]) -> None:
        self._next = tuple(
            [(number - back + count) % _MODULUS if count >= 0 else NOT_COUNTED for back, count in ways]
        )
        self._doubt = -1

    def _begin_again(self, number: int, ways: tuple[Way, ...]) -> None:
        self.restarts += 1
        self._go_on(number, ways)

    def _open_gap(self, first: int, count: int, now_ns: int) -> None:
        if len(self._gaps) >= GAPS_LIMIT:
            self.lost += self._gaps.pop(0)[1]
        self._gaps.append((first, count, now_ns, self._messages))

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
