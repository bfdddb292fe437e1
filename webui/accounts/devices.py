"""Browsers that an account has signed in from before: guesses of others do not make them wait."""

from collections.abc import Callable

from webui.accounts.store import Store
from webui.accounts.tables import Device
from webui.protection import DEVICE_LASTS_S, new_secret, number_of

MOST = 20
"""Of one account; the one longest unused is forgotten when there is another."""

_LASTS_NS = DEVICE_LASTS_S * 1_000_000_000


class Devices:
    """All of them, in the database. Methods raise StorageError."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def is_known(self, secret: str, user: int) -> bool:
        """Whether this user has signed in with this browser."""
        if not secret:
            return False
        since = self._clock() - _LASTS_NS
        mine = (Device.number == number_of(secret)) & (Device.user == user) & (Device.used_ns > since)
        with self._store.look() as database:
            return bool(Device.select().where(mine).exists(database))

    def remember(self, user: int, secret: str) -> str:
        """The secret that this browser is known by from now on: its own, if it is one of ours, or another."""
        now_ns = self._clock()
        with self._store.turn() as database:
            is_ours = secret and Device.select().where(Device.number == number_of(secret)).exists(database)
            kept = secret if is_ours else new_secret()
            row = {"number": number_of(kept), "user": user, "used_ns": now_ns}
            Device.insert(row).on_conflict_replace().execute(database)
            mine = Device.select(Device.number).where(Device.user == user).order_by(Device.used_ns.desc())
            for (number,) in list(mine.offset(MOST).limit(-1).tuples().execute(database)):
                Device.delete().where(Device.number == number, Device.user == user).execute(database)
            Device.delete().where(Device.used_ns < now_ns - _LASTS_NS).execute(database)
        return kept

    def forget_others(self, user: int, but: str) -> None:
        """None of this user's is known any more, but the one of this secret."""
        with self._store.turn() as database:
            others = (Device.user == user) & (Device.number != number_of(but))
            Device.delete().where(others).execute(database)
