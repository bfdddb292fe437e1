"""How it stands with one central, gathered from those who send to it: alarms, rates, what is left."""

import collections
import os
import threading
import time

from appliance.model.instants import NS
from appliance.replication.missing import backlog
from appliance.replication.sending import Sender
from appliance.replication.state import ReplicationState
from appliance.runtime.clock import Clock, now_ns
from appliance.runtime.recorder_state import Alarm

_RATE_S = 10.0
_FAILING_S = 60.0
"""A line that stutters is no alarm."""

_LATER = {"unreachable": "cannot be reached", "busy": "is busy", "full": "is full"}
"""Failures that may pass by themselves."""

_PUT_BACK_SHOWN_NS = 7 * 86_400 * NS


class Standing:
    """Gathers; `state` says it all. Safe between threads."""

    def __init__(self, name: str, sender: Sender, clock: Clock = now_ns) -> None:
        self._name = name
        self._sender = sender
        self._clock = clock
        self._lock = threading.Lock()
        self._alarms: dict[str, Alarm] = {}
        self._sent = 0
        self._samples: collections.deque[tuple[float, int]] = collections.deque([(time.monotonic(), 0)])
        self._waiting: dict[str, int] = {}
        self._failing_since_ns: int | None = None
        self._failure = ("", "")
        self.worked_at = 0.0

    def sent(self, count: int) -> None:
        """So many bytes have gone."""
        with self._lock:
            self._sent += count

    def worked(self) -> None:
        """Central answered one of the senders as itself."""
        with self._lock:
            self.worked_at = time.monotonic()
            self._waiting.clear()  # whoever waits sees that central is back
            self._failing_since_ns = None
            for kind in (*_LATER, "untrusted", "refused_all", "storage"):
                self._alarms.pop(kind, None)

    def failed(self, who: str, kind: str, message: str, wait_s: float) -> None:
        """One of the senders failed and waits so many seconds."""
        now_ns = self._clock()
        with self._lock:
            self._waiting[who] = now_ns + round(wait_s * NS)
            if kind in _LATER:
                self._failing_since_ns = self._failing_since_ns or now_ns
                self._failure = kind, message
            else:
                self._rise(kind, f"central '{self._name}': {message}")

    def undone(self, kind: str, message: str | None) -> None:
        """Something of the box's own account could not be done, in words; None: it could."""
        with self._lock:
            if message is None:
                self._alarms.pop(kind, None)
            else:
                self._rise(kind, f"the account of central '{self._name}' is not in order: {message}")

    def state(
        self, receipts: int, absent: int, is_due: bool = True, is_over: bool = False
    ) -> ReplicationState:
        """How things stand now. `is_due`: some of what is left may go at this hour."""
        left = backlog(self._sender.lacking())
        now_ns = self._clock()
        with self._lock:
            self._watch(now_ns)
            waiting = [at_ns for at_ns in self._waiting.values() if at_ns > now_ns]
            rests = "resting" if left.objects else "idle"
            doing = "waiting" if waiting else "sending" if is_due and left.objects else rests
            return ReplicationState(
                os.getpid(),
                now_ns,
                "ended" if is_over else doing,
                self._sender.contact_ns,
                self._sender.receipt_ns,
                receipts,
                left.objects,
                left.size_bytes,
                left.oldest_ns,
                self._rate(),
                min(waiting, default=None),
                absent,
                tuple(self._alarms.values()),
            )

    def _watch(self, now_ns: int) -> None:
        """Raise what stands, lower what does not."""
        since_ns = self._failing_since_ns
        if since_ns is not None and now_ns - since_ns > _FAILING_S * NS:
            for other in _LATER:
                self._alarms.pop(other, None)
            kind, message = self._failure
            told = f"central '{self._name}' {_LATER[kind]}: {message}"
            self._alarms[kind] = Alarm(kind, since_ns, told)
        troubles = dict(self._sender.troubles())
        for kind in ("conflict", "refused", "damaged", "chain", "unsaved"):
            if kind in troubles:
                self._rise(kind, f"central '{self._name}' did not get everything: {troubles[kind]}")
            else:
                self._alarms.pop(kind, None)
        back_ns = self._sender.put_back_ns
        if back_ns is not None and now_ns - back_ns < _PUT_BACK_SHOWN_NS:
            told = (
                f"central '{self._name}' was put back to an earlier state, and what it lost is sent again; "
                "ask its operator why (the proof is in evidence.jsonl)"
            )
            self._alarms["put_back"] = Alarm("put_back", back_ns, told)
        else:
            self._alarms.pop("put_back", None)

    def _rise(self, kind: str, message: str) -> None:
        known = self._alarms.get(kind)
        self._alarms[kind] = Alarm(kind, known.since_ns if known else self._clock(), message)

    def _rate(self) -> int:
        """Bytes a second over the last ten seconds."""
        now = time.monotonic()
        self._samples.append((now, self._sent))
        while len(self._samples) > 2 and now - self._samples[0][0] > _RATE_S:
            self._samples.popleft()
        begun, sent = self._samples[0]
        return round((self._sent - sent) / (now - begun)) if now > begun else 0
