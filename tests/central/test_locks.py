"""How long a store keeps a segment locked: its term, and never longer than one term from today."""

import datetime as dt
import json

from appliance.central.objects import locked_until
from appliance.central.tables import Site
from appliance.replication import names

SITE = Site(terms=json.dumps({"traffic": 1, "source": 2}))
TODAY = dt.date(2026, 11, 22)


def segment(vault: str, day: str) -> names.ObjectName:
    return names.parse(f"segments/{vault}/{day}/1400-0123456789abcdef-5e9a01c2.parquet")


def test_a_segment_is_locked_for_its_term() -> None:
    assert locked_until(SITE, segment("traffic", "2026-11-21"), TODAY) == dt.date(2027, 11, 22)
    assert locked_until(SITE, segment("source", "2026-11-21"), TODAY) == dt.date(2028, 11, 22)


def test_a_clock_that_is_ahead_locks_no_longer_than_today_does() -> None:
    for day in ("2026-11-22", "2027-05-01", "8999-12-31"):
        assert locked_until(SITE, segment("traffic", day), TODAY) == dt.date(2027, 11, 23)


def test_what_is_replaced_or_destroyed_is_not_locked() -> None:
    for name in ("envelopes/traffic/2026-11-21/0123456789abcdef.envelope", names.of_line(0, "ab" * 32)):
        assert locked_until(SITE, names.parse(name), TODAY) is None
