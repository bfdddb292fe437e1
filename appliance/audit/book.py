"""The audit chain of a home: every privileged step as a signed line that names the hash of the one before.

It is written before the step is taken: what cannot be written down is not done. It holds no record, only
who did what, from where, to which thing. `audit.check` proves it, `audit.anchors` ties it to the seals.
"""

import contextlib
from collections.abc import Iterator, Mapping

from appliance.audit.lines import Noted
from appliance.audit.volume import Volume
from appliance.control.messages import Actor
from appliance.control.steps import Ended, Step
from appliance.model.errors import HomeError, StorageError
from appliance.runtime.clock import Clock, now_ns
from appliance.vault.names import Home


def note(
    home: Home,
    actor: Actor,
    step: Step,
    subject: str = "",
    details: Mapping[str, str] | None = None,
    outcome: Ended = Ended.DONE,
    clock: Clock = now_ns,
) -> Noted:
    """Write a step down, durable on return. Texts are made printable and cut to 512 letters.

    Raises HomeError without box.key or a readable end of the chain, StorageError; nothing is written then,
    and the step must not be taken.
    """
    with Volume(home, clock) as book:
        return book.append(actor, step, subject, details or {}, outcome)


@contextlib.contextmanager
def noted(
    home: Home,
    actor: Actor,
    step: Step,
    subject: str = "",
    details: Mapping[str, str] | None = None,
    clock: Clock = now_ns,
) -> Iterator[Noted]:
    """Write a step down, then let it be taken; if it raises, a second line says that it failed.

    The second line tells only the kind of the error: its sentence may hold what no log may.
    """
    line = note(home, actor, step, subject, details, Ended.BEGUN, clock)
    try:
        yield line
    except BaseException as error:
        with contextlib.suppress(HomeError, StorageError):  # the error of the step is what must be told
            failed = {"line": str(line.seq), "error": type(error).__name__}
            note(home, actor, step, subject, failed, Ended.FAILED, clock)
        raise


def shorten(home: Home, clock: Clock = now_ns) -> Noted | None:
    """Let lines go that are past their time, if there are any; the line that says so stays.

    The file is replaced whole: after a power cut it is the one or the other. Raises HomeError, StorageError.
    """
    with Volume(home, clock) as book:
        return book.shorten()
