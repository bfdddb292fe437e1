"""Sessions: a browser that is signed in or on the way to it.

One is bound to the address it began at and to what the browser calls itself; its secret changes with every
stage, so that nothing known before a password was given is of use after it. It ends after half an hour
without a request, twelve hours after it began, and when the account's password, factor or rights change.
"""

import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from appliance.model.errors import StorageError
from appliance.model.instants import to_iso
from webui.accounts.seats import Seat, Stage
from webui.accounts.store import Store
from webui.accounts.tables import Session, User
from webui.accounts.throttle import network_of
from webui.protection import new_secret, number_of
from webui.rights import GRANTABLE, Person, Right, Role

_S = 1_000_000_000
IDLE_NS = 30 * 60 * _S
LONGEST_NS = 12 * 3600 * _S
ON_THE_WAY_NS = 15 * 60 * _S
"""For the stages before the last: to install an authenticator takes some minutes."""

MOST = 20
"""Of one account; the one longest unused ends when there is another."""

_ROW = str(
    Session.select(Session, Session.user.alias("user"), User.name, User.role, User.clients, User.extras)
    .join(User)
    .where(Session.number == "")
    .sql()[0]
)
"""Every request asks this: to put it together anew each time would take longer than all else of a session."""

_TOUCHED_NS = 60 * _S
"""How exactly the last use is known: a write to the disk a minute at most."""


@dataclass(frozen=True)
class Open:
    """One session as its account sees it. `address` is where it began."""

    number: str
    agent: str
    address: str
    begun_ns: int
    used_ns: int

    @property
    def begun(self) -> str:
        """ISO 8601."""
        return to_iso(self.begun_ns)

    @property
    def used(self) -> str:
        """When it was last used, to a minute, ISO 8601."""
        return to_iso(self.used_ns)


class Sessions:
    """All of them, in the database. Methods raise StorageError."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def begin(self, user: int, stage: Stage, address: str, agent: str) -> str:
        """The secret of a new one. What has ended is forgotten on the way."""
        secret, now_ns = new_secret(), self._clock()
        with self._store.turn() as database:
            _forget_ended(database, now_ns)
            _make_room(database, user)
            row = {"number": number_of(secret), "user": user, "stage": stage, "address": network_of(address)}
            more = {"agent": agent, "begun_ns": now_ns, "used_ns": now_ns}
            Session.insert({**row, **more}).execute(database)
        return secret

    def seat(self, secret: str, address: str, agent: str) -> Seat | None:
        """Whose session it is and how far; None where it has ended, or is another browser's."""
        number = number_of(secret)
        row = self._row(number)
        if row is None or not _is_alive(row, self._clock()):
            return None
        if row["agent"] != agent or row["address"] != network_of(address):
            return None
        stage = Stage(row["stage"])
        person = _person(row) if stage is Stage.IN else None
        return Seat(number, row["user"], row["name"], stage, person)

    def is_alive(self, number: str) -> bool:
        """Whether somebody is signed in with it still: for streams, which last longer than a look."""
        row = self._row(number)
        return row is not None and row["stage"] == Stage.IN and _is_alive(row, self._clock())

    def touch(self, number: str) -> None:
        """It is used now. A disk that refuses ends it early, and keeps nobody from looking what is wrong."""
        now_ns = self._clock()
        row = self._row(number)
        if row is None or now_ns - row["used_ns"] < _TOUCHED_NS:
            return
        with contextlib.suppress(StorageError), self._store.turn() as database:
            Session.update(used_ns=now_ns).where(Session.number == number).execute(database)

    def count_wrong_code(self, number: str) -> int:
        """How many wrong codes there were with this one."""
        with self._store.turn() as database:
            mine = Session.number == number
            Session.update(wrong_codes=Session.wrong_codes + 1).where(mine).execute(database)
            rows = Session.select(Session.wrong_codes).where(mine).tuples().execute(database)
            return next((count for (count,) in rows), 0)

    def end(self, number: str) -> None:
        """Sign out."""
        with self._store.turn() as database:
            Session.delete().where(Session.number == number).execute(database)

    def end_of(self, user: int, number: str) -> None:
        """End one of this user's, and of nobody else's."""
        with self._store.turn() as database:
            Session.delete().where(Session.number == number, Session.user == user).execute(database)

    def end_others(self, user: int, but: str = "") -> None:
        """End all of this user's, but the one whose number is given."""
        with self._store.turn() as database:
            Session.delete().where(Session.user == user, Session.number != but).execute(database)

    def open_of(self, user: int) -> tuple[Open, ...]:
        """This user's, the last used first."""
        now_ns = self._clock()
        with self._store.look() as database:
            rows = list(Session.select().where(Session.user == user).dicts().execute(database))
        alive = [row for row in rows if row["stage"] == Stage.IN and _is_alive(row, now_ns)]
        alive.sort(key=lambda row: -row["used_ns"])
        names = ("number", "agent", "address", "begun_ns", "used_ns")
        return tuple(Open(*(row[name] for name in names)) for row in alive)

    def _row(self, number: str) -> dict[str, Any] | None:
        with self._store.look() as database:
            found = database.execute_sql(_ROW, (number,))
            row = found.fetchone()
            return None if row is None else dict(zip((one[0] for one in found.description), row, strict=True))


def _is_alive(row: dict[str, Any], now_ns: int) -> bool:
    idle_ns: int = now_ns - row["used_ns"]
    age_ns: int = now_ns - row["begun_ns"]
    return idle_ns < IDLE_NS and age_ns < (LONGEST_NS if row["stage"] == Stage.IN else ON_THE_WAY_NS)


def _forget_ended(database: Any, now_ns: int) -> None:
    ended = (Session.used_ns < now_ns - IDLE_NS) | (Session.begun_ns < now_ns - LONGEST_NS)
    Session.delete().where(ended).execute(database)


def _make_room(database: Any, user: int) -> None:
    mine = Session.select(Session.number).where(Session.user == user).order_by(Session.used_ns.desc())
    for (number,) in list(mine.offset(MOST - 1).limit(-1).tuples().execute(database)):
        Session.delete().where(Session.number == number).execute(database)


def _person(row: dict[str, Any]) -> Person:
    clients = None if row["clients"] is None else frozenset(json.loads(row["clients"]))
    extras = frozenset(Right(word) for word in json.loads(row["extras"])) & GRANTABLE
    return Person(row["name"], Role(row["role"]), clients, extras)
