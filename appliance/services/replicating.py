"""Replication of a home: one delivery for each central that it is enrolled at, none waiting for another."""

import datetime as dt
import os
import threading
import zoneinfo
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    ) -> None:
        self._home = home
        self._centrals = centrals
        self._config = config
        self._stopping = stopping
        self._once = once
        self._told = told
        self._make_target = make_target or self._https()
        self._clock = clock

    def run(self) -> list[Outcome]:
        """Send. Raises HomeError, StorageError; ReplicationError where another process is at work."""
        signer = signing.load(self._home.signing_key)
        holdings = Holdings(self._home, self._clock)
        with self._alone():
            deliveries = [self._delivery(central, holdings, signer) for central in self._centrals]
            threads = [threading.Thread(target=delivery.run, daemon=True) for delivery, _ in deliveries]
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():  # a join without end would keep signals waiting
                    thread.join(0.2)
            for _, accounts in deliveries:
                accounts.close()
        return [
            Outcome(central.identity.name, central.url, delivery.say(is_over=True), delivery.error)
            for central, (delivery, _) in zip(self._centrals, deliveries, strict=True)
        ]

    def _delivery(
        self, central: Enrolled, holdings: Holdings, signer: signing.Signer
    ) -> tuple[Delivery, Accounts]:
        accounts = Accounts(central.folder, central.identity, signer.fingerprint, self._clock)
        delivery = Delivery(
            central,
            holdings,
            Sender(holdings, accounts, signer, self._clock),
            accounts,
            StateFile(central.folder),
            lambda: self._make_target(central),
            self._stopping,
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

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process for a central at a time: two would both write its account."""
        handles: list[int] = []
        try:
            for central in self._centrals:
                handle = locks.attempt(central.folder / LOCK)
                if handle is None:
                    raise ReplicationError(
                        f"another 'greffier replicate' sends to central '{central.identity.name}' already; "
                        "'greffier status' says how it stands"
                    )
                handles.append(handle)
            yield
        finally:
            for handle in handles:
                os.close(handle)


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
    with stop_on_signals() as stopping:
        return Replicating(home, centrals, config, stopping, once, told).run()


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _is_time(config: ReplicationConfig, at_ns: int) -> bool:
    """Whether segments may go at this hour of the site's day."""
    here = dt.datetime.fromtimestamp(at_ns // NS, zoneinfo.ZoneInfo(config.time_zone))
    return pacing.is_within(config.minutes(), here.hour * 60 + here.minute)
