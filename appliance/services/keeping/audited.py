"""The audit chain for the page: its lines, whether it is whole, and steps that the page takes by itself."""

import threading
from pathlib import Path

from appliance.audit import book, check
from appliance.audit.check import Checked
from appliance.audit.lines import Noted
from appliance.control.messages import Actor, AskAudit, Audit, AuditLine, Done, NoteStep
from appliance.control.steps import PAGE_STEPS, Ended, Step
from appliance.model.errors import UsageError
from appliance.model.instants import HOUR_NS, to_iso
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.vault import chain
from appliance.vault.seals import Init

MOST_LINES = 1000
"""Of an answer: a page prints so many at a time."""

WHOLE_EVERY_NS = HOUR_NS
"""Lines checked before are checked again so often; further ones as they come."""


_REFUSALS = frozenset({Step.SIGN_IN_REFUSED, Step.SIGN_IN_SLOWED, Step.ACCESS_REFUSED})


class _Watch:
    """The chain as it was checked, and only what came since is looked at again."""

    def __init__(self, at: AtHand) -> None:
        self._at = at
        self._lock = threading.Lock()
        self._checked = Checked()
        self._seen: tuple[int, int, int] | None = None
        self._whole_ns = 0

    def now(self) -> Checked:
        """What the chain says and what is wrong with it. Raises HomeError."""
        with self._lock:
            home, seals = self._at.home(), self._at.chain()
            seen = _look(book.path_of(home))
            now_ns = self._at.clock()
            old = not self._whole_ns <= now_ns < self._whole_ns + WHOLE_EVERY_NS
            if seen == self._seen and not old:
                return self._checked
            further = None if old or seen is None or self._checked.faults else self._further(seen)
            if further is None:
                self._checked = check.check(home, seals.entries)
                self._whole_ns = now_ns
            else:
                first = seals.entries[0].body
                check.follow(self._checked, further, first.box if isinstance(first, Init) else "")
            self._seen = seen
            return self._checked

    def _further(self, seen: tuple[int, int, int]) -> list[bytes] | None:
        """The whole lines behind those checked; None where the file is not the one checked, and longer."""
        if self._seen is None or seen[0] != self._seen[0] or seen[1] <= self._seen[1]:
            return None
        with book.path_of(self._at.home()).open("rb") as file:
            file.seek(self._checked.size_bytes)
            return chain.split_lines(file.read())[0]


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns


def _watch(at: AtHand) -> _Watch:
    return at.once("audit", lambda: _Watch(at))


def fault(at: AtHand) -> str:
    """What is wrong with the audit chain, in a sentence; "" if nothing is. Raises HomeError."""
    faults = _watch(at).now().faults
    if not faults:
        return ""
    more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
    return f"{faults[0].place} {faults[0].what}{more}; see 'greffier verify'"


def _audit(at: AtHand, _: Actor, ask: AskAudit) -> Audit:
    checked = _watch(at).now()
    steps = checked.steps
    until = len(steps)
    if ask.before is not None:
        until = next((n for n in range(len(steps), 0, -1) if steps[n - 1].seq < ask.before), 0)
    count = max(0, min(ask.count, MOST_LINES))
    page = steps[max(0, until - count) : until]
    head = str(checked.head) if checked.hashes else ""
    return Audit(tuple(_line(step) for step in reversed(page)), len(checked.hashes), head, fault(at))


def _line(step: Noted) -> AuditLine:
    return AuditLine(
        step.seq, to_iso(step.at_ns), step.actor, str(step.step), step.subject, dict(step.details),
        str(step.ended), step.hash,
    )  # fmt: skip


def _note(at: AtHand, actor: Actor, ask: NoteStep) -> Done:
    """Only what the page does by itself: it cannot say in its own words that the keeper did something."""
    if ask.step not in PAGE_STEPS:
        raise UsageError(f"'{ask.step[:40]}' is no step that the page takes by itself")
    details = dict(ask.details)
    ended = details.pop("ended", Ended.REFUSED if ask.step in _REFUSALS else Ended.DONE)
    if ended not in set(Ended):
        raise UsageError(f"'{ended[:40]}' is not how a step ends")
    book.note(at.home(), actor, Step(ask.step), ask.subject, details, Ended(ended), at.clock)
    return Done()


HANDLERS: Handlers = {AskAudit: _audit, NoteStep: _note}
