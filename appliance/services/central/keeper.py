"""The keeper: what central does without being asked. A thread beside the requests, one at work a folder.

Every process has one. It writes down what its process refused; whichever holds the folder's lock also looks
who is silent, destroys what has passed its term and what lies past its day unknown, empties codes that have
lapsed, and renews the certificate. When its process dies the kernel drops the lock, and the next one takes
over.
"""

import os
import sys
import threading
from collections.abc import Callable
from functools import partial

from appliance.central import (
    attendance,
    contract_end,
    enrolment,
    erasures,
    expiry,
    moving,
    places,
    strays,
)
from appliance.central.places import Central
from appliance.central.tallies import Tallies
from appliance.https import certificates
from appliance.model.errors import CentralError, GreffierError
from appliance.model.instants import day_of
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns

TURN_S = 20.0
"""How late the silence of a site may be noticed, and its end."""

_DAY_NS, _HOUR_NS, _AGAIN_NS = 86_400 * 10**9, 3600 * 10**9, 300 * 10**9

Work = Callable[[Central, int], object]


def _expire(central: Central, now_ns: int) -> None:
    """Raises CentralError where the clock is not believed: somebody must vouch for it."""
    outcome = expiry.expire(central, now_ns)
    if outcome.doubt:
        raise CentralError(outcome.doubt)


def _renew(central: Central, now_ns: int) -> None:
    certificates.renew(central.folder / places.TLS, central.config.hosts, now_ns)


def _leave(central: Central, _: int) -> None:
    """Raises CentralError where an envelope is nowhere but where this central lay before."""
    moving.leave(central)


HOURLY: tuple[tuple[str, Work], ...] = (
    ("destroy what has passed its term", _expire),
    ("destroy envelopes where this central lay before", _leave),
    ("go on with contracts that have ended", contract_end.finish),
    ("empty lapsed codes", enrolment.lapse),
    ("renew its certificate", _renew),
)
"""What is done once an hour, at midnight and at the start; what failed, after five minutes."""

DAILY: tuple[tuple[str, Work], ...] = (("destroy what lies past its day without a receipt", strays.sweep),)
"""What reads the names of all envelopes, also at the start: a process that died is what leaves strays."""

EACH_TURN: tuple[tuple[str, Work], ...] = (
    ("look who is silent", attendance.notice),
    ("remove what is needed no more", erasures.erase),
)


def complain(sentence: str) -> None:
    """Say it where a service says such things."""
    sys.stderr.write(f"greffier: {sentence}\n")
    sys.stderr.flush()


class Keeper:
    """`start` begins its turns, `stop` ends them; `turn` is one of them."""

    def __init__(
        self,
        central: Central,
        tallies: Tallies,
        clock: Clock = now_ns,
        told: Callable[[str], None] = complain,
    ) -> None:
        self._central = central
        self._tallies = tallies
        self._clock = clock
        self._told = told
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._lock: int | None = None
        self._next_ns: dict[str, int] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, after the turn that is under way; what is still counted is written."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._try("write what was refused", self._write_tallies)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def turn(self) -> None:
        """Everything that is due now; what fails is said, and tried again in the next turn."""
        self._try("write what was refused", self._write_tallies)
        if not self._try("take its lock", self._lead) or self._lock is None:
            return
        now = self._clock()
        for what, work in EACH_TURN:
            self._try(what, partial(work, self._central, now))
        self._turn_to(HOURLY, _HOUR_NS, now)
        self._turn_to(DAILY, _DAY_NS, now)

    def _turn_to(self, works: tuple[tuple[str, Work], ...], every_ns: int, now: int) -> None:
        for what, work in works:
            if not now < self._next_ns.get(what, 0) <= now + every_ns:  # also after the clock was set back
                done = self._try(what, partial(work, self._central, now))
                later = now + (every_ns if done else _AGAIN_NS)
                self._next_ns[what] = min(later, (now // _DAY_NS + 1) * _DAY_NS)  # terms end at midnight, UTC

    def _run(self) -> None:
        while True:
            self.turn()
            self._central.database.close()  # this thread's own; none is held while it sleeps
            if self._stopping.wait(TURN_S):
                return

    def _write_tallies(self) -> None:
        self._tallies.write(self._central.database, day_of(self._clock()))

    def _lead(self) -> None:
        """Be the keeper at work, if no other is; a lock once taken is held to the end."""
        if self._lock is None:
            self._lock = locks.attempt(self._central.folder / "keeper.lock")

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        try:
            work()
        except Exception as error:  # noqa: BLE001  a keeper that ends would destroy nothing any more
            self._told(f"cannot {what}: {_in_words(error)}; it is tried again")
            return False
        return True


def _in_words(error: Exception) -> str:
    """Errors of ours say what they mean; others may hold anything."""
    return str(error) if isinstance(error, GreffierError) else type(error).__name__
