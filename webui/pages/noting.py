"""What a page notes in the journal by itself: that somebody looked, or made a document for paper."""

from appliance.control.messages import Done, NoteStep
from appliance.control.steps import Step
from webui.routing import Asked

_AGAIN_NS = 3_600_000_000_000
"""Who loads the same page over and over is noted once an hour a session."""


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
