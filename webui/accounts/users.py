"""Accounts: who there is, what he may, and what he signs in with."""

import json
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from peewee import IntegrityError

from appliance.model.instants import to_iso
from webui.accounts import factors
from webui.accounts.store import Store
from webui.accounts.tables import Device, RecoveryCode, Rule, Session, User
from webui.rights import GRANTABLE, TABLE, Right, Role

NAME_LIMIT = 64
GIVEN_LASTS_NS = 7 * 86_400 * 1_000_000_000
"""A password that somebody else gave is of use for a week."""

_SIGNS = " .-_@+'’"
PRIVILEGED = frozenset(role for role, rights in TABLE.items() if Right.CHANGE_USERS in rights)
"""Whose passwords may be made to end by the calendar (CNIL 2022-100)."""

_CLIENT, _ROTATION = "client", "rotation_days"


class NameTaken(Exception):
    """There is an account of this name."""


class LastOperator(Exception):
    """Nobody would be left who can administer the accounts."""


@dataclass(frozen=True)
class Account:
    """An account. `clients` None: all of its operator's. Its secrets are what it is checked by."""

    id: int
    name: str
    role: Role
    clients: tuple[str, ...] | None
    extras: frozenset[Right]
    password: str | None
    password_set_ns: int
    must_renew: bool
    factor: str | None
    factor_step: int
    made_ns: int
    signed_in_ns: int | None

    @property
    def made(self) -> str:
        """When it was made, ISO 8601."""
        return to_iso(self.made_ns)

    @property
    def signed_in(self) -> str | None:
        """When somebody last signed in with it, ISO 8601."""
        return None if self.signed_in_ns is None else to_iso(self.signed_in_ns)

    def must_change(self, now_ns: int, rotation_days: int) -> bool:
        """Whether another password is to be chosen before anything else."""
        age_days = (now_ns - self.password_set_ns) / (86_400 * 1_000_000_000)
        outlived = 0 < rotation_days <= age_days and self.role in PRIVILEGED
        return self.must_renew or outlived

    def is_given_too_long_ago(self, now_ns: int) -> bool:
        """Whether the password is one that somebody else gave, and was not used in its week."""
        return self.must_renew and now_ns - self.password_set_ns > GIVEN_LASTS_NS


