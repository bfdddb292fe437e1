"""The way in: a password, then a code, each against its throttle.

What is answered does not tell whether an account exists: an unknown name is slowed, hashed and refused as a
known one is.
"""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from webui.accounts import factors, throttle
from webui.accounts.devices import Devices
from webui.accounts.passwords import MOST_CHARACTERS, Passwords
from webui.accounts.seats import Seat, Stage, stage_after_factor, stage_after_password
from webui.accounts.sessions import Sessions
from webui.accounts.throttle import (
    OF_ADDRESS,
    OF_CODES,
    OF_DEVICE,
    OF_PAIR,
    OF_RESERVE,
    OF_STRANGERS,
    Pace,
    Throttle,
    network_of,
)
from webui.accounts.users import NAME_LIMIT, Account, Users, key_of

TOLD_AGAIN_NS = 3_600 * 1_000_000_000
"""How often it is noted that one account has to wait."""

WRONG_CODES = 5
"""Of one session on its way in: then the password is asked for again."""


PASSWORD, CODE = "password", "code"

Tries = list[tuple[str, Pace]]
"""Buckets, of each of which a try is taken."""

Ways = tuple[Tries, ...]
"""Tries of which one is enough."""


class Wrong(Exception):
    """Not the right password or code. Nothing says which of name and password it was."""


class TooOften(Exception):
    """Tried too often: it was not even looked at. `begins` is whether the waiting begins with this one."""

    def __init__(self, wait_ns: int, begins: bool) -> None:
        super().__init__(str(wait_ns))
        self.wait_ns = wait_ns
        self.begins = begins


@dataclass(frozen=True)
class Entered:
    """One stage further: the secret of the new session. `device`: the browser is known from now on."""

    secret: str
    stage: Stage
    device: str = ""
    recovery: bool = False
    """A recovery code stood for the second factor."""


