"""What the network was used for, out of statistics: no address and no record is near."""

import datetime as dt
import threading
from collections.abc import Mapping

from appliance.control.messages import Activity, Actor, AskActivity, PeriodTotals, Share, SystemShare
from appliance.model.errors import UsageError
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.statistics.rollup import Rollup, Told
from appliance.statistics.rollups import Rollups
from appliance.statistics.summary import Sums

MOST_ANSWERS = 64
"""Kept until there are other statistics, which is once an hour: a page is looked at again and again."""


class _Answered:
    """What was answered out of one rollup."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.rollup: Rollup | None = None
        self.answers: dict[AskActivity, Activity] = {}

    def of(self, rollup: Rollup, ask: AskActivity) -> Activity:
        """The answer, the same as before if nothing has come since. Raises UsageError."""
        with self.lock:
            known = self.answers.get(ask) if self.rollup is rollup else None
        if known is None:
            known = _told(rollup, ask)
            with self.lock:
                if self.rollup is not rollup or len(self.answers) >= MOST_ANSWERS:
                    self.rollup, self.answers = rollup, {}
                self.answers[ask] = known
        return known


def warm(at: AtHand) -> None:
    """Read what is there, so that the first who asks need not wait: a year takes a second or two."""
    if at.is_set_up:
        _rollup(at)


def _rollup(at: AtHand) -> Rollup:
    home = at.home()
    return at.once("statistics", lambda: Rollups(home, at.clock)).now()


def _activity(at: AtHand, _: Actor, ask: AskActivity) -> Activity:
    return at.once("activity", _Answered).of(_rollup(at), ask)


def _told(rollup: Rollup, ask: AskActivity) -> Activity:
    first, last = _day(ask.first_day), _day(ask.last_day)
    if last < first:
        raise UsageError("the last day is before the first")
    view = rollup.view(ask.by.value, first, last, frozenset(ask.places))
    return Activity(
        ask.by,
        _periods(view.periods),
        _shares(view.uses),
        tuple(SystemShare(name, users.least, users.most) for name, users in sorted(view.systems.items())),
        _shares(view.places),
        None if rollup.known is None else (str(rollup.known[0]), str(rollup.known[1])),
        view.unnamed,
    )


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError("a day is written like 2026-11-22") from None


def _periods(told: Told) -> tuple[PeriodTotals, ...]:
    least = [users or None for users in told.least]
    most = [None if users < 0 or not some else users for users, some in zip(told.most, least, strict=True)]
    return tuple(map(PeriodTotals, told.starts, least, most, told.octets, told.connections, told.too_few))


def _shares(sums: Mapping[str, Sums]) -> tuple[Share, ...]:
    """The largest first."""
    in_order = sorted(sums.items(), key=lambda item: (-item[1].octets, item[0]))
    return tuple(Share(name, part.octets, part.connections, part.clients) for name, part in in_order)


HANDLERS: Handlers = {AskActivity: _activity}