class Users:
    """All of them, in the database. Methods raise StorageError."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    def any(self) -> bool:
        """Whether there is one."""
        with self._store.look() as database:
            return bool(User.select().exists(database))

    def all(self) -> tuple[Account, ...]:
        """Every one, by name."""
        with self._store.look() as database:
            rows = list(User.select().order_by(User.key).dicts().execute(database))
        return tuple(map(_account, rows))

    def named(self, name: str) -> Account | None:
        """The account of this name, however it is typed."""
        return self._where(User.key == key_of(name))

    def get(self, user: int) -> Account | None:
        """The account of this number."""
        return self._where(User.id == user)

    def add(
        self,
        name: str,
        role: Role,
        password: str | None,
        clients: Iterable[str] | None,
        extras: Iterable[Right] = (),
        must_renew: bool = True,
    ) -> Account:
        """A new account; `password` is a hash. Raises NameTaken."""
        row = {
            "key": key_of(name),
            "name": shown_name(name),
            "role": role,
            "clients": _json(clients),
            "extras": _json(set(extras) & GRANTABLE),
            "password": password,
            "password_set_ns": self._clock(),
            "must_renew": must_renew,
            "made_ns": self._clock(),
        }
        try:
            with self._store.turn() as database:
                number = User.insert(row).execute(database)
        except IntegrityError as error:
            raise NameTaken from error
        made = self.get(number)
        assert made is not None
        return made

    def change(
        self,
        user: int,
        role: Role,
        clients: Iterable[str] | None,
        extras: Iterable[Right],
    ) -> None:
        """Give other rights; all its sessions end. Raises LastOperator."""
        with self._store.turn() as database:
            if role is not Role.OPERATOR:
                _keep_an_operator(database, user)
            row = {"role": role, "clients": _json(clients), "extras": _json(set(extras) & GRANTABLE)}
            User.update(row).where(User.id == user).execute(database)
            Session.delete().where(Session.user == user).execute(database)

    def remove(self, user: int) -> None:
        """Forget an account with all that it had. Raises LastOperator."""
        with self._store.turn() as database:
            _keep_an_operator(database, user)
            User.delete().where(User.id == user).execute(database)

    def set_password(self, user: int, password: str, given: bool = False) -> None:
        """Another password, as a hash. One that is `given` by somebody else must be renewed, and ends all."""
        with self._store.turn() as database:
            row = {"password": password, "password_set_ns": self._clock(), "must_renew": given}
            User.update(row).where(User.id == user).execute(database)
            if given:
                Session.delete().where(Session.user == user).execute(database)
                Device.delete().where(Device.user == user).execute(database)

    def rehash(self, user: int, password: str) -> None:
        """The same password, hashed with what is usual now."""
        with self._store.turn() as database:
            User.update(password=password).where(User.id == user).execute(database)

    def set_factor(self, user: int, secret: str | None, step: int, codes: Iterable[str]) -> None:
        """Another second factor whose code of `step` is used up, and other recovery codes; None: none."""
        with self._store.turn() as database:
            User.update(factor=secret, factor_step=step).where(User.id == user).execute(database)
            _set_codes(database, user, codes)

    def set_recovery_codes(self, user: int, codes: Iterable[str]) -> None:
        """Other recovery codes: those before are of no use any more."""
        with self._store.turn() as database:
            _set_codes(database, user, codes)

    def use_step(self, user: int, step: int) -> bool:
        """Use up a time step's code; whether it was still to be had."""
        with self._store.turn() as database:
            mine = (User.id == user) & (User.factor_step < step)
            return bool(User.update(factor_step=step).where(mine).execute(database))

    def use_recovery_code(self, user: int, code: str) -> bool:
        """Use up a recovery code; whether there was one."""
        with self._store.turn() as database:
            mine = (RecoveryCode.user == user) & (RecoveryCode.number == factors.number_of(code))
            return bool(RecoveryCode.delete().where(mine).execute(database))

    def recovery_codes_left(self, user: int) -> int:
        """How many there are."""
        with self._store.look() as database:
            return int(RecoveryCode.select().where(RecoveryCode.user == user).count(database))

    def note_sign_in(self, user: int) -> None:
        """It has signed in now."""
        with self._store.turn() as database:
            User.update(signed_in_ns=self._clock()).where(User.id == user).execute(database)

    def rename_client(self, before: str, name: str) -> None:
        """Accounts that are for a client are for it under its new name."""
        with self._store.turn() as database:
            for user, words in list(User.select(User.id, User.clients).tuples().execute(database)):
                clients = None if words is None else json.loads(words)
                if clients and before in clients:
                    renamed = _json(name if one == before else one for one in clients)
                    User.update(clients=renamed).where(User.id == user).execute(database)

    def rules(self) -> dict[str, str]:
        """Facts about all accounts."""
        with self._store.look() as database:
            return dict(Rule.select(Rule.key, Rule.value).tuples().execute(database))

    def set_rule(self, key: str, value: str) -> None:
        """Set a fact about all accounts."""
        with self._store.turn() as database:
            Rule.insert(key=key, value=value).on_conflict_replace().execute(database)

    def _where(self, condition: Any) -> Account | None:
        with self._store.look() as database:
            rows = list(User.select().where(condition).dicts().execute(database))
        return _account(rows[0]) if rows else None


def is_name(name: str) -> bool:
    """Whether an account may be called so: letters, digits, and a few signs."""
    shown = shown_name(name)
    return 0 < len(shown) <= NAME_LIMIT and all(letter.isalnum() or letter in _SIGNS for letter in shown)


def shown_name(name: str) -> str:
    """A name in its shortest form."""
    return " ".join(unicodedata.normalize("NFKC", name).split())


def key_of(name: str) -> str:
    """Names that look the same are the same."""
    return unicodedata.normalize("NFKC", shown_name(name).casefold())


def _keep_an_operator(database: Any, but: int) -> None:
    others = User.select().where(User.role == Role.OPERATOR, User.id != but)
    if not others.exists(database):
        raise LastOperator


def _set_codes(database: Any, user: int, codes: Iterable[str]) -> None:
    RecoveryCode.delete().where(RecoveryCode.user == user).execute(database)
    for code in codes:
        RecoveryCode.insert(user=user, number=factors.number_of(code)).execute(database)


def _json(words: Iterable[str] | None) -> str | None:
    return None if words is None else json.dumps(sorted(str(word) for word in words))


def _account(row: dict[str, Any]) -> Account:
    given = {**row, "role": Role(row["role"]), "extras": frozenset(map(Right, json.loads(row["extras"])))}
    given["clients"] = None if row["clients"] is None else tuple(json.loads(row["clients"]))
    del given["key"]
    return Account(**given)
