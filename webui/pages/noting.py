"""What a page notes in the journal by itself: that somebody looked, printed, changed what is its own."""

import contextlib
from collections.abc import Iterator, Mapping

from appliance.control.messages import Done, NoteStep
from appliance.control.steps import Step
from webui.routing import Asked, Refusal

_AGAIN_NS = 3_600_000_000_000
"""Who loads the same page over and over is noted once an hour a session."""


@contextlib.contextmanager
def stepped(
    asked: Asked, step: Step, subject: str = "", details: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A step of the page: written down as begun, then taken; where it raises a second line says so.

    Raises Refusal where it cannot be written down: then it is not taken.
    """
    line = asked.tell(NoteStep(step, subject, {**(details or {}), "ended": "begun"}), Done).said
    try:
        yield
    except BaseException as error:
        kind = type(error.__cause__ if isinstance(error, Refusal) and error.__cause__ else error).__name__
        with contextlib.suppress(Refusal):  # the error of the step is what must be told
            asked.tell(NoteStep(step, subject, {"ended": "failed", "line": line, "error": kind}), Done)
        raise


def note(asked: Asked, step: Step, subject: str = "") -> None:
    """Note a step of this session, unless it was noted within the hour. Raises Refusal: unnoted, unseen."""
    hour = asked.site.clock() // _AGAIN_NS
    key = (asked.session, step, subject, hour)
    if asked.site.looks.is_new(key):
        try:
            asked.tell(NoteStep(step, subject), Done)
        except Exception:
            asked.site.looks.forget(key)
            raise
