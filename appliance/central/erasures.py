"""Erasures: files that are needed no more leave the store, at once or when a lock lets them go."""

import datetime as dt
from collections.abc import Iterable

from appliance.central.places import Central
from appliance.central.tables import Erasure
from appliance.model.instants import day_of


def erase(central: Central, now_ns: int, limit: int = 1000) -> int:
    """Delete what is due, at most `limit` files, those longest due first; how many are gone.

    What a lock still keeps waits until its day, or is tried again tomorrow. Raises StorageError.
    """
    today = day_of(now_ns)
    due = Erasure.not_before.is_null() | (Erasure.not_before <= today)
    query = Erasure.select(Erasure.path).where(due).order_by(Erasure.not_before, Erasure.path).limit(limit)
    paths = [path for (path,) in query.tuples().execute(central.database)]
    return erase_paths(central, paths, today)


def erase_paths(central: Central, paths: Iterable[str], today: dt.date) -> int:
    """Delete these files, for each of which there is a row; how many are gone. Raises StorageError."""
    gone = 0
    for path in paths:
        mine = Erasure.path == path
        if central.store.delete(path):
            Erasure.delete().where(mine).execute(central.database)
            gone += 1
        else:
            tomorrow = today + dt.timedelta(days=1)
            Erasure.update(not_before=tomorrow).where(mine).execute(central.database)
    return gone
