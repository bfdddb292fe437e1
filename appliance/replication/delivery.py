"""Delivery to one central: looks what is missing there, sends it, waits after failures, says how it stands.

Two lanes, each with a connection of its own: both take what is next, but one of them nothing large, so that
what secures the last minutes never waits behind a segment that takes minutes on a slow line.
"""

import threading
import time
from collections.abc import Callable

from appliance.model.errors import GreffierError, HomeError, StorageError
from appliance.replication import state
from appliance.replication.accounts import Accounts
from appliance.replication.enrolled import Enrolled
from appliance.replication.holdings import Holdings
from appliance.replication.lane import Lane
from appliance.replication.sending import Sender
from appliance.replication.standing import Standing
from appliance.replication.state import ReplicationState, StateFile
from appliance.replication.targets import Target
from appliance.runtime.clock import Clock, now_ns

_PATIENCE_S = 5.0
_TIDY_S = 3600.0
_BROUGHT_S = 10.0


class Delivery:
    """Both lanes of one central, its account and what is said of it. `run` once."""

    def __init__(
        self,
        central: Enrolled,
        holdings: Holdings,
        sender: Sender,
        accounts: Accounts,
        state_file: StateFile,
        make_target: Callable[[], Target],
        stopping: threading.Event,
        once: bool = False,
        may_bulk: Callable[[], bool] = lambda: True,
        told: Callable[[ReplicationState], None] = lambda state: None,
        clock: Clock = now_ns,
    ) -> None:
        if before := state.read(central.folder):
            sender.contact_ns, sender.receipt_ns = before.contact_ns, before.receipt_ns
        self._holdings = holdings
        self._sender = sender
        self._accounts = accounts
        self._state_file = state_file
        self._told = told
        self._standing = Standing(central.identity.name, sender, clock)
        self._lanes = [
            Lane(is_urgent, holdings, sender, self._standing, make_target(), stopping, once, may_bulk)
            for is_urgent in (True, False)
        ]
        self._stopping = stopping
        self._may_bulk = may_bulk
        self._central = central
        self._tidied_at = self._entered_at = -_TIDY_S

    @property
    def error(self) -> GreffierError | None:
        """Why a delivery that was to end once gave up; None if it did not."""
        return next((lane.error for lane in self._lanes if lane.error), None)

    def run(self) -> None:
        """Send until stopped, or until nothing is left."""
        threads = [threading.Thread(target=lane.run, daemon=True) for lane in self._lanes]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not self._stopping.wait(0.05):
            if self._holdings.version:
                self._keep_account()
            self.say()
            for thread in threads:
                thread.join(0.5)
        deadline = time.monotonic() + _PATIENCE_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _keep_account(self) -> None:
        """What need not be done at once: enter what a courier brought, let go of what is for nothing."""
        now = time.monotonic()
        if now - self._entered_at > _BROUGHT_S:
            self._entered_at = now
            self._try("brought", self._enter_brought)
        if now - self._tidied_at > _TIDY_S:
            self._tidied_at = now
            self._try("untidy", self._sender.tidy)

    def _enter_brought(self) -> None:
        self._sender.enter_brought(self._central.folder, self._central.identity.signs_as)

    def _try(self, kind: str, work: Callable[[], None]) -> None:
        """It is tried again; until it is done it is an alarm."""
        try:
            work()
        except (StorageError, HomeError) as error:
            self._standing.undone(kind, str(error))
        else:
            self._standing.undone(kind, None)

    def say(self, is_over: bool = False) -> ReplicationState:
        """How it stands now, which is also written where `status` reads it."""
        self._accounts.flush()
        book = self._accounts.book
        is_due = bool(self._sender.due(self._may_bulk()))
        stands = self._standing.state(len(book), book.absent, is_due, is_over)
        self._state_file.write(stands)
        self._told(stands)
        return stands
