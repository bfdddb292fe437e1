"""Replication of a home: one delivery for each central that it is enrolled at, none waiting for another."""

import datetime as dt
import os
import threading
import time
import zoneinfo
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from appliance.config import box
from appliance.config.replication import ReplicationConfig
from appliance.model.errors import GreffierError, ReplicationError
from appliance.model.instants import NS
from appliance.replication import pacing, uplink
from appliance.replication.accounts import Accounts
from appliance.replication.delivery import Delivery
from appliance.replication.enrolled import LOCK, Enrolled, enrolled
from appliance.replication.holdings import Holdings
from appliance.replication.https_target import HttpsTarget
from appliance.replication.sending import Sender
from appliance.replication.state import ReplicationState, StateFile
from appliance.replication.targets import Target
from appliance.runtime import locks
from appliance.runtime.clock import Clock, now_ns
from appliance.services.recording.signals import stop_on_signals
from appliance.vault import homes, signing
from appliance.vault.names import Home

LOOK_S = 10.0
"""How often it is looked which centrals the box is enrolled at."""

_TICK_S = 0.05

Told = Callable[[str, ReplicationState], None]
"""Hears about once a second how it stands with the central of that name."""


@dataclass(frozen=True)
class Outcome:
    """How a delivery ended. `error` is why it was given up, None if it was not."""

    central: str
    url: str
    state: ReplicationState
    error: GreffierError | None


class Replicating:
    """Sends what a home holds to its centrals, until `stopping` is set or, with `once`, nothing is left."""

    def __init__(
        self,
        home: Home,
        centrals: Sequence[Enrolled],
        config: ReplicationConfig,
        stopping: threading.Event,
        once: bool = False,
        told: Told = lambda name, state: None,
        make_target: Callable[[Enrolled], Target] | None = None,
        clock: Clock = now_ns,
        look: Callable[[], Sequence[Enrolled]] = tuple,
    ) -> None:
        """`look` gives the centrals as they are known now, every ten seconds."""
        self._home = home
        self._centrals = centrals
        self._config = config
        self._stopping = stopping
        self._once = once
        self._told = told
        self._make_target = make_target or self._https()
        self._clock = clock
        self._look = look

    def run(self) -> list[Outcome]:
        """Send. Raises HomeError, StorageError; ReplicationError where another process is at work."""
        signer = signing.load(self._home.signing_key)
        holdings = Holdings(self._home, self._clock)
        works: list[_Work] = []
        with ExitStack() as handles:
            for central in self._centrals:
                self._alone(central, handles)
            works += [self._begin(central, holdings, signer) for central in self._centrals]
            looked_at = time.monotonic()
            while any(work.thread.is_alive() for work in works) and not self._stopping.wait(_TICK_S):
                if time.monotonic() - looked_at > LOOK_S:
                    looked_at = time.monotonic()
                    with suppress(GreffierError):  # half written, or not to be read now: the next time
                        self._look_again(works, holdings, signer, handles)
            for work in works:
                work.stopping.set()
            for work in works:
                work.end()
        return [
            Outcome(
                work.central.identity.name, work.central.url, work.delivery.say(True), work.delivery.error
            )
            for work in works
        ]

    def _look_again(
        self, works: list["_Work"], holdings: Holdings, signer: signing.Signer, handles: ExitStack
    ) -> None:
        """Begin with a central that the box was enrolled at since, and anew with one that has moved."""
        known = {work.central.folder: work for work in works}
        for central in self._look():
            work = known.get(central.folder)
            if work and work.central == central:
                continue
            if work:
                work.stopping.set()
                work.end()
                works[works.index(work)] = self._begin(central, holdings, signer)
            else:
                self._alone(central, handles)
                works.append(self._begin(central, holdings, signer))

    def _begin(self, central: Enrolled, holdings: Holdings, signer: signing.Signer) -> "_Work":
        stopping = threading.Event()
        delivery, accounts = self._delivery(central, holdings, signer, stopping)
        thread = threading.Thread(target=delivery.run, daemon=True)
        thread.start()
        return _Work(central, delivery, accounts, thread, stopping)

    def _delivery(
        self, central: Enrolled, holdings: Holdings, signer: signing.Signer, stopping: threading.Event
    ) -> tuple[Delivery, Accounts]:
        accounts = Accounts(central.folder, central.identity, signer.fingerprint, self._clock)
        delivery = Delivery(
            central,
            holdings,
            Sender(holdings, accounts, signer, self._clock),
            accounts,
            StateFile(central.folder),
            lambda: self._make_target(central),
            stopping,
            self._once,
            lambda: self._once or _is_time(self._config, self._clock()),
            lambda state: self._told(central.identity.name, state),
            self._clock,
        )
        return delivery, accounts

    def _https(self) -> Callable[[Enrolled], Target]:
        """Targets that share what the line of this box may carry."""
        line = pacing.Line(uplink.limits(self._config), threading.Lock())
        return lambda central: HttpsTarget(
            central.url, central.identity, self._config, line, self._stopping.wait
        )

    def _alone(self, central: Enrolled, handles: ExitStack) -> None:
        """One process for a central at a time: two would both write its account."""
        handle = locks.attempt(central.folder / LOCK)
        if handle is None:
            raise ReplicationError(
                f"another 'greffier replicate' sends to central '{central.identity.name}' already; "
                "'greffier status' says how it stands"
            )
        handles.callback(os.close, handle)


@dataclass(frozen=True)
class _Work:
    """A delivery at work."""

    central: Enrolled
    delivery: Delivery
    accounts: Accounts
    thread: threading.Thread
    stopping: threading.Event

    def end(self) -> None:
        """Wait until it has ended, some seconds after it was told to."""
        while self.thread.is_alive():  # a join without end would keep signals waiting
            self.thread.join(0.2)
        self.accounts.close()


def replicate(
    path: Path, to: str | None = None, once: bool = False, told: Told = lambda name, state: None
) -> list[Outcome]:
    """Replicate a home to all its centrals, or to the one at a URL, until a signal comes or all is there.

    Raises ReplicationError where the home is enrolled nowhere, or not there; HomeError, StorageError.
    """
    home = homes.existing(path)
    config = box.read(home.config).replication
    known = enrolled(home)
    centrals = [central for central in known if to is None or _same(central.url, to)]
    if not centrals:
        of_what = f"at {to}" if to else "anywhere"
        others = f"; it is at {', '.join(central.url for central in known)}" if known else ""
        raise ReplicationError(
            f"this box is not enrolled {of_what}{others}: have the operator of a central run "
            "'greffier central enrol', then run 'greffier enrol' here with the code"
        )
    is_fixed = once or to is not None
    with stop_on_signals() as stopping:
        look = tuple if is_fixed else lambda: enrolled(home)
        return Replicating(home, centrals, config, stopping, once, told, look=look).run()


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _is_time(config: ReplicationConfig, at_ns: int) -> bool:
    """Whether segments may go at this hour of the site's day."""
    here = dt.datetime.fromtimestamp(at_ns // NS, zoneinfo.ZoneInfo(config.time_zone))
    return pacing.is_within(config.minutes(), here.hour * 60 + here.minute)
