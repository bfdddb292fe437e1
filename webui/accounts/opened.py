"""The accounts of one page: what the guard and the pages ask of them."""

from collections.abc import Callable, Iterable
from pathlib import Path

from argon2 import PasswordHasher

from webui.accounts.devices import Devices
from webui.accounts.entrance import Entrance
from webui.accounts.once import Once
from webui.accounts.passwords import Passwords
from webui.accounts.seats import Seat, Stage
from webui.accounts.sessions import Sessions
from webui.accounts.store import Store
from webui.accounts.users import Account, Users
from webui.rights import Role

_CLIENT, _ROTATION = "client", "rotation_days"


class Accounts:
    """Composed once a process; safe in threads. Methods raise StorageError where the disk refuses."""

    def __init__(self, store: Store, clock: Callable[[], int], hasher: PasswordHasher | None = None) -> None:
        self._store = store
        self._rules: dict[str, str] | None = None
        self.clock = clock
        self.passwords = Passwords(hasher)
        self.users = Users(store, clock)
        self.sessions = Sessions(store, clock)
        self.devices = Devices(store, clock)
        self.entrance = Entrance(
            self.users, self.sessions, self.devices, self.passwords, clock, self.rotation_days
        )
        self.secrets: Once[str] = Once(clock)
        """Second factors that no code has proven yet."""
        self.codes: Once[tuple[str, ...]] = Once(clock)
        """Recovery codes that were just made."""
        self.given: Once[tuple[int, str]] = Once(clock)
        """A user, and the password that somebody else has just given him."""

    def any(self) -> bool:
        """Whether there is an account."""
        return self.users.any()

    def make_first(
        self, name: str, password: str, secret: str, step: int, recovery_codes: Iterable[str]
    ) -> Account:
        """The operator who sets the box up, his second factor proven by the code of `step`.

        Raises passwords.Busy, users.NameTaken where there is one already.
        """
        hashed = self.passwords.hashed(password)
        made = self.users.add(name, Role.OPERATOR, hashed, None, must_renew=False)
        self.users.set_factor(made.id, secret, step, recovery_codes)
        return made

    def seated(self, secret: str, address: str, agent: str) -> Seat | None:
        """Whose cookie it is and how far he is; None for nobody's."""
        return self.sessions.seat(secret, address, agent)

    def touch(self, number: str) -> None:
        """This session is used now."""
        self.sessions.touch(number)

    def is_alive(self, number: str) -> bool:
        """Whether somebody is signed in with this session still."""
        return self.sessions.is_alive(number)

    def begin(self, name: str, agent: str, address: str) -> str:
        """The secret of a session that is signed in, nothing asked: for tests and measurements."""
        account = self.users.named(name)
        if account is None:
            raise KeyError(name)
        return self.sessions.begin(account.id, Stage.IN, address, agent)

    def client(self) -> str:
        """Whose box it is; empty before somebody said so."""
        return self._rule(_CLIENT, "")

    def set_client(self, name: str) -> None:
        """Say whose box it is; accounts of whoever it was before are his, as they are this box's."""
        self.users.rename_client(self.client(), name)
        self._set(_CLIENT, name)

    def clients_of(self, role: Role) -> tuple[str, ...] | None:
        """Which clients an account of this role is for, on this box."""
        return None if role is Role.OPERATOR else (self.client(),)

    def rotation_days(self) -> int:
        """After how many days privileged accounts choose another password; 0: never, the default."""
        return int(self._rule(_ROTATION, "0"))

    def set_rotation_days(self, days: int) -> None:
        """Have privileged accounts choose another password after so many days; 0: never."""
        self._set(_ROTATION, str(days))

    def close(self) -> None:
        """Let the database go."""
        self._store.close()

    def _rule(self, key: str, otherwise: str) -> str:
        if self._rules is None:
            self._rules = self.users.rules()
        return self._rules.get(key, otherwise)

    def _set(self, key: str, value: str) -> None:
        self.users.set_rule(key, value)
        self._rules = None


def open(  # noqa: A001 - read as `opened.open`
    state: Path, clock: Callable[[], int], hasher: PasswordHasher | None = None
) -> Accounts:
    """The accounts of the page whose folder this is; the folder exists. Raises HomeError."""
    return Accounts(Store(state), clock, hasher)
