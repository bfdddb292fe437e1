"""The audit chain for the page: its lines, whether it is whole, and steps that the page takes by itself."""

import threading
from pathlib import Path

from appliance.audit import book, check, volume
from appliance.audit.check import Checked
from appliance.audit.lines import Noted, results
from appliance.control.messages import Actor, AskAudit, Audit, AuditLine, Done, NoteStep
from appliance.control.steps import PAGE_STEPS, Ended, Step
from appliance.model.errors import UsageError
from appliance.model.instants import to_iso
from appliance.services.keeping.at_hand import AtHand, Handlers
from appliance.vault import chain
from appliance.vault.seals import Init

MOST_LINES = 1000
"""Of an answer: a page prints so many at a time."""

_REFUSALS = frozenset({Step.SIGN_IN_REFUSED, Step.SIGN_IN_SLOWED, Step.ACCESS_REFUSED})


class _Watch:
    """The chain as it was checked; only what came since is looked at again. Safe between threads."""

    def __init__(self, at: AtHand) -> None:
        self._at = at
        self._lock = threading.Lock()
        self._checked: Checked | None = None
        self._seen: tuple[int, int, int] | None = None

    def now(self) -> Checked:
        """What the chain says and what is wrong with it. Raises HomeError."""
        with self._lock:
            seen = self._look()
            if self._checked is not None and seen == self._seen:
                return self._checked
            further = self._further(self._checked, seen)
            if self._checked is None or further is None:
                self._checked = check.check(self._at.home(), self._at.chain().entries)
            else:
                check.follow(self._checked, further, self._box())
            self._seen = seen
            return self._checked

    def whole(self) -> None:
        """Check all of it again, what was checked before too; who asks meanwhile is not kept waiting."""
        seen = self._look()
        checked = check.check(self._at.home(), self._at.chain().entries)
        with self._lock:
            self._checked, self._seen = checked, seen

    def _further(self, checked: Checked | None, seen: tuple[int, int, int] | None) -> list[bytes] | None:
        """The whole lines behind those checked; None where the file is not the one checked, and longer."""
        if checked is None or checked.faults or self._seen is None or seen is None:
            return None
        if seen[0] != self._seen[0] or seen[1] <= self._seen[1]:
            return None
        with volume.path_of(self._at.home()).open("rb") as file:
            file.seek(checked.size_bytes)
            return chain.split_lines(file.read())[0]

    def _look(self) -> tuple[int, int, int] | None:
        return _look(volume.path_of(self._at.home()))

    def _box(self) -> str:
        first = self._at.chain().entries[0].body
        return first.box if isinstance(first, Init) else ""


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        known = path.stat()
    except OSError:
        return None
    return known.st_ino, known.st_size, known.st_mtime_ns


def _watch(at: AtHand) -> _Watch:
    return at.once("audit", lambda: _Watch(at))


def check_whole(at: AtHand) -> None:
    """Check every line again, once an hour: an old one may have been changed. Raises HomeError."""
    _watch(at).whole()


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
    came_to = results(steps)
    lines = tuple(_line(step, came_to[step.seq]) for step in reversed(page))
    return Audit(lines, checked.total, head, fault(at))


def _line(step: Noted, result: Ended) -> AuditLine:
    return AuditLine(
        step.seq, to_iso(step.at_ns), step.actor, str(step.step), step.subject, dict(step.details),
        str(result), step.hash,
    )  # fmt: skip


def _note(at: AtHand, actor: Actor, ask: NoteStep) -> Done:
    """Only what the page does by itself: it cannot say in its own words that the keeper did something.

    The answer's `said` is the number of the line: what was `begun` and fails has another that names it.
    """
    if ask.step not in PAGE_STEPS:
        raise UsageError(f"'{ask.step[:40]}' is no step that the page takes by itself")
    details = dict(ask.details)
    ended = details.pop("ended", Ended.REFUSED if ask.step in _REFUSALS else Ended.DONE)
    if ended not in set(Ended):
        raise UsageError(f"'{ended[:40]}' is not how a step ends")
    line = book.note(at.home(), actor, Step(ask.step), ask.subject, details, Ended(ended), at.clock)
    return Done(str(line.seq))


HANDLERS: Handlers = {AskAudit: _audit, NoteStep: _note}
