"""What happened at the door, for the journal: noted in the name that was typed, by whoever typed it."""

import logging

from appliance.control.messages import Actor, Done, NoteStep
from appliance.control.steps import Step
from appliance.model.errors import ControlError
from webui.routing import Asked

_log = logging.getLogger("greffier.web")


def note(asked: Asked, step: Step, name: str, role: str = "", **details: str) -> None:
    """Note it as far as the keeper can: a box whose disk is full must still let in who repairs it.

    Every request is in the page's own log besides. What changes something is noted by `Asked.tell`, which
    refuses where nothing can be noted.
    """
    try:
        answer = asked.site.keeper.ask(Actor(name, role, asked.origin), NoteStep(step, name, details))
        if not isinstance(answer, Done):
            _log.warning("the journal did not take %s", step)
    except ControlError:
        _log.warning("the journal did not take %s: the keeper does not answer", step)
