"""The term applied: records, statistics and lines of the audit chain go, each on its day."""

import datetime as dt
from dataclasses import dataclass

from appliance.audit import anchors, book
from appliance.config import box
from appliance.retention import destruction
from appliance.retention.destruction import Outcome
from appliance.runtime.clock import Clock, now_ns
from appliance.statistics import files
from appliance.vault.names import Home


@dataclass(frozen=True)
class Applied:
    """What went, or with `dry_run` would go; the days of which statistics did."""

    outcome: Outcome
    statistics: tuple[dt.date, ...]


def apply(home: Home, clock: Clock = now_ns, stated_ns: int | None = None, dry_run: bool = False) -> Applied:
    """Let go of what is past its term by the clock, or by the instant that a person states.

    Where the clock is doubted nothing goes. Raises HomeError, StorageError; the next call goes on.
    """
    config = box.read(home.config)
    outcome = destruction.destroy(home, config, clock, stated_ns, dry_run)
    past = () if outcome.doubt else tuple(
        files.past_term(home, outcome.now_ns, config.statistics.keep_days)
    )  # fmt: skip
    if not dry_run:
        files.delete(home, past)
        if not outcome.doubt:
            book.shorten(home, clock)
        anchors.anchor(home, clock)
    return Applied(outcome, past)
