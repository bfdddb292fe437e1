"""Listening: what arrives is asked for its sender, decoded, made durable, and then answered.

One thread, one loop. Whoever waits for an answer gets it as soon as the journal has what he said.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.config import box
from appliance.feeds.cloudtrax.statuses import Status
from appliance.feeds.told import Messages
from appliance.listeners.arrivals import Arrival, WayBack
from appliance.listeners.inlets import Inlets
from appliance.model.feeds import DeclaredSource, FeedKind
from appliance.services.feeds.gate import Gate
from appliance.services.feeds.hearing import last_heard
from appliance.services.feeds.inbox import Inbox
from appliance.services.feeds.intake import Intake
from appliance.services.feeds.listening_watch import ListeningWatch
from appliance.services.feeds.quarantine import Released
from appliance.services.feeds.rhythms import Rhythms
from appliance.services.feeds.speakers import Speakers
from appliance.services.recording.counts import SourceCounts
from appliance.services.recording.presence_form import Means
from appliance.services.recording.recording import Recording, Report, recording
from appliance.vault import homes

GATHER_S = 0.02
"""Between two rounds: messages that come together are decoded together, for a tenth of the cost each."""

RECEIVE_S, WORK_S = 0.2, 0.1
"""Receiving and decoding in one round. What the kernel has is taken first (300,000 datagrams a second): only
here, not in its memory, can a source that floods be told from the others."""

ANSWER_EVERY_S = 0.05
"""The journal is written at most so often for those who wait for an answer: a sync costs 1 to 10 ms."""

RETRY_EVERY_S = 1.0
"""A disk that refuses is asked so often for those who wait."""

DRAIN_S = 5.0
"""At the end, what the kernel still holds is taken for so long."""

FINISH_S = 20.0
"""At the end, what has been taken is decoded for so long; what is left then is lost, and counted."""


MOST_WAITING = 100_000
"""Messages that wait for a disk that refuses. Beyond, datagrams get no answer: their sender asks again."""

NOTHING = Messages(np.empty(0, np.int64), ())


@dataclass
class _Waiting:
    """Messages that are decoded and not durable."""

    way_back: WayBack
    count: int
    answers: Sequence[bytes]


def _arrival_of(released: Released) -> Arrival:
    """What was in quarantine, as if it had come now; its sender is waited for no more."""
    return Arrival(released.kind, released.sender, str(released.channel), released.messages, _Nobody())


class _Nobody:
    def settle(self, count: int, answers: Sequence[bytes]) -> None:
        pass


class Listening:
    """Receives feeds into a home. Inert until `run`, which ends at `stop`, a signal or after `seconds`."""

    def __init__(self, at_work: Recording[Intake], gate: Gate, rhythms: Rhythms, inlets: Inlets) -> None:
        self._at_work = at_work
        self._intake = at_work.recorder
        self._register = at_work.recorder.register
        self._gate = gate
        self._inlets = inlets
        self._rhythms = rhythms
        self._inbox = Inbox(at_work.config.listen.waiting_mib << 20)
        self._speakers = Speakers(self._intake)
        self._watch = ListeningWatch(self._intake, gate, rhythms, inlets, self._speakers, self._inbox)
        self._admitted: dict[str, DeclaredSource] = {}
        self._waiting: deque[_Waiting] = deque()
        self._unanswered = 0
        self._answers_due: float | None = None
        self._answered = 0.0
        self._arrived = 0

    def stop(self) -> None:
        """End in order, as a signal would."""
        self._at_work.stopping.set()

    def run(self, seconds: float | None, progress: Callable[[Sequence[SourceCounts]], None]) -> None:
        """Listen. The inlets are open already, so that a port that is taken leaves no trace in the home."""
        until = None if seconds is None else time.monotonic() + seconds
        self._watch.begin()
        while not self._at_work.stopping.is_set() and (until is None or time.monotonic() < until):
            self._round()
            if self._at_work.is_due:
                self._look()
                self._inlets.tend(self._sort)
                self._at_work.say()
                progress(self._intake.sources)
        self._end()

    def _look(self) -> None:
        """Once a second: how things stand, and who has been declared."""
        for released in self._watch.look():
            self._put(released.declared, _arrival_of(released))

    def _round(self) -> None:
        more = self._receive(self._patience_s())
        self._work(WORK_S)
        self._make_durable()
        self._register.pass_time(time.time_ns(), live=True)
        self._settle()
        self._inlets.resume(self._sort)
        if not more and not self._inbox:
            time.sleep(GATHER_S)

    def _receive(self, patience_s: float) -> bool:
        """Take what has come; whether there may be more."""
        until = time.monotonic() + RECEIVE_S
        more = self._inlets.poll(patience_s, self._sort)
        while more and time.monotonic() < until:
            more = self._inlets.poll(0, self._sort)
        return more

    def _patience_s(self) -> float:
        if self._inbox:
            return 0.0
        due = 0.1 if self._answers_due is None else self._answers_due - time.monotonic()
        return min(0.1, max(0.0, due))

    def _sort(self, arrival: Arrival) -> None:
        """Whoever may speak is put in the queue, others in quarantine."""
        self._arrived += 1
        declared = self._watch.speaker(arrival)
        if declared is not None:
            if not self._speakers.refuses(declared, arrival):
                self._put(declared, arrival)
        else:
            count = len(arrival.messages)
            arrival.way_back.settle(count, [Status.FORBIDDEN.digits] * count if arrival.wants_answer else ())

    def _put(self, declared: DeclaredSource, arrival: Arrival) -> None:
        self._admitted[declared.label] = declared
        self._inbox.put(declared.label, arrival)

    def _work(self, limit_s: float) -> None:
        """Decode what waits, each source in its turn."""
        until = time.monotonic() + limit_s
        for label, arrival in self._inbox.turns():
            self._take(self._admitted[label], arrival)
            if time.monotonic() > until:
                return

    def _take(self, declared: DeclaredSource, arrival: Arrival) -> None:
        now_ns = time.time_ns()
        if len(arrival.messages):
            told = self._intake.take(self._speakers.channel(declared, arrival, now_ns), arrival.messages)
            self._speakers.credit(declared, arrival, told)
            # When it came, not now: it may have waited long to be decoded, or for its sender to be declared.
            self._rhythms.heard(declared, int(arrival.messages.received_ns[-1]), told.spoken_by)
            self._speakers.note_access_points(declared, told.spoken_by)
            if arrival.stream or any(told.answers):
                self._await(_Waiting(arrival.way_back, len(arrival.messages), told.answers), arrival.stream)
        if arrival.last:
            self._speakers.end(declared.label, arrival, now_ns)

    def _await(self, waiting: _Waiting, stream: bool) -> None:
        if self._unanswered >= MOST_WAITING and not stream:
            return
        self._waiting.append(waiting)
        self._unanswered += waiting.count
        if self._answers_due is None and any(waiting.answers):
            self._answers_due = max(time.monotonic(), self._answered + ANSWER_EVERY_S)

    def _make_durable(self) -> None:
        """Write the journal for those who wait for an answer, and for streams that may not go on before."""
        urgent = self._answers_due is not None and time.monotonic() >= self._answers_due
        if (urgent or self._inlets.is_crowded) and time.monotonic() >= self._answered + ANSWER_EVERY_S:
            self._answered = time.monotonic()
            self._register.expire(time.time_ns())
            if not self._register.journal():
                self._answered += RETRY_EVERY_S
            self._settle()

    def _settle(self) -> None:
        """Answer what the journal holds."""
        if not self._register.take_journalled():
            return
        self._answers_due = None
        self._unanswered = 0
        while self._waiting:
            waiting = self._waiting.popleft()
            waiting.way_back.settle(waiting.count, waiting.answers)

    def _end(self) -> None:
        """Take what the kernel still holds, decode everything, answer it, and state the end."""
        self._inlets.cease()
        began = time.monotonic()
        arrived = -1
        while arrived != self._arrived and time.monotonic() < began + DRAIN_S:
            arrived = self._arrived
            self._receive(0)
            self._finish_work(began + FINISH_S)
        self._inlets.rest(self._sort)
        self._look()  # who was declared since the last look is recorded
        self._finish_work(began + FINISH_S)
        self._inbox.give_up()
        self._watch.leave()

    def _finish_work(self, until_s: float) -> None:
        while self._inbox and time.monotonic() < until_s:
            self._work(WORK_S)
            self._register.pass_time(time.time_ns(), live=True)
        self._register.take_journalled()  # a journal written before holds less than all
        self._register.journal()
        self._settle()
        self._inlets.resume(self._sort)


def listen(
    home_path: Path,
    seconds: float | None,
    progress: Callable[[Sequence[SourceCounts]], None],
    waiting: Callable[[str], None],
) -> Report:
    """Listen in a home until `seconds` have passed or a signal asks to stop; what that came to.

    Ports are bound before anything is written: one that is taken leaves no trace. Raises ListenError,
    HomeError, StorageError.
    """
    home = homes.existing(home_path)
    gate = Gate(home)
    heard_before = last_heard(home)

    def may_stay(kind: FeedKind, sender: str, certificate: str | None) -> bool:
        known = gate.by_certificate(certificate) if certificate else None
        return known is not None or gate.admit(kind, sender, NOTHING) is not None

    inlets = Inlets(home.path / "listen", box.read(home.config).listen, may_stay)
    inlets.open()
    gate.tls_fingerprint = inlets.fingerprint
    try:
        with recording(home_path, Intake, waiting) as at_work:
            rhythms = Rhythms(home.state, at_work.recorder.register.alarms, gate.board)
            rhythms.recall(heard_before)
            at_work.attend(Means.TOLD)
            Listening(at_work, gate, rhythms, inlets).run(seconds, progress)
    finally:
        inlets.close()
    return at_work.report
