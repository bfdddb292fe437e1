"""How often somebody speaks, learned by the hour of the day; and when its silence is more than usual.

Silence is measured in usual pauses: a second of an hour in which no pause was longer than a minute weighs a
sixtieth, one of an hour that lies in a nightly pause of eight hours hardly anything. So a hotel may sleep,
and an access point that died in the night is missed soon after the first guests should have come down.
"""

from dataclasses import dataclass, field

from appliance.model.instants import HOUR_NS, NS

REMEMBERED_DAYS = 14
LEARNED_DAYS = 3
"""So many days tell what an hour of the day is like; until then a pause may be UNLEARNED_S long."""

ROBUST_DAYS = 7
"""From so many days on the longest pause of them does not count: it may have been a failure."""

UNLEARNED_S = 5 * 3600.0
SHORTEST_S = 30.0
"""Messages may be lost, a device may be busy: shorter pauses count as long as this."""

ALARM_AT = 2.5
"""Silence of so many usual pauses is one too many. With a mean pause m at random, the longest of an hour is
some five m (720 of them), so that a false alarm would take a pause of more than ten m: 1 in 20,000."""

LONGEST_LOOK_NS = 120 * NS
"""Who looks less often than that was not there in between (asleep, or its clock was set)."""


@dataclass
class Rhythm:
    """Of one speaker. Instants are UTC nanoseconds; `look` is to be called in their order.

    `hours` has for each hour of the day (UTC) up to REMEMBERED_DAYS of (day since 1970, longest pause in
    seconds that touched this hour of it). `silent_ns` is how long it has been silent while somebody listened,
    `pauses` the same in usual pauses.
    """

    hours: list[list[tuple[int, int]]] = field(default_factory=lambda: [[] for _ in range(24)])
    last_ns: int = 0
    silent_ns: int = 0
    pauses: float = 0.0
    _looked_ns: int = 0
    _since_ns: int = 0
    _usual: tuple[int, float] = (-1, 0.0)

    @property
    def is_silent(self) -> bool:
        """Whether it has been silent for longer than it usually is."""
        return self.pauses > ALARM_AT

    def heard(self, said_ns: int) -> None:
        """It has spoken, at an instant that may lie before the last look: its word waited to be read."""
        waited_ns = max(0, self._looked_ns - said_ns)
        self.look(said_ns + waited_ns)
        self.last_ns = max(self.last_ns, said_ns)
        if waited_ns > self.silent_ns:  # it was heard after that already, or nobody listened for it then
            return
        self._learn(said_ns, self.silent_ns - waited_ns)
        waited_s = waited_ns / NS
        self.silent_ns, self.pauses, self._since_ns = waited_ns, waited_s / self.usual_s(said_ns), said_ns

    def look(self, now_ns: int) -> None:
        """Time has passed, and somebody listened."""
        passed_ns = now_ns - self._looked_ns
        self._looked_ns = now_ns
        if not 0 <= passed_ns <= LONGEST_LOOK_NS:
            self._since_ns = now_ns
            return
        self.silent_ns += passed_ns
        self.pauses += passed_ns / NS / self.usual_s(now_ns)
        self._cell(now_ns // HOUR_NS, 0)

    def usual_s(self, now_ns: int) -> float:
        """How long it usually pauses at most at this time of the day, give or take an hour."""
        hour = now_ns // HOUR_NS
        if self._usual[0] != hour:
            self._usual = (hour, max(self._usual_s((hour + beside) % 24) for beside in (-1, 0, 1)))
        return self._usual[1]

    def is_learned(self, now_ns: int) -> bool:
        """Whether enough days have been heard to know this time of the day."""
        return len(self.hours[now_ns // HOUR_NS % 24]) >= LEARNED_DAYS

    def _usual_s(self, hour: int) -> float:
        longest = sorted(pause_s for _, pause_s in self.hours[hour])
        if len(longest) < LEARNED_DAYS:
            return UNLEARNED_S
        return max(SHORTEST_S, longest[-2 if len(longest) >= ROBUST_DAYS else -1])

    def _learn(self, until_ns: int, pause_ns: int) -> None:
        """The pause that ended then touched every hour since it began."""
        pause_s = round(pause_ns / NS)
        last = until_ns // HOUR_NS
        first = max(self._since_ns // HOUR_NS, last - 24 * REMEMBERED_DAYS)
        for hour in range(first, last + 1):
            self._cell(hour, pause_s)

    def _cell(self, hour: int, pause_s: int) -> None:
        """Note a pause in this hour since 1970; the oldest days go."""
        day, of_day = divmod(hour, 24)
        days = self.hours[of_day]
        if days and days[-1][0] == day:
            if pause_s <= days[-1][1]:
                return
            days[-1] = (day, pause_s)
            self._usual = (-1, 0.0)
            return
        self._usual = (-1, 0.0)
        for at, (known, longest_s) in enumerate(days):
            if known == day:
                days[at] = (day, max(longest_s, pause_s))
                return
        days.append((day, pause_s))
        days.sort()
        del days[:-REMEMBERED_DAYS]