class Entrance:
    """Where everybody comes in. `rotation_days` is asked each time."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        devices: Devices,
        passwords: Passwords,
        clock: Callable[[], int],
        rotation_days: Callable[[], int],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._devices = devices
        self._passwords = passwords
        self._clock = clock
        self._rotation_days = rotation_days
        self._throttle = Throttle()
        self._lock = threading.Lock()
        self._slowed: dict[str, int] = {}

    def password(self, name: str, password: str, address: str, agent: str, device: str) -> Entered:
        """Raises Wrong, TooOften, passwords.Busy, StorageError."""
        name = name[: NAME_LIMIT + 1]
        account = self._users.named(name) if device else None
        is_known = account is not None and self._devices.is_known(device, account.id)
        ways = _ways(PASSWORD, name, address, device if is_known else "")
        tries = self._take(ways)  # before anything is looked up or hashed for a stranger
        account = account or self._users.named(name)
        is_right = len(password) <= MOST_CHARACTERS and self._passwords.is_right(
            account.password if account else None, password
        )
        if not is_right or account is None or account.is_given_too_long_ago(self._clock()):
            raise Wrong
        self._give_back(tries)
        if account.password and self._passwords.is_outdated(account.password):
            self._users.rehash(account.id, self._passwords.hashed(password))
        must_renew = account.must_change(self._clock(), self._rotation_days())
        stage = stage_after_password(account.factor is not None, must_renew)
        return self._further(account, stage, address, agent, device)

    def code(self, seat: Seat, code: str, address: str, agent: str, device: str) -> Entered:
        """The second factor's code, or a recovery code. Raises Wrong, TooOften, StorageError."""
        account = self._users.get(seat.user)
        if account is None or seat.stage is not Stage.FACTOR:
            raise Wrong
        is_known = self._devices.is_known(device, account.id)
        ways = _ways(CODE, account.name, address, device if is_known else "")
        tries = self._take(ways)
        is_recovery = factors.looks_like_recovery(code)
        if not (self._used_recovery(account, code) if is_recovery else self._used_code(account, code)):
            if self._sessions.count_wrong_code(seat.number) >= WRONG_CODES:
                self._sessions.end(seat.number)
            raise Wrong
        self._give_back(tries)
        must_renew = account.must_change(self._clock(), self._rotation_days())
        self._sessions.end(seat.number)
        stage = stage_after_factor(True, must_renew)
        entered = self._further(account, stage, address, agent, device)
        return Entered(entered.secret, entered.stage, entered.device, is_recovery)

    def further(self, seat: Seat, address: str, agent: str, device: str) -> Entered:
        """After a new password or factor of one on the way in: the next stage. Raises Wrong, StorageError."""
        account = self._users.get(seat.user)
        if account is None:
            raise Wrong
        must_renew = account.must_change(self._clock(), self._rotation_days())
        self._sessions.end(seat.number)
        stage = stage_after_factor(account.factor is not None, must_renew)
        return self._further(account, stage, address, agent, device)

    def check_own(self, account: Account, password: str, address: str, device: str) -> None:
        """Whether it is really he, before a change of his own. Raises Wrong, TooOften, Busy."""
        is_known = self._devices.is_known(device, account.id)
        ways = _ways(PASSWORD, account.name, address, device if is_known else "")
        tries = self._take(ways)
        if len(password) > MOST_CHARACTERS or not self._passwords.is_right(account.password, password):
            raise Wrong
        self._give_back(tries)

    def _further(self, account: Account, stage: Stage, address: str, agent: str, device: str) -> Entered:
        secret = self._sessions.begin(account.id, stage, address, agent)
        if stage is not Stage.IN:
            return Entered(secret, stage)
        self._users.note_sign_in(account.id)
        return Entered(secret, stage, self._devices.remember(account.id, device))

    def _used_code(self, account: Account, code: str) -> bool:
        if account.factor is None:
            return False
        step = factors.matching_step(account.factor, code, self._clock(), account.factor_step)
        return step is not None and self._users.use_step(account.id, step)

    def _used_recovery(self, account: Account, code: str) -> bool:
        return self._users.use_recovery_code(account.id, code)

    def _take(self, ways: Ways) -> Tries:
        """A try of every bucket of the first way that has one in each; which they were. Raises TooOften."""
        now_ns = self._clock()
        with self._lock:
            waits = [max(self._throttle.wait_ns(key, pace, now_ns) for key, pace in way) for way in ways]
            key = ways[0][-1][0]
            if min(waits):
                raise TooOften(min(waits), self._begins(key, now_ns))
            taken = ways[waits.index(0)]
            for bucket, pace in taken:
                self._throttle.take(bucket, pace, now_ns)
        return taken

    def _begins(self, key: str, now_ns: int) -> bool:
        """Whether this is told for the first time in an hour: whoever guesses for days fills no journal."""
        begins = now_ns - self._slowed.get(key, 0) > TOLD_AGAIN_NS
        if begins:
            if len(self._slowed) > throttle.PLACES:
                self._slowed.clear()
            self._slowed[key] = now_ns
        return begins

    def _give_back(self, tries: Tries) -> None:
        with self._lock:
            for key, pace in tries:
                self._throttle.give_back(key, pace)


def _ways(what: str, name: str, address: str, known_device: str) -> Ways:
    """The buckets that a try is taken from: a known browser's own, else the address's and the account's.

    Where strangers have emptied the account's, an address that has hardly tried has a few of its own: whoever
    sits at another one than they do is let in, by a browser that nobody knows, too.
    """
    account = hashlib.sha256(f"{what}/{key_of(name)}".encode()).hexdigest()
    if known_device:
        number = hashlib.sha256(known_device.encode()).hexdigest()
        return ([(f"device/{number}/{account}", OF_DEVICE if what == PASSWORD else OF_CODES)],)
    network = network_of(address)
    of_address = (f"address/{network}", OF_ADDRESS)
    if what != PASSWORD:
        return ([of_address, (f"account/{account}", OF_CODES)],)
    reserve = [of_address, (f"pair/{network}/{account}", OF_PAIR), (f"reserve/{account}", OF_RESERVE)]
    return [of_address, (f"account/{account}", OF_STRANGERS)], reserve
