"""One way to a central: takes what is next, sends it, waits longer after each failure."""

import random
import threading
import time
from collections.abc import Callable

from appliance.model.errors import GreffierError, HomeError, ReplicationError, StorageError
from appliance.replication import backoff
from appliance.replication.holdings import Holdings
from appliance.replication.missing import Item, Urgency
from appliance.replication.sending import Sender
from appliance.replication.standing import Standing
from appliance.replication.targets import Busy, Full, Refused, Target, Unreachable, Untrusted

LOOK_S = 2.0
"""How often it is looked what there is to send; of a home of a year that takes 20 ms."""

SIGN_OF_LIFE_S = 240.0
"""Central calls a site silent after 15 minutes."""

TRIES = 4
"""Failures in a row after which a delivery that is to end once gives up: some fifteen seconds."""

_TURN_S, _GLANCE_S = 0.02, 0.25


class Lane:
    """One way to a central: the urgent one takes envelopes and journals only, the other whatever is next."""

    def __init__(
        self,
        is_urgent: bool,
        holdings: Holdings,
        sender: Sender,
        standing: Standing,
        target: Target,
        stopping: threading.Event,
        once: bool,
        may_bulk: Callable[[], bool],
    ) -> None:
        self._is_urgent = is_urgent
        self._who = "urgent" if is_urgent else "bulk"
        self._holdings = holdings
        self._sender = sender
        self._standing = standing
        self._target = target
        self._stopping = stopping
        self._once = once
        self._may_bulk = may_bulk
        self._failures = 0
        self._has_asked = not once or is_urgent
        self._greeted_at = time.monotonic()
        self.error: GreffierError | None = None

    def run(self) -> None:
        """Until stopped; or until nothing is left to send, if it is to end once."""
        try:
            while not self._stopping.is_set():
                try:
                    if self._round():
                        return
                except (ReplicationError, HomeError, StorageError) as error:
                    if self._failed(error):
                        return
                except Exception as error:  # noqa: BLE001 - a lane that dies would be silence
                    what = (
                        f"unexpected {type(error).__name__}; this is a defect of Greffier, please report it"
                    )
                    if self._failed(ReplicationError(what)):
                        return
        finally:
            self._target.close()

    def _round(self) -> bool:
        """Look and send for two seconds, or wait as long; true when there is no more to do at all."""
        self._holdings.refresh(LOOK_S / 2)
        if not self._has_asked and not self._ask():
            self._stopping.wait(_TURN_S)
            return False
        waiting = [item for item in self._sender.due(self._may_bulk()) if self._takes(item)]
        if waiting:
            if not self._send(waiting):
                self._stopping.wait(_TURN_S)  # all of it is on its way by the other lane
            return False
        if self._once:
            return True
        if self._is_urgent:
            self._greet()
        self._stopping.wait(LOOK_S)
        return False

    def _takes(self, item: Item) -> bool:
        return item.urgency <= Urgency.JOURNAL or not self._is_urgent

    def _send(self, waiting: list[Item], again: bool = False) -> int:
        """Send for a while, in order, what the other lane does not; how many."""
        until, count = time.monotonic() + LOOK_S, 0
        upsets = self._sender.upsets
        for item in waiting:
            with self._sender.holding(item, again) as is_ours:
                if not is_ours:
                    continue
                answers = self._sender.answers
                self._sender.send(self._target, item, self._standing.sent)
            count += 1
            if self._sender.answers != answers:
                self._failures = 0
                self._greeted_at = time.monotonic()
                self._standing.worked()
            if self._stopping.is_set() or time.monotonic() > until or self._sender.upsets != upsets:
                break
        return count

    def _ask(self) -> bool:
        """Before it ends once: whether central is there and has what it signed for, by its newest line."""
        line, upsets = self._sender.newest_signed_line(), self._sender.upsets
        if line:
            with self._sender.holding(line, again=True) as is_ours:
                if not is_ours:
                    return False
                if not self._sender.send(self._target, line, self._standing.sent):
                    if self._sender.upsets != upsets:
                        return False  # it was put back: what it has is looked for anew
                    raise ReplicationError(self._why_not())
            self._failures = 0
            self._standing.worked()
        self._has_asked = True
        return True

    def _why_not(self) -> str:
        return next(
            (message for _, message in self._sender.troubles()), "it does not sign again for what it has"
        )

    def _greet(self) -> None:
        """Nothing to say is said, too: the newest line again, which costs central nothing."""
        if time.monotonic() - self._greeted_at >= SIGN_OF_LIFE_S:
            self._greeted_at = time.monotonic()
            line = self._sender.newest_signed_line()
            self._send([line] if line else [], again=True)

    def _failed(self, error: GreffierError) -> bool:
        """Wait longer after each failure; true if it is given up."""
        if self._stopping.is_set():
            return True
        self._failures += 1
        self._target.close()
        asked_s = error.retry_after_s if isinstance(error, Unreachable) else None
        wait_s = backoff.wait_s(self._failures, random.random(), asked_s)  # noqa: S311 - no secret
        self._standing.failed(self._who, _kind(error), str(error), wait_s)
        if self._once and self._failures >= TRIES:
            self.error = error
            return True
        self._wait(wait_s)
        return False

    def _wait(self, wait_s: float) -> None:
        """Until it is time again, or the other lane got an answer."""
        begun = time.monotonic()
        while (left := begun + wait_s - time.monotonic()) > 0 and self._standing.worked_at <= begun:
            if self._stopping.wait(min(left, _GLANCE_S)):
                return


def _kind(error: GreffierError) -> str:
    """The alarm that a failure is."""
    kinds = ((Full, "full"), (Busy, "busy"), (Unreachable, "unreachable"), (Untrusted, "untrusted"))
    for kind, word in (*kinds, (Refused, "refused_all")):
        if isinstance(error, kind):
            return word
    return "storage"
