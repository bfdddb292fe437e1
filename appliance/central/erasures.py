"""Erasures: files that are needed no more leave the store, at once or when a lock lets them go."""

import datetime as dt
from collections.abc import Iterable

from appliance.central.failures import Failures
from appliance.central.places import Central
from appliance.central.tables import Erasure
from appliance.model.instants import day_of


def erase(central: Central, now_ns: int, limit: int = 1000) -> int:
    """Delete what is due, at most `limit` files, those longest due first; how many are gone.

    What a lock still keeps waits until its day, or is tried again tomorrow, as is what cannot be deleted.
    Raises StorageError, when the others have been deleted.
    """
    today = day_of(now_ns)
    due = Erasure.not_before.is_null() | (Erasure.not_before <= today)
    query = Erasure.select(Erasure.path).where(due).order_by(Erasure.not_before, Erasure.path).limit(limit)
    paths = [path for (path,) in query.tuples().execute(central.database)]
    return erase_paths(central, paths, today)


def erase_paths(central: Central, paths: Iterable[str], today: dt.date) -> int:
    """Delete these files, for each of which there is a row; how many are gone. StorageError as `erase`."""
    gone, failures = 0, Failures()
    for path in paths:
        deleted = False
        with failures.of(f"cannot delete {path}"):
            try:
                deleted = central.store.delete(path)
            finally:  # one that fails is not the first again in the next turn
                _note(central, path, None if deleted else today + dt.timedelta(days=1))
        gone += deleted
    failures.tell()
    return gone


def _note(central: Central, path: str, not_before: dt.date | None) -> None:
    mine = Erasure.path == path
    if not_before is None:
        Erasure.delete().where(mine).execute(central.database)
    else:
        Erasure.update(not_before=not_before).where(mine).execute(central.database)
