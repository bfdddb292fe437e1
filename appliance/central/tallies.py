"""What a central did not take, by reason and day: numbers only, an attack costs no more than a counter."""

import datetime as dt
import threading
from collections import Counter
from enum import StrEnum

from peewee import Database

from appliance.central.databases import writing
from appliance.central.tables import Tally


class Reason(StrEnum):
    """Why a request was not taken."""

    NO_TLS = "no_tls"
    NOT_HTTP = "not_http"
    TOO_SLOW = "too_slow"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    NOT_AUTHORISED = "not_authorised"
    CONFLICT = "conflict"
    REPLACED = "replaced"
    TOO_EARLY = "too_early"
    TOO_LARGE = "too_large"
    NOT_AS_CLAIMED = "not_as_claimed"
    BROKEN_OFF = "broken_off"
    BUSY = "busy"
    DISK_FULL = "disk_full"
    DEFECT = "defect"


class Tallies:
    """Counts in memory, for all threads of a process; `write` adds them to the table from time to time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Reason] = Counter()

    def count(self, reason: Reason) -> None:
        """One more request was not taken."""
        with self._lock:
            self._counts[reason] += 1

    def write(self, database: Database, day: dt.date) -> None:
        """Add what was counted since the last time to a day's numbers; kept for the next if that fails."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        if not taken:
            return
        try:
            with writing(database):
                for reason, number in sorted(taken.items()):
                    row = Tally.insert(day=day, what=f"refused {reason}", count=number)
                    added = {Tally.count: Tally.count + number}
                    row.on_conflict(conflict_target=[Tally.day, Tally.what], update=added).execute(database)
        except BaseException:  # an interrupt too: what was taken out must be counted later
            with self._lock:
                self._counts += taken
            raise


def refused_on(database: Database, day: dt.date) -> dict[str, int]:
    """How many requests were not taken on a day, by reason."""
    rows = Tally.select(Tally.what, Tally.count).where(Tally.day == day, Tally.what.startswith("refused "))
    return {what.removeprefix("refused "): number for what, number in rows.tuples().execute(database)}
